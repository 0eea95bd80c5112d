"""The checker: a sound run passes, and each lie in it is caught under the right name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from dirigent.domain.circuit_event import CIRCUITS, CircuitOpened
from dirigent.domain.event import (
    ApprovalDecided,
    ApprovalVoted,
    Event,
    ExecutionCompleted,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionStarted,
    Failure,
    SignalReceived,
    StepCompleted,
    StepFailed,
    StepOutcomeResolved,
    StepStarted,
    TimerFired,
    WaitEnded,
)
from dirigent.ports import Damage, Recorded, Verification
from dirigent.testing.invariants import (
    ELSEWHERE,
    INVARIANTS,
    Answered,
    Called,
    Ended,
    Listed,
    Projected,
    Quiet,
    Report,
    StorageFailed,
    check,
    read_log,
    write_log,
)
from dirigent.testing.memory_projections import MemoryProjections
from tests.interpreter.harness import flow, step
from tests.simulation.written import TENANT, Written, everything, sound

replace = msgspec.structs.replace
Falsify = Callable[[Written], None]


def checked(run: Written, **more: Any) -> Report:
    """Everything that can be said of a run that has come to its end."""
    quiet = Quiet(at=run.now, faults_ended_at=0)
    return check(run.journal, run.client, run.recorder, **{"quiet": quiet, **more})


def change(kind: type[Event], number: int = 0, **fields: Any) -> Falsify:
    """Write another thing into the n-th event of a kind."""

    def falsify(run: Written) -> None:
        found = [at for at, recorded in enumerate(run.journal) if isinstance(recorded.event, kind)]
        place = found[number]
        event = replace(run.journal[place].event, **fields)
        run.journal[place] = replace(run.journal[place], event=event)

    return falsify


def drop(kind: type[Event], number: int = 0) -> Falsify:
    """Leave out the n-th event of a kind, and close the gap."""

    def falsify(run: Written) -> None:
        found = [recorded for recorded in run.journal if isinstance(recorded.event, kind)]
        rest = [recorded for recorded in run.journal if recorded is not found[number]]
        renumber(run, rest)

    return falsify


def repeat(kind: type[Event], number: int = 0, **fields: Any) -> Falsify:
    """Write the n-th event of a kind once more, right behind it."""

    def falsify(run: Written) -> None:
        found = [at for at, recorded in enumerate(run.journal) if isinstance(recorded.event, kind)]
        again = run.journal[found[number]]
        again = replace(again, event=replace(again.event, **fields))
        renumber(run, [*run.journal[: found[number] + 1], again, *run.journal[found[number] + 1 :]])

    return falsify


def renumber(run: Written, journal: list[Recorded]) -> None:
    """Positions and versions as they would be."""
    versions: dict[str, int] = {}
    run.journal = []
    for position, recorded in enumerate(journal, start=1):
        version = versions[recorded.stream] = versions.get(recorded.stream, 0) + 1
        run.journal.append(replace(recorded, position=position, version=version))


def entry(kind: type[Any], number: int = 0, **fields: Any) -> Falsify:
    """Write another thing into the n-th entry of a kind of the client log."""

    def falsify(run: Written) -> None:
        found = [at for at, one in enumerate(run.client) if isinstance(one, kind)]
        run.client[found[number]] = replace(run.client[found[number]], **fields)

    return falsify


def call(number: int, **fields: Any) -> Falsify:
    """Write another thing into the n-th call of the recorder."""

    def falsify(run: Written) -> None:
        run.recorder[number] = replace(run.recorder[number], **fields)

    return falsify


def more(made: Callable[[Written], Any]) -> Falsify:
    """One more entry at the end of the log it belongs to."""

    def falsify(run: Written) -> None:
        new = made(run)
        (run.recorder if isinstance(new, Called) else run.client).append(new)

    return falsify


def again(number: int, **fields: Any) -> Falsify:
    """The n-th call of the recorder once more."""
    return more(lambda run: replace(run.recorder[number], order=run.tick(), **fields))


def swap(run: Written) -> None:
    """Two events of one stream change places."""
    run.journal[4], run.journal[5] = run.journal[5], run.journal[4]


def told_out_of_order(run: Written) -> None:
    """An observer heard two events the wrong way round."""
    places = [at for at, one in enumerate(run.client) if type(one).__name__ == "Told"]
    first, second = places[2], places[4]
    run.client[first], run.client[second] = run.client[second], run.client[first]


def cut_off(run: Written) -> None:
    """The journal ends before its end; whoever heard of the rest is forgotten too."""
    run.journal = run.journal[:-2]
    run.client = [one for one in run.client if type(one).__name__ != "Told"]


def cancelled_and_called(run: Written) -> None:
    """A cancel is acknowledged before the last call was made."""
    run.answer("e1", "cancel", actor="anna")
    run.recorder[-1] = replace(run.recorder[-1], sent=run.tick())


def votes_twice(run: Written) -> None:
    """One of several says yes, and yes again."""
    said = ApprovalVoted(at=run.now, step="held", approval_id="apr_held", decision="approved", actor="ann")
    renumber(run, [*run.journal, *[replace(run.journal[-1], event=said)] * 2])


def at_level(run: Written, level: str) -> None:
    """The execution may do this much by itself."""
    first = next(recorded for recorded in run.journal if isinstance(recorded.event, ExecutionStarted))
    passport = replace(first.event.passport, autonomy=level)  # type: ignore[attr-defined]
    change(ExecutionStarted, passport=passport)(run)


LIES: list[tuple[str, str, Falsify]] = [
    ("S1", "an acknowledged decision is gone", drop(ApprovalDecided, 1)),
    ("S1", "an acknowledged pause is another's", entry(Answered, 1, actor="eve")),
    ("S2", "an acknowledged execution is gone", entry(Answered, 0, execution="e2")),
    ("S2", "a listed execution is gone", more(lambda run: Listed(
        order=run.tick(), session="1", tenant="org_1", executions=("e9",)))),
    ("S3", "positions run backwards", swap),
    ("S5", "what replay decides is not what the journal says", change(ExecutionCompleted, output={"x": 1})),
    ("S5", "what replay decides is not there", cut_off),
    ("S6", "an observer heard what is not there", change(StepOutcomeResolved, actor="eve")),
    ("S7", "an observer heard things the wrong way round", told_out_of_order),
    ("S8", "something follows the end", repeat(ExecutionCompleted)),
    ("S9", "a step completes twice", repeat(StepCompleted)),
    ("S9", "a step skips an attempt", change(StepStarted, 1, attempt=3)),
    ("S10", "an effect without its intent", call(0, durable=2)),
    ("S10", "an effect under another key than announced", call(0, key="other")),
    ("S10", "an effect with another payload than announced", call(0, payload="other")),
    ("S11", "a keyed effect happens twice", call(1, applied=True)),
    ("S11", "a completed effect never happened", call(0, applied=False)),
    ("S12", "an at-most-once action is called twice", again(4)),
    ("S12", "a queryable effect is repeated without looking", call(2, durable=15)),
    ("S12", "a queryable effect happens twice", call(2, applied=True)),
    ("S14", "a timer fires early", change(TimerFired, 1, at=0)),
    ("S14", "a timer fires twice", repeat(TimerFired, 1)),
    ("S15", "an approval is decided twice", repeat(ApprovalDecided)),
    ("S1", "an acknowledged signal is gone", drop(SignalReceived)),
    ("S15", "a signal is received twice", repeat(SignalReceived)),
    ("S15", "a signal is taken by two", repeat(WaitEnded)),
    ("S15", "a signal that is there is not taken", change(WaitEnded, signal_id="")),
    ("S15", "somebody votes twice", votes_twice),
    ("S16", "a risky action acts and nobody approved it", change(StepStarted, 0, risk="R4")),
    ("S17", "level 0 acts", lambda run: at_level(run, "L0")),
    ("S16", "something else is done than was approved", change(StepStarted, 5, payload="other")),
    ("S16", "something else is approved than was shown", change(ApprovalDecided, payload="other")),
    ("S16", "it is done after a rejection", change(ApprovalDecided, decision="rejected")),
    ("S16", "it was approved too late", change(ApprovalDecided, at=1 << 50)),
    ("S17", "it starts on a denial", change(StepStarted, verdict="deny")),
    ("S17", "it starts without the approval that the verdict asks for", change(
        StepStarted, verdict="require_approval")),
    ("S19", "an effect after an acknowledged cancel", cancelled_and_called),
    ("S19", "an effect in a pause", drop(ExecutionResumed)),
    ("S20", "a call for another tenant", call(0, tenant="org_2")),
    ("S20", "a list of another tenant", more(lambda run: Listed(
        order=run.tick(), session="1", tenant="org_2", executions=("e1",)))),
    ("S22", "more is set aside than there is", change(StepStarted, 4, reserved=11.0)),
    ("S22", "what was spent is forgotten", change(StepCompleted, cost=9.5)),
    ("S23", "another try comes too early", change(TimerFired, 0, at=1_700_000_000_500)),
    ("S25", "the definition is another", change(type(sound().journal[0].event), definition={
        "name": "x", "steps": [{"id": "a", "type": "transform"}]})),
    ("S26", "another body was acknowledged", entry(Answered, 0, body="other")),
    ("S27", "time goes backwards", change(ExecutionPaused, at=1)),
    ("S28", "an answer after the storage failed", more(lambda run: StorageFailed(order=2, session="1"))),
    ("L10", "the end took too long", entry(Ended, took_ms=60_000)),
]  # fmt: skip


def test_a_sound_run_is_sound() -> None:
    """Nothing is found where there is nothing to find."""
    run = sound()
    rows = MemoryProjections(run.journal)
    projected = Projected(executions=rows.executions(), approvals=rows.approvals(state=None))
    verification = Verification(events=len(run.journal), streams=2)
    report = checked(run, projected=projected, verification=verification)
    assert report.violations == []
    assert set(report.never_exercised) == {"S18", "S28", "L6", "L7", "L11"}


@pytest.mark.parametrize(("invariant", "what", "falsify"), LIES, ids=[f"{i} {w}" for i, w, _ in LIES])
def test_each_lie_is_caught(invariant: str, what: str, falsify: Falsify) -> None:
    """One thing in the three logs is not as it should be, and the check names the invariant."""
    run = sound()
    falsify(run)
    assert invariant in checked(run).broken


def test_rows_that_differ_from_a_rebuild_are_caught() -> None:
    """A list that says something else than the journal is not a reading of it."""
    run = sound()
    rows = MemoryProjections(run.journal)
    wrong = [replace(row, status="running") for row in rows.executions()]
    report = checked(run, projected=Projected(executions=wrong, approvals=rows.approvals(state=None)))
    assert report.broken == ("S21",)
    report = checked(run, projected=Projected(executions=[], approvals=[]))
    assert report.broken == ("S21",)


def test_damage_is_taken_over_from_the_store() -> None:
    """What the store's own verification finds is found."""
    run = sound()
    damages = (Damage(stream="e1", version=3, reason="it does not match its digest"),)
    verification = Verification(events=len(run.journal), streams=2, damages=damages)
    assert checked(run, verification=verification).broken == ("S4",)
    shorter = Verification(events=len(run.journal) - 1, streams=2)
    assert checked(run, verification=shorter).broken == ("S4",)


