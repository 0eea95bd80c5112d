"""What follows when a step has ended: which ways are taken, who becomes ready, who is skipped."""

from __future__ import annotations

from dirigent.domain.command import RecordEvent
from dirigent.domain.errors import ExpressionError
from dirigent.domain.event import ExecutionCompleted, ExecutionFailed, Failure, StepFailed, StepSkipped
from dirigent.domain.workflow import Kind
from dirigent.interpreter.beginning import begin
from dirigent.interpreter.graph import Edge
from dirigent.interpreter.state import Turn, remember_output


def succeed(turn: Turn, step: str, output: object) -> None:
    """A step has its result."""
    turn.state.steps[step].status = "succeeded"
    remember_output(turn.state, step, output)
    settle(turn, step)


def fail(turn: Turn, step: str, error: Failure, status: str = "") -> None:
    """A step has failed for good; what that means for the run is the step's `on_error`."""
    node = turn.graph.nodes[step]
    state = turn.state
    state.steps[step].status = "failed"
    state.steps[step].error = error
    if node.step.on_error == "continue":
        state.degraded = True
        remember_output(state, step, None)
    elif not _is_handled(turn, step):
        state.failure = state.failure or error
        state.failure_status = state.failure_status or status or node.step.ends_as
    settle(turn, step)


def settle(turn: Turn, step: str) -> None:
    """Decide every way out of a step that has ended, and end the run with its last step."""
    for edge in turn.graph.nodes[step].outgoing:
        try:
            taken = _is_taken(turn, edge)
        except ExpressionError as error:
            _refuse_way(turn, edge, error)
            continue
        _arrive(turn, edge, taken)
    turn.state.remaining -= 1
    if turn.state.remaining == 0:
        _finish(turn)


def _is_taken(turn: Turn, edge: Edge) -> bool:
    source = turn.graph.nodes[edge.source].step
    status = turn.state.steps[edge.source].status
    if status == "skipped":
        return False
    if status == "failed" and source.on_error != "continue":
        return edge.on == "error"
    if edge.on == "error":
        return False
    if edge.condition is not None:
        return edge.condition.holds(turn.scope(edge.condition.names))
    if source.kind is Kind.CONDITION:
        output = turn.state.outputs[edge.source]  # None after a failure that is let pass: neither branch
        return output is not None and bool(output["result"]) is (edge.on != "false")
    return True


def _arrive(turn: Turn, edge: Edge, taken: bool) -> None:
    target = turn.state.steps[edge.target]
    target.undecided -= 1
    target.taken += taken
    target.cut = target.cut or ("" if taken else _failed_before(turn, edge))
    if target.undecided > 0 or target.status != "pending":
        return
    if target.taken and not target.cut:
        begin(turn, edge.target)
        return
    reason = f"{target.cut} failed" if target.cut else f"no way in was taken (last: {edge.source})"
    turn.order(f"step:{edge.target}", RecordEvent(event=skipped(turn, edge.target, reason)))


def _failed_before(turn: Turn, edge: Edge) -> str:
    """The step whose failure nobody handles, here or further back; nothing runs behind it."""
    source = turn.state.steps[edge.source]
    if edge.on == "error":
        return ""
    if source.status == "skipped":
        return source.cut
    return edge.source if source.status == "failed" and not _is_handled(turn, edge.source) else ""


def _is_handled(turn: Turn, step: str) -> bool:
    node = turn.graph.nodes[step]
    return node.step.on_error == "continue" or any(edge.on == "error" for edge in node.outgoing)


def _refuse_way(turn: Turn, edge: Edge, error: ExpressionError) -> None:
    """A condition without a value is an error of the step it leads to, never true and never false."""
    target = turn.state.steps[edge.target]
    target.undecided -= 1
    if target.status == "pending":
        failure = Failure(code=error.code, message=f"{edge.source} -> {edge.target}: {error}")
        failed = StepFailed(at=turn.state.now, step=edge.target, attempt=0, error=failure)
        target.status = "running"
        turn.order(f"step:{edge.target}", RecordEvent(event=failed))


def skipped(turn: Turn, step: str, reason: str) -> StepSkipped:
    """The event that says a step will not run."""
    return StepSkipped(at=turn.state.now, step=step, reason=reason)


def _finish(turn: Turn) -> None:
    state = turn.state
    try:
        output = _output(turn)
    except ExpressionError as error:
        if state.failure is None:
            state.failure = Failure(code=error.code, message=f"output: {error}")
            state.failure_status = "failed"
        output = None
    turn.order("end", RecordEvent(event=_terminal(turn, output)))


def _terminal(turn: Turn, output: object) -> ExecutionCompleted | ExecutionFailed:
    state = turn.state
    if state.failure is not None:
        return ExecutionFailed(at=state.now, status=state.failure_status, error=state.failure, output=output)
    status = "partially_completed" if state.degraded else "completed"
    return ExecutionCompleted(at=state.now, status=status, output=output)


def _output(turn: Turn) -> object:
    if turn.graph.output:
        scope = turn.scope(turn.graph.output_names)
        return {name: render(scope) for name, render in turn.graph.output.items()}
    produced = {name: turn.state.outputs[name] for name in turn.graph.leaves if name in turn.state.outputs}
    return next(iter(produced.values())) if len(turn.graph.leaves) == 1 and produced else produced
