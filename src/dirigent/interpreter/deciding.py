"""What the machine decides by itself: condition, switch, validation, transform, once more round a loop."""

from __future__ import annotations

from typing import Any

from dirigent.domain.event import IterationStarted
from dirigent.interpreter.expression import Expression
from dirigent.interpreter.recording import complete, fail_now, parameters, record
from dirigent.interpreter.state import Turn
from dirigent.interpreter.validation import violations


def decide_condition(turn: Turn, step: str) -> None:
    """True where all of its conditions hold."""
    node = turn.node_of(step)
    result = all(condition.holds(turn.scope(condition.names, step=step)) for condition in node.conditions)
    complete(turn, step, {"result": result})


def decide_switch(turn: Turn, step: str) -> None:
    """Take the first way whose case holds, else the default; having neither is an error, never silence."""
    node = turn.node_of(step)
    number = _first_case(turn, step)
    if number is not None:
        complete(turn, step, {"case": number, "to": node.step.cases[number].to})
    elif node.step.default:
        complete(turn, step, {"case": None, "to": node.step.default})
    else:
        fail_now(turn, step, "no_case", f"no case of {step} holds, and it has no default")


def decide_validation(turn: Turn, step: str) -> None:
    """Fail with what is wrong, if something is."""
    node = turn.node_of(step)
    found = violations(node, turn.scope(node.names, step=step))
    if found:
        code, message = found
        fail_now(turn, step, code, message)
    else:
        complete(turn, step, {"valid": True})


def decide_transform(turn: Turn, step: str) -> None:
    """Its parameters are its output."""
    complete(turn, step, parameters(turn, step))


def decide_loop(turn: Turn, step: str, *, inside: str | None = None) -> None:
    """Go round once more, or end the loop; its conditions read what is `inside` the last time round."""
    loop, node = turn.state.loops[step], turn.node_of(step)
    wanted = not (loop.count and _holds(turn, step, node.until, inside=inside, empty=False))
    wanted = wanted and _holds(turn, step, node.repeat_while, inside=inside, empty=True)
    if wanted and loop.count < node.step.max_iterations:
        record(turn, step, IterationStarted(at=turn.state.now, step=step, index=loop.count))
        return
    last = loop.previous if isinstance(loop.previous, dict) else {"result": loop.previous}
    conditional = node.until is not None or node.repeat_while is not None
    complete(turn, step, {**last, "iterations": loop.count, "exhausted": wanted and conditional})


def _holds(turn: Turn, step: str, condition: Expression | None, *, inside: str | None, empty: bool) -> bool:
    if condition is None:
        return empty
    loop = turn.state.loops[step]
    own = {"index": loop.count, "previous": loop.previous}
    return condition.holds(turn.scope(condition.names, step=step, inside=inside) | own)


def _first_case(turn: Turn, step: str) -> int | None:
    node = turn.node_of(step)
    if node.on is not None:
        value = node.on.evaluate(turn.scope(node.on.names, step=step))
        cases = enumerate(node.step.cases)
        return next((number for number, case in cases if same_value(case.value, value)), None)
    for number, condition in enumerate(node.cases):
        if condition is not None and condition.holds(turn.scope(condition.names, step=step)):
            return number
    return None


def same_value(one: Any, other: Any) -> bool:
    """Equality as in JSON: 1 is 1.0, but true is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(one[key], other[key]) for key in one)
    return bool(one == other)
