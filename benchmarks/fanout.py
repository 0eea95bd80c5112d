"""Many steps at once in one execution, and a step that waits for all of them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.figures import Figure, median
from benchmarks.setting import Setting
from benchmarks.targets import FAN_S, GROWTH
from benchmarks.work import Bench, completed, fan, items_of, wide
from dirigent import Dirigent

SMALL, LARGE, HUGE = 1000, 10_000, 50_000
EXECUTIONS = 10
ROUNDS_OF_HUGE = 3


async def measure(setting: Setting) -> list[Figure]:
    """One of ten thousand, ten of a thousand and ten thousand written steps in turn; then the huge one."""
    large, small, written, huge = [], [], [], []
    for number in range(setting.rounds):
        large.append(await _fan(setting.place(f"large-{number}"), LARGE, 1))
        small.append(await _fan(setting.place(f"small-{number}"), SMALL, EXECUTIONS))
        written.append(await _wide(setting.place(f"wide-{number}"), LARGE))
    for number in range(setting.rounds if setting.full else min(ROUNDS_OF_HUGE, setting.rounds)):
        huge.append(await _fan(setting.place(f"huge-{number}"), HUGE, 1))
    growth = (median(huge) / HUGE) / (median(large) / LARGE)
    return [
        Figure(
            name=f"{LARGE:,} at once and a join",
            value=median(large),
            unit="s",
            target=FAN_S,
            at_most=True,
            note="one `foreach`",
        ),
        Figure(name=f"{EXECUTIONS} executions of {SMALL:,} at once", value=median(small), unit="s"),
        Figure(
            name="  one large over many small",
            value=median(large) / median(small),
            unit="",
            target=GROWTH,
            at_most=True,
        ),
        Figure(
            name=f"{LARGE:,} written steps at once",
            value=median(written),
            unit="s",
            note="definition included",
        ),
        Figure(
            name=f"{HUGE:,} at once and a join",
            value=median(huge),
            unit="s",
            note="five `foreach` side by side",
        ),
        Figure(
            name=f"a step of {HUGE:,} over a step of {LARGE:,}",
            value=growth,
            unit="",
            target=GROWTH,
            at_most=True,
            note="linear is 1, quadratic 5",
        ),
    ]


async def _fan(folder: Path, steps: int, executions: int) -> float:
    definition, items = fan(steps), items_of(steps)
    async with Dirigent(folder, agents=[Bench()]) as dirigent:
        completed(await dirigent.run(fan(10), {"items": items_of(10)}))
        began = time.perf_counter()
        readings = await asyncio.gather(
            *(dirigent.run(definition, {"items": items}) for _ in range(executions))
        )
        seconds = time.perf_counter() - began
    for reading in readings:
        completed(reading)
    return seconds


async def _wide(folder: Path, steps: int) -> float:
    definition = wide(steps)
    async with Dirigent(folder, agents=[Bench()]) as dirigent:
        began = time.perf_counter()
        completed(await dirigent.run(definition))
        return time.perf_counter() - began
