"""Start, cancel and end of an execution."""

from __future__ import annotations

from dirigent.domain.command import StartTimer
from dirigent.domain.event import (
    CancelRequested,
    ExecutionAdmitted,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionPassivated,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionStarted,
    Failure,
)
from dirigent.interpreter.beginning import begin, go_on, hold
from dirigent.interpreter.compensation import break_off
from dirigent.interpreter.durations import written_duration
from dirigent.interpreter.ending import finish
from dirigent.interpreter.state import Turn, open_region
from dirigent.interpreter.stopping import stop_region


def execution_started(turn: Turn, event: ExecutionStarted) -> None:
    """Take in whose execution this is; unless it is to wait for its turn, begin all that has no way in."""
    state = turn.state
    state.execution_id, state.workflow = event.execution_id, event.workflow
    state.passport, state.input, state.labels = event.passport, event.input, event.labels
    state.parent, state.parent_step, state.trigger = event.parent, event.parent_step, event.trigger
    state.kept, state.unsettled = dict(event.kept), dict(event.unsettled)
    state.status, state.started_at = "pending" if event.pending else "running", event.at
    state.pending = event.pending
    whole = turn.graph.bodies[""]
    open_region(turn, "", state.regions[""], whole)
    if not event.pending:
        _begin_all(turn)


def execution_admitted(turn: Turn, event: ExecutionAdmitted) -> None:
    """Its turn has come."""
    _ = event
    turn.state.pending = False
    if not turn.state.paused:
        turn.state.status = _status(turn, "running")
    _begin_all(turn)


def execution_timed_out(turn: Turn) -> None:
    """The run fails; what changes nothing outside is stopped, and what does is waited for."""
    whole = turn.state.regions[""]
    limit = written_duration(turn.graph.definition.timeout_ms)
    whole.failure = Failure(code="execution_timeout", message=f"the run took longer than {limit}")
    whole.failure_status = "failed"
    stop_region(turn, "", "the time of the run is over")
    if not whole.open:
        finish(turn)


def execution_paused(turn: Turn, event: ExecutionPaused) -> None:
    """Hold back whatever has not begun."""
    _ = event
    turn.state.paused = True
    turn.state.status = _status(turn, "paused")
    hold(turn)


def execution_resumed(turn: Turn, event: ExecutionResumed) -> None:
    """Begin what was held back meanwhile."""
    _ = event
    turn.state.paused = False
    turn.state.status = _status(turn, "pending" if turn.state.pending else "running")
    go_on(turn)


def execution_passivated(turn: Turn, event: ExecutionPassivated) -> None:
    """Where an execution is kept does not change how it stands."""
    _ = turn, event


def cancel_requested(turn: Turn, event: CancelRequested) -> None:
    """Nothing new begins; what was done is undone where the steps say how, and the execution ends."""
    if turn.state.ending is None:
        turn.state.status = "cancelling"
        break_off(turn, ExecutionCancelled(at=event.at, reason=event.reason))


def execution_completed(turn: Turn, event: ExecutionCompleted) -> None:
    """The run has its result."""
    turn.state.output = event.output
    _end(turn, event.status, event.at)


def execution_failed(turn: Turn, event: ExecutionFailed) -> None:
    """The run ends without its result."""
    turn.state.output = event.output
    turn.state.regions[""].failure = event.error
    _end(turn, event.status, event.at)


def execution_cancelled(turn: Turn, event: ExecutionCancelled) -> None:
    """The run was stopped by a person."""
    _end(turn, "cancelled", event.at)


def _begin_all(turn: Turn) -> None:
    limit_ms = turn.graph.definition.timeout_ms
    if limit_ms:
        turn.order("timer:execution", StartTimer(timer="execution", due=turn.state.now + limit_ms))
    for step in turn.graph.bodies[""].roots:
        begin(turn, step)


def _status(turn: Turn, status: str) -> str:
    """An execution that comes to its end says so, whether or not it is paused."""
    return turn.state.status if turn.state.ending is not None else status


def _end(turn: Turn, status: str, at: int) -> None:
    turn.state.status = status
    turn.state.ended_at = at
    turn.state.outstanding.clear()
