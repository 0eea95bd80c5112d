"""Attempts of steps and their ends: completed, failed and tried again, replaced, skipped."""

from __future__ import annotations

import hashlib

import msgspec

from dirigent.domain.command import InvokeAction, StartTimer
from dirigent.domain.errors import ExpressionError
from dirigent.domain.event import (
    ActionRefused,
    Failure,
    FallbackStarted,
    OutputMapped,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepStarted,
    StepTakenOver,
)
from dirigent.domain.workflow import BLOCKS, Retry
from dirigent.interpreter import compensation, fanout, loops, routing
from dirigent.interpreter.beginning import invocation, invoke
from dirigent.interpreter.recording import complete, fail_now, record
from dirigent.interpreter.state import StepState, Turn, calls_under_way, close_region, note_timing
from dirigent.interpreter.stopping import end_stopped

REJECTED = "rejected"


def step_started(turn: Turn, event: StepStarted) -> None:
    """The dispatcher let the attempt through; a driver that starts anew must know that it may have acted."""
    state = turn.state.steps[event.step]
    state.started = True
    state.started_at = event.at
    state.reserved = 0.0 if event.verdict == "simulate" else event.reserved
    state.effect = event.effect
    outstanding = turn.state.outstanding.get(f"step:{event.step}")
    if event.step in turn.state.held:  # a journal from before a pause held back what had not begun
        turn.state.held.remove(event.step)
        outstanding = invocation(turn, event.step)
    if isinstance(outstanding, InvokeAction):
        restarted = msgspec.structs.replace(outstanding, started=True, sent_at=event.at)
        turn.state.outstanding[f"step:{event.step}"] = restarted


def step_completed(turn: Turn, event: StepCompleted) -> None:
    """A step, or one item of a `foreach` step, has its result."""
    note_timing(turn.state, event.step, failed=False)
    turn.state.spent += event.cost
    fan = event.step in turn.state.fans
    output = fanout.aggregate(turn.state, event.step) if fan else event.output
    node = turn.node_of(event.step)
    if turn.state.ending is not None:
        _end_at_the_end(turn, event.step, output=_mapped_if_it_can_be(turn, event.step, event.output))
    elif node.output is None or fan or node.step.kind in BLOCKS:
        end_well(turn, event.step, output)
    else:
        map_output(turn, event.step, output)


def output_mapped(turn: Turn, event: OutputMapped) -> None:
    """The step has its output."""
    end_well(turn, event.step, event.output)


def step_failed(turn: Turn, event: StepFailed) -> None:
    """Try again where the policy of the step allows it, otherwise end it."""
    note_timing(turn.state, event.step, failed=True)
    state = turn.state.steps[event.step]
    retry = turn.node_of(event.step).step.retry
    again = event.error.retryable and event.attempt < retry.max_attempts
    allowed = compensation.may_try_again(turn, event.step) and not (state.fell_back or state.let_go)
    if again and allowed:
        turn.answered(f"step:{event.step}")
        state.reserved = 0.0
        state.status = "waiting"
        delay = retry_delay_ms(retry, turn.state.execution_id, event.step, event.attempt)
        due = event.at + max(delay, event.error.retry_after_ms)
        turn.order(f"timer:retry:{event.step}", StartTimer(timer=f"retry:{event.step}", due=due))
    elif turn.state.ending is not None:
        _end_at_the_end(turn, event.step, error=event.error)
    else:
        end_badly(turn, event.step, event.error)


def fallback_started(turn: Turn, event: FallbackStarted) -> None:
    """Another action acts in place of the step's own, or a value is its output."""
    step, state, node = event.step, turn.state.steps[event.step], turn.node_of(event.step)
    turn.answered(f"step:{step}")
    if state.let_go:
        end_stopped(turn, step)
        return
    state.attempt, state.fell_back, state.approved = event.attempt + 1, True, ""
    said, fallback = node.step.fallback, node.fallback
    assert said is not None, "only a step with a fallback falls back"
    assert fallback is not None, "a fallback is compiled with its step"
    try:
        value = fallback.render(turn.scope(fallback.names, step=step) | {"error": _shown(state.error)})
    except ExpressionError as error:
        fail_now(turn, step, error.code, str(error))
        return
    if said.action:
        state.inputs = value
        invoke(turn, step)
    else:
        complete(turn, step, value)


def step_skipped(turn: Turn, event: StepSkipped) -> None:
    """The step will not run; its ways out are not taken."""
    turn.state.degraded = turn.state.degraded or event.degrades
    if turn.state.ending is not None:
        error = Failure(code="skipped", message=event.reason)
        _end_at_the_end(turn, event.step, error=error)
    else:
        _end_without(turn, event.step, "skipped")


def step_cancelled(turn: Turn, event: StepCancelled) -> None:
    """The step was stopped; its ways out are not taken."""
    _end_without(turn, event.step, "cancelled")


