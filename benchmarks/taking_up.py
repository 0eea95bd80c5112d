"""A run with a hundred thousand events behind it: opened again, told to go on, until it has ended."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

from benchmarks.figures import Figure, median
from benchmarks.setting import Setting
from benchmarks.targets import LONG_TAKEN_UP_MS
from benchmarks.work import SIGNAL, Bench, completed, rounds_and_told
from dirigent import Dirigent
from dirigent.domain.event import TERMINAL, Event
from dirigent.storage.sqlite.snapshots import FILE

EVENTS = 100_000
FOLDED_ROUNDS = 3


async def measure(setting: Setting) -> list[Figure]:
    """The same folder is copied for every round; once in a while its snapshots are thrown away."""
    written = setting.place("taking-up")
    execution_id, events = await _write(written)
    times, folded = [], []
    for number in range(setting.rounds):
        times.append(await _take_up(setting, written, f"kept-{number}", execution_id))
    for number in range(min(FOLDED_ROUNDS, setting.rounds)):
        folded.append(await _take_up(setting, written, f"lost-{number}", execution_id, lost=True))
    return [
        Figure(
            name=f"{events:,} events: taken up from a snapshot",
            value=median(times),
            unit="ms",
            target=LONG_TAKEN_UP_MS,
            at_most=True,
            note="opening the folder included, until the run has ended",
        ),
        Figure(name="  without its snapshot, folded", value=median(folded), unit="ms"),
    ]


async def _write(folder: Path) -> tuple[str, int]:
    async with Dirigent(folder, agents=[Bench()]) as dirigent:
        execution_id = await dirigent.intake.run_workflow(rounds_and_told(EVENTS))
        await dirigent.engine.rest(execution_id)
        return execution_id, dirigent.journal.head(execution_id)


async def _take_up(
    setting: Setting, written: Path, name: str, execution_id: str, *, lost: bool = False
) -> float:
    """Milliseconds from opening the folder to the end of the run."""
    folder = setting.place(name)
    shutil.copytree(written, folder, dirs_exist_ok=True)
    if lost:
        for file in folder.glob(f"{FILE}*"):
            file.unlink()
    begin = time.perf_counter()
    async with Dirigent(folder, agents=[Bench()]) as dirigent:
        ended = asyncio.Event()

        def look(whose: str, event: Event) -> None:
            if whose == execution_id and type(event) in TERMINAL:
                ended.set()

        dirigent.observe(look)
        await dirigent.engine.signal(execution_id, SIGNAL)
        await ended.wait()
        seconds = time.perf_counter() - begin
        completed(dirigent.engine.read(execution_id))
    shutil.rmtree(folder)
    return seconds * 1000
