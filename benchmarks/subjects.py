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

# In the order in which they are shown.
SUBJECTS = {
    "ceiling": "flushes of this disk, and the bare loop on both event loops",
    "steps": "steps a second with a hundred runs in flight, pure and keyed",
    "alone": "one workflow alone, from handing it in to its result",
    "latency": "creating, starting, and what the engine adds to a step",
    "long_run": "one run of five thousand steps",
    "fanout": "many steps at once in one execution",
    "memory": "what ended runs leave behind in memory",
    "parked_runs": "ten thousand runs that wait for their time",
    "recovery": "a thousand executions at work, killed and taken up again",
    "taking_up": "a run of a hundred thousand events, taken up after a restart",
    "history": "steps a second over a store that has seen a great deal",
    "events": "events a second, durable and matched against a thousand triggers",
    "telling": "from an event on stable storage to whoever follows over a WebSocket",
    "crowd": "a hundred thousand executions that wait",
    "plans": "from a goal to its checked plan",
}

# What takes minutes, measured only when all is asked for, or it by name.
LONG = {"crowd"}


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
