"""Whether each step went its way: S9, S16 (as far as the journal shows it), S17 and S23."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dirigent.domain.event import (
    ActionRefused,
    ApprovalDecided,
    ApprovalRequested,
    ChildEnded,
    Event,
    FallbackStarted,
    FanOutStarted,
    OutputMapped,
    SignalAwaited,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepOutcomeResolved,
    StepOutcomeUnknown,
    StepSkipped,
    StepStarted,
    TimerFired,
    WaitEnded,
)
from dirigent.domain.ids import defined_step
from dirigent.domain.workflow import Retry
from dirigent.interpreter.graph import Graph
from dirigent.ports import Recorded
from dirigent.testing.invariants.findings import Findings
from dirigent.testing.invariants.history import History, Stream

ADMITTING = frozenset({"allow", "modify", "require_approval", "simulate", "hold"})
JITTER_MS = 1


@dataclass
class Course:
    """How far one step, or one item, has come, told from its events alone.

    `phase` is open (it may be tried), started, asked (a person decides), listening (for a signal), refused
    (that person, or a policy, said no), retrying (it waits for its next try), unknown (its effect may have
    happened), returned (what it started has ended, and it follows what that means) or done.
    """

    phase: str = "open"
    attempt: int = 1
    granted: int = 0
    failed: bool = False
    fell_back: bool = False
    failed_at: int = 0
    asked: ApprovalRequested | None = None
    approved: str | None = None


class _Follower:
    """Follows the steps of one stream."""

    def __init__(self, stream: Stream, graph: Graph | None, findings: Findings) -> None:
        self._stream = stream
        self._graph = graph
        self._findings = findings
        self._courses: dict[str, Course] = {}

    def follow(self) -> None:
        """Look at every event of the stream."""
        for recorded in self._stream.recorded:
            handler = _HANDLERS.get(type(recorded.event))
            if handler is not None:
                handler(self, recorded.event, recorded)

    def started(self, event: StepStarted, recorded: Recorded) -> None:
        """An attempt was let through."""
        course = self._at(event.step)
        self._findings.met("S9")
        self._findings.met("S17")
        if course.phase == "refused":
            self._broken("S16" if course.asked else "S17", "it starts after a no", recorded)
        elif course.phase not in ("open", "started"):
            self._broken("S9", f"it starts while it is {course.phase}", recorded)
        if event.attempt != course.attempt:
            self._broken("S9", f"attempt {event.attempt} starts, {course.attempt} was next", recorded)
        if event.verdict not in ADMITTING:
            self._broken("S17", f"it starts on the verdict {event.verdict}", recorded)
        elif event.verdict == "require_approval" and course.approved is None:
            self._broken("S17", "it needs an approval and starts without", recorded)
        self._bound(event, course, recorded)
        self._within_policy(event.step, course, recorded)
        self._by_its_own_means(event, course, recorded)
        course.phase = "started"

    def completed(self, event: StepCompleted, recorded: Recorded) -> None:
        """It has its result."""
        self._ends(event.step, event.attempt, ("open", "started"), recorded)

    def failed(self, event: StepFailed, recorded: Recorded) -> None:
        """A try ended without a result."""
        course = self._at(event.step)
        attempt = event.attempt or course.attempt  # 0: a way in could not be decided
        mapped = ("done",) if self._maps_output(event.step) else ()
        self._ends(event.step, attempt, ("open", "started", "refused", "returned", *mapped), recorded)
        course.failed = True
        if event.error.retryable and attempt < self._retry(event.step).max_attempts:
            course.phase, course.failed_at = "retrying", event.at

    def skipped(self, event: StepSkipped, recorded: Recorded) -> None:
        """It does not run."""
        course = self._at(event.step)
        self._ends(event.step, course.attempt, ("open", "started"), recorded)

    def cancelled(self, event: StepCancelled, recorded: Recorded) -> None:
        """It was stopped, having changed nothing outside."""
        course = self._at(event.step)
        self._findings.met("S9")
        if course.phase in ("unknown", "done") and not course.failed:
            self._broken("S9", f"{event.step!r} is cancelled while it is {course.phase}", recorded)
        course.phase = "done"

    def fell_back(self, event: FallbackStarted, recorded: Recorded) -> None:
        """After its last attempt something else takes its place, once."""
        course = self._at(event.step)
        tried = event.attempt or course.attempt - 1  # 0: it failed before its first attempt
        if course.phase not in ("done", "returned") or (event.attempt or 1) != course.attempt:
            self._broken("S9", f"a fallback begins while {event.step!r} is {course.phase}", recorded)
        course.phase, course.attempt, course.granted = "open", tried + 1, course.granted + 1
        course.approved, course.fell_back = None, True
        self._findings.met("S23")
        self._findings.did("fallback")

    def mapped(self, event: OutputMapped, recorded: Recorded) -> None:
        """Its output was made from its result."""
        course = self._at(event.step)
        if course.phase not in ("done", "returned"):
            self._broken("S9", f"an output is made while {event.step!r} is {course.phase}", recorded)

    def unknown(self, event: StepOutcomeUnknown, recorded: Recorded) -> None:
        """Its effect may have happened."""
        self._ends(event.step, event.attempt, ("started",), recorded)
        self._at(event.step).phase = "unknown"

    def resolved(self, event: StepOutcomeResolved, recorded: Recorded) -> None:
        """A person said what became of it."""
        course = self._at(event.step)
        self._ends(event.step, event.attempt, ("unknown",), recorded)
        if not event.happened or event.call:
            course.phase, course.attempt, course.granted = "open", course.attempt + 1, course.granted + 1

    def asked(self, event: ApprovalRequested, recorded: Recorded) -> None:
        """It waits for a person."""
        course = self._at(event.step)
        self._ends(event.step, event.attempt, ("open", "started"), recorded)
        course.phase, course.asked = "asked", event

    def decided(self, event: ApprovalDecided, recorded: Recorded) -> None:
        """The person, or time, decided."""
        course = self._at(event.step)
        asked = course.asked
        self._findings.met("S16")
        if course.phase != "asked" or asked is None:
            self._broken("S16", f"a decision is recorded while it is {course.phase}", recorded)
            return
        if event.approval_id != asked.approval_id:
            self._broken("S16", f"{event.approval_id} is not what was asked for", recorded)
        if event.decision != "approved":
            course.phase = "open" if event.decision == "edited" else "refused"
            return
        if event.at > asked.expires_at and event.actor != "clock":
            self._broken("S16", f"approved {event.at - asked.expires_at} ms too late", recorded)
        if event.payload != asked.payload:
            self._broken("S16", "something else was approved than was shown", recorded)
        course.phase, course.approved = "open", event.payload

    def refused(self, event: ActionRefused, recorded: Recorded) -> None:
        """The gates said no to its own action: it may only fail. Calls of a running one are passed over."""
        course = self._at(event.step)
        self._findings.met("S17")
        if course.phase == "open":
            course.phase, course.asked = "refused", None

    def fanned_out(self, event: FanOutStarted, recorded: Recorded) -> None:
        """Its items are known."""
        self._at(event.step).phase = "started"

    def child_ended(self, event: ChildEnded, recorded: Recorded) -> None:
        """What it started has ended; where it was stopped, that it fails or is cancelled follows."""
        self._ends(event.step, self._at(event.step).attempt, ("open",), recorded)
        self._at(event.step).phase = "returned"

    def awaited(self, event: SignalAwaited, recorded: Recorded) -> None:
        """It waits for a signal."""
        self._ends(event.step, self._at(event.step).attempt, ("open",), recorded)
        self._at(event.step).phase = "listening"

    def wait_ended(self, event: WaitEnded, recorded: Recorded) -> None:
        """It took a signal, or none came."""
        self._ends(event.step, self._at(event.step).attempt, ("listening",), recorded)
        self._at(event.step).phase = "open"

    def fired(self, event: TimerFired, recorded: Recorded) -> None:
        """A wait between two tries is over."""
        kind, _, step = event.timer.partition(":")
        if kind != "retry":
            return
        course = self._at(step)
        if course.phase != "retrying":
            self._broken("S9", f"a retry is due while it is {course.phase}", recorded)
            return
        self._findings.met("S23")
        waited, least = event.at - course.failed_at, self._least_wait(step, course.attempt)
        if waited < least:
            self._broken("S23", f"it waits {waited} ms before its next try, {least} is least", recorded)
        course.phase, course.attempt = "open", course.attempt + 1

    def _ends(self, step: str, attempt: int, phases: tuple[str, ...], recorded: Recorded) -> None:
        course = self._at(step)
        self._findings.met("S9")
        if course.phase not in phases:
            name = type(recorded.event).__name__
            self._broken("S9", f"{name} of {step!r} while it is {course.phase}", recorded)
        elif attempt != course.attempt:
            self._broken("S9", f"attempt {attempt} of {step!r} ends, {course.attempt} was on", recorded)
        course.phase = "done"

    def _bound(self, event: StepStarted, course: Course, recorded: Recorded) -> None:
        if course.approved and event.payload:
            self._findings.met("S16")
            if event.payload != course.approved:
                self._broken("S16", "it does something else than was approved", recorded)

    def _within_policy(self, step: str, course: Course, recorded: Recorded) -> None:
        self._findings.met("S23")
        most = self._retry(step).max_attempts + course.granted
        if course.attempt > most:
            self._broken("S23", f"attempt {course.attempt} starts, {most} are allowed", recorded)

    def _by_its_own_means(self, event: StepStarted, course: Course, recorded: Recorded) -> None:
        """What stands in for a step acts after the step has failed for good, and the step itself before."""
        node = self._graph.nodes.get(defined_step(event.step)) if self._graph is not None else None
        fallback = node.step.fallback if node is not None else None
        if fallback is not None and fallback.action:
            instead = event.action == fallback.action
            if instead is not course.fell_back:
                when = "after it fell back" if course.fell_back else "before it failed for good"
                self._broken("S23", f"{event.action} acts for {event.step!r} {when}", recorded)

    def _least_wait(self, step: str, attempt: int) -> int:
        retry = self._retry(step)
        return round(min(retry.initial_ms * retry.backoff_factor ** (attempt - 1), retry.max_ms)) - JITTER_MS

    def _retry(self, step: str) -> Retry:
        if self._graph is None:
            return Retry()
        node = self._graph.nodes.get(step) or self._graph.nodes.get(defined_step(step))
        return node.step.retry if node is not None else Retry()

    def _maps_output(self, step: str) -> bool:
        """Whether making its output may fail a step that had its result."""
        node = self._graph.nodes.get(defined_step(step)) if self._graph is not None else None
        return node is None or node.output is not None

    def _at(self, step: str) -> Course:
        course = self._courses.get(step)
        if course is None:
            course = self._courses[step] = Course()
        return course

    def _broken(self, invariant: str, text: str, recorded: Recorded) -> None:
        self._findings.broken(invariant, text, self._stream.name, recorded.version)


_HANDLERS: dict[type[Event], Callable[[_Follower, Any, Recorded], None]] = {
    StepStarted: _Follower.started,
    StepCompleted: _Follower.completed,
    StepFailed: _Follower.failed,
    StepSkipped: _Follower.skipped,
    StepCancelled: _Follower.cancelled,
    FallbackStarted: _Follower.fell_back,
    OutputMapped: _Follower.mapped,
    StepOutcomeUnknown: _Follower.unknown,
    StepOutcomeResolved: _Follower.resolved,
    ApprovalRequested: _Follower.asked,
    ApprovalDecided: _Follower.decided,
    ActionRefused: _Follower.refused,
    FanOutStarted: _Follower.fanned_out,
    ChildEnded: _Follower.child_ended,
    SignalAwaited: _Follower.awaited,
    WaitEnded: _Follower.wait_ended,
    TimerFired: _Follower.fired,
}


def check_steps(history: History, findings: Findings) -> None:
    """Follow every step of every execution."""
    for stream in history.executions.values():
        _Follower(stream, history.graph(stream.started.definition), findings).follow()
