"""What the machine itself decides about a step, asked of the driver as an event to append."""

from __future__ import annotations

from typing import Any

from dirigent.domain.command import RecordEvent
from dirigent.domain.event import Event, Failure, StepCompleted, StepFailed
from dirigent.interpreter.state import Turn


def record(turn: Turn, step: str, event: Event) -> None:
    """Ask the driver to append an event that the machine decided about a step."""
    turn.order(f"step:{step}", RecordEvent(event=event))


def complete(turn: Turn, step: str, output: Any, *, mode: str = "") -> None:
    """The step has its result."""
    attempt = turn.state.steps[step].attempt
    done = StepCompleted(at=turn.state.now, step=step, attempt=attempt, output=output, mode=mode)
    record(turn, step, done)


def fail_now(turn: Turn, step: str, code: str, message: str) -> None:
    """The step fails, and not in a way that another try would mend."""
    attempt = turn.state.steps[step].attempt
    error = Failure(code=code, message=message)
    record(turn, step, StepFailed(at=turn.state.now, step=step, attempt=attempt, error=error))


def parameters(turn: Turn, step: str) -> dict[str, Any]:
    """The parameters of a step with every expression replaced by what it gives."""
    node = turn.node_of(step)
    rendered: dict[str, Any] = node.parameters(turn.scope(node.names, step=step))
    return rendered
