"""What every backend of a port has to pass. Subclass, say how the backend is made, and run pytest.

The tests are coroutines: pytest-asyncio runs them in its `auto` mode.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

from dirigent.domain.archive_event import ArchivedStream
from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.errors import Conflict, InvalidInput, StorageFailure
from dirigent.domain.event import (
    ActionRefused,
    AnyEvent,
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    CallEnded,
    CallStarted,
    CancelRequested,
    ChildEnded,
    CircuitClosed,
    CircuitHalfOpened,
    CircuitOpened,
    Compensation,
    CompensationStarted,
    ConnectorAdvanced,
    ConsumerAdvanced,
    DeadLetterReplayed,
    DefinitionStored,
    EffectAcknowledged,
    Event,
    EventDeadLettered,
    EventPublished,
    ExecutionAdmitted,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionPassivated,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionsArchived,
    ExecutionsRestored,
    ExecutionStarted,
    Failure,
    FallbackStarted,
    FanOutStarted,
    FiringDecided,
    IterationStarted,
    Kept,
    OutcomeObserved,
    OutputMapped,
    Passport,
    ReadBackRequested,
    ScheduleAdvanced,
    SignalAwaited,
    SignalReceived,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepOutcomeResolved,
    StepOutcomeUnknown,
    StepSkipped,
    StepStarted,
    StepTakenOver,
    TimerFired,
    TriggerPaused,
    TriggerResumed,
    Unsettled,
    WaitEnded,
    WaitStarted,
    WebhookKept,
    WebhookMended,
    WebhookRefused,
    WorkflowPaused,
    WorkflowResumed,
    WorkflowRolledBack,
    WorkflowSaved,
)
from dirigent.domain.policy import Finding, Verdict
from dirigent.ports import Journal
from dirigent.testing.frame import pytest

_FAILED = Failure(code="broken", message="It broke.", retryable=True, rules=("r1",))

EVERY_EVENT: tuple[Event, ...] = (
    ExecutionStarted(
        at=1,
        execution_id="e",
        workflow="w",
        definition="h",
        input={"n": 1, "deep": {"list": [1, 2.5, None, True, "ü"]}},
        passport=Passport(tenant="t", actor="a", budget=1.5, plan=("a.b",)),
        labels={"summary": "all"},
        forked_from="d",
        forked_at=7,
        kept={"s": Kept(output={"n": 1}, version=4), "t[0]": Kept(error=_FAILED, item="h")},
        unsettled={
            "u": Unsettled(
                key="k", payload="h", calls=(CallEnded(at=1, call="u/1", payload="h"),), child="d/u"
            )
        },
    ),
    DefinitionStored(at=2, content_hash="h", definition={"name": "w", "steps": []}),
    StepStarted(at=3, step="s", attempt=1, agent="a", action="b", rules=("r1",), reserved=0.5),
    StepCompleted(at=4, step="s", attempt=1, output=[{"a": 1}], cost=0.25),
    StepFailed(at=5, step="s", attempt=1, error=_FAILED),
    StepSkipped(at=6, step="s", reason="condition is false"),
    StepTakenOver(at=7, step="s"),
    StepCancelled(at=6, step="s", reason="nobody waits for it"),
    FallbackStarted(at=6, step="s", attempt=2),
    OutputMapped(at=6, step="s", attempt=1, output={"id": 7}),
    IterationStarted(at=6, step="s", index=3),
    ExecutionsArchived(
        at=7,
        file="f",
        sha256="ab",
        actor="a",
        streams=(ArchivedStream(name="e", version=1, digest="cd", rows="ef"),),
    ),
    ExecutionsRestored(at=7, file="f", actor="a", streams=("e",)),
    CircuitOpened(at=7, tenant="t", agent="crm", failures=5, until=30_007),
    CircuitHalfOpened(at=7, tenant="t", agent="crm"),
    CircuitClosed(at=7, tenant="t", agent="crm"),
    EffectAcknowledged(at=7, step="s", attempt=1, reference="no. 12"),
    StepOutcomeUnknown(
        at=7,
        step="s",
        attempt=1,
        key="k",
        agent="a",
        action="b",
        inputs={"a": [1]},
        sent_at=3,
        lookup=True,
        call="s/1",
    ),
    ReadBackRequested(at=7, step="s", attempt=1, actor="a"),
    OutcomeObserved(at=7, step="s", attempt=1, found=False, error=_FAILED),
    StepOutcomeResolved(at=8, step="s", attempt=1, happened=True, actor="a", output="sent"),
    FanOutStarted(at=9, step="s", items=[1, "two", {"three": 3}]),
    ApprovalRequested(
        at=10,
        step="s",
        attempt=1,
        approval_id="p",
        reason="r",
        kind="hold",
        expires_at=99,
        preview={"to": "x"},
    ),
    ApprovalVoted(at=11, step="s", approval_id="p", decision="approved", actor="a", comment="go"),
    ApprovalDecided(at=11, step="s", approval_id="p", decision="approved", actor="a", comment="go"),
    TimerFired(at=12, timer="wait:s"),
    WaitStarted(at=12, step="s", until=99),
    SignalAwaited(at=12, step="s", event="order.*", expires_at=99),
    SignalReceived(at=12, name="order.paid", signal_id="s1", data={"sum": 5}, source="shop", subject="o/1"),
    WaitEnded(at=12, step="s", signal_id="s1"),
    ChildEnded(at=13, step="s", child="e/s", status="failed", error=_FAILED),
    CallStarted(at=14, call="s/1", step="s", attempt=1, agent="a", action="b", risk="R1", effect="read"),
    CallEnded(at=15, call="s/1", payload="h", output={"rows": []}, cost=0.5),
    ActionRefused(
        at=16,
        step="s",
        agent="a",
        action="b",
        rules=("r1",),
        reason="no",
        findings=(Finding(rule="r1", verdict=Verdict.DENY, reason="consent is missing"),),
    ),
    ExecutionPaused(at=16, actor="a", reason="wait"),
    ExecutionAdmitted(at=1),
    ExecutionPassivated(at=1, until=9, moving=True, budget=2.5, spent=0.5),
    ExecutionResumed(at=16, actor="a"),
    CancelRequested(at=17, actor="a", reason="enough"),
    CompensationStarted(at=17, steps=("s", "t[1]"), status="failed", error=_FAILED),
    ExecutionCancelled(at=18, reason="enough", compensations=(Compensation(step="s", error=_FAILED),)),
    ExecutionCompleted(at=19, status="completed", output={"ok": True}),
    ExecutionFailed(at=20, status="failed", error=_FAILED),
    WorkflowSaved(at=21, tenant="t", workflow="w", version=1, content_hash="h", actor="a", source="name: w"),
    WorkflowRolledBack(at=22, tenant="t", workflow="w", version=1, content_hash="h", actor="a", note="back"),
    WorkflowPaused(at=23, tenant="t", workflow="w", actor="a", reason="wait"),
    WorkflowResumed(at=24, tenant="t", workflow="w", actor="a"),
    EventPublished(
        at=21,
        event=DomainEvent(
            id="evt-1",
            source="crm",
            type="campaign.content_requested",
            tenant="t",
            subject="brand/b-1",
            depth=2,
            extensions={"traceparent": "00-1"},
            data={"topic": "ü", "n": [1, 2.5, None]},
        ),
    ),
    ConsumerAdvanced(at=22, consumer="triggers", position=21),
    EventDeadLettered(at=22, consumer="c", position=21, event_id="evt-1", attempts=3, error="it broke"),
    DeadLetterReplayed(at=22, consumer="c", position=21, actor="a"),
    FiringDecided(
        at=23,
        execution_id="x",
        tenant="t",
        trigger="w.event.1",
        workflow="w",
        cause="evt-1",
        decision="failed",
        reason="no such key",
        event_position=21,
        count=3,
    ),
    TriggerPaused(at=24, tenant="t", trigger="w.event.1", actor="a", reason="noisy"),
    TriggerResumed(at=25, tenant="t", trigger="w.event.1", actor="a"),
    ScheduleAdvanced(at=26, tenant="t", trigger="w.schedule.1", through=25, due=24, missed=2),
    WebhookRefused(at=27, tenant="t", webhook="shop", reason="signature_invalid", count=4),
    WebhookKept(at=28, tenant="t", webhook="shop", call="c", body="{}", error="no type", headers={"a": "b"}),
    WebhookMended(at=29, tenant="t", webhook="shop", call="c", actor="a", event_id="e"),
    ConnectorAdvanced(at=30, tenant="t", connector="crm", through=7, taken=2, refused=1, reason="no id"),
)


def note(number: int, output: Any = None) -> StepCompleted:
    """A small event that can be told from others."""
    return StepCompleted(at=number, step=f"s{number}", attempt=1, output=output)


class JournalConformance(ABC):
    """The promises of the port `Journal`."""

    @abstractmethod
    def make_journal(self, tmp_path: Path) -> Journal:
        """An empty journal; the suite closes it."""

    @pytest.fixture
    async def journal(self, tmp_path: Path) -> AsyncIterator[Journal]:
        """The journal under test."""
        made = self.make_journal(tmp_path)
        yield made
        await made.close()

    async def test_begins_empty(self, journal: Journal) -> None:
        """A new journal holds nothing, and asking for what is not there is no error."""
        assert journal.head("e") == 0
        assert journal.read("e") == []
        assert journal.tail(0) == []
        assert journal.verify().events == 0

    async def test_gives_back_what_it_was_given(self, journal: Journal) -> None:
        """Events come back equal, in the order in which they were appended."""
        await journal.append("e", 0, [note(1), note(2)])
        await journal.append("e", 2, [note(3)])
        assert journal.read("e") == [note(1), note(2), note(3)]
        assert journal.head("e") == 3

    async def test_reads_on_after_a_version(self, journal: Journal) -> None:
        """`after` leaves out the events up to a version; beyond the end there is nothing."""
        await journal.append("e", 0, [note(number) for number in range(1, 6)])
        assert journal.read("e", after=3) == [note(4), note(5)]
        assert journal.read("e", after=5) == journal.read("e", after=9) == []

    async def test_keeps_every_kind_of_event(self, journal: Journal) -> None:
        """There is no event that a journal cannot hold."""
        assert {type(event) for event in EVERY_EVENT} == set(get_args(AnyEvent))
        await journal.append("e", 0, EVERY_EVENT)
        assert journal.read("e") == list(EVERY_EVENT)
        assert [recorded.event for recorded in journal.tail(0)] == list(EVERY_EVENT)

    async def test_a_minted_name_begins_a_stream(self, journal: Journal) -> None:
        """Telling that a name is new makes no stream, and what is appended under it is there."""
        journal.expect_new("minted")
        assert (journal.head("minted"), journal.read("minted")) == (0, [])
        await journal.append("minted", 0, [note(1)])
        assert journal.read("minted") == [note(1)]

    async def test_keeps_what_is_large(self, journal: Journal) -> None:
        """Large values come back whole, also where several events hold the same."""
        large = {"rows": [{"id": number, "name": "customer " * 10} for number in range(500)]}
        events = [note(1, large), note(2, large), note(3, "x" * 100_000)]
        await journal.append("e", 0, events)
        assert journal.read("e") == events
        assert [recorded.event for recorded in journal.tail(0)] == events

    async def test_streams_are_apart(self, journal: Journal) -> None:
        """A stream holds its own events only, whatever its name looks like."""
        names = ["e", "e/s", "e/s[0]", "E", "e ", "ü", "e%", "'; --", "0" * 300]
        for number, name in enumerate(names):
            await journal.append(name, 0, [note(number)])
        assert [journal.read(name) for name in names] == [[note(number)] for number in range(len(names))]

    async def test_order_of_calls_is_order_of_positions(self, journal: Journal) -> None:
        """Positions run over all streams without a gap, in the order of the calls."""
        for number in range(1, 7):
            _ = journal.append("a" if number % 2 else "b", (number - 1) // 2, [note(number)])
        await journal.append("c", 0, [note(7)])
        found = journal.tail(0)
        assert [recorded.position for recorded in found] == list(range(1, 8))
        assert [recorded.event for recorded in found] == [note(number) for number in range(1, 8)]
        assert [(r.stream, r.version) for r in found[:4]] == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
        assert len({recorded.digest for recorded in found}) == 7

    async def test_tail_comes_in_pages(self, journal: Journal) -> None:
        """`after` and `limit` walk over everything without leaving out or repeating an event."""
        await journal.append("e", 0, [note(number) for number in range(1, 11)])
        assert [recorded.position for recorded in journal.tail(0, limit=4)] == [1, 2, 3, 4]
        assert [recorded.position for recorded in journal.tail(4, limit=4)] == [5, 6, 7, 8]
        assert [recorded.position for recorded in journal.tail(8, limit=4)] == [9, 10]
        assert journal.tail(10, limit=4) == []

    async def test_head_counts_what_was_handed_in(self, journal: Journal) -> None:
        """The head moves at once, so the next append need not wait for the disk."""
        first = journal.append("e", 0, [note(1)])
        assert journal.head("e") == 1
        assert journal.read("e") in ([], [note(1)])
        second = journal.append("e", 1, [note(2)])
        await second
        await first
        assert journal.read("e") == [note(1), note(2)]

    @pytest.mark.parametrize("expected", [0, 1, 3])
    async def test_a_wrong_version_is_refused_at_once(self, journal: Journal, expected: int) -> None:
        """Who expects another version than there is appends nothing, and learns it before awaiting."""
        await journal.append("e", 0, [note(1), note(2)])
        with pytest.raises(Conflict):
            _ = journal.append("e", expected, [note(9)])
        assert journal.head("e") == 2
        await journal.append("e", 2, [note(3)])
        assert journal.read("e") == [note(1), note(2), note(3)]

    async def test_a_new_stream_begins_at_zero(self, journal: Journal) -> None:
        """A refused beginning leaves no trace of the stream."""
        with pytest.raises(Conflict):
            _ = journal.append("e", 1, [note(1)])
        assert journal.head("e") == 0
        await journal.append("f", 0, [note(1)])
        assert journal.verify().streams == 1

    async def test_appending_nothing_changes_nothing(self, journal: Journal) -> None:
        """An empty append is no event, but its version has to be right all the same."""
        await journal.append("e", 0, [])
        assert journal.head("e") == 0
        with pytest.raises(Conflict):
            _ = journal.append("e", 1, [])

    async def test_an_event_cannot_be_changed_afterwards(self, journal: Journal) -> None:
        """What counts is what the event said when it was handed in, and a reader's copy is the reader's."""
        output = {"status": "then"}
        durable = journal.append("e", 0, [note(1, output)])
        output["status"] = "now"
        await durable
        seen = journal.read("e")[0]
        assert isinstance(seen, StepCompleted)
        assert seen.output == {"status": "then"}
        seen.output["status"] = "later"
        assert journal.read("e") == [note(1, {"status": "then"})]

    @pytest.mark.parametrize("value", [object(), "\ud800", {1, object()}], ids=["object", "surrogate", "set"])
    async def test_what_cannot_be_stored_is_refused_whole(self, journal: Journal, value: Any) -> None:
        """One event that is no JSON refuses the append, and the stream goes on as if it had not been."""
        with pytest.raises(InvalidInput):
            _ = journal.append("e", 0, [note(1), note(2, value)])
        assert journal.head("e") == 0
        await journal.append("e", 0, [note(3)])
        assert journal.read("e") == [note(3)]
        assert journal.verify().damages == ()

    @pytest.mark.parametrize("name", ["", "\ud800"], ids=["empty", "surrogate"])
    async def test_a_stream_has_a_name(self, journal: Journal, name: str) -> None:
        """A name that is none is refused, and nothing is found under it."""
        with pytest.raises(InvalidInput):
            _ = journal.append(name, 0, [note(1)])
        assert journal.read(name) == []
        assert journal.head(name) == 0

    async def test_who_is_cancelled_takes_nobody_along(self, journal: Journal) -> None:
        """A task that is cancelled while it waits neither stops the commit nor the others who wait for it."""

        async def wait(stream: str) -> str:
            await journal.append(stream, 0, [note(1)])
            return stream

        tasks = [asyncio.create_task(wait(f"e{number}")) for number in range(5)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [done[number] for number in (0, 1, 3, 4)] == ["e0", "e1", "e3", "e4"]
        assert isinstance(done[2], asyncio.CancelledError | str)
        assert journal.read("e2") == [note(1)]

    async def test_many_writers(self, journal: Journal) -> None:
        """A hundred tasks appending at once lose nothing and mix nothing up."""

        async def write(stream: str) -> None:
            for number in range(20):
                await journal.append(stream, number, [note(number)])

        await asyncio.gather(*(write(f"e{number}") for number in range(100)))
        verified = journal.verify()
        assert (verified.events, verified.streams, verified.damages) == (2000, 100, ())
        for number in range(100):
            assert journal.read(f"e{number}") == [note(version) for version in range(20)]
        assert [recorded.position for recorded in journal.tail(0, limit=5000)] == list(range(1, 2001))

    async def test_closing_commits_what_is_pending(self, journal: Journal) -> None:
        """What was handed in before the end is durable; afterwards nothing is accepted."""
        durable = journal.append("e", 0, [note(1)])
        await journal.close()
        await durable
        with pytest.raises(StorageFailure):
            _ = journal.append("e", 1, [note(2)])
        await journal.close()

    async def test_is_a_journal(self, journal: Journal) -> None:
        """The backend has everything the port names."""
        assert isinstance(journal, Journal)
