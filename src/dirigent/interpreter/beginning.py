"""How a step begins, by its kind: what the machine decides itself, and what it asks its driver for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from dirigent.domain.canonical import digest_of
from dirigent.domain.command import BreakOff, InvokeAction, RecordEvent, StartChild, StartTimer
from dirigent.domain.errors import ExpressionError
from dirigent.domain.event import (
    ApprovalRequested,
    Event,
    FanOutStarted,
    SignalAwaited,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepTakenOver,
    Unsettled,
)
from dirigent.domain.event import Failure as FailureValue
from dirigent.domain.ids import approval_id, child_execution_id
from dirigent.domain.patterns import is_pattern
from dirigent.domain.workflow import Kind
from dirigent.interpreter.state import StepState, Turn, names_of_item
from dirigent.interpreter.validation import violations

APPROVAL_LIFE_MS = 24 * 3600 * 1000
FANOUT_MAX = 10_000


def begin(turn: Turn, step: str) -> None:
    """Start a step whose ways in are decided; an expression that errs fails the step."""
    if turn.state.paused:
        turn.state.held.append(step)
        return
    node = turn.node_of(step)
    state = turn.state.steps[step]
    state.status = "running"
    state.attempt = 1
    if taken_over(turn, step):
        record(turn, step, StepTakenOver(at=turn.state.now, step=step))
        return
    try:
        if not _is_wanted(turn, step):
            record(turn, step, StepSkipped(at=turn.state.now, step=step, reason=f"when: {node.step.when}"))
        elif node.foreach is not None and not state.parent:
            _fan_out(turn, step)
        else:
            _BEGINNINGS[node.step.kind](turn, step)
    except ExpressionError as error:
        fail_now(turn, step, error.code, str(error))


def _is_wanted(turn: Turn, step: str) -> bool:
    """What `when` says. On a `foreach` step it is asked once; for each item if it reads the item."""
    node = turn.node_of(step)
    if node.when is None:
        return True
    of_item = node.foreach is not None and not node.when.names.isdisjoint({"item", "index"})
    if of_item is not bool(turn.state.steps[step].parent):
        return True
    return node.when.holds(turn.scope(node.when.names, step=step))


def taken_over(turn: Turn, step: str) -> bool:
    """Whether a fork takes over what the step gave; for an item, if the item is still the same."""
    kept = turn.state.kept.get(step)
    if kept is None:
        return False
    item = turn.state.steps.get(step.partition(".")[0])
    if not kept.item:
        return True
    if item is not None and item.parent and digest_of(names_of_item(turn.state, item)["item"]) == kept.item:
        return True
    del turn.state.kept[step]
    return False


def record(turn: Turn, step: str, event: Event) -> None:
    """Ask the driver to append an event that the machine decided about a step."""
    turn.order(f"step:{step}", RecordEvent(event=event))


def fail_now(turn: Turn, step: str, code: str, message: str) -> None:
    """The step fails without having been tried."""
    attempt = turn.state.steps[step].attempt
    error = FailureValue(code=code, message=message)
    record(turn, step, StepFailed(at=turn.state.now, step=step, attempt=attempt, error=error))


def invoke(turn: Turn, step: str) -> None:
    """Ask for one attempt of a step's action with the inputs it began with."""
    if turn.state.paused:
        turn.state.held.append(step)
        return
    turn.state.steps[step].started = False
    turn.order(f"step:{step}", invocation(turn, step))


def invocation(turn: Turn, step: str) -> InvokeAction:
    """The command to take a step's action."""
    node = turn.node_of(step)
    state = turn.state.steps[step]
    assert state.inputs is not None, "inputs are set when the step begins"
    before = turn.state.unsettled.get(step, Unsettled())
    return InvokeAction(
        step=step,
        attempt=state.attempt,
        agent=node.step.agent,
        action=node.step.action,
        inputs=state.inputs,
        timeout_ms=node.step.timeout_ms,
        approved=state.approved,
        key=before.key,
        payload=before.payload,
    )


def hold(turn: Turn) -> None:
    """Take back what was asked for and has not begun; what runs goes on to its end."""
    for name, command in list(turn.state.outstanding.items()):
        if isinstance(command, InvokeAction) and not command.started:
            turn.answered(name)
            turn.state.held.append(command.step)
            turn.commands.append(BreakOff(step=command.step))


def go_on(turn: Turn) -> None:
    """Begin what was held, or try it again where it had begun before."""
    held, turn.state.held = turn.state.held, []
    for step in held:
        if turn.state.steps[step].inputs is None:
            begin(turn, step)
        else:
            invoke(turn, step)


