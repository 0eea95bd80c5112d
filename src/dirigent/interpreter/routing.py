"""What follows when a step has ended: which ways are taken, who becomes ready, who is skipped."""

from __future__ import annotations

from dirigent.domain.command import RecordEvent
from dirigent.domain.errors import ExpressionError
from dirigent.domain.event import ExecutionCompleted, ExecutionFailed, Failure, StepFailed, StepSkipped
from dirigent.domain.workflow import Kind
from dirigent.interpreter import compensation
from dirigent.interpreter.beginning import begin
from dirigent.interpreter.graph import Edge, Node
from dirigent.interpreter.state import Turn, remember_output


def succeed(turn: Turn, step: str, output: object, *, own: bool = True) -> None:
    """A step has its result; what another execution did is not undone by this one."""
    turn.state.steps[step].status = "succeeded"
    remember_output(turn.state, step, output)
    if own:
        compensation.remember(turn, step, output)
    settle(turn, step)


def fail(turn: Turn, step: str, error: Failure, status: str = "") -> None:
    """A step has failed for good; what that means for the run is the step's `on_error`."""
    node, region = turn.node_of(step), turn.region_of(step)
    state = turn.state
    state.steps[step].status = "failed"
    state.steps[step].error = error
    if node.step.on_error == "continue":
        state.degraded = True
        remember_output(state, step, None)
    elif not is_handled(node):
        region.failure = region.failure or error
        region.failure_status = region.failure_status or status or node.step.ends_as
    settle(turn, step)


def settle(turn: Turn, step: str) -> None:
    """Decide every way out of a step that has ended, and end the run with its last step."""
    region = turn.region_of(step)
    for edge in turn.node_of(step).outgoing:
        target = region.prefix + edge.target
        try:
            taken = _is_taken(turn, step, edge)
        except ExpressionError as error:
            _refuse_way(turn, edge, target, error)
            continue
        _arrive(turn, step, edge, target, taken)
    region.remaining -= 1
    if region.remaining == 0:
        _finish(turn)


def _is_taken(turn: Turn, step: str, edge: Edge) -> bool:
    source = turn.graph.nodes[edge.source].step
    status = turn.state.steps[step].status
    if status == "skipped":
        return False
    if status == "failed" and source.on_error != "continue":
        return edge.on == "error"
    if edge.on == "error":
        return False
    if edge.condition is not None:
        return edge.condition.holds(turn.scope(edge.condition.names, step=step))
    if source.kind is Kind.CONDITION:
        output = turn.region_of(step).outputs[edge.source]
        # None after a failure that is let pass: neither branch
        return output is not None and bool(output["result"]) is (edge.on != "false")
    return True


def _arrive(turn: Turn, step: str, edge: Edge, target: str, taken: bool) -> None:
    state = turn.state.steps[target]
    state.undecided -= 1
    state.taken += taken
    state.cut = state.cut or ("" if taken else _failed_before(turn, step, edge))
    if state.undecided > 0 or state.status != "pending":
        return
    if state.taken and not state.cut:
        begin(turn, target)
        return
    reason = f"{state.cut} failed" if state.cut else f"no way in was taken (last: {step})"
    turn.order(f"step:{target}", RecordEvent(event=skipped(turn, target, reason)))


def _failed_before(turn: Turn, step: str, edge: Edge) -> str:
    """The step whose failure nobody handles, here or further back; nothing runs behind it."""
    source = turn.state.steps[step]
    if edge.on == "error":
        return ""
    if source.status == "skipped":
        return source.cut
    return step if source.status == "failed" and not is_handled(turn.node_of(step)) else ""


def is_handled(node: Node) -> bool:
    """Whether the run goes on after a failure of this step."""
    return node.step.on_error == "continue" or any(edge.on == "error" for edge in node.outgoing)


def _refuse_way(turn: Turn, edge: Edge, target: str, error: ExpressionError) -> None:
    """A condition without a value is an error of the step it leads to, never true and never false."""
    state = turn.state.steps[target]
    state.undecided -= 1
    if state.status == "pending":
        failure = Failure(code=error.code, message=f"{edge.source} -> {edge.target}: {error}")
        failed = StepFailed(at=turn.state.now, step=target, attempt=0, error=failure)
        state.status = "running"
        turn.order(f"step:{target}", RecordEvent(event=failed))


def skipped(turn: Turn, step: str, reason: str) -> StepSkipped:
    """The event that says a step will not run."""
    return StepSkipped(at=turn.state.now, step=step, reason=reason)


def _finish(turn: Turn) -> None:
    whole = turn.state.regions[""]
    try:
        output = _output(turn)
    except ExpressionError as error:
        if whole.failure is None:
            whole.failure = Failure(code=error.code, message=f"output: {error}")
            whole.failure_status = "failed"
        output = None
    compensation.end_run(turn, _terminal(turn, output))


def _terminal(turn: Turn, output: object) -> ExecutionCompleted | ExecutionFailed:
    state, whole = turn.state, turn.state.regions[""]
    if whole.failure is not None:
        return ExecutionFailed(at=state.now, status=whole.failure_status, error=whole.failure, output=output)
    status = "partially_completed" if state.degraded else "completed"
    return ExecutionCompleted(at=state.now, status=status, output=output)


def _output(turn: Turn) -> object:
    if turn.graph.output:
        scope = turn.scope(turn.graph.output_names)
        return {name: render(scope) for name, render in turn.graph.output.items()}
    leaves, outputs = turn.graph.bodies[""].leaves, turn.state.outputs
    produced = {name: outputs[name] for name in leaves if name in outputs}
    return next(iter(produced.values())) if len(leaves) == 1 and produced else produced
