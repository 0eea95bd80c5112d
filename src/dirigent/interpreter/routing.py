"""What follows when a step has ended: which ways are taken, who becomes ready, who is skipped."""

from __future__ import annotations

from dirigent.domain.errors import ExpressionError
from dirigent.domain.event import Failure, StepFailed, StepSkipped
from dirigent.domain.workflow import Kind
from dirigent.interpreter import compensation
from dirigent.interpreter.beginning import begin, taken_over
from dirigent.interpreter.ending import step_settled
from dirigent.interpreter.graph import Edge
from dirigent.interpreter.recording import record
from dirigent.interpreter.state import RegionState, StepState, Turn, remember_output
from dirigent.interpreter.stopping import stop_step
from dirigent.interpreter.ways import CASE

_NOT_RUN = frozenset({"skipped", "cancelled"})


def succeed(turn: Turn, step: str, output: object, *, own: bool = True) -> None:
    """A step has its result; what another execution did is not undone by this one."""
    state = turn.state.steps[step]
    state.status = state.success
    if not state.let_go:
        by_name = turn.node_of(step).step.kind is not Kind.SWITCH
        remember_output(turn.state, step, output, by_name=by_name)
    if own and not state.fell_back:
        compensation.remember(turn, step, output)
    settle(turn, step)


def fail(turn: Turn, step: str, error: Failure, status: str = "") -> None:
    """A step has failed for good; what that means for its region is the step's `on_error`.

    A failure that leads only to joins which may do without it makes the result poorer; it counts when
    one of them cannot begin.
    """
    node, region = turn.node_of(step), turn.region_of(step)
    state = turn.state
    state.steps[step].status = "failed"
    state.steps[step].error = error
    if node.step.on_error == "continue":
        state.degraded = True
        remember_output(state, step, None)
    elif node.awaited and not node.handled:
        state.degraded = True
    elif not node.handled:
        _count_failure(region, error, status or node.step.ends_as)
    settle(turn, step)


def settle(turn: Turn, step: str) -> None:
    """Decide every way out of a step that has ended, and end its region with its last step.

    A condition that has no value keeps no step from being taken over by a fork: its effect is done.
    """
    key = turn.state.steps[step].region
    region = turn.state.regions[key]
    for edge in () if region.stopping else turn.node_of(step).outgoing:
        target = region.prefix + edge.target
        try:
            taken = _is_taken(turn, step, edge)
        except ExpressionError as error:
            if not taken_over(turn, target):
                _refuse_way(turn, edge, target, error)
                continue
            taken = True
        _arrive(turn, step, edge, target, taken)
    step_settled(turn, key)


def _is_taken(turn: Turn, step: str, edge: Edge) -> bool:
    source = turn.graph.nodes[edge.source].step
    status = turn.state.steps[step].status
    if status in _NOT_RUN:
        return False
    if status == "failed" and source.on_error != "continue":
        return edge.on == "error"
    if edge.on == "error":
        return False
    if edge.condition is not None:
        return edge.condition.holds(turn.scope(edge.condition.names, step=step))
    if edge.on == CASE or source.kind is Kind.CONDITION:
        output = turn.region_of(step).outputs.get(edge.source)
        if not isinstance(output, dict):
            return False  # after a failure that is let pass: no branch
        if edge.on == CASE:
            return bool(output["to"] == edge.target)
        return bool(output["result"]) is (edge.on != "false")
    return True


def _arrive(turn: Turn, step: str, edge: Edge, target: str, taken: bool) -> None:
    state = turn.state.steps[target]
    state.undecided -= 1
    state.taken += taken
    state.cut = state.cut or ("" if taken else _failed_before(turn, step, edge))
    needed = turn.graph.nodes[edge.target].step.join
    if state.status != "pending":
        if state.cut and state.taken + state.undecided < needed:
            _count_failure_of(turn, state.cut)
    elif needed:
        _join(turn, target, state, needed, taken=taken)
    elif state.undecided > 0:
        return
    elif state.taken and not state.cut:
        begin(turn, target)
    else:
        _skip(turn, target, state.cut, f"no way in was taken (last: {step})")


def _join(turn: Turn, target: str, state: StepState, needed: int, *, taken: bool) -> None:
    """Begin with the last of the ways that are needed, once; skip when there cannot be as many."""
    if taken and state.taken == needed:
        begin(turn, target)
        region = turn.region_of(target)
        for other in turn.node_of(target).rest:
            stop_step(turn, region.prefix + other, f"{target} has begun without it")
    elif state.taken + state.undecided < needed:
        if state.cut:
            _count_failure_of(turn, state.cut)
        _skip(turn, target, state.cut, f"{state.taken} of the ways in were taken, {needed} are needed")


def _count_failure_of(turn: Turn, step: str) -> None:
    """A failure that a join might have done without is a failure after all."""
    error = turn.state.steps[step].error
    if error is not None:
        _count_failure(turn.region_of(step), error, turn.node_of(step).step.ends_as)


def _count_failure(region: RegionState, error: Failure, status: str) -> None:
    region.failure = region.failure or error
    region.failure_status = region.failure_status or status


def _skip(turn: Turn, step: str, cut: str, reason: str) -> None:
    turn.state.steps[step].status = "running"
    turn.region_of(step).open += 1
    reason = f"{cut} failed" if cut else reason
    record(turn, step, StepSkipped(at=turn.state.now, step=step, reason=reason))


def _failed_before(turn: Turn, step: str, edge: Edge) -> str:
    """The step whose failure nobody handles, here or further back; nothing runs behind it."""
    source = turn.state.steps[step]
    if edge.on == "error":
        return ""
    if source.status == "skipped":
        return source.cut
    return step if source.status == "failed" and not turn.node_of(step).handled else ""


def _refuse_way(turn: Turn, edge: Edge, target: str, error: ExpressionError) -> None:
    """A condition without a value is an error of the step it leads to, never true and never false."""
    state = turn.state.steps[target]
    state.undecided -= 1
    if state.status == "pending":
        failure = Failure(code=error.code, message=f"{edge.source} -> {edge.target}: {error}")
        state.status = "running"
        turn.region_of(target).open += 1
        record(turn, target, StepFailed(at=turn.state.now, step=target, attempt=0, error=failure))
