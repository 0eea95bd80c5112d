"""Executions that a step starts, and calls that a running action makes."""

from __future__ import annotations

import msgspec

from dirigent.domain.effect_event import OUTCOME_UNKNOWN
from dirigent.domain.event import CallEnded, CallStarted, ChildEnded, Failure
from dirigent.interpreter import compensation
from dirigent.interpreter.state import Turn
from dirigent.interpreter.steps import end_badly, map_output

SUCCEEDED = frozenset({"completed", "partially_completed"})
HANDED_ON = frozenset({"blocked", "rejected"})


def child_ended(turn: Turn, event: ChildEnded) -> None:
    """The child's end is the end of the step that started it."""
    turn.answered(f"step:{event.step}")
    turn.state.spent += event.spent
    if turn.state.ending is not None:
        error = None if event.status in SUCCEEDED else _failure(event)
        compensation.ended(turn, event.step, output=event.output, error=error)
    elif event.status in SUCCEEDED:
        turn.state.degraded = turn.state.degraded or event.status == "partially_completed"
        map_output(turn, event.step, event.output)
    else:
        status = event.status if event.status in HANDED_ON else ""
        end_badly(turn, event.step, _failure(event), status=status)


def call_started(turn: Turn, event: CallStarted) -> None:
    """Remember the intent: if no end follows, nobody knows whether it happened."""
    _remember(turn, event.step, event)


def call_ended(turn: Turn, event: CallEnded) -> None:
    """Remember the result, so that a repeated attempt of the caller does not repeat the call.

    Where nobody knows the end, the call stays one that was let through and has not ended.
    """
    turn.state.spent += event.cost
    started = turn.state.calls.get(event.call)
    unclear = event.error is not None and event.error.code == OUTCOME_UNKNOWN
    if unclear and isinstance(started, CallStarted):
        turn.state.calls[event.call] = msgspec.structs.replace(started, reserved=0.0)
    else:
        _remember(turn, caller_of(event.call), event)


def caller_of(call: str) -> str:
    """The step whose action asked for a call, or for its caller: `<step>/2` or `<step>/2/1` names it."""
    return call.partition("/")[0]


def _failure(event: ChildEnded) -> Failure:
    message = f"{event.child} ended {event.status}"
    return event.error or Failure(code=f"child_{event.status}", message=message)


def _remember(turn: Turn, step: str, event: CallStarted | CallEnded) -> None:
    if event.call not in turn.state.calls:
        state = turn.state.steps[step]
        if state.calls is None:
            state.calls = []
        state.calls.append(event.call)
    turn.state.calls[event.call] = event
