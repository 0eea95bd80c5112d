"""Looking at a long run again costs what came since, and gives what a fold from the beginning gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirigent import Dirigent, Effect, Risk, action, agent
from dirigent.domain.errors import NotFound
from dirigent.domain.event import Event
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.engine import Start
from dirigent.engine.readings import FOLDED_KEPT_MIN, READINGS_KEPT_MAX
from dirigent.interpreter.reading import read_execution
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.testing.frozen_clock import FrozenClock

ITEMS = FOLDED_KEPT_MIN


@agent("counter", domain="test", max_concurrency=1000)
class Counter:
    """Counts."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def count(self, n: int) -> int:
        """The number; every seventh is too much."""
        if n % 7 == 6:
            raise ValueError(f"{n} is too much")
        return n


class CountingJournal(SqliteJournal):
    """Says how many events were handed out for folding."""

    handed_out = 0

    def read(self, stream: str, after: int = 0) -> list[Event]:
        """As it is, counted."""
        events = super().read(stream, after)
        self.handed_out += len(events)
        return events

    def cost(self) -> int:
        """How many since the last time."""
        count, self.handed_out = self.handed_out, 0
        return count


class Counted(Dirigent):
    """The system over that journal."""

    journals = CountingJournal


FLOW = Definition(
    name="long",
    steps=(
        Step(
            id="each",
            kind=Kind.AGENT,
            agent="counter",
            action="count",
            parameters={"n": "${item}"},
            foreach="${input.items}",
            on_error="continue",
        ),
        Step(id="ask", kind=Kind.APPROVAL),
        Step(id="after", kind=Kind.TRANSFORM, parameters={"n": 1}),
    ),
)


def _start(name: str, items: int) -> Start:
    return Start(
        definition=FLOW, tenant="t", actor="a", execution_id=name, input={"items": list(range(items))}
    )


async def test_a_long_run_is_read_on_from_where_it_was_kept(tmp_path: Path) -> None:
    """The first look folds it all, the next one nothing, one after a decision what the decision brought."""
    async with Counted(tmp_path, agents=[Counter], clock=FrozenClock()) as dirigent:
        engine, journal = dirigent.engine, dirigent.journal
        assert isinstance(journal, CountingJournal)
        await engine.start(_start("e", ITEMS))
        await engine.wait_rest("e")
        journal.cost()
        assert (engine.row("e").status, journal.cost()) == ("awaiting_approval", 0)
        first = engine.read("e")
        assert journal.cost() == first.events > FOLDED_KEPT_MIN
        again = engine.read("e")
        assert (journal.cost(), again) == (0, first)
        again.steps["each[0]"].status = "scribbled over"
        again.items["each"].clear()
        assert engine.read("e") == first
        (approval,) = engine.approvals(execution="e")
        await engine.approve(approval.approval_id, "ann")
        await engine.wait_rest("e")
        journal.cost()
        ended = engine.read("e")
        assert journal.cost() == ended.events - first.events > 0
        assert ended == read_execution(engine.events("e"))
        assert ended.status == "partially_completed"


async def test_a_fold_may_be_cut_anywhere(tmp_path: Path) -> None:
    """Whatever was read before, and copied, reading on gives the same; what was copied stays as it was."""
    async with Dirigent(tmp_path, agents=[Counter], clock=FrozenClock()) as dirigent:
        await dirigent.engine.start(_start("e", 20))
        await dirigent.engine.wait_rest("e")
        (approval,) = dirigent.engine.approvals(execution="e")
        await dirigent.engine.approve(approval.approval_id, "ann")
        await dirigent.engine.rest("e")
        events = dirigent.engine.events("e")
    whole = read_execution(events)
    assert whole.steps["each"].output["failures"]
    for cut in range(1, len(events) + 1):
        before = read_execution(events[:cut])
        reading = before.copied()
        reading.read_on(events[cut:])
        assert reading == whole
        assert before == read_execution(events[:cut])


async def test_short_runs_are_not_kept_and_only_a_few_long_ones(tmp_path: Path) -> None:
    """A short one is folded each time; of the long ones the last few."""
    async with Counted(tmp_path, agents=[Counter], clock=FrozenClock()) as dirigent:
        engine, journal = dirigent.engine, dirigent.journal
        assert isinstance(journal, CountingJournal)
        names = ["short", *(f"long-{number}" for number in range(READINGS_KEPT_MAX + 1))]
        for name in names:
            await engine.start(_start(name, 3 if name == "short" else ITEMS // 2))
            await engine.wait_rest(name)
            engine.read(name)
        costs = {}
        for name in reversed(names):
            journal.cost()
            engine.read(name)
            costs[name] = journal.cost()
        assert [name for name in names if costs[name] == 0] == names[-READINGS_KEPT_MAX:]


async def test_events_after_a_version_are_those_alone(tmp_path: Path) -> None:
    """Nothing before them is read; an execution that is not there is named."""
    async with Counted(tmp_path, agents=[Counter], clock=FrozenClock()) as dirigent:
        engine, journal = dirigent.engine, dirigent.journal
        assert isinstance(journal, CountingJournal)
        await engine.start(_start("e", 20))
        await engine.wait_rest("e")
        events = engine.events("e")
        journal.cost()
        assert engine.events("e", len(events) - 2) == events[-2:]
        assert journal.cost() == 2
        assert engine.events("e", len(events)) == []
        with pytest.raises(NotFound):
            engine.events("nobody", 3)