def test_what_is_raised_unheard_is_a_violation() -> None:
    """A callback that raises is no small thing."""
    assert checked(sound(), unhandled=["KeyError: 'x'"]).broken == ("X1",)


def unfinished(*events: Event) -> Written:
    """A run whose first step was let through, and then these."""
    run = Written()
    run.start("e1", everything())
    for event in events:
        run.tell("e1", event)
    return run


def test_what_should_have_gone_on_is_named() -> None:
    """Steps that nobody dispatched or ended, and timers that nobody fired, once all faults are over."""
    run = unfinished()
    assert checked(run).broken == ("L1",)
    run.let_through("e1", "keyed", "keyed")
    assert checked(run).broken == ("L2",)
    failed = next(recorded.event for recorded in sound().journal if isinstance(recorded.event, StepFailed))
    run.tell("e1", failed)
    assert checked(run).sound
    assert checked(run, quiet=Quiet(at=run.now + 60_000, faults_ended_at=0)).broken == ("L3",)


def test_a_wake_up_that_comes_late_is_named() -> None:
    """A timer that fires is not yet one that fired in time."""
    run = sound()
    late = next(at for at, r in enumerate(run.journal) if isinstance(r.event, TimerFired))
    for place in range(late, len(run.journal)):
        recorded = run.journal[place]
        run.journal[place] = replace(recorded, event=replace(recorded.event, at=recorded.event.at + 4000))
    assert "L3" in checked(run, quiet=Quiet(at=run.now, faults_ended_at=0)).broken
    assert "L3" not in checked(run, quiet=Quiet(at=run.now, faults_ended_at=1 << 50)).broken


