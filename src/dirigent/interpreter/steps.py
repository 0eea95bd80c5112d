"""Attempts of steps: started, completed, failed and tried again, skipped, of unknown outcome."""

from __future__ import annotations

import hashlib

import msgspec

from dirigent.domain.command import InvokeAction, StartTimer
from dirigent.domain.event import (
    ActionRefused,
    Failure,
    StepCompleted,
    StepFailed,
    StepOutcomeResolved,
    StepOutcomeUnknown,
    StepSkipped,
    StepStarted,
    StepTakenOver,
)
from dirigent.domain.workflow import Retry
from dirigent.interpreter import compensation, fanout, routing
from dirigent.interpreter.beginning import invocation, invoke
from dirigent.interpreter.state import StepState, Turn, calls_under_way, note_timing


def step_started(turn: Turn, event: StepStarted) -> None:
    """The dispatcher let the attempt through; a driver that starts anew must know that it may have acted."""
    state = turn.state.steps[event.step]
    state.started = True
    state.started_at = event.at
    state.reserved = 0.0 if event.verdict == "simulate" else event.reserved
    outstanding = turn.state.outstanding.get(f"step:{event.step}")
    if event.step in turn.state.held:  # a journal from before a pause held back what had not begun
        turn.state.held.remove(event.step)
        outstanding = invocation(turn, event.step)
    if isinstance(outstanding, InvokeAction):
        restarted = msgspec.structs.replace(outstanding, started=True)
        turn.state.outstanding[f"step:{event.step}"] = restarted


def step_completed(turn: Turn, event: StepCompleted) -> None:
    """A step, or one item of a `foreach` step, has its result."""
    note_timing(turn.state, event.step, failed=False)
    state = _close(turn, event.step)
    turn.state.spent += event.cost
    if turn.state.ending is not None:
        compensation.ended(turn, event.step, output=event.output)
    elif state.parent:
        state.status = "succeeded"
        compensation.remember(turn, event.step, event.output)
        fanout.item_ended(turn, event.step, event.output, None)
    elif event.step in turn.state.fans:
        routing.succeed(turn, event.step, fanout.aggregate(turn.state, event.step))
    else:
        routing.succeed(turn, event.step, event.output)


def step_failed(turn: Turn, event: StepFailed) -> None:
    """Try again where the policy of the step allows it, otherwise the step has failed."""
    note_timing(turn.state, event.step, failed=True)
    state = turn.state.steps[event.step]
    retry = turn.node_of(event.step).step.retry
    again = event.error.retryable and event.attempt < retry.max_attempts
    if again and compensation.may_try_again(turn, event.step):
        turn.answered(f"step:{event.step}")
        state.reserved = 0.0
        state.status = "waiting"
        due = event.at + retry_delay_ms(retry, turn.state.execution_id, event.step, event.attempt)
        turn.order(f"timer:retry:{event.step}", StartTimer(timer=f"retry:{event.step}", due=due))
        return
    _close(turn, event.step)
    if turn.state.ending is not None:
        compensation.ended(turn, event.step, error=event.error)
    elif state.parent:
        state.status, state.error = "failed", event.error
        fanout.item_ended(turn, event.step, None, event.error)
    else:
        routing.fail(turn, event.step, event.error)


def step_skipped(turn: Turn, event: StepSkipped) -> None:
    """The step will not run; its ways out are not taken."""
    state = _close(turn, event.step)
    state.status = "skipped"
    turn.state.degraded = turn.state.degraded or event.degrades
    if turn.state.ending is not None:
        compensation.ended(turn, event.step, error=Failure(code="skipped", message=event.reason))
    elif state.parent:
        fanout.item_ended(turn, event.step, None, None)
    else:
        routing.settle(turn, event.step)


def step_taken_over(turn: Turn, event: StepTakenOver) -> None:
    """What the step gave elsewhere counts here; it is for the other execution to undo it."""
    kept = turn.state.kept.pop(event.step)
    state = _close(turn, event.step)
    if state.parent:
        state.status, state.error = ("succeeded" if kept.error is None else "failed"), kept.error
        fanout.item_ended(turn, event.step, kept.output, kept.error)
    elif kept.error is not None:
        routing.fail(turn, event.step, kept.error)
    else:
        routing.succeed(turn, event.step, kept.output, own=False)


def step_outcome_unknown(turn: Turn, event: StepOutcomeUnknown) -> None:
    """The step waits for a person to say what became of its effect."""
    turn.answered(f"step:{event.step}")
    state = turn.state.steps[event.step]
    state.status = "outcome_unknown"
    turn.state.spent += state.reserved
    if turn.state.ending is not None:
        compensation.became_unclear(turn, event.step)
    elif state.parent:
        fanout.item_waits(turn, event.step)


def step_outcome_resolved(turn: Turn, event: StepOutcomeResolved) -> None:
    """A person said what happened: the step is done, or may be tried once more."""
    state = turn.state.steps[event.step]
    turn.state.spent -= 0.0 if event.happened else state.reserved
    state.reserved = 0.0
    if turn.state.ending is not None:
        compensation.became_clear(turn, event.step, happened=event.happened, output=event.output)
    elif event.happened:
        if state.parent:
            fanout.item_returns(turn, event.step)
        done = StepCompleted(at=event.at, step=event.step, attempt=event.attempt, output=event.output)
        step_completed(turn, done)
    else:
        state.attempt += 1
        fanout.go_on(turn, event.step)


def action_refused(turn: Turn, event: ActionRefused) -> None:
    """A refusal is kept in the journal; the step that tried goes on or fails by its own event."""
    _ = turn, event


def retry_due(turn: Turn, step: str) -> None:
    """The wait between two attempts is over."""
    state = turn.state.steps[step]
    state.attempt += 1
    state.status = "running"
    invoke(turn, step)


def retry_delay_ms(retry: Retry, execution_id: str, step: str, attempt: int) -> int:
    """Exponential backoff with a jitter that is the same on every replay."""
    base = min(retry.initial_ms * retry.backoff_factor ** (attempt - 1), retry.max_ms)
    seed = hashlib.sha256(f"{execution_id}\x1f{step}\x1f{attempt}".encode()).digest()
    share = int.from_bytes(seed[:4], "big") / 2**32
    return round(base * (1 + retry.jitter * share))


def _close(turn: Turn, step: str) -> StepState:
    turn.answered(f"step:{step}")
    state = turn.state.steps[step]
    turn.state.spent += calls_under_way(turn.state, state)
    for call in state.calls:
        del turn.state.calls[call]
    state.calls = []
    state.inputs = None
    state.started = False
    state.started_at = 0
    state.reserved = 0.0
    return state
