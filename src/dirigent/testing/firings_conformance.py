"""What every reading of firings has to pass. Subclass, say how it is made, and run pytest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path

from dirigent.domain.event import (
    Event,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionStarted,
    FiringDecided,
    Passport,
)
from dirigent.ports import FiringRow, Firings, Journal
from dirigent.testing.frame import pytest

Pair = tuple[Journal, Firings]


def decided(
    execution_id: str, decision: str = "skipped", *, trigger: str = "w.event.1", tenant: str = "t"
) -> FiringDecided:
    """A decision about one firing."""
    return FiringDecided(
        at=5,
        execution_id=execution_id,
        tenant=tenant,
        trigger=trigger,
        workflow="w",
        cause=f"evt-{execution_id}",
        decision=decision,
        reason="because",
        event_position=7,
        due=9,
        count=2,
    )


def started(execution_id: str, *, trigger: str = "w.event.1", tenant: str = "t") -> ExecutionStarted:
    """A start, by a trigger unless that is empty."""
    return ExecutionStarted(
        at=6,
        execution_id=execution_id,
        workflow="w",
        definition="h",
        input={},
        passport=Passport(tenant=tenant, actor="a"),
        labels={"trigger": trigger, "cause": f"evt-{execution_id}"} if trigger else {},
    )


async def happen(journal: Journal, stream: str, *events: Event) -> None:
    """Append events to a stream."""
    await journal.append(stream, journal.head(stream), events)


def ids(rows: list[FiringRow]) -> list[str]:
    """Which firings these are."""
    return [row.execution_id for row in rows]


class FiringsConformance(ABC):
    """The promises of the port `Firings`."""

    @abstractmethod
    def make_pair(self, tmp_path: Path) -> Pair:
        """An empty journal and the reading of it; the suite closes both."""

    @pytest.fixture
    async def pair(self, tmp_path: Path) -> AsyncIterator[Pair]:
        """The reading under test and its journal."""
        journal, firings = self.make_pair(tmp_path)
        yield journal, firings
        await journal.close()
        getattr(firings, "close", lambda: None)()

    async def test_begins_empty(self, pair: Pair) -> None:
        """Where nothing fired, nothing is told."""
        _, firings = pair
        assert isinstance(firings, Firings)
        assert firings.running() == firings.queued() == firings.firings() == []
        assert firings.decided(["a"]) == firings.decided([]) == set()

    async def test_a_decision_is_told_whole(self, pair: Pair) -> None:
        """Every field comes back as it was decided."""
        journal, firings = pair
        await happen(journal, "firings/t", decided("a", "failed"))
        assert firings.firings() == [
            FiringRow(
                execution_id="a",
                tenant="t",
                trigger="w.event.1",
                workflow="w",
                cause="evt-a",
                decision="failed",
                reason="because",
                count=2,
                at=5,
                event_position=7,
                due=9,
            )
        ]
        assert firings.decided(["a", "b"]) == {"a"}

    async def test_the_first_decision_counts(self, pair: Pair) -> None:
        """Deciding again, as after a crash, changes nothing."""
        journal, firings = pair
        await happen(journal, "firings/t", decided("a", "skipped"), decided("a", "queued"))
        assert [row.decision for row in firings.firings()] == ["skipped"]
        assert firings.queued() == []

    async def test_a_start_by_a_trigger_is_a_firing(self, pair: Pair) -> None:
        """It runs until its execution has ended, whichever way; other starts are none."""
        journal, firings = pair
        for name in ("a", "b", "c"):
            await happen(journal, name, started(name))
        await happen(journal, "d", started("d", trigger=""))
        assert ids(firings.running()) == ["a", "b", "c"]
        await happen(journal, "b", ExecutionCompleted(at=7, status="completed"))
        await happen(journal, "c", ExecutionCancelled(at=8))
        assert ids(firings.running()) == ["a"]
        assert [(row.execution_id, row.decision) for row in firings.firings()] == [
            ("c", "started"),
            ("b", "started"),
            ("a", "started"),
        ]
        assert firings.decided(["a", "b", "d"]) == {"a", "b"}

    async def test_what_was_queued_waits_until_it_is_started(self, pair: Pair) -> None:
        """The queue keeps its order; a start takes out of it and keeps what was decided before."""
        journal, firings = pair
        await happen(journal, "firings/t", *(decided(name, "queued") for name in "abc"))
        assert ids(firings.queued()) == ["a", "b", "c"]
        await happen(journal, "b", started("b"))
        assert ids(firings.queued()) == ["a", "c"]
        (row,) = firings.running()
        assert (row.execution_id, row.decision, row.event_position, row.due) == ("b", "started", 7, 9)

    async def test_narrows_by_tenant_trigger_and_decision(self, pair: Pair) -> None:
        """Newest first, and not more than asked for."""
        journal, firings = pair
        await happen(journal, "firings/t", decided("a"), decided("b", trigger="v"), decided("c", "queued"))
        await happen(journal, "firings/u", decided("d", tenant="u"))
        assert ids(firings.firings()) == ["d", "c", "b", "a"]
        assert ids(firings.firings("t")) == ["c", "b", "a"]
        assert ids(firings.firings("t", trigger="w.event.1")) == ["c", "a"]
        assert ids(firings.firings("t", decision="queued")) == ["c"]
        assert ids(firings.firings(limit=2)) == ["d", "c"]