def test_a_circuit_that_stays_open_is_named() -> None:
    """Turned away after a failure is right; turned away a minute later is not."""
    run = unfinished()
    for pause, name in ((0, "L6"), (20_000, ""), (60_000, "L6")):
        run.now += pause
        run.start(f"at-{pause}", everything())
        run.let_through(f"at-{pause}", "keyed", "keyed")
        code = "transient" if pause == 20_000 else "circuit_open"
        failure = Failure(code=code, message="no", retryable=True)
        run.tell(f"at-{pause}", StepFailed(at=run.now, step="keyed", attempt=1, error=failure))
        assert ("L6" in checked(run).broken) is bool(name)
        run.journal = [r for r in run.journal if pause or r.stream != "at-0"]


@pytest.mark.parametrize(
    ("opened", "again", "right"), [(5, 8, True), (5, None, False), (None, 8, False), (9, 8, False)]
)
def test_a_failure_that_a_crash_took_away_may_have_opened_a_circuit(
    opened: int | None, again: int | None, right: bool
) -> None:
    """Its opening is on record, and a call that ran then was cut off: begun anew, it never told its end."""
    run = unfinished()
    began = run.now
    run.start("probe", everything())
    run.let_through("probe", "keyed", "keyed")
    if opened is not None:
        at = began + opened
        run.append(
            CIRCUITS, CircuitOpened(at=at, tenant=TENANT, agent="outside", failures=1, until=at + 30_000)
        )
    if again is not None:
        run.now = began + again
        run.let_through("probe", "keyed", "keyed")
    run.tell("probe", StepCompleted(at=run.now, step="keyed", attempt=1, output=1))
    run.now = began + 20_000
    run.start("refused", everything())
    run.let_through("refused", "keyed", "keyed")
    failure = Failure(code="circuit_open", message="no", retryable=True)
    run.tell("refused", StepFailed(at=run.now, step="keyed", attempt=1, error=failure))
    assert ("L6" not in checked(run).broken) is right


