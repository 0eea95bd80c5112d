"""The machine: one event in, commands out. Deterministic; knows no clock, no disk, no chance."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dirigent.domain.command import Command
from dirigent.domain.errors import IllegalTransition
from dirigent.domain.event import (
    ActionRefused,
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    CallEnded,
    CallStarted,
    CancelRequested,
    ChildEnded,
    CompensationStarted,
    EffectAcknowledged,
    Event,
    ExecutionAdmitted,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionPassivated,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionStarted,
    FallbackStarted,
    FanOutStarted,
    IterationStarted,
    OutcomeObserved,
    OutputMapped,
    ReadBackRequested,
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
    WaitEnded,
    WaitStarted,
)
from dirigent.domain.workflow import Definition
from dirigent.interpreter import (
    approvals,
    children,
    compensation,
    fanout,
    lifecycle,
    loops,
    outcomes,
    signals,
    steps,
    waits,
)
from dirigent.interpreter.graph import Graph, build_graph
from dirigent.interpreter.known import known
from dirigent.interpreter.state import State, Turn

Handler = Callable[[Turn, Any], None]

HANDLERS: dict[type[Event], Handler] = {
    ExecutionStarted: lifecycle.execution_started,
    ExecutionAdmitted: lifecycle.execution_admitted,
    ExecutionPassivated: lifecycle.execution_passivated,
    ExecutionPaused: lifecycle.execution_paused,
    ExecutionResumed: lifecycle.execution_resumed,
    CancelRequested: lifecycle.cancel_requested,
    CompensationStarted: compensation.compensation_started,
    ExecutionCompleted: lifecycle.execution_completed,
    ExecutionFailed: lifecycle.execution_failed,
    ExecutionCancelled: lifecycle.execution_cancelled,
    StepTakenOver: steps.step_taken_over,
    StepStarted: steps.step_started,
    StepCompleted: steps.step_completed,
    StepFailed: steps.step_failed,
    StepSkipped: steps.step_skipped,
    StepCancelled: steps.step_cancelled,
    FallbackStarted: steps.fallback_started,
    OutputMapped: steps.output_mapped,
    IterationStarted: loops.iteration_started,
    EffectAcknowledged: outcomes.effect_acknowledged,
    StepOutcomeUnknown: outcomes.step_outcome_unknown,
    ReadBackRequested: outcomes.read_back_requested,
    OutcomeObserved: outcomes.outcome_observed,
    StepOutcomeResolved: outcomes.step_outcome_resolved,
    ActionRefused: steps.action_refused,
    FanOutStarted: fanout.fan_out_started,
    ApprovalRequested: approvals.approval_requested,
    ApprovalVoted: approvals.approval_voted,
    ApprovalDecided: approvals.approval_decided,
    TimerFired: waits.timer_fired,
    WaitStarted: waits.wait_started,
    SignalAwaited: signals.signal_awaited,
    SignalReceived: signals.signal_received,
    WaitEnded: signals.wait_ended,
    ChildEnded: children.child_ended,
    CallStarted: children.call_started,
    CallEnded: children.call_ended,
}


class Machine:
    """The state of one execution of one definition.

    `apply` is the only way in. Replaying the events of a stream gives the same state and the same
    commands in every process. `outstanding` are the commands that no event has answered yet: a driver
    that takes over an execution carries on with them.
    """

    __slots__ = ("graph", "state")

    def __init__(self, definition: Definition | Graph) -> None:
        self.graph = definition if isinstance(definition, Graph) else build_graph(definition)
        self.state = State()

    def apply(self, event: Event) -> list[Command]:
        """Take in one event; raises `IllegalTransition` where the state cannot take it."""
        self._admit(event)
        self.state.version += 1
        self.state.now = event.at
        turn = Turn(self.state, self.graph)
        HANDLERS[type(event)](turn, event)
        return turn.commands

    @property
    def outstanding(self) -> list[Command]:
        """What is still to be done, in the order in which it was asked for."""
        return list(self.state.outstanding.values())

    def has_cancelled(self, step: str) -> bool:
        """Whether a step was cancelled, so that what still comes of it counts for nothing."""
        found = self.state.steps.get(step)
        return bool(step) and (found is None or found.status == "cancelled")

    def known(self, step: str, names: Iterable[str]) -> dict[str, Any]:
        """What is known under these names where a step stands; see `interpreter.known`."""
        return known(self.graph, self.state, step, names)

    def knows(self, signal: SignalReceived) -> bool:
        """Whether this very signal was received before; raises `SignalRefused` where it cannot be taken."""
        return signals.is_known(Turn(self.state, self.graph), signal)

    def awaits(self, signal: SignalReceived) -> bool:
        """Whether a step waits for a signal like this."""
        return signals.is_awaited(Turn(self.state, self.graph), signal)

    def misfits(self, signal: SignalReceived) -> dict[str, str]:
        """Why the filters of steps that wait cannot be evaluated for a signal, by step."""
        return signals.misfits(Turn(self.state, self.graph), signal)

    def _admit(self, event: Event) -> None:
        kind, state = type(event), self.state
        possible = kind in HANDLERS and (kind is ExecutionStarted) is (state.version == 0)
        if not possible or state.ended_at or (state.ending is not None and not _may_follow(state, event)):
            raise IllegalTransition(f"{kind.__name__} cannot follow in an execution that is {state.status}.")
        allowed = LIFECYCLE.get(kind)
        if allowed is not None:
            _admit_step(state, event, allowed)
        elif kind in PAUSING and state.paused is (kind is ExecutionPaused):
            raise IllegalTransition(f"{state.execution_id} is {state.status} already.")
        elif isinstance(event, SignalReceived) and self.knows(event):
            raise IllegalTransition(f"The signal {event.signal_id!r} was received before.")
        elif (step := _step_of(event)) and step not in state.steps:
            raise _unknown(state, step)


DECIDING = (ApprovalDecided, ApprovalVoted)
PAUSING = (ExecutionPaused, ExecutionResumed)
NOT_AT_THE_END = (ExecutionCompleted, FanOutStarted, SignalAwaited, SignalReceived)

LIFECYCLE: dict[type[Event], frozenset[str]] = {
    StepStarted: frozenset({"running"}),
    StepCompleted: frozenset({"running"}),
    StepFailed: frozenset({"running"}),
    StepSkipped: frozenset({"pending", "running"}),
    StepTakenOver: frozenset({"running"}),
    StepOutcomeUnknown: frozenset({"running"}),
    EffectAcknowledged: frozenset({"running"}),
    ReadBackRequested: frozenset({"outcome_unknown"}),
    OutcomeObserved: frozenset({"outcome_unknown"}),
    StepOutcomeResolved: frozenset({"outcome_unknown"}),
    ApprovalRequested: frozenset({"running"}),
    ApprovalVoted: frozenset({"waiting"}),
    ApprovalDecided: frozenset({"waiting"}),
    StepCancelled: frozenset({"running"}),
    FallbackStarted: frozenset({"running"}),
    OutputMapped: frozenset({"running"}),
    IterationStarted: frozenset({"running"}),
    FanOutStarted: frozenset({"running"}),
    WaitStarted: frozenset({"running", "waiting"}),
    SignalAwaited: frozenset({"running"}),
    WaitEnded: frozenset({"waiting"}),
    ChildEnded: frozenset({"running"}),
}


def _may_follow(state: State, event: Event) -> bool:
    """Whether an event may follow in an execution that comes to its end: only what settles and undoes."""
    if isinstance(event, CallStarted):
        return event.step in state.undoing or _is_unclear(state, event.step)
    return not isinstance(event, NOT_AT_THE_END)


def _is_unclear(state: State, step: str) -> bool:
    """Whether it is not known what a step did, so that it may be looked at even at the end."""
    found = state.steps.get(step)
    return found is not None and found.status == "outcome_unknown"


def _step_of(event: Event) -> str:
    if isinstance(event, CallEnded):
        return children.caller_of(event.call) or event.call
    return getattr(event, "step", "")


def _admit_step(state: State, event: Any, allowed: frozenset[str]) -> None:
    found = state.steps.get(event.step)
    if found is None:
        raise _unknown(state, event.step)
    name = type(event).__name__
    if found.status not in allowed:
        raise IllegalTransition(f"{name} cannot follow: step {event.step!r} is {found.status}.")
    attempt = getattr(event, "attempt", found.attempt)
    if attempt != found.attempt:
        raise IllegalTransition(
            f"{name} of attempt {attempt}: step {event.step!r} is at attempt {found.attempt}."
        )
    if type(event) in DECIDING and event.approval_id != found.approval:
        raise IllegalTransition(
            f"Approval {event.approval_id} is not the one that step {event.step!r} waits for."
        )
    if type(event) is StepOutcomeResolved:
        _admit_call(state, event)
    if type(event) is ApprovalVoted and event.actor in found.votes:
        raise IllegalTransition(f"{event.actor} has decided about {event.approval_id} already.")


def _admit_call(state: State, event: StepOutcomeResolved) -> None:
    unclear = state.steps[event.step].unclear_call
    if event.call != unclear:
        about = f"the call {unclear!r}" if unclear else "the step itself"
        raise IllegalTransition(f"What is not known of step {event.step!r} is the end of {about}.")


def _unknown(state: State, step: str) -> IllegalTransition:
    return IllegalTransition(f"There is no step {step!r} in {state.execution_id}.")
