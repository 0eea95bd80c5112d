"""How a contender is run: `python -m benchmarks.peers.NAME FOLDER LOOP WORKLOAD SIZES`; it answers in JSON.

Every contender, ours and the bare loop too, is started like this, by its own interpreter and in a fresh
process; so this module and what it imports must do without Dirigent's packages.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.lanes import keep_in_flight, one_by_one

IN_FLIGHT = 100
STEPS = 5
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

Workload = Callable[[Path, dict[str, int]], Awaitable[dict[str, Any]]]


def main(workloads: dict[str, Workload]) -> None:
    """Do one workload and print what came of it."""
    folder, loop, name, sizes = sys.argv[1:]
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        print("\n" + json.dumps(runner.run(_awaited(workloads[name](Path(folder), json.loads(sizes))))))


async def steps_a_second(runs: int, one: Callable[[], Awaitable[object]]) -> dict[str, float]:
    """Runs of five steps, a hundred in flight, after a first hundred that is not counted."""
    await keep_in_flight(IN_FLIGHT, IN_FLIGHT, one)
    return {"steps/s": runs * STEPS / await keep_in_flight(runs, IN_FLIGHT, one)}


async def alone_ms(runs: int, one: Callable[[], Awaitable[object]]) -> dict[str, float]:
    """One run at a time, after a few that are not counted; the median."""
    await one_by_one(max(1, runs // 10), one)
    times = sorted(await one_by_one(runs, one))
    return {"ms": times[len(times) // 2]}


def parked(seconds: float, idle_mb: float) -> None:
    """Tell what parking took, and wait with everything parked until killed."""
    facts = {"s": seconds, "mb": resident_mb() - idle_mb, "parked": True}
    print("\n" + json.dumps(facts), flush=True)
    sys.stdin.read()


def resident_mb() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def _awaited(work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    return await work
