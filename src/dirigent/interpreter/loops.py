"""A loop: the same steps again and again, as often as its conditions say and its bound allows."""

from __future__ import annotations

from typing import Any

from dirigent.domain.errors import ExpressionError
from dirigent.domain.event import Failure, IterationStarted, StepFailed
from dirigent.interpreter.beginning import begin
from dirigent.interpreter.deciding import decide_loop
from dirigent.interpreter.recording import fail_now, record
from dirigent.interpreter.state import Turn, open_item
from dirigent.interpreter.stopping import end_stopped


def iteration_started(turn: Turn, event: IterationStarted) -> None:
    """Begin the steps of the loop once more."""
    turn.answered(f"step:{event.step}")
    if turn.state.steps[event.step].let_go:
        end_stopped(turn, event.step)
    else:
        begin(turn, open_item(turn.state, event.step, event.index))


def iteration_ended(turn: Turn, iteration: str, output: Any, error: Failure | None) -> None:
    """Take in the result of one time round, and decide whether there is another.

    The conditions read what was inside, so its region must still be there.
    """
    state = turn.state.steps[iteration]
    loop, step = turn.state.loops[state.parent], state.parent
    loop.count, loop.previous = state.index + 1, output
    owner = turn.state.steps[step]
    if owner.let_go:
        end_stopped(turn, step)
    elif error is not None:
        failed = StepFailed(at=turn.state.now, step=step, attempt=owner.attempt, error=error)
        record(turn, step, failed)
    else:
        try:
            decide_loop(turn, step, inside=iteration)
        except ExpressionError as wrong:
            fail_now(turn, step, wrong.code, str(wrong))