def step_taken_over(turn: Turn, event: StepTakenOver) -> None:
    """What the step gave elsewhere counts here; it is for the other execution to undo it."""
    kept = turn.state.kept.pop(event.step)
    state = turn.state.steps[event.step]
    if state.parent:
        state.status, state.error = ("succeeded" if kept.error is None else "failed"), kept.error
        _end_part(turn, event.step, kept.output, kept.error)
        return
    _close(turn, event.step)
    if kept.error is not None:
        routing.fail(turn, event.step, kept.error)
    else:
        routing.succeed(turn, event.step, kept.output, own=False)


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


def map_output(turn: Turn, step: str, result: object) -> None:
    """Make the output of a step from what its action gave; without a mapping that is its output."""
    node, state = turn.node_of(step), turn.state.steps[step]
    if node.output is None or state.fell_back or state.let_go:
        end_well(turn, step, result)
        return
    try:
        output = node.output.render(turn.scope(node.output.names, step=step) | {"result": result})
    except ExpressionError as error:
        _forget_attempt(turn, state)
        fail_now(turn, step, error.code, f"output: {error}")
        return
    _forget_attempt(turn, state)
    mapped = OutputMapped(at=turn.state.now, step=step, attempt=state.attempt, output=output)
    record(turn, step, mapped)


def end_well(turn: Turn, step: str, output: object) -> None:
    """The step has its output."""
    state = turn.state.steps[step]
    if not state.parent:
        _close(turn, step)
        routing.succeed(turn, step, output)
        return
    state.status = state.success
    if not state.fell_back:
        compensation.remember(turn, step, output)
    _end_part(turn, step, output, None)


def end_badly(turn: Turn, step: str, error: Failure, status: str = "") -> None:
    """The step has no result and no further attempt: its fallback takes its place, or it has failed."""
    state, region = turn.state.steps[step], turn.state.regions.get(step)
    if state.let_go:
        _forget_attempt(turn, state)
        turn.answered(f"step:{step}")
        end_stopped(turn, step)
    elif _may_fall_back(turn, step, error):
        _close(turn, step)
        state.error = error
        record(turn, step, FallbackStarted(at=turn.state.now, step=step, attempt=state.attempt))
    elif state.parent:
        state.status, state.error = "failed", error
        _end_part(turn, step, None, error)
    else:
        inner = region.failure_status if region is not None else ""
        _close(turn, step)
        routing.fail(turn, step, error, status or (inner if inner != "failed" else ""))


def _end_at_the_end(turn: Turn, step: str, *, output: object = None, error: Failure | None = None) -> None:
    """The step ends while the run comes to its end: nothing follows from it but undoing."""
    turn.answered(f"step:{step}")
    _forget_attempt(turn, turn.state.steps[step])
    compensation.ended(turn, step, output=output, error=error)


def _mapped_if_it_can_be(turn: Turn, step: str, result: object) -> object:
    node = turn.node_of(step)
    if node.output is None:
        return result
    try:
        return node.output.render(turn.scope(node.output.names, step=step) | {"result": result})
    except ExpressionError:
        return result


def _may_fall_back(turn: Turn, step: str, error: Failure) -> bool:
    """A person's no is no failure that anything stands in for. Of a `foreach` step the items fall back."""
    state, node = turn.state.steps[step], turn.node_of(step)
    right = bool(state.parent) is (node.foreach is not None)
    return node.fallback is not None and right and not state.fell_back and error.code != REJECTED


def _end_without(turn: Turn, step: str, status: str) -> None:
    state = turn.state.steps[step]
    state.status = status
    if state.parent:
        _end_part(turn, step, None, None)
    else:
        _close(turn, step)
        routing.settle(turn, step)


def _end_part(turn: Turn, part: str, output: object, error: Failure | None) -> None:
    """An item of a `foreach` step, or one time round a loop, has ended."""
    parent = turn.state.steps[part].parent
    if parent in turn.state.fans:
        _close(turn, part)
        fanout.item_ended(turn, part, output, error)
        return
    turn.answered(f"step:{part}")
    loops.iteration_ended(turn, part, output, error)
    _close(turn, part)
    del turn.state.steps[part]


def _close(turn: Turn, step: str) -> None:
    """Nothing more happens in a step: what was kept for its attempts, and inside it, is forgotten."""
    turn.answered(f"step:{step}")
    state = turn.state.steps[step]
    _forget_attempt(turn, state)
    turn.state.loops.pop(step, None)
    if step in turn.state.regions:
        close_region(turn, step)
    if turn.node_of(step).step.timeout_ms:
        turn.answered(f"timer:timeout:{step}")


def _forget_attempt(turn: Turn, state: StepState) -> None:
    turn.state.spent += calls_under_way(turn.state, state)
    for call in state.calls or ():
        del turn.state.calls[call]
    state.calls = None
    state.inputs = None
    state.started = False
    state.started_at = 0
    state.reserved = 0.0


def _shown(error: Failure | None) -> dict[str, str] | None:
    return {"code": error.code, "message": error.message} if error is not None else None
