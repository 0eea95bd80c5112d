"""Watching an execution until it has ended or only waits for a person."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from dirigent.bootstrap import Dirigent
from dirigent.bootstrap.beside import Books
from dirigent.cli.failures import DONE, FAILED
from dirigent.cli.live import Lines, shown_live
from dirigent.cli.progress import RunProgress
from dirigent.cli.screen import Screen
from dirigent.cli.telling import tell
from dirigent.cli.waits import family, waits_of
from dirigent.domain.errors import Conflict
from dirigent.domain.event import Event
from dirigent.engine import Engine
from dirigent.interpreter.reading import Reading

AT_ONCE_SECONDS = 0.2
OVERDUE_MS = 1  # what is due by now is not waited for, it is about to happen
POLL_SECONDS = 0.25
UNDER_WAY = ("pending", "running", "awaiting_approval", "cancelling", "compensating")
QUIET_SECONDS = 1.5

# A command that only hands something in stays for what follows from it, but not for a wait that is longer.
PATIENCE_MS = 5_000
GOOD = ("completed", "partially_completed", "awaiting_approval", "running")

Hear = Callable[[str, Event], None]


async def watch(
    dirigent: Dirigent, screen: Screen, progress: RunProgress, *, resumed: bool = False
) -> Reading:
    """Show a run of this process until it rests; of a resumed one only what is new is said in lines."""
    hear = _hearer(screen, progress)
    for execution_id in family(dirigent.engine, progress.root):
        for event in dirigent.engine.events(execution_id):
            (progress.apply if resumed else hear)(execution_id, event)
    stop = dirigent.observe(hear)
    try:
        async with shown_live(screen, progress):
            return await dirigent.engine.rest(progress.root)
    finally:
        stop()


async def watch_and_tell(dirigent: Dirigent, screen: Screen, progress: RunProgress, *, resumed: bool) -> int:
    """Show a run of this process until it rests, then how it stands; returns the exit code."""
    screen.say(f"execution {progress.root}")
    await watch(dirigent, screen, progress, resumed=resumed)
    books = Books(engine=dirigent.engine, records=dirigent.records)
    return DONE if tell(screen, books, progress.root) in GOOD else FAILED


async def watch_from_outside(
    books: Books, screen: Screen, progress: RunProgress, alive: Callable[[], bool]
) -> Reading:
    """Show a run of another process. It rests when it only waits for people, signals or word on an effect,
    and nothing has come for a while.

    Raises `Conflict` when that process is gone before the run has come to rest.
    """
    hear = _hearer(screen, progress)
    seen: dict[str, int] = {}
    quiet_since = time.monotonic()
    async with shown_live(screen, progress):
        while True:
            if _hear_new(books.engine, progress.root, seen, hear):
                quiet_since = time.monotonic()
            status = books.engine.row(progress.root).status
            quiet = time.monotonic() - quiet_since > QUIET_SECONDS
            if status not in UNDER_WAY or (quiet and _only_waits(books.engine, progress.root, status)):
                return books.engine.read(progress.root)
            if not alive():
                raise Conflict(
                    f"The process that worked on {progress.root} is gone.",
                    fix="Nothing is lost: `dirigent resume` goes on where it stopped.",
                )
            await asyncio.sleep(POLL_SECONDS)


async def rests_at_once(engine: Engine, execution_id: str) -> bool:
    """Whether an execution that was taken up again only waits for a person, so that nothing happened."""
    before = _count(engine, execution_id)
    try:
        async with asyncio.timeout(AT_ONCE_SECONDS):
            await engine.wait_rest(execution_id, patience_ms=OVERDUE_MS)
            await engine.wait_rest(execution_id)
    except TimeoutError:
        return False
    return _count(engine, execution_id) == before


def _only_waits(engine: Engine, root: str, status: str) -> bool:
    """Whether nothing of an execution moves any more by itself, as far as its journal tells."""
    if status == "awaiting_approval":
        return True
    kinds = {wait.kind for wait in waits_of(engine, root)}
    return bool(kinds) and "time" not in kinds and not any(map(_acts, _readings(engine, root)))


def _readings(engine: Engine, root: str) -> list[Reading]:
    return [engine.read(one) for one in family(engine, root) if engine.row(one).status in UNDER_WAY]


def _acts(reading: Reading) -> bool:
    """Whether a step of an execution is being done; one that stands for its items or a child is not."""
    return any(
        step.status == "running" and step.agent and not step.child and name not in reading.items
        for name, step in reading.steps.items()
    )


def _hearer(screen: Screen, progress: RunProgress) -> Hear:
    lines = Lines(screen, progress)

    def hear(execution_id: str, event: Event) -> None:
        progress.apply(execution_id, event)
        lines.hear(execution_id, event)

    return hear


def _hear_new(engine: Engine, root: str, seen: dict[str, int], hear: Hear) -> bool:
    news = False
    for execution_id in family(engine, root):
        events = engine.events(execution_id, seen.get(execution_id, 0))
        for event in events:
            hear(execution_id, event)
            news = True
        seen[execution_id] = seen.get(execution_id, 0) + len(events)
    return news


def _count(engine: Engine, root: str) -> int:
    return sum(len(engine.events(execution_id)) for execution_id in family(engine, root))
