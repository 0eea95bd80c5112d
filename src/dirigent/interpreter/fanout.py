"""`foreach`: a step that runs once per item, a bounded number at a time."""

from __future__ import annotations

from typing import Any

import msgspec

from dirigent.domain.event import Failure, FanOutStarted, StepCompleted, StepFailed
from dirigent.interpreter.beginning import begin, invoke
from dirigent.interpreter.recording import record
from dirigent.interpreter.state import Ended, FanState, State, Turn, open_item
from dirigent.interpreter.stopping import end_stopped

PERSON_DECIDED = frozenset({"rejected", "approval_expired"})


def fan_out_started(turn: Turn, event: FanOutStarted) -> None:
    """Begin as many items as may run at once."""
    turn.answered(f"step:{event.step}")
    if turn.state.steps[event.step].let_go:
        end_stopped(turn, event.step)
        return
    results: list[Any] = [None] * len(event.items)
    turn.state.fans[event.step] = FanState(items=event.items, results=results, failures=[])
    _begin_items(turn, event.step)
    _end_when_done(turn, event.step)


def item_ended(turn: Turn, item: str, output: Any, error: Failure | None) -> None:
    """Take in one item's result or failure and begin the next."""
    state = turn.state.steps[item]
    fan = turn.state.fans[state.parent]
    fan.ended += 1
    fan.running -= not state.away
    fan.results[state.index] = output
    if error is not None:
        failed = {"index": state.index, "code": error.code, "message": error.message}
        fan.failures.append(failed)
    _begin_items(turn, state.parent)
    _end_when_done(turn, state.parent)


def step_waits(turn: Turn, step: str) -> None:
    """A step that waits for a person keeps no item of a `foreach` step from beginning.

    An item is away, and has given its place back, while it or all that goes on inside it waits.
    """
    state = turn.state.steps[step]
    if state.parent:
        _leave(turn, step)
        return
    state.away = True
    turn.region_of(step).waiting += 1
    leave_if_idle(turn, state.region)


def leave_if_idle(turn: Turn, region: str) -> None:
    """Give the place of an item back when all that has begun inside it waits for a person."""
    inside, item = turn.state.regions[region], turn.state.steps.get(region)
    idle = inside.waiting and inside.open == inside.waiting
    if idle and item is not None and item.parent in turn.state.fans and not item.away:
        _leave(turn, region)


def step_returns(turn: Turn, step: str) -> None:
    """A step that waited is about to end and takes its place again, also when there is none."""
    state = turn.state.steps[step]
    item = _item_of(turn, step)
    if item and turn.state.steps[item].away:
        _come_back(turn, item)
    if not state.parent:
        _stop_waiting(turn, step)


def go_on(turn: Turn, step: str, then: Ended | None = None) -> None:
    """Invoke a step that waited for a person, or record what follows, when its item has a place."""
    item = _item_of(turn, step)
    if not item or not turn.state.steps[item].away:
        _proceed(turn, step, then)
        return
    state = turn.state.steps[item]
    turn.state.steps[step].status = "waiting"
    if not state.parked:
        state.parked = {}
        turn.state.fans[state.parent].ready.append(item)
    state.parked[step] = then
    _begin_items(turn, state.parent)


def aggregate(state: State, step: str) -> dict[str, Any]:
    """The output of a `foreach` step: results in the order of the items, and the failures."""
    fan = state.fans[step]
    return {"results": fan.results, "failures": sorted(fan.failures, key=lambda f: f["index"])}


def _item_of(turn: Turn, step: str) -> str:
    """The item of a `foreach` step that a step is, or stands in; empty if there is none."""
    state = turn.state.steps[step]
    item = step if state.parent else state.region
    found = turn.state.steps.get(item)
    return item if found is not None and found.parent in turn.state.fans else ""


def _leave(turn: Turn, item: str) -> None:
    state = turn.state.steps[item]
    state.away = True
    turn.state.fans[state.parent].running -= 1
    _begin_items(turn, state.parent)


def _come_back(turn: Turn, item: str) -> None:
    state = turn.state.steps[item]
    state.away = False
    turn.state.fans[state.parent].running += 1
    parked, state.parked = state.parked, None
    for step, then in (parked or {}).items():
        _proceed(turn, step, then)


def _proceed(turn: Turn, step: str, then: Ended | None) -> None:
    state = turn.state.steps[step]
    if not state.parent:
        _stop_waiting(turn, step)
    state.status = "running"
    if then is not None:
        record(turn, step, msgspec.structs.replace(then, at=turn.state.now))
    else:
        invoke(turn, step)


def _stop_waiting(turn: Turn, step: str) -> None:
    state = turn.state.steps[step]
    if state.away:
        state.away = False
        turn.region_of(step).waiting -= 1


def _begin_items(turn: Turn, step: str) -> None:
    fan = turn.state.fans[step]
    bound = turn.node_of(step).step.max_parallel
    while fan.running < bound:
        if fan.served < len(fan.ready):
            _serve(turn, fan)
        elif fan.begun < len(fan.items) and not fan.stopped:
            fan.running += 1
            item = open_item(turn.state, step, fan.begun)
            fan.begun += 1
            begin(turn, item)
        else:
            return


def _serve(turn: Turn, fan: FanState) -> None:
    """The next of those that may go on gets a place, unless it has one or needs none any more."""
    item = fan.ready[fan.served]
    fan.served += 1
    if fan.served == len(fan.ready):
        fan.ready, fan.served = [], 0
    state = turn.state.steps[item]
    if state.away and state.parked:
        _come_back(turn, item)


def _end_when_done(turn: Turn, step: str) -> None:
    fan = turn.state.fans[step]
    expected = fan.begun if fan.stopped else len(fan.items)
    if fan.ended < expected or f"step:{step}" in turn.state.outstanding:
        return
    if fan.stopped:
        end_stopped(turn, step)
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
