"""How a step begins, by its kind: what the machine decides itself, and what it asks its driver for."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dirigent.domain.canonical import digest_of
from dirigent.domain.command import BreakOff, InvokeAction, RecordEvent, StartChild, StartTimer
from dirigent.domain.errors import ExpressionError
from dirigent.domain.event import (
    ApprovalRequested,
    FanOutStarted,
    SignalAwaited,
    StepSkipped,
    StepTakenOver,
    Unsettled,
    WaitStarted,
)
from dirigent.domain.ids import approval_id, child_execution_id
from dirigent.domain.patterns import is_pattern
from dirigent.domain.workflow import BLOCKS, Kind
from dirigent.interpreter.cel_words import kind_in_words
from dirigent.interpreter.deciding import (
    decide_condition,
    decide_loop,
    decide_switch,
    decide_transform,
    decide_validation,
)
from dirigent.interpreter.moments import moment_ms
from dirigent.interpreter.recording import complete, fail_now, parameters, record
from dirigent.interpreter.state import LoopState, RegionState, Turn, names_of_item, open_region

APPROVAL_LIFE_MS = 24 * 3600 * 1000
FANOUT_MAX = 50_000
SETTLED = Unsettled()

_TIMED = BLOCKS | {Kind.SUBWORKFLOW}  # the driver limits actions; these are limited here


def begin(turn: Turn, step: str) -> None:
    """Start a step whose ways in are decided; an expression that errs fails the step."""
    state = turn.state.steps[step]
    region = turn.state.regions[state.region]
    if region.stopping:
        return
    if turn.state.paused:
        turn.state.held.append(step)
        return
    node = turn.node_of(step)
    state.status = "running"
    state.attempt = 1
    if not state.parent:
        region.open += 1
    if taken_over(turn, step):
        record(turn, step, StepTakenOver(at=turn.state.now, step=step))
        return
    try:
        if not _is_wanted(turn, step):
            record(turn, step, StepSkipped(at=turn.state.now, step=step, reason=f"when: {node.step.when}"))
            return
        if node.step.timeout_ms and node.step.kind in _TIMED and not state.parent:
            timer, due = f"timeout:{step}", turn.state.now + node.step.timeout_ms
            turn.order(f"timer:{timer}", StartTimer(timer=timer, due=due))
        if node.foreach is not None and not state.parent:
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
    fallback = node.step.fallback if state.fell_back else None
    acting = node.step if fallback is None else fallback
    before = turn.state.unsettled.get(step, SETTLED)
    return InvokeAction(
        step=step,
        attempt=state.attempt,
        agent=acting.agent,
        action=acting.action,
        inputs=state.inputs,
        timeout_ms=node.step.timeout_ms,
        approved=state.approved,
        reference=state.reference,
        key=before.instead_key if state.fell_back else before.key,
        payload=before.instead_payload if state.fell_back else before.payload,
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
        state = turn.state.steps.get(step)
        if state is not None and state.status == "pending":
            begin(turn, step)
        elif state is not None and state.status == "running" and state.inputs is not None:
            invoke(turn, step)


def _begin_agent(turn: Turn, step: str) -> None:
    state = turn.state.steps[step]
    state.inputs = parameters(turn, step)
    for call in turn.state.unsettled.get(step, SETTLED).calls:
        turn.state.calls[call.call] = call
        state.calls = [*(state.calls or ()), call.call]
    invoke(turn, step)


def _begin_approval(turn: Turn, step: str) -> None:
    state = turn.state.steps[step]
    preview = parameters(turn, step)
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
    node, now = turn.node_of(step), turn.state.now
    due = now + node.step.wait_ms
    if node.until is not None:
        due = moment_ms(node.until.evaluate(turn.scope(node.until.names, step=step)), now)
    if due <= now:
        complete(turn, step, {"waited": False})
        return
    turn.state.steps[step].status = "waiting"
    turn.order(f"timer:wait:{step}", StartTimer(timer=f"wait:{step}", due=due))
    turn.commands.append(RecordEvent(event=WaitStarted(at=now, step=step, until=due)))


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
            input=parameters(turn, step),
            forked_from=turn.state.unsettled.get(step, SETTLED).child,
        ),
    )


def _fan_out(turn: Turn, step: str) -> None:
    node = turn.node_of(step)
    assert node.foreach is not None, "only foreach steps fan out"
    items = node.foreach.evaluate(turn.scope(node.foreach.names, step=step))
    if not isinstance(items, list):
        message = f"The foreach of {step}, {node.foreach.source!r}, gave {kind_in_words(items)}."
        raise ExpressionError(message, fix="It must give a list.")
    if len(items) > FANOUT_MAX:
        raise ExpressionError(f"foreach of {step} gave {len(items)} items.", fix=f"At most {FANOUT_MAX}.")
    record(turn, step, FanOutStarted(at=turn.state.now, step=step, items=items))


def _begin_block(turn: Turn, step: str) -> None:
    """Open the block and begin those of its steps that have no way in."""
    state, outer = turn.state.steps[step], turn.region_of(step)
    region = RegionState(outer=state.region, prefix=outer.prefix, names=outer.names)
    if state.parent:
        region.prefix, region.names = f"{step}.", outer.names | names_of_item(turn.state, state)
    body = turn.graph.bodies[state.node]
    open_region(turn, step, region, body)
    for root in body.roots:
        begin(turn, region.prefix + root)


def _begin_loop(turn: Turn, step: str) -> None:
    if turn.state.steps[step].parent:
        _begin_block(turn, step)
    else:
        turn.state.loops[step] = LoopState()
        decide_loop(turn, step)


_BEGINNINGS: dict[Kind, Callable[[Turn, str], None]] = {
    Kind.AGENT: _begin_agent,
    Kind.VALIDATION: decide_validation,
    Kind.CONDITION: decide_condition,
    Kind.SWITCH: decide_switch,
    Kind.TRANSFORM: decide_transform,
    Kind.APPROVAL: _begin_approval,
    Kind.WAIT: _begin_wait,
    Kind.WAIT_FOR_EVENT: _begin_wait_for_event,
    Kind.SUBWORKFLOW: _begin_subworkflow,
    Kind.PARALLEL: _begin_block,
    Kind.LOOP: _begin_loop,
    Kind.FOREACH: _begin_block,
    Kind.EMIT: _begin_agent,
    Kind.HTTP: _begin_agent,
    Kind.NOTIFY: _begin_agent,
}
