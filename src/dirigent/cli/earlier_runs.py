"""Whether a goal was worked on before, and whether there is anything new to do about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from dirigent.domain.canonical import canonical_bytes, plain
from dirigent.domain.event import ExecutionStarted
from dirigent.domain.goal import Goal
from dirigent.engine import Engine
from dirigent.intake.goals.report import report_goal
from dirigent.ports import ExecutionRow, Records

LOOKED_AT_MAX = 200
DONE = ("completed", "partially_completed")
UNFINISHED = ("pending", "running", "awaiting_approval", "paused", "cancelling", "compensating")


Rests = Callable[[ExecutionRow], Awaitable[bool]]


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """An earlier run of the very same goal. `under_way` says that it goes on by itself."""

    execution_id: str
    under_way: bool


async def find_earlier(engine: Engine, records: Records, goal: Goal, rests: Rests) -> Earlier | None:
    """The newest run of a goal if it goes on, or if there is nothing new to do; else None.

    There is nothing new when the run has done its work, or only waits for a person, and nothing was
    imported since it began. `rests` tells whether an unfinished one only waits.
    """
    row = newest_equal(engine, goal)
    if row is None:
        return None
    if row.status in UNFINISHED and not await rests(row):
        return Earlier(execution_id=row.execution_id, under_way=True)
    if row.status not in (*DONE, *UNFINISHED) or books_changed(engine, records, row):
        return None
    return Earlier(execution_id=row.execution_id, under_way=False)


def newest_equal(engine: Engine, goal: Goal) -> ExecutionRow | None:
    """The newest run of a goal with the very same facts; None where there was none."""
    facts = canonical_bytes(plain(goal))
    for row in engine.executions(goal.tenant, limit=LOOKED_AT_MAX):
        if row.workflow == "goal" and canonical_bytes(_facts_of(engine, row)) == facts:
            return row
    return None


def books_changed(engine: Engine, records: Records, row: ExecutionRow) -> bool:
    """Whether the books speak of another day than a run worked from, or were imported after it began."""
    as_of = records.as_of(row.tenant)
    criteria = report_goal(engine, row.execution_id).selection.get("criteria") or {}
    if as_of is not None and criteria.get("as_of", as_of.date().isoformat()) != as_of.date().isoformat():
        return True
    latest = records.fetch(row.tenant, "imports", columns=("imported_at",), order_by="-imported_at", limit=1)
    if not latest:
        return False
    imported_ms = datetime.fromisoformat(latest[0]["imported_at"]).timestamp() * 1000
    return imported_ms > row.started_at


def _facts_of(engine: Engine, row: ExecutionRow) -> object:
    started = engine.events(row.execution_id)[0]
    assert isinstance(started, ExecutionStarted), "every execution starts with its start"
    return started.labels.get("goal")
