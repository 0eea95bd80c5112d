"""The readings of the journal: what lists and look-ups show, and that folding anew shows the same."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dirigent.domain.approval import Deciders, Vote
from dirigent.domain.errors import JournalDamaged, StorageFailure
from dirigent.domain.event import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    CancelRequested,
    CompensationStarted,
    DefinitionStored,
    Event,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionStarted,
    Failure,
    Passport,
    SignalAwaited,
    WaitEnded,
)
from dirigent.ports import Projections
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.storage.sqlite.projections import SqliteProjections
from dirigent.testing.memory_projections import MemoryProjections
from tests.storage.journals import database, note

TABLES = ("executions", "approvals", "waiting")


class Folder:
    """A journal and its projections, and short words for what happens."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = SqliteJournal.open(path)
        self.projections = SqliteProjections(path)

    async def happen(self, stream: str, *events: Event) -> None:
        await self.journal.append(stream, self.journal.head(stream), events)

    async def start(self, stream: str, *, tenant: str = "t", at: int = 1, **more: Any) -> None:
        parent = stream.rpartition("/")[0]
        passport = Passport(tenant=tenant, actor="a")
        started = ExecutionStarted(
            at=at,
            execution_id=stream,
            workflow="w",
            definition="h",
            input={},
            passport=passport,
            parent=parent,
            **more,
        )
        await self.happen(stream, started)

    async def ask(self, stream: str, approval: str, step: str = "s", **more: Any) -> None:
        request = ApprovalRequested(
            at=5, step=step, attempt=1, approval_id=approval, reason="r", kind="hold", expires_at=99, **more
        )
        await self.happen(stream, request)

    async def decide(self, stream: str, approval: str, decision: str) -> None:
        await self.happen(
            stream, ApprovalDecided(at=6, step="s", approval_id=approval, decision=decision, actor="anna")
        )

    async def wait(self, stream: str, step: str, event: str, **more: Any) -> None:
        await self.happen(stream, SignalAwaited(at=5, step=step, event=event, **more))

    def status(self, stream: str) -> str:
        row = self.projections.execution(stream)
        assert row is not None
        return row.status

    def paused(self, stream: str) -> bool:
        row = self.projections.execution(stream)
        assert row is not None
        return row.paused

    def rows(self) -> list[Any]:
        with database(self.path) as connection:
            return [connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES]

    async def close(self) -> None:
        await self.journal.close()
        self.projections.close()


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Folder]:
    made = Folder(tmp_path)
    yield made
    await made.close()


async def test_is_a_projection(folder: Folder) -> None:
    """It has everything the port names, and an empty journal has nothing to show."""
    assert isinstance(folder.projections, Projections)
    assert folder.projections.executions() == []
    assert folder.projections.approvals(state=None) == []
    assert folder.projections.unfinished() == []
    assert folder.projections.execution("e") is None
    assert folder.projections.approval("p") is None
    assert folder.projections.definition("h") is None


async def test_an_execution_is_listed_as_it_started(folder: Folder) -> None:
    """Every column of the row comes from the first event."""
    await folder.start("e", at=7, trigger="api", labels={"summary": "Win back 50 leads", "n": 1})
    row = folder.projections.execution("e")
    assert row is not None
    assert (row.execution_id, row.tenant, row.workflow, row.status) == ("e", "t", "w", "running")
    assert (row.trigger, row.parent, row.started_at, row.ended_at) == ("api", None, 7, None)
    assert row.summary == "Win back 50 leads"


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (ExecutionCompleted(at=9, status="partially_completed"), "partially_completed"),
        (ExecutionFailed(at=9, status="blocked", error=Failure(code="c", message="m")), "blocked"),
        (ExecutionCancelled(at=9, reason="enough"), "cancelled"),
    ],
)
async def test_an_end_is_shown(folder: Folder, end: Event, status: str) -> None:
    """However an execution ends, its row says so and it is unfinished no more."""
    await folder.start("e")
    assert folder.projections.unfinished() == ["e"]
    await folder.happen("e", end)
    row = folder.projections.execution("e")
    assert row is not None
    assert (row.status, row.ended_at) == (status, 9)
    assert folder.projections.unfinished() == []


async def test_a_cancelled_execution_is_cancelling_until_it_has_ended(folder: Folder) -> None:
    """Between the wish and the end it is neither running nor waiting for a person."""
    await folder.start("e")
    await folder.ask("e", "p")
    await folder.happen("e", CancelRequested(at=6, actor="anna"))
    assert folder.status("e") == "cancelling"
    assert folder.projections.unfinished() == ["e"]
    assert folder.projections.approvals() == []


