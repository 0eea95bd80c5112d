"""The command: `python -m benchmarks`, `python -m benchmarks profile steps`."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
from pathlib import Path

import apsw
import msgspec

from benchmarks.figures import Figure, lines, missed
from benchmarks.profiling import WORKLOADS, profile
from benchmarks.setting import LOOPS, Setting
from benchmarks.subjects import LONG, SUBJECTS, measure_apart

ROUNDS = 5


def main() -> None:
    """Measure in a folder beside the checkout, so that the disk is the one that will be used."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as name:
        if options.command == "profile":
            profile(options.workload, Path(name), options.loop)
        else:
            found = asyncio.run(_measure(options, name))
            short = missed(figure for figures in found.values() for figure in figures)
            if options.strict and short:
                sys.exit(f"\nTargets that were missed: {', '.join(short)}.")


async def _measure(options: argparse.Namespace, folder: str) -> dict[str, list[Figure]]:
    setting = Setting(folder=folder, full=options.full, rounds=options.rounds, loop=options.loop)
    shown = sys.stderr if options.json else sys.stdout
    print(_machine(options.loop), file=shown)
    found: dict[str, list[Figure]] = {}
    for name in options.only or [name for name in SUBJECTS if options.full or name not in LONG]:
        found[name] = await measure_apart(name, setting)
        print(f"\n{name}: {SUBJECTS[name]}", *lines(found[name]), sep="\n", file=shown, flush=True)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    return found


def _machine(loop: str) -> str:
    return (
        "Durable (WAL, synchronous=FULL), every gate on, one process. Medians; a share is of the bare loop.\n"
        f"Python {platform.python_version()}, {loop}, SQLite {apsw.sqlite_lib_version()}, "
        f"{os.cpu_count()} cores."
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--loop", choices=LOOPS, default="uvloop", help="event loop to measure on")
    commands = parser.add_subparsers(dest="command")
    profiler = commands.add_parser("profile", help="functions of a workload by their own time")
    profiler.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, metavar="NAME", help=", ".join(SUBJECTS))
    parser.add_argument("--full", action="store_true", help="also what takes long")
    parser.add_argument("--json", action="store_true", help="figures as JSON on standard output")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a target is missed")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds to take medians of")
    return parser.parse_args()


if __name__ == "__main__":
    main()
