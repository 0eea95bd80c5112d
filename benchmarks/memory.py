"""Memory after fifty thousand runs, next to that after ten thousand: what has ended must be let go."""

from __future__ import annotations

import gc

from benchmarks.ceiling import IN_FLIGHT
from benchmarks.figures import Figure
from benchmarks.lanes import keep_in_flight
from benchmarks.machine import resident_mb
from benchmarks.setting import Setting
from benchmarks.targets import FLAT
from benchmarks.work import Bench, chain, completed
from dirigent import Dirigent

FEW, MANY = 10_000, 50_000


async def measure(setting: Setting) -> list[Figure]:
    """Resident memory of one process over its life."""
    bench, definition = Bench(), chain(1)
    async with Dirigent(setting.place("memory"), agents=[bench]) as dirigent:

        async def one() -> None:
            completed(await dirigent.run(definition))

        idle = _resident()
        await keep_in_flight(FEW, IN_FLIGHT, one)
        after_few = _resident()
        await keep_in_flight(MANY - FEW, IN_FLIGHT, one)
        after_many = _resident()
    return [
        Figure(name="resident, idle", value=idle, unit="MB"),
        Figure(name=f"resident after {FEW:,} runs", value=after_few, unit="MB"),
        Figure(name=f"resident after {MANY:,} runs", value=after_many, unit="MB"),
        Figure(name="many over few", value=after_many / after_few, unit="", target=FLAT, at_most=True),
    ]


def _resident() -> float:
    gc.collect()
    return resident_mb()
