"""A fixed number of runs in flight: as one ends, the next begins."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


async def keep_in_flight(runs: int, lanes: int, one: Callable[[], Awaitable[object]]) -> float:
    """Do `one` so many times, at most `lanes` of them at once; the seconds it took."""
    remaining = iter(range(runs))

    async def lane() -> None:
        for _ in remaining:
            await one()

    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(min(lanes, runs))))
    return time.perf_counter() - began


async def one_by_one(runs: int, one: Callable[[], Awaitable[object]]) -> list[float]:
    """Do `one` so many times, each alone; how long each took, in milliseconds."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        await one()
        times.append((time.perf_counter() - began) * 1000)
    return times
