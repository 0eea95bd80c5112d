"""The end of a region: of a block, which is the end of its step, and of the whole."""

from __future__ import annotations

from dirigent.domain.errors import ExpressionError
from dirigent.domain.event import ExecutionCompleted, ExecutionFailed, Failure, StepFailed
from dirigent.domain.workflow import Kind
from dirigent.interpreter import compensation
from dirigent.interpreter.fanout import leave_if_idle
from dirigent.interpreter.recording import complete, fail_now, record
from dirigent.interpreter.state import Turn
from dirigent.interpreter.stopping import end_stopped


def step_settled(turn: Turn, key: str) -> None:
    """One step of a region has ended; the region ends with the last of them."""
    region = turn.state.regions[key]
    region.open -= 1
    region.remaining -= 1
    if region.remaining == 0 or (region.stopping and region.open == 0):
        if key:
            _end_block(turn, key)
        else:
            finish(turn)
    elif region.waiting:
        leave_if_idle(turn, key)


def finish(turn: Turn) -> None:
    """The execution comes to its end."""
    whole = turn.state.regions[""]
    try:
        output = _output(turn)
    except ExpressionError as error:
        if whole.failure is None:
            whole.failure = Failure(code=error.code, message=f"output: {error}")
            whole.failure_status = "failed"
        output = None
    compensation.end_run(turn, _terminal(turn, output))


def _end_block(turn: Turn, step: str) -> None:
    region, state = turn.state.regions[step], turn.state.steps[step]
    if region.stopping:
        end_stopped(turn, step)
    elif region.failure is not None:
        error = StepFailed(at=turn.state.now, step=step, attempt=state.attempt, error=region.failure)
        record(turn, step, error)
    else:
        try:
            complete(turn, step, _output_of_block(turn, step))
        except ExpressionError as error:
            fail_now(turn, step, error.code, f"output: {error}")


def _output_of_block(turn: Turn, step: str) -> object:
    """What its mapping says; else the output of its last step, or of its last steps by their ids."""
    node = turn.node_of(step)
    leaves = turn.graph.bodies[node.step.id].leaves
    produced = _produced(turn, step, leaves)
    single = len(leaves) == 1 and node.step.kind is not Kind.PARALLEL
    result = next(iter(produced.values()), None) if single else produced
    if node.output is None:
        return result
    scope = turn.scope(node.output.names, step=step, inside=step) | {"result": result}
    return node.output.render(scope)


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
    leaves = turn.graph.bodies[""].leaves
    produced = _produced(turn, "", leaves)
    return next(iter(produced.values())) if len(leaves) == 1 and produced else produced


def _produced(turn: Turn, key: str, leaves: tuple[str, ...]) -> dict[str, object]:
    outputs = turn.state.regions[key].outputs
    return {name: outputs[name] for name in leaves if name in outputs}
