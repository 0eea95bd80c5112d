"""Steps a second over a store that has seen a great deal, next to an empty one."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec

from benchmarks.figures import Figure, median
from benchmarks.setting import Setting
from benchmarks.steps import steps_per_second
from benchmarks.targets import AS_FAST
from benchmarks.work import Bench, chain
from dirigent import Dirigent
from dirigent.domain.event import Event, ExecutionStarted

EXECUTIONS, EXECUTIONS_FULL = 200_000, 1_000_000
AT_ONCE = 1000


async def measure(setting: Setting) -> list[Figure]:
    """Fill one store; then run over it, each time between two empty ones, whose difference is noise."""
    count = EXECUTIONS_FULL if setting.full else EXECUTIONS
    full = setting.place("history")
    seconds = await _fill(full, count)
    opened = await _open_s(full)
    old, new, noise, ratios = [], [], [], []
    for number in range(setting.rounds):
        before = await _speed(setting.place(f"empty-{number}-before"))
        old.append(await _speed(full))
        after = await _speed(setting.place(f"empty-{number}-after"))
        new += [before, after]
        noise.append(after / before)
        ratios.append(2 * old[-1] / (before + after))
    stored = sum(file.stat().st_size for file in full.iterdir() if file.is_file())
    return [
        Figure(name="executions of history", value=count, unit="", note=f"written in {seconds:.0f} s"),
        Figure(name="  stored", value=stored / 1e6, unit="MB", note="one step each"),
        Figure(name="  opened", value=opened, unit="s"),
        Figure(name="pure steps over an empty store", value=median(new), unit="steps/s"),
        Figure(name="pure steps over the history", value=median(old), unit="steps/s"),
        Figure(
            name="history over empty",
            value=median(ratios),
            unit="",
            target=AS_FAST,
            note=f"empty over empty: {min(noise):.2f} to {max(noise):.2f}",
        ),
    ]


async def _speed(folder: Path) -> float:
    return (await steps_per_second(folder, "nothing"))[0]


async def _fill(folder: Path, count: int) -> float:
    """Hand the events of one real run to the journal again and again, under new names."""
    async with Dirigent(folder, agents=[Bench()]) as dirigent:
        run = await dirigent.run(chain(1))
        pattern = dirigent.engine.events(run.execution_id)
        began = time.perf_counter()
        for first in range(0, count, AT_ONCE):
            names = [f"exec_history_{number:08}" for number in range(first, first + AT_ONCE)]
            await asyncio.gather(
                *(dirigent.journal.append(name, 0, _renamed(pattern, name)) for name in names)
            )
        return time.perf_counter() - began


def _renamed(pattern: list[Event], name: str) -> list[Event]:
    started, *rest = pattern
    assert isinstance(started, ExecutionStarted), "every execution starts with its start"
    return [msgspec.structs.replace(started, execution_id=name), *rest]


async def _open_s(folder: Path) -> float:
    began = time.perf_counter()
    async with Dirigent(folder, agents=[Bench()]):
        return time.perf_counter() - began
