"""A run as a person reads it: folded from its events, with the times and costs the state does not keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from dirigent.domain.event import (
    ActionRefused,
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    CallEnded,
    CallStarted,
    CancelRequested,
    ChildEnded,
    Compensation,
    CompensationStarted,
    EffectAcknowledged,
    Event,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionStarted,
    Failure,
    FallbackStarted,
    FanOutStarted,
    IterationStarted,
    OutcomeObserved,
    OutputMapped,
    ReadBackRequested,
    SignalAwaited,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepOutcomeResolved,
    StepOutcomeUnknown,
    StepSkipped,
    StepStarted,
    StepTakenOver,
    WaitEnded,
    WaitStarted,
)
from dirigent.domain.moments import iso


class StepReading(msgspec.Struct, kw_only=True):
    """One step, or one item of a `foreach` step or of a loop. Times are milliseconds since the epoch.

    `key` is that of an effect of unknown outcome, `reference` what the receiver called the effect, and
    `unclear_call` the call of the step's action of which nobody knows the end, where it is one.
    """

    id: str
    status: str = "running"
    agent: str = ""
    action: str = ""
    risk: str = ""
    verdict: str = ""
    rules: tuple[str, ...] = ()
    attempts: int = 0
    started_at: int = 0
    ended_at: int = 0
    output: Any = None
    error: Failure | None = None
    cost: float = 0.0
    approval: str = ""
    child: str = ""
    reason: str = ""
    votes: tuple[str, ...] = ()
    fell_back: bool = False
    key: str = ""
    reference: str = ""
    unclear_call: str = ""

    @property
    def duration_ms(self) -> int:
        """From the first start to the end; 0 while it runs."""
        return max(0, self.ended_at - self.started_at) if self.ended_at else 0


class Reading(msgspec.Struct, kw_only=True):
    """One execution: whose, of what, how far, with what result.

    `compensations` says of an execution that ended without its result what was undone. `paused` holds for one
    that is paused, also where its status says that what it did is being undone. `items` are the
    items by their step, in the order in which they were first heard of, and `fans` how many there are.
    """

    execution_id: str
    started: ExecutionStarted
    status: str = "running"
    paused: bool = False
    steps: dict[str, StepReading] = msgspec.field(default_factory=dict)
    calls: list[CallStarted] = msgspec.field(default_factory=list)
    refusals: list[ActionRefused] = msgspec.field(default_factory=list)
    output: Any = None
    error: Failure | None = None
    compensations: tuple[Compensation, ...] = ()
    spent: float = 0.0
    ended_at: int = 0
    events: int = 0
    items: dict[str, list[StepReading]] = msgspec.field(default_factory=dict)
    fans: dict[str, int] = msgspec.field(default_factory=dict)

    def step(self, name: str, at: int) -> StepReading:
        """The reading of a step, made at its first event."""
        found = self.steps.get(name)
        if found is None:
            found = self.steps[name] = StepReading(id=name, started_at=at)
            if name.endswith("]"):
                self.items.setdefault(name.rpartition("[")[0], []).append(found)
        return found

    def copied(self) -> Reading:
        """The same, so that what is read on in one leaves the other alone."""
        steps = {name: msgspec.structs.replace(step) for name, step in self.steps.items()}
        return msgspec.structs.replace(
            self,
            steps=steps,
            calls=self.calls[:],
            refusals=self.refusals[:],
            items={fan: [steps[item.id] for item in items] for fan, items in self.items.items()},
            fans=self.fans.copy(),
        )

    def read_on(self, events: Sequence[Event]) -> None:
        """Fold what came behind the events that were read."""
        for event in events:
            reader = _READERS.get(type(event))
            if reader is not None:
                reader(self, event)
        self.events += len(events)


def read_execution(events: Sequence[Event]) -> Reading:
    """Fold the events of one stream."""
    started = events[0]
    assert isinstance(started, ExecutionStarted), "every execution starts with its start"
    reading = Reading(execution_id=started.execution_id, started=started, events=1)
    reading.read_on(events[1:])
    return reading


def _step_started(reading: Reading, event: StepStarted) -> None:
    step = reading.step(event.step, event.at)
    step.status, step.attempts = "running", event.attempt
    step.agent, step.action, step.risk = event.agent, event.action, event.risk
    step.verdict, step.rules = event.verdict, event.rules


def _step_completed(reading: Reading, event: StepCompleted) -> None:
    step = reading.step(event.step, event.at)
    if event.mode == "foreach":
        step.output = _aggregated(reading, event.step)
    else:
        step.output = event.output
    step.cost += event.cost
    reading.spent += event.cost
    _end(step, _success(step), event.at)


def _step_failed(reading: Reading, event: StepFailed) -> None:
    step = reading.step(event.step, event.at)
    step.error = event.error
    step.attempts = max(step.attempts, event.attempt)
    _end(step, "failed", event.at)


def _step_skipped(reading: Reading, event: StepSkipped) -> None:
    step = reading.step(event.step, event.at)
    step.reason = event.reason
    _end(step, "skipped", event.at)


def _taken_over(reading: Reading, event: StepTakenOver) -> None:
    step = reading.step(event.step, event.at)
    kept = reading.started.kept[event.step]
    step.output, step.error, step.child = kept.output, kept.error, kept.child
    origin = reading.started.forked_from
    step.reason = f"taken over from {origin}" if kept.version else f"written for the fork of {origin}"
    _end(step, "failed" if kept.error is not None else "succeeded", event.at)


def _step_cancelled(reading: Reading, event: StepCancelled) -> None:
    step = reading.step(event.step, event.at)
    step.reason = event.reason
    _end(step, "cancelled", event.at)


def _fallback_started(reading: Reading, event: FallbackStarted) -> None:
    step = reading.step(event.step, event.at)
    step.status, step.fell_back, step.ended_at = "running", True, 0


def _output_mapped(reading: Reading, event: OutputMapped) -> None:
    reading.step(event.step, event.at).output = event.output


def _iteration_started(reading: Reading, event: IterationStarted) -> None:
    step = reading.step(event.step, event.at)
    step.attempts, step.reason = 1, f"round {event.index + 1}"


def _unknown(reading: Reading, event: StepOutcomeUnknown) -> None:
    step = reading.step(event.step, event.at)
    step.status, step.key, step.unclear_call = "outcome_unknown", event.key, event.call
    step.reference = event.reference or step.reference
    of_call = f" ({event.agent}.{event.action})" if event.call else ""
    step.reason = f"nobody knows whether it happened{of_call}"


def _acknowledged(reading: Reading, event: EffectAcknowledged) -> None:
    if not event.call:
        reading.step(event.step, event.at).reference = event.reference


def _read_back_requested(reading: Reading, event: ReadBackRequested) -> None:
    reading.step(event.step, event.at).reason = f"{event.actor} asked to look whether it happened"


def _observed(reading: Reading, event: OutcomeObserved) -> None:
    if event.error is not None:
        seen = f"could not be looked at: {event.error.message}"
    else:
        seen = "was found" if event.found else "was looked for and not found"
    reading.step(event.step, event.at).reason = f"it {seen}"


def _resolved(reading: Reading, event: StepOutcomeResolved) -> None:
    step = reading.step(event.step, event.at)
    step.reason, step.unclear_call = f"settled by {event.actor}", ""
    done = event.happened and not event.call
    step.output = event.output if done else None
    _end(step, _success(step) if done else "running", event.at if done else 0)


def _fan_out(reading: Reading, event: FanOutStarted) -> None:
    step = reading.step(event.step, event.at)
    step.attempts = 1
    step.reason = f"{len(event.items)} items"
    reading.fans[event.step] = len(event.items)


def _approval_requested(reading: Reading, event: ApprovalRequested) -> None:
    step = reading.step(event.step, event.at)
    step.status = "held" if event.kind == "hold" else "waiting"
    step.agent, step.action, step.risk = event.agent, event.action, event.risk
    step.approval, step.reason, step.rules = event.approval_id, event.reason, event.rules
    step.votes = ()


def _approval_voted(reading: Reading, event: ApprovalVoted) -> None:
    step = reading.step(event.step, event.at)
    step.votes = (*step.votes, f"{event.decision} by {event.actor}")
    step.reason = ", ".join(step.votes)


def _approval_decided(reading: Reading, event: ApprovalDecided) -> None:
    step = reading.step(event.step, event.at)
    step.status = event.decision
    step.reason = event.comment or f"{event.decision} by {event.actor}"


def _wait_started(reading: Reading, event: WaitStarted) -> None:
    step = reading.step(event.step, event.at)
    step.status, step.attempts, step.reason = "waiting", 1, f"until {iso(event.until)}"


def _signal_awaited(reading: Reading, event: SignalAwaited) -> None:
    step = reading.step(event.step, event.at)
    step.status, step.attempts, step.reason = "waiting", 1, f"for {event.event}"


def _wait_ended(reading: Reading, event: WaitEnded) -> None:
    step = reading.step(event.step, event.at)
    step.status = "running"
    step.reason = f"{step.reason}: {event.signal_id}" if event.signal_id else step.reason


def _child_ended(reading: Reading, event: ChildEnded) -> None:
    step = reading.step(event.step, event.at)
    step.child, step.output, step.error = event.child, event.output, event.error
    reading.spent += event.spent
    good = event.status in ("completed", "partially_completed")
    _end(step, "succeeded" if good else "failed", event.at)


def _call_ended(reading: Reading, event: CallEnded) -> None:
    reading.spent += event.cost


def _completed(reading: Reading, event: ExecutionCompleted) -> None:
    reading.status, reading.output, reading.ended_at = event.status, event.output, event.at
    reading.paused = False


def _failed(reading: Reading, event: ExecutionFailed) -> None:
    reading.status, reading.output, reading.ended_at = event.status, event.output, event.at
    reading.paused = False
    reading.error, reading.compensations = event.error, event.compensations


def _compensating(reading: Reading, event: CompensationStarted) -> None:
    reading.status, reading.error = "compensating", event.error


def _paused(reading: Reading, event: ExecutionPaused) -> None:
    reading.paused = True
    if reading.status != "compensating":
        reading.status = "paused"


def _resumed(reading: Reading, event: ExecutionResumed) -> None:
    reading.paused = False
    if reading.status != "compensating":
        reading.status = "running"


def _cancel_requested(reading: Reading, event: CancelRequested) -> None:
    """A cancel ends a pause, unless what was done is being undone already."""
    reading.paused = reading.paused and reading.status == "compensating"


def _cancelled(reading: Reading, event: ExecutionCancelled) -> None:
    reading.status, reading.ended_at, reading.paused = "cancelled", event.at, False
    reading.compensations = event.compensations
    for step in reading.steps.values():
        if step.status in ("running", "waiting", "held"):
            _end(step, "cancelled", event.at)


def _success(step: StepReading) -> str:
    return "succeeded_by_fallback" if step.fell_back else "succeeded"


def _end(step: StepReading, status: str, at: int) -> None:
    step.status, step.ended_at = status, at


def _aggregated(reading: Reading, fan: str) -> dict[str, Any]:
    results: list[Any] = [None] * reading.fans.get(fan, 0)
    failures = []
    for item in reading.items.get(fan, []):
        index = int(item.id[len(fan) + 1 : -1])
        results[index] = item.output
        if item.status == "failed" and item.error is not None:
            failed = {"index": index, "code": item.error.code, "message": item.error.message}
            results[index] = None
            failures.append(failed)
    return {"results": results, "failures": sorted(failures, key=lambda failed: int(str(failed["index"])))}


_READERS: dict[type[Event], Callable[[Reading, Any], None]] = {
    StepStarted: _step_started,
    StepCompleted: _step_completed,
    StepFailed: _step_failed,
    StepSkipped: _step_skipped,
    StepTakenOver: _taken_over,
    StepCancelled: _step_cancelled,
    FallbackStarted: _fallback_started,
    OutputMapped: _output_mapped,
    IterationStarted: _iteration_started,
    EffectAcknowledged: _acknowledged,
    StepOutcomeUnknown: _unknown,
    ReadBackRequested: _read_back_requested,
    OutcomeObserved: _observed,
    StepOutcomeResolved: _resolved,
    FanOutStarted: _fan_out,
    ApprovalRequested: _approval_requested,
    ApprovalVoted: _approval_voted,
    ApprovalDecided: _approval_decided,
    WaitStarted: _wait_started,
    SignalAwaited: _signal_awaited,
    WaitEnded: _wait_ended,
    ChildEnded: _child_ended,
    CallStarted: lambda reading, event: reading.calls.append(event),
    CallEnded: _call_ended,
    ActionRefused: lambda reading, event: reading.refusals.append(event),
    ExecutionCompleted: _completed,
    CompensationStarted: _compensating,
    ExecutionFailed: _failed,
    ExecutionPaused: _paused,
    ExecutionResumed: _resumed,
    CancelRequested: _cancel_requested,
    ExecutionCancelled: _cancelled,
}