async def test_a_cancel_withdraws_no_request_of_what_undoes(folder: Folder) -> None:
    """A run that undoes what it did goes on with that, whoever cancels it; somebody has to decide."""
    await folder.start("e")
    await folder.happen("e", CompensationStarted(at=7, steps=("s",), status="failed"))
    await folder.ask("e", "p", step="compensate:s")
    await folder.happen("e", CancelRequested(at=8, actor="anna"))
    assert [row.approval_id for row in folder.projections.approvals()] == ["p"]


async def test_a_run_that_is_undone_says_so_until_it_has_ended(folder: Folder) -> None:
    """Whether it fails or is cancelled; neither a pause nor another wish changes what it says."""
    for stream, wish in (
        ("e", CancelRequested(at=6, actor="anna")),
        ("f", ExecutionPaused(at=6, actor="anna")),
    ):
        await folder.start(stream)
        await folder.happen(stream, wish, CompensationStarted(at=7, steps=("s",), status="failed"))
        assert folder.status(stream) == "compensating"
        for event in (ExecutionResumed(at=8, actor="a"), ExecutionPaused(at=8, actor="a"), wish):
            await folder.happen(stream, event)
            assert folder.status(stream) == "compensating"
            if not isinstance(event, CancelRequested):
                assert folder.paused(stream) is isinstance(event, ExecutionPaused)
        await folder.happen(stream, ExecutionCancelled(at=9))
        assert folder.status(stream) == "cancelled"
        assert not folder.paused(stream)


async def test_an_open_approval_is_seen_all_the_way_up(folder: Folder) -> None:
    """An execution waits for a person when it or anything it started does, and for no other reason."""
    for stream in ("e", "e/s", "e/s/t", "e/u", "e0", "e!"):
        await folder.start(stream)
    await folder.ask("e/s/t", "p")
    waiting = {stream: folder.status(stream) for stream in ("e", "e/s", "e/s/t", "e/u", "e0", "e!")}
    assert [stream for stream, status in waiting.items() if status == "awaiting_approval"] == [
        "e",
        "e/s",
        "e/s/t",
    ]
    await folder.decide("e/s/t", "p", "approved")
    assert {folder.status(stream) for stream in waiting} == {"running"}


async def test_an_ended_execution_waits_for_nobody(folder: Folder) -> None:
    """What it still asked is cancelled with it; the execution above goes on running."""
    await folder.start("e")
    await folder.start("e/s")
    await folder.ask("e/s", "p")
    await folder.happen("e/s", ExecutionCancelled(at=9))
    row = folder.projections.approval("p")
    assert row is not None
    assert (row.state, row.decided_at, row.decided_by) == ("cancelled", 9, None)
    assert (folder.status("e"), folder.status("e/s")) == ("running", "cancelled")
    await folder.decide("e/s", "p", "approved")
    assert folder.projections.approvals() == []


async def test_executions_are_filtered(folder: Folder) -> None:
    """By tenant, status and parent, newest first, up to a limit."""
    for number, stream in enumerate(("a", "b", "b/1", "b/2", "c")):
        await folder.start(stream, at=number, tenant="other" if stream == "c" else "t")
    await folder.happen("a", ExecutionCompleted(at=9, status="completed"))
    await folder.ask("b/1", "p")

    def ids(*values: Any, **filters: Any) -> list[str]:
        return [row.execution_id for row in folder.projections.executions(*values, **filters)]

    assert ids() == ["c", "b/2", "b/1", "b", "a"]
    assert ids("t") == ["b/2", "b/1", "b", "a"]
    assert ids("t", parent="") == ["b", "a"]
    assert ids(parent="b") == ["b/2", "b/1"]
    assert ids(limit=2) == ["c", "b/2"]
    assert ids(statuses=["running"]) == ["c", "b/2"]
    assert ids(statuses=["awaiting_approval"]) == ["b/1", "b"]
    assert ids(statuses=["completed", "running"], parent="") == ["c", "a"]
    assert ids("nobody") == ids(statuses=["failed"]) == []
    assert folder.projections.unfinished() == ["b", "b/1", "b/2", "c"]


async def test_an_approval_is_listed_as_it_was_asked(folder: Folder) -> None:
    """Every column of the row comes from the request, the tenant from its execution."""
    await folder.start("e", tenant="acme")
    preview = {"to": "x@example.org", "text": "Dear " * 3000}
    await folder.ask("e", "p", agent="mail", action="send", risk="R3", payload="hash", preview=preview)
    (row,) = folder.projections.approvals("acme")
    assert (row.approval_id, row.execution_id, row.tenant, row.step) == ("p", "e", "acme", "s")
    assert (row.agent, row.action, row.risk, row.reason, row.kind) == ("mail", "send", "R3", "r", "hold")
    assert (row.payload_hash, row.preview) == ("hash", preview)
    assert (row.requested_at, row.expires_at, row.state, row.decided_by) == (5, 99, "open", None)
    assert folder.projections.approvals("other") == []


