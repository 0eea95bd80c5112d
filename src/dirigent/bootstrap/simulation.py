"""The simulator put together: the engine's own driver and clock over simulated ports, on every core."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path

import structlog

from dirigent.ports import Recorded
from dirigent.runtimes.clock import SystemClock
from dirigent.runtimes.local import LocalRuntime
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.storage.sqlite.projections import SqliteProjections
from dirigent.testing.invariants import Violation
from dirigent.testing.memory_projections import MemoryProjections
from dirigent.testing.simulation.campaign import Player, Tally
from dirigent.testing.simulation.process import Drivers
from dirigent.testing.simulation.world import Run, Simulation

DRIVERS = Drivers(runtime=LocalRuntime, clock=lambda wall, steady: SystemClock(wall=wall, steady=steady))
CHUNK = 25
ON_DISK_EVERY = 100
AGAIN_EVERY = 100


def play(seeds: Sequence[int], jobs: int, told: Callable[[Tally], None] = lambda tally: None) -> Tally:
    """Play seeds in so many processes; `told` hears of every part as it is done."""
    whole = Tally()
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    for part in _parts(chunks, jobs):
        whole.take_in(part)
        told(part)
    return whole


def differing(tally: Tally) -> list[int]:
    """Every hundredth seed played again, in another process under another hash seed: those that differ."""
    seeds = [seed for seed in sorted(tally.digests) if seed % AGAIN_EVERY == 0] or sorted(tally.digests)[:1]
    other = "4242" if os.environ.get("PYTHONHASHSEED") != "4242" else "1"
    done = subprocess.run(
        [sys.executable, "-m", __name__, *map(str, seeds)],
        env={**os.environ, "PYTHONHASHSEED": other, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    again = {int(seed): digest for seed, digest in json.loads(done.stdout).items()}
    return [seed for seed in seeds if again[seed] != tally.digests[seed]]


def play_one(seed: int) -> Run:
    """One seed, with everything that can be checked about it."""
    quieten()
    run, simulation = Player(DRIVERS).play(seed)
    _on_disk(run, simulation)
    return run


def _parts(chunks: Sequence[Sequence[int]], jobs: int) -> Iterator[Tally]:
    if jobs <= 1 or len(chunks) == 1:
        _begin_worker()
        with _collecting_seldom():
            yield from map(_play_chunk, chunks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=partial(_begin_worker, for_ever=True)
    ) as pool:
        yield from pool.map(_play_chunk, chunks)


_player: list[Player] = []
_for_ever = ExitStack()


def _begin_worker(*, for_ever: bool = False) -> None:
    quieten()
    _player[:] = [Player(DRIVERS)]
    if for_ever:
        _for_ever.enter_context(_collecting_seldom())


def quieten() -> None:
    """Faults are meant to happen: what the engine logs about them is no news."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _play_chunk(seeds: Sequence[int]) -> Tally:
    [player] = _player
    tally = player.play_all(seeds, look=_sampled)
    gc.collect()
    gc.freeze()
    return tally


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Garbage is collected between chunks of runs only: one run leaves next to none, and looking costs."""
    enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()


def _sampled(run: Run, simulation: Simulation) -> None:
    if run.seed % ON_DISK_EVERY == 0:
        _on_disk(run, simulation)


def _on_disk(run: Run, simulation: Simulation) -> None:
    """Hand a run's events to the journal on disk: it verifies, and its lists say what those in memory say."""
    with tempfile.TemporaryDirectory(prefix="dirigent-simulated-") as folder:
        asyncio.run(_written(Path(folder), simulation.disk.recorded))
        for text in _differences(Path(folder), simulation.disk.rows):
            run.report.violations.append(Violation(invariant="S21", text=text))
    run.report.exercised["S4"] += 1
    run.report.exercised["S21"] += 1


async def _written(folder: Path, recorded: Sequence[Recorded]) -> None:
    journal = SqliteJournal.open(folder, key=None)
    durable = None
    for stream, events in groupby(recorded, key=lambda one: one.stream):
        durable = journal.append(stream, journal.head(stream), [one.event for one in events])
    if durable is not None:
        await durable
    await journal.close()


def _differences(folder: Path, rows: MemoryProjections) -> Iterator[str]:
    journal = SqliteJournal.open(folder, key=None)
    kept = SqliteProjections(folder, key=None)
    try:
        yield from (f"the journal on disk: {damage.reason}" for damage in journal.verify().damages)
        for rebuilt in (False, True):
            if rebuilt:
                kept.rebuild()
            said = "rebuilt on disk" if rebuilt else "kept on disk"
            if kept.executions(limit=10_000) != rows.executions(limit=10_000):
                yield f"executions {said} are not those in memory"
            if kept.approvals(state=None) != rows.approvals(state=None):
                yield f"approvals {said} are not those in memory"
            if kept.waiting() != rows.waiting():
                yield f"waits {said} are not those in memory"
    finally:
        kept.close()
        asyncio.run(journal.close())


if __name__ == "__main__":
    _begin_worker(for_ever=True)
    found = _play_chunk([int(seed) for seed in sys.argv[1:]])
    sys.stdout.write(json.dumps(found.digests))
