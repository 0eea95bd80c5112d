"""`foreach`: a step that runs once per item, a bounded number at a time."""

from __future__ import annotations

from typing import Any

from dirigent.domain.event import Failure, FanOutStarted, StepCompleted, StepFailed
from dirigent.interpreter.beginning import begin, invoke, record
from dirigent.interpreter.state import FanState, State, Turn, open_item

PERSON_DECIDED = frozenset({"rejected", "approval_expired"})


def fan_out_started(turn: Turn, event: FanOutStarted) -> None:
    """Begin as many items as may run at once."""
    turn.answered(f"step:{event.step}")
    results: list[Any] = [None] * len(event.items)
    turn.state.fans[event.step] = FanState(items=event.items, results=results, failures=[])
    _begin_items(turn, event.step)
    _end_when_done(turn, event.step)


def item_ended(turn: Turn, item: str, output: Any, error: Failure | None) -> None:
    """Take in one item's result or failure and begin the next."""
    state = turn.state.steps[item]
    fan = turn.state.fans[state.parent]
    fan.ended += 1
    fan.running -= 1
    fan.results[state.index] = output
    if error is not None:
        failed = {"index": state.index, "code": error.code, "message": error.message}
        fan.failures.append(failed)
    _begin_items(turn, state.parent)
    _end_when_done(turn, state.parent)


def item_waits(turn: Turn, item: str) -> None:
    """An item that waits for a person does not keep the others from beginning."""
    fan_step = turn.state.steps[item].parent
    turn.state.fans[fan_step].running -= 1
    _begin_items(turn, fan_step)


def item_returns(turn: Turn, item: str) -> None:
    """An item that waited is about to end; nothing is invoked for it."""
    turn.state.fans[turn.state.steps[item].parent].running += 1


def go_on(turn: Turn, step: str) -> None:
    """Invoke a step that waited for a person; an item of a `foreach` step when there is room for it."""
    state = turn.state.steps[step]
    if not state.parent:
        state.status = "running"
        invoke(turn, step)
        return
    state.status = "waiting"
    turn.state.fans[state.parent].ready.append(step)
    _begin_items(turn, state.parent)


def aggregate(state: State, step: str) -> dict[str, Any]:
    """The output of a `foreach` step: results in the order of the items, and the failures."""
    fan = state.fans[step]
    return {"results": fan.results, "failures": sorted(fan.failures, key=lambda f: f["index"])}


def _begin_items(turn: Turn, step: str) -> None:
    fan = turn.state.fans[step]
    bound = turn.node_of(step).step.max_parallel
    while fan.running < bound and (fan.ready or fan.begun < len(fan.items)):
        fan.running += 1
        if fan.ready:
            item = fan.ready.pop(0)
            turn.state.steps[item].status = "running"
            invoke(turn, item)
        else:
            item = open_item(turn.state, step, fan.begun)
            fan.begun += 1
            begin(turn, item)


def _end_when_done(turn: Turn, step: str) -> None:
    fan = turn.state.fans[step]
    if fan.ended < len(fan.items) or f"step:{step}" in turn.state.outstanding:
        return
    hard = [failure for failure in fan.failures if failure["code"] not in PERSON_DECIDED]
    if hard and turn.node_of(step).step.on_error != "continue":
        first = min(hard, key=lambda failure: int(failure["index"]))
        message = (
            f"{len(hard)} of {len(fan.items)} items failed, the first ({first['index']}): {first['message']}"
        )
        error = Failure(code=first["code"], message=message)
        record(turn, step, StepFailed(at=turn.state.now, step=step, attempt=1, error=error))
        return
    turn.state.degraded = turn.state.degraded or bool(hard)
    record(turn, step, StepCompleted(at=turn.state.now, step=step, attempt=1, mode="foreach"))