def _begin_agent(turn: Turn, step: str) -> None:
    state = turn.state.steps[step]
    state.inputs = _parameters(turn, step)
    for call in turn.state.unsettled.get(step, Unsettled()).calls:
        turn.state.calls[call.call] = call
        state.calls.append(call.call)
    invoke(turn, step)


def _begin_condition(turn: Turn, step: str) -> None:
    node = turn.node_of(step)
    result = all(condition.holds(turn.scope(condition.names, step=step)) for condition in node.conditions)
    _complete(turn, step, {"result": result})


def _begin_validation(turn: Turn, step: str) -> None:
    node = turn.node_of(step)
    found = violations(node, turn.scope(node.names, step=step))
    if found:
        code, message = found
        fail_now(turn, step, code, message)
    else:
        _complete(turn, step, {"valid": True})


def _begin_transform(turn: Turn, step: str) -> None:
    _complete(turn, step, _parameters(turn, step))


def _begin_approval(turn: Turn, step: str) -> None:
    state = turn.state.steps[step]
    preview = _parameters(turn, step)
    node = turn.node_of(step)
    life_ms = node.step.timeout_ms or APPROVAL_LIFE_MS
    approvers = node.approvers(turn.scope(node.names, step=step))
    deciders = msgspec.structs.replace(node.step.deciders, approvers=tuple(map(str, approvers)))
    state.approvals += 1
    record(
        turn,
        step,
        ApprovalRequested(
            at=turn.state.now,
            step=step,
            attempt=state.attempt,
            approval_id=approval_id(turn.state.execution_id, step, state.approvals),
            reason=str(preview.get("reason", "the workflow asks for a decision")),
            kind="step",
            expires_at=turn.state.now + life_ms,
            preview=preview,
            deciders=deciders,
        ),
    )


def _begin_wait(turn: Turn, step: str) -> None:
    turn.state.steps[step].status = "waiting"
    due = turn.state.now + turn.node_of(step).step.wait_ms
    turn.order(f"timer:wait:{step}", StartTimer(timer=f"wait:{step}", due=due))


def _begin_wait_for_event(turn: Turn, step: str) -> None:
    node, now = turn.node_of(step), turn.state.now
    name = node.event(turn.scope(node.names, step=step))
    if not isinstance(name, str) or not is_pattern(name):
        raise ExpressionError(f"event of {step} gave {name!r:.80}.", fix="It must give a name: order.paid.")
    until = now + node.step.timeout_ms if node.step.timeout_ms else 0
    record(turn, step, SignalAwaited(at=now, step=step, event=name, expires_at=until))


def _begin_subworkflow(turn: Turn, step: str) -> None:
    node = turn.node_of(step)
    definition = None
    if node.workflow is not None:
        definition = node.workflow.evaluate(turn.scope(node.workflow.names, step=step))
        if not isinstance(definition, dict):
            raise ExpressionError(
                f"workflow of {step} gave {definition!r:.80}.", fix="It must give a definition."
            )
    turn.order(
        f"step:{step}",
        StartChild(
            step=step,
            child=child_execution_id(turn.state.execution_id, step),
            workflow="" if definition is not None else node.step.workflow,
            definition=definition,
            input=_parameters(turn, step),
            forked_from=turn.state.unsettled.get(step, Unsettled()).child,
        ),
    )


def _fan_out(turn: Turn, step: str) -> None:
    node = turn.node_of(step)
    assert node.foreach is not None, "only foreach steps fan out"
    items = node.foreach.evaluate(turn.scope(node.foreach.names, step=step))
    if not isinstance(items, list):
        raise ExpressionError(f"foreach of {step} gave {type(items).__name__}.", fix="It must give a list.")
    if len(items) > FANOUT_MAX:
        raise ExpressionError(f"foreach of {step} gave {len(items)} items.", fix=f"At most {FANOUT_MAX}.")
    record(turn, step, FanOutStarted(at=turn.state.now, step=step, items=items))


def _parameters(turn: Turn, step: str) -> dict[str, Any]:
    node = turn.node_of(step)
    rendered: dict[str, Any] = node.parameters(turn.scope(node.names, step=step))
    return rendered


def _complete(turn: Turn, step: str, output: Any) -> None:
    state: StepState = turn.state.steps[step]
    record(turn, step, StepCompleted(at=turn.state.now, step=step, attempt=state.attempt, output=output))


_BEGINNINGS: dict[Kind, Callable[[Turn, str], None]] = {
    Kind.AGENT: _begin_agent,
    Kind.VALIDATION: _begin_validation,
    Kind.CONDITION: _begin_condition,
    Kind.TRANSFORM: _begin_transform,
    Kind.APPROVAL: _begin_approval,
    Kind.WAIT: _begin_wait,
    Kind.WAIT_FOR_EVENT: _begin_wait_for_event,
    Kind.SUBWORKFLOW: _begin_subworkflow,
}
