"""Every benchmark by name. Each runs in a process of its own, so that memory and threads are its own too."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import inspect
import sys

import msgspec

from benchmarks.figures import Figure
from benchmarks.setting import Setting, run_on

# In the order in which they are shown; what is measured only with --full says so.
SUBJECTS = {
    "ceiling": "flushes of this disk, and the bare loop on both event loops",
    "steps": "steps a second with a hundred runs in flight, pure and keyed",
    "plans": "from a goal to its checked plan",
}


def measure_here(name: str, setting: Setting) -> list[Figure]:
    """Run one benchmark in this process."""
    measure = importlib.import_module(f"benchmarks.{name}").measure
    if inspect.iscoroutinefunction(measure):
        return run_on(setting.loop, measure(setting))
    figures: list[Figure] = measure(setting)
    return figures


async def measure_apart(name: str, setting: Setting) -> list[Figure]:
    """Run one benchmark in a fresh process; raises when it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.subjects", name, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    answer, _ = await process.communicate(msgspec.json.encode(setting))
    if process.returncode:
        raise RuntimeError(f"The benchmark {name!r} failed.")
    return msgspec.json.decode(answer, type=list[Figure])


def main() -> None:
    """The fresh process: setting in, figures out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=SUBJECTS)
    setting = msgspec.json.decode(sys.stdin.buffer.read(), type=Setting)
    sys.stdout.buffer.write(msgspec.json.encode(measure_here(parser.parse_args().name, setting)))


if __name__ == "__main__":
    main()
