"""Whether everything comes to its end once nothing disturbs it: L1, L2, L3, L6, L7, L10 and L11."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from dirigent.domain.circuit_event import CIRCUITS, CircuitOpened
from dirigent.domain.command import Command, InvokeAction, RecordEvent, StartChild, StartTimer
from dirigent.domain.event import (
    ApprovalDecided,
    ApprovalRequested,
    CallEnded,
    CallStarted,
    Failure,
    StepCompleted,
    StepFailed,
    StepOutcomeUnknown,
    StepStarted,
    TimerFired,
)
from dirigent.testing.invariants.evidence import Ended, Entry
from dirigent.testing.invariants.findings import Findings
from dirigent.testing.invariants.history import History, Stream
from dirigent.testing.invariants.replaying import Replay

WAKE_MS = 1_000
EXPIRY_MS = 5_000
STOP_MS = 10_000
COOL_DOWN_MS = 30_000
TRANSIENT = frozenset({"transient", "step_timeout", "agent_timeout", "outcome_unknown"})


class Quiet(msgspec.Struct, frozen=True, kw_only=True):
    """When liveness is judged: `at` on the journal's clock (ms since the epoch), and when the faults ended.

    What was acknowledged has then had all the time that it may take.
    """

    at: int
    faults_ended_at: int


def check_liveness(
    history: History,
    replays: Mapping[str, Replay],
    client: Iterable[Entry],
    quiet: Quiet,
    findings: Findings,
) -> None:
    """Look at what is still waited for, and at how late that came which came."""
    for replay in replays.values():
        findings.met("L2")
        if replay.whole and not replay.machine.state.ended:
            _waiting(replay, replays, quiet, findings)
        _wake_ups(replay, quiet, findings)
    for stream in history.executions.values():
        findings.met("L1", sum(1 for _ in stream.of(StepStarted)))
        findings.met("L3", sum(1 for _ in stream.of(TimerFired)))
        _expiries(stream, quiet, findings)
    _bystanders(history, findings)
    _circuits(history, findings)
    for entry in client:
        if isinstance(entry, Ended) and entry.how == "closed":
            findings.met("L10")
            if entry.took_ms > STOP_MS:
                findings.broken("L10", f"session {entry.session} took {entry.took_ms} ms to stop")


def _waiting(replay: Replay, replays: Mapping[str, Replay], quiet: Quiet, findings: Findings) -> None:
    state, name = replay.machine.state, replay.stream.name
    for command in state.outstanding.values():
        found = _overdue(command, replays, quiet)
        if found is not None:
            findings.broken(*found, name)
    unknown = [step for step, course in state.steps.items() if course.status == "outcome_unknown"]
    if not (state.outstanding or unknown or state.held):
        findings.broken("L2", f"it is {state.status} and waits for nothing", name)


def _overdue(command: Command, replays: Mapping[str, Replay], quiet: Quiet) -> tuple[str, str] | None:
    """What should have been done by now: the invariant that says so, and what it is."""
    if isinstance(command, StartTimer):
        late = quiet.at - command.due
        return ("L3", f"{command.timer} is {late} ms overdue") if late > WAKE_MS else None
    if isinstance(command, StartChild):
        child = replays.get(command.child)
        if child is None:
            return "L1", f"{command.child} was never started"
        return ("L3", f"{command.child} ended unheard") if child.machine.state.ended else None
    if isinstance(command, InvokeAction):
        if command.started:
            return "L2", f"{command.step!r} started and never ended"
        return "L1", f"{command.step!r} was never dispatched"
    return ("L1", "what was decided was never recorded") if isinstance(command, RecordEvent) else None


def _wake_ups(replay: Replay, quiet: Quiet, findings: Findings) -> None:
    for timer, due, fired in replay.dues:
        if due >= quiet.faults_ended_at and fired - due > WAKE_MS:
            findings.broken("L3", f"{timer} fired {fired - due} ms late", replay.stream.name)


def _expiries(stream: Stream, quiet: Quiet, findings: Findings) -> None:
    deadlines: dict[str, int] = {}
    for recorded in stream.of(ApprovalRequested, ApprovalDecided):
        event = recorded.event
        if isinstance(event, ApprovalRequested):
            deadlines[event.approval_id] = event.expires_at
        elif isinstance(event, ApprovalDecided) and event.decision == "expired":
            findings.met("L11")
            due = deadlines.get(event.approval_id, event.at)
            if due >= quiet.faults_ended_at and event.at - due > EXPIRY_MS:
                text = f"{event.approval_id} expired {event.at - due} ms late"
                findings.broken("L11", text, stream.name, recorded.version)


def _bystanders(history: History, findings: Findings) -> None:
    """Where an execution failed for good, those that were under way at that moment went on."""
    stuck = {found.stream for found in findings.report.violations if found.invariant in ("L1", "L2", "L3")}
    failed = [s.recorded[-1].position for s in history.executions.values() if s.ended and _poisoned(s)]
    for stream in history.executions.values():
        first, last = stream.recorded[0].position, stream.recorded[-1].position
        around = [end for end in failed if first < end and (end < last or stream.name in stuck)]
        findings.met("L7", bool(around))
        if around and stream.name in stuck:
            findings.broken("L7", "it stands still since another one failed", stream.name)


def _poisoned(stream: Stream) -> bool:
    return any(
        isinstance(recorded.event, StepFailed) and recorded.event.error.code in ("bad_output", "agent_error")
        for recorded in stream.of(StepFailed)
    )


@dataclass
class _Traffic:
    """What became of the calls of one agent for one tenant: when it failed, and from when to when it ran.

    Of a run that was `cut_off` by the end of its process nobody knows how it ended.
    """

    failures: list[int] = field(default_factory=list)
    runs: list[tuple[int, int]] = field(default_factory=list)
    cut_off: list[tuple[int, int]] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)


def _circuits(history: History, findings: Findings) -> None:
    """A call that an open circuit turned away has a failure or a probe to blame for it.

    A crash may take a failure away and leave the opening of the circuit that it caused: that one speaks for
    it, where a call ran at the time that the crash cut off.
    """
    by_agent: dict[tuple[str, str], _Traffic] = defaultdict(_Traffic)
    for stream in history.executions.values():
        _watch(stream, by_agent)
    for recorded in history.streams.get(CIRCUITS, ()):
        event = recorded.event
        if isinstance(event, CircuitOpened):
            traffic = by_agent[event.tenant, event.agent]
            if any(since <= event.at <= until for since, until in traffic.cut_off):
                traffic.failures.append(event.at)
    for traffic in by_agent.values():
        for at, name in traffic.refused:
            findings.met("L6")
            lately = any(at - COOL_DOWN_MS - WAKE_MS <= failed <= at for failed in traffic.failures)
            probing = any(since <= at <= until for since, until in traffic.runs)
            if not (lately or probing):
                findings.broken("L6", "the circuit is open long after the last failure", name)


def _watch(stream: Stream, by_agent: dict[tuple[str, str], _Traffic]) -> None:
    running: dict[str, StepStarted | CallStarted] = {}
    kinds = (StepStarted, CallStarted, StepCompleted, StepFailed, StepOutcomeUnknown, CallEnded)
    for recorded in stream.of(*kinds):
        event: Any = recorded.event
        if isinstance(event, StepStarted | CallStarted):
            name = event.call if isinstance(event, CallStarted) else event.step
            before = running.pop(name, None)
            if before is not None:  # it ran until its process died
                traffic = by_agent[stream.tenant, before.agent]
                traffic.runs.append((before.at, event.at))
                traffic.cut_off.append((before.at, event.at))
            running[name] = event
            continue
        for started in _ended_by(event, running):
            traffic = by_agent[stream.tenant, started.agent]
            cut_off = isinstance(started, CallStarted) and not isinstance(event, CallEnded)
            failure = None if cut_off else getattr(event, "error", None)
            _tally(traffic, stream.name, started.at, event.at, failure)
            if isinstance(event, StepOutcomeUnknown) and not cut_off:
                traffic.failures.append(event.at)
    for started in running.values():
        by_agent[stream.tenant, started.agent].runs.append((started.at, 1 << 62))


def _ended_by(event: Any, running: dict[str, StepStarted | CallStarted]) -> list[StepStarted | CallStarted]:
    """What an event ends: a call; or a step, and with it every call of its that has not ended yet."""
    if isinstance(event, CallEnded):
        return [running.pop(event.call)] if event.call in running else []
    names = [name for name, started in running.items() if started.step == event.step]
    return [running.pop(name) for name in names]


def _tally(traffic: _Traffic, name: str, since: int, until: int, failure: Failure | None) -> None:
    code = failure.code if failure is not None else ""
    if code == "circuit_open":
        traffic.refused.append((until, name))
        return
    traffic.runs.append((since, until))
    if code in TRANSIENT:
        traffic.failures.append(until)
