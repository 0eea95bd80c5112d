"""The work on Dirigent: every gate on, over one data folder, handed in and awaited like the others."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks import work
from benchmarks.lanes import keep_in_flight
from benchmarks.peers.protocol import STEPS, alone_ms, main, parked, resident_mb, steps_a_second
from benchmarks.work import DAY_MS, Bench, begun, chain, completed, items_of
from dirigent import Dirigent, __version__
from dirigent.domain.workflow import Definition

LANES = 100


def _open(folder: Path) -> Dirigent:
    return Dirigent(folder, agents=[Bench()])


async def _run(dirigent: Dirigent, definition: Definition) -> None:
    completed(await dirigent.run(definition))


async def steps(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    definition = chain(STEPS)
    async with _open(folder) as dirigent:
        return await steps_a_second(sizes["runs"], lambda: _run(dirigent, definition))


async def keyed(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    definition = chain(STEPS, "put")
    async with _open(folder) as dirigent:
        return await steps_a_second(sizes["runs"], lambda: _run(dirigent, definition))


async def alone(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    definition = chain(sizes["steps"])
    async with _open(folder) as dirigent:
        return await alone_ms(sizes["runs"], lambda: _run(dirigent, definition))


async def fan(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    definition, count = work.fan(sizes["steps"]), sizes["steps"]
    async with _open(folder) as dirigent:
        completed(await dirigent.run(work.fan(10), {"items": items_of(10)}))
        began = time.perf_counter()
        completed(await dirigent.run(definition, {"items": items_of(count)}))
        return {"s": time.perf_counter() - began}


async def long(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    definition = chain(sizes["steps"])
    async with _open(folder) as dirigent:
        began = time.perf_counter()
        await _run(dirigent, definition)
        return {"s": time.perf_counter() - began}


async def park(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    definition = work.parked("parked", DAY_MS)
    async with _open(folder) as dirigent:
        await _run(dirigent, chain(STEPS))
        idle = resident_mb()
        seconds = await keep_in_flight(sizes["runs"], LANES, lambda: dirigent.intake.run_workflow(definition))
        began = time.perf_counter()
        await begun(dirigent)
        parked(seconds + time.perf_counter() - began, idle)
    return {}


async def recover(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """Opening the folder takes up what had not ended; it is there when it is open."""
    async with _open(folder) as dirigent:
        assert len(dirigent.projections.unfinished()) == sizes["runs"]
        parked(0.0, 0.0)
    return {}


async def about(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    return {
        "versions": {"dirigent": __version__},
        "settings": "Dirigent.run, every gate on, SQLite (WAL, synchronous=FULL)",
    }


if __name__ == "__main__":
    main({does.__name__: does for does in (steps, keyed, alone, fan, long, park, recover, about)})