def test_an_approval_that_expires_late_is_named() -> None:
    """At the deadline, or a little later."""
    run = Written()
    run.start("e1", flow(step("person", "approval", timeout="10s")))
    run.now += 10_000
    run.tell("e1", TimerFired(at=run.now, timer="approval:person"))
    assert checked(run, quiet=Quiet(at=run.now, faults_ended_at=0)).sound
    for place, recorded in enumerate(run.journal[2:], start=2):
        event = recorded.event
        late = event.at + (6000 if recorded.version > 2 else 0)
        run.journal[place] = replace(recorded, event=replace(event, at=late))
    assert "L11" in checked(run, quiet=Quiet(at=run.now, faults_ended_at=0)).broken


def test_who_stands_still_since_another_failed_is_named() -> None:
    """One execution returns nonsense and fails; the one beside it is never dispatched again."""
    run = unfinished()
    run.start("e2", everything())
    run.let_through("e2", "keyed", "keyed")
    nonsense = Failure(code="bad_output", message="not of its type")
    run.tell("e2", StepFailed(at=run.now, step="keyed", attempt=1, error=nonsense))
    assert checked(run).broken == ("L1", "L7")


def test_logs_go_to_files_and_back() -> None:
    """A last line that a kill cut off is left out; everything before it is there."""
    run = sound()
    entries = [*run.client, *run.recorder]
    lines = write_log(entries)
    assert list(read_log(lines)) == entries
    assert list(read_log(lines[:-5])) == entries[:-1]


def test_every_invariant_that_applies_has_a_lie() -> None:
    """The list above grows with the list of invariants."""
    by_other_tests = {"S4", "S18", "S21", "X1", "L1", "L2", "L3", "L6", "L7", "L11"}
    assert set(INVARIANTS) == {invariant for invariant, _, _ in LIES} | set(ELSEWHERE) | by_other_tests