async def test_a_decision_is_shown(folder: Folder) -> None:
    """Who decided what and when; the first decision counts."""
    await folder.start("e")
    await folder.ask("e", "p")
    await folder.decide("e", "p", "rejected")
    await folder.decide("e", "p", "approved")
    row = folder.projections.approval("p")
    assert row is not None
    assert (row.state, row.decided_by, row.decided_at) == ("rejected", "anna", 6)
    assert folder.projections.approvals() == []
    assert folder.projections.approvals(state="rejected") == [row]
    assert folder.projections.approvals(state=None) == [row]


async def test_votes_are_counted_until_it_is_decided(folder: Folder) -> None:
    """Who said what and when, and how many of how many."""
    await folder.start("e")
    await folder.ask("e", "p", deciders=Deciders(roles=("boss",), required=2))
    vote = ApprovalVoted(at=6, step="s", approval_id="p", decision="approved", actor="ann", comment="ü")
    await folder.happen("e", vote)
    row = folder.projections.approval("p")
    assert row is not None
    assert row.votes == (Vote(actor="ann", decision="approved", at=6, comment="ü"),)
    assert (row.state, row.progress, row.deciders.roles) == ("open", "1 of 2", ("boss",))
    await folder.decide("e", "p", "approved")
    await folder.happen("e", vote)
    row = folder.projections.approval("p")
    assert row is not None
    assert (row.state, len(row.votes)) == ("approved", 1)


async def test_approvals_of_an_execution_take_in_its_children(folder: Folder) -> None:
    """Children by their id, never an execution whose id only begins alike; nothing in it is a pattern."""
    for number, stream in enumerate(("e", "e/s", "e/s[0]/t", "e2", "e%", "E/s")):
        await folder.start(stream)
        await folder.ask(stream, f"p{number}")

    def of(execution: str) -> list[str]:
        return [row.execution_id for row in folder.projections.approvals(execution=execution)]

    assert of("e") == ["e", "e/s", "e/s[0]/t"]
    assert of("e/s") == ["e/s"]
    assert of("e%") == ["e%"]
    assert of("%") == of("_") == []


async def test_a_decision_of_another_execution_decides_nothing(folder: Folder) -> None:
    """An approval belongs to its execution."""
    await folder.start("e")
    await folder.start("f")
    await folder.ask("e", "p")
    await folder.decide("f", "p", "approved")
    assert [row.approval_id for row in folder.projections.approvals()] == ["p"]


async def test_who_waits_for_an_event_is_found_by_its_name(folder: Folder) -> None:
    """By the name itself and by patterns that mean it, of one tenant, who waits longest first."""
    for stream in ("a", "b", "c"):
        await folder.start(stream, tenant="other" if stream == "c" else "t")
        await folder.wait(stream, "w", "order.*" if stream == "a" else "order.paid", expires_at=99)
    await folder.wait("a", "x", "*.lost")

    def who(event: str | None = None, **more: Any) -> list[tuple[str, str]]:
        return [(row.execution_id, row.step) for row in folder.projections.waiting(event=event, **more)]

    assert who("order.paid", tenant="t") == [("a", "w"), ("b", "w")]
    assert who("order.paid") == [("a", "w"), ("b", "w"), ("c", "w")]
    assert who("order.lost", tenant="t") == [("a", "w"), ("a", "x")]
    assert who("nothing", tenant="t") == []
    assert who(execution="a") == [("a", "w"), ("a", "x")]
    [row] = folder.projections.waiting("other")
    assert (row.tenant, row.event, row.since, row.expires_at) == ("other", "order.paid", 5, 99)


async def test_who_has_what_it_waited_for_is_found_no_more(folder: Folder) -> None:
    """Neither after the wait nor after the end of the execution."""
    await folder.start("a")
    await folder.wait("a", "w", "go")
    await folder.wait("a", "x", "go")
    await folder.happen("a", WaitEnded(at=6, step="w", signal_id="s"))
    assert [row.step for row in folder.projections.waiting(event="go")] == ["x"]
    await folder.happen("a", ExecutionCancelled(at=9))
    assert folder.projections.waiting() == []


async def test_a_definition_is_found_by_its_hash(folder: Folder) -> None:
    """Definitions are read from the journal and verified; other streams hold none."""
    definition = {"name": "w", "steps": [{"id": f"s{number}"} for number in range(2000)]}
    await folder.happen("h1", DefinitionStored(at=1, content_hash="h1", definition=definition))
    await folder.happen("e", note(1))
    assert folder.projections.definition("h1") == definition
    assert folder.projections.definition("e") is None
    with database(folder.path) as connection:
        connection.execute("UPDATE payloads SET content = x'7b7d'")
    with pytest.raises(JournalDamaged):
        folder.projections.definition("h1")


