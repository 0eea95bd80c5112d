"""Undoing what completed steps did, where a run ends without its result."""

from __future__ import annotations

from typing import Any

import msgspec

from dirigent.domain.command import (
    BreakOff,
    CancelChild,
    Command,
    InvokeAction,
    RecordEvent,
    StartChild,
    StartTimer,
)
from dirigent.domain.errors import ExpressionError
from dirigent.domain.event import (
    Compensation,
    CompensationStarted,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    Failure,
    StepFailed,
)
from dirigent.domain.ids import compensation_step
from dirigent.interpreter.beginning import invoke
from dirigent.interpreter.recording import record
from dirigent.interpreter.state import StepState, Turn, Undo, calls_under_way, remember_output

ENDING = (InvokeAction, StartChild, CancelChild)  # commands that the end of something answers


def remember(turn: Turn, step: str, output: Any) -> None:
    """Note how to undo what a step did, with the inputs that hold now."""
    node = turn.node_of(step)
    if not node.compensate or step in turn.state.fans:
        return
    undoing = turn.graph.nodes[node.compensate]
    undo = Undo(step=step, node=node.compensate)
    try:
        undo.inputs = undoing.parameters(turn.scope(undoing.names, step=step) | {"output": output})
    except ExpressionError as error:
        undo.error = Failure(code=error.code, message=f"compensate: {error}")
    turn.state.undo.append(undo)


def end_run(turn: Turn, last: ExecutionCompleted | ExecutionFailed) -> None:
    """End a run whose steps have all ended; where it failed, what they did is undone first."""
    if isinstance(last, ExecutionFailed) and turn.state.undo:
        turn.state.ending = last
        turn.answered("timer:execution")
        _go_on(turn)
    else:
        turn.order("end", RecordEvent(event=last))


def break_off(turn: Turn, last: ExecutionFailed | ExecutionCancelled) -> None:
    """Stop whatever is under way and end like this, after what steps did is undone.

    A step that can be undone and has begun goes on to its end: only then is it known what to undo. For
    the same reason it is looked on whether an effect of unknown outcome happened. Executions that steps
    started are told by the driver, and end before this one: they may undo, too, and that costs.
    """
    state = turn.state
    state.ending, state.paused = last, False
    state.held.clear()
    state.signals.awaited.clear()
    for name, command in list(state.outstanding.items()):
        seen = looked_at(command)
        if seen and turn.node_of(seen).compensate:
            continue
        if isinstance(command, ENDING) and not seen and _must_settle(turn, command):
            state.settling.append(command.step)
            continue
        turn.answered(name)
        if isinstance(command, InvokeAction):
            turn.commands.append(BreakOff(step=command.step))
    for name, step in state.steps.items():
        if step.status == "outcome_unknown" and turn.node_of(name).compensate:
            state.unclear.append(name)
        elif step.status in ("running", "waiting") and name not in state.settling:
            step.status = "cancelled"
            state.spent += step.reserved + calls_under_way(state, step)  # nobody will say what happened
    _go_on(turn)


def compensation_started(turn: Turn, event: CompensationStarted) -> None:
    """Begin with what was completed last."""
    _ = event
    turn.answered("end")
    turn.state.status = "compensating"
    _go_on(turn)


def ended(turn: Turn, step: str, *, output: Any = None, error: Failure | None = None) -> None:
    """A step ended while the run comes to its end: it was undone, or what it did is undone next."""
    state = turn.state
    found = state.steps[step]
    state.settling.remove(step)
    found.status, found.error = "failed" if error is not None else found.success, error
    undo = state.undoing.pop(step, None)
    if undo is not None:
        state.undone.append(Compensation(step=undo.step, error=error))
    elif error is None:
        if not found.parent:
            remember_output(state, step, output)
        if not found.fell_back:
            remember(turn, step, output)
    _go_on(turn)


def became_unclear(turn: Turn, step: str) -> None:
    """Nobody knows what a step did: the others are undone, and the end waits for a person's word."""
    turn.state.settling.remove(step)
    turn.state.unclear.append(step)
    _go_on(turn)


def became_clear(turn: Turn, step: str, *, happened: bool, output: Any) -> None:
    """A person said what became of an effect: it is undone, or undoing it is tried once more."""
    state = turn.state
    if step not in state.unclear:  # nothing would undo it, so nothing waits for it
        found = state.steps[step]
        found.status = found.success if happened else "cancelled"
        return
    state.unclear.remove(step)
    state.settling.append(step)
    if happened:
        ended(turn, step, output=output)
        return
    state.settling.remove(step)
    state.steps[step].status = "cancelled"
    if step in state.undoing:
        state.undo.append(state.undoing.pop(step))
    _go_on(turn)


def looked_at(command: Command | None) -> str:
    """The step of which a command reads back, now or later, whether its effect happened; else empty."""
    if isinstance(command, InvokeAction):
        return command.step if command.look else ""
    if isinstance(command, StartTimer) and command.timer.startswith("look:"):
        return command.timer.removeprefix("look:")
    return ""


def may_try_again(turn: Turn, step: str) -> bool:
    """Whether another attempt may begin: not of a step where the run only comes to its end."""
    return turn.state.ending is None or step in turn.state.undoing


def _must_settle(turn: Turn, command: InvokeAction | StartChild | CancelChild) -> bool:
    """Whether the end is to be waited for: what it did is undone next, or it spends out of this budget."""
    if isinstance(command, InvokeAction):
        return command.started and bool(turn.node_of(command.step).compensate)
    return True


def _go_on(turn: Turn) -> None:
    """Undo the next, or end the run once nothing is left that may have to be undone."""
    state = turn.state
    assert state.ending is not None, "a run that comes to its end knows how"
    if state.settling:
        return
    if state.undo and state.status != "compensating":
        _start(turn)
    elif state.undo:
        _undo_next(turn, state.undo.pop())
    elif not state.unclear:
        last = msgspec.structs.replace(state.ending, at=state.now, compensations=tuple(state.undone))
        turn.order("end", RecordEvent(event=last))


def _start(turn: Turn) -> None:
    state, last = turn.state, turn.state.ending
    started = CompensationStarted(
        at=state.now,
        steps=tuple(undo.step for undo in reversed(state.undo)),
        status=last.status if isinstance(last, ExecutionFailed) else "cancelled",
        error=last.error if isinstance(last, ExecutionFailed) else None,
    )
    turn.order("end", RecordEvent(event=started))


def _undo_next(turn: Turn, undo: Undo) -> None:
    state = turn.state
    name = compensation_step(undo.step)
    before = state.steps.get(name)
    attempt = before.attempt + 1 if before is not None else 1
    state.steps[name] = StepState(node=undo.node, status="running", attempt=attempt, inputs=undo.inputs)
    state.undoing[name] = undo
    state.settling.append(name)
    if undo.error is None:
        invoke(turn, name)
    else:
        record(turn, name, StepFailed(at=state.now, step=name, attempt=attempt, error=undo.error))
