"""Stopping what nobody waits for any more: one step, everything inside a block, or the whole.

What changes nothing outside is cancelled. An effect that is under way is let come to its end, because
breaking it off would leave nobody knowing whether it happened; an effect whose outcome is unknown keeps
waiting for a person to say. Neither begins anything further.
"""

from __future__ import annotations

from dirigent.domain.command import BreakOff, CancelChild, InvokeAction, RecordEvent, StartChild
from dirigent.domain.event import CallStarted, StepCancelled, StepSkipped
from dirigent.domain.ids import item_step
from dirigent.interpreter.durations import written_duration
from dirigent.interpreter.recording import fail_now, record
from dirigent.interpreter.state import StepState, Turn

HARMLESS = frozenset({"pure", "read"})

_WAITS = ("timer:retry:", "timer:wait:", "timer:approval:", "timer:signal:", "signal:")


def time_out(turn: Turn, step: str) -> None:
    """The time of a block, or of an execution that a step started, is over."""
    turn.state.steps[step].overdue = True
    stop_step(turn, step, f"the time of {step} is over")


def stop_region(turn: Turn, key: str, reason: str) -> None:
    """Let nothing more begin in a region and stop what has begun; it ends with the last of that."""
    region = turn.state.regions[key]
    region.stopping = True
    for step in turn.graph.bodies[turn.state.steps[key].node if key else ""].steps:
        state = turn.state.steps[region.prefix + step]
        if state.status != "pending":
            stop_step(turn, region.prefix + step, reason)


def stop_step(turn: Turn, step: str, reason: str) -> None:
    """Stop a step, however far it has come; one that has ended stays as it is."""
    state = turn.state.steps[step]
    if state.status == "pending":
        state.status = "running"
        turn.region_of(step).open += not state.parent
        record(turn, step, StepSkipped(at=turn.state.now, step=step, reason=reason))
    elif state.status in ("running", "waiting", "outcome_unknown") and not state.let_go:
        state.let_go = reason
        if state.status == "waiting":
            _stop_waiting(turn, step, state)
        elif state.status == "running":
            _stop_running(turn, step, state)


def end_stopped(turn: Turn, step: str) -> None:
    """A step that was stopped has nothing under way any more."""
    state = turn.state.steps[step]
    if state.overdue:
        state.let_go, state.overdue = "", False
        limit = written_duration(turn.node_of(step).step.timeout_ms)
        fail_now(turn, step, "timeout", f"{step} took longer than {limit}")
    else:
        record(turn, step, StepCancelled(at=turn.state.now, step=step, reason=state.let_go))


def _stop_waiting(turn: Turn, step: str, state: StepState) -> None:
    for name in _WAITS:
        turn.answered(f"{name}{step}")
    turn.state.signals.awaited.pop(step, None)
    state.parked = None
    if not state.parent and state.away:
        state.away = False
        turn.region_of(step).waiting -= 1
        item = turn.state.steps.get(state.region)
        if item is not None and item.parked:
            item.parked.pop(step, None)
    state.status = "running"
    end_stopped(turn, step)


def _stop_running(turn: Turn, step: str, state: StepState) -> None:
    under_way = turn.state.outstanding.get(f"step:{step}")
    if isinstance(under_way, RecordEvent):
        return
    if step in turn.state.fans:
        _stop_items(turn, step)
    elif step in turn.state.loops:
        stop_step(turn, item_step(step, turn.state.loops[step].count), state.let_go)
    elif step in turn.state.regions:
        stop_region(turn, step, state.let_go)
        if not turn.state.regions[step].open:
            end_stopped(turn, step)
    elif isinstance(under_way, StartChild):
        cancel = CancelChild(step=step, child=under_way.child, reason=state.let_go)
        turn.order(f"step:{step}", cancel)
    elif isinstance(under_way, InvokeAction):
        if not state.started or _is_harmless(turn, state):
            turn.state.spent += state.reserved  # nobody will say what it cost
            turn.commands.append(BreakOff(step=step))
            end_stopped(turn, step)
    elif under_way is None:
        end_stopped(turn, step)


def _stop_items(turn: Turn, step: str) -> None:
    fan = turn.state.fans[step]
    fan.stopped = True
    for index in range(fan.begun):
        stop_step(turn, item_step(step, index), turn.state.steps[step].let_go)
    if fan.ended == fan.begun:
        end_stopped(turn, step)


def _is_harmless(turn: Turn, state: StepState) -> bool:
    """Whether neither the action nor a call that it is making changes anything outside."""
    calls = [turn.state.calls[call] for call in state.calls or ()]
    open_calls = [call for call in calls if isinstance(call, CallStarted)]
    return state.effect in HARMLESS and all(call.effect in HARMLESS for call in open_calls)