async def test_nothing_is_shown_before_it_is_durable(folder: Folder) -> None:
    """The rows are written in the transaction of their events: both are there, or neither."""
    durable = asyncio.ensure_future(asyncio.sleep(0))
    waiting = [asyncio.ensure_future(folder.start(f"e{number}")) for number in range(50)]
    while not all(task.done() for task in waiting):
        shown = {row.execution_id for row in folder.projections.executions()}
        stored = {recorded.stream for recorded in folder.journal.tail(0)}
        assert shown <= stored
        await asyncio.sleep(0)
    await durable
    assert len(folder.projections.executions()) == 50


async def test_closed_projections_say_so(tmp_path: Path) -> None:
    """Nothing is read from a file that was let go of."""
    folder = Folder(tmp_path)
    await folder.close()
    folder.projections.close()
    with pytest.raises(StorageFailure, match="closed"):
        folder.projections.unfinished()


STREAMS = ("a", "a/1", "a/1/x", "a/2", "b")
STEP = st.tuples(
    st.sampled_from(STREAMS),
    st.sampled_from(
        ["start", "ask", "vote", "decide", "wait", "go on", "pause", "resume", "wish", "undo", "end"]
    ),
    st.integers(0, 3),
)


async def play(folder: Folder, steps: list[tuple[str, str, int]]) -> None:
    """Any sequence of happenings, also such as no execution would have."""
    for stream, what, number in steps:
        approval = f"{stream}:{number}"
        if what == "start":
            await folder.start(stream, at=number, labels={"summary": number})
        elif what == "ask":
            await folder.ask(stream, approval, preview={"large": "x" * 5000 * number})
        elif what == "vote":
            said = ApprovalVoted(
                at=number, step="s", approval_id=approval, decision="approved", actor=f"a{number}"
            )
            await folder.happen(stream, said)
        elif what == "decide":
            await folder.decide(stream, approval, ["approved", "rejected", "expired"][number % 3])
        elif what == "wait":
            await folder.wait(stream, f"w{number}", "order.*" if number else "order.paid", expires_at=number)
        elif what == "go on":
            await folder.happen(stream, WaitEnded(at=number, step=f"w{number}", signal_id="s"))
        elif what == "pause":
            await folder.happen(stream, ExecutionPaused(at=number, actor="a"))
        elif what == "resume":
            await folder.happen(stream, ExecutionResumed(at=number, actor="a"))
        elif what == "undo":
            await folder.happen(stream, CompensationStarted(at=number, steps=("s",), status="failed"))
        elif what == "wish":
            await folder.happen(stream, CancelRequested(at=number, actor="a"))
        else:
            await folder.happen(stream, ExecutionCompleted(at=number, status="completed"))


@given(steps=st.lists(STEP, max_size=40))
@settings(max_examples=40)
def test_folding_anew_gives_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int]]
) -> None:
    """Whatever happened, in whatever batches: folded anew, all is as it was; the stand-in shows the same."""

    async def work() -> None:
        folder = Folder(tmp_path_factory.mktemp("data"))
        await play(folder, steps)
        live, shown = folder.rows(), folder.projections.executions()
        stand_in = MemoryProjections(folder.journal.tail(0))
        assert stand_in.executions() == shown
        assert stand_in.unfinished() == folder.projections.unfinished()
        assert stand_in.approvals(state=None) == folder.projections.approvals(state=None)
        assert stand_in.waiting() == folder.projections.waiting()
        folder.projections.rebuild()
        assert folder.rows() == live
        assert folder.projections.executions() == shown
        assert folder.journal.verify().damages == ()
        await folder.close()

    asyncio.run(work())


async def test_rebuilding_repairs_rows_that_were_changed(folder: Folder) -> None:
    """The journal is the truth, the rows are a reading of it; appending goes on afterwards."""
    await folder.start("e")
    await folder.ask("e", "p")
    with database(folder.path) as connection:
        connection.execute("UPDATE approvals SET state = 'approved'")
        connection.execute("DELETE FROM executions")
    found = [damage.reason for damage in folder.journal.verify().damages]
    assert [reason.split(" is not ")[0] for reason in found] == [
        "the list of executions",
        "the list of approvals",
    ]
    folder.projections.rebuild()
    assert folder.journal.verify().damages == ()
    assert folder.status("e") == "awaiting_approval"
    await folder.decide("e", "p", "approved")
    assert folder.status("e") == "running"


async def test_rows_of_another_definition_are_folded_anew(tmp_path: Path) -> None:
    """Where a new version keeps other columns, opening folds everything again."""
    folder = Folder(tmp_path)
    await folder.start("e")
    await folder.close()
    with database(tmp_path) as connection:
        connection.execute("ALTER TABLE executions DROP COLUMN summary")
        connection.execute("UPDATE meta SET value = x'00' WHERE key = 'projections'")
    folder = Folder(tmp_path)
    assert folder.status("e") == "running"
    await folder.close()
