"""Waiting for a person: requested, decided, expired."""

from __future__ import annotations

from dirigent.domain.command import RecordEvent, StartTimer
from dirigent.domain.event import ApprovalDecided, ApprovalRequested, Failure, StepCompleted, StepFailed
from dirigent.domain.workflow import Kind
from dirigent.interpreter import fanout
from dirigent.interpreter.beginning import record
from dirigent.interpreter.state import Turn


def approval_requested(turn: Turn, event: ApprovalRequested) -> None:
    """Park the step until the decision, or until the time for it has passed."""
    state = turn.state.steps[event.step]
    turn.answered(f"step:{event.step}")
    state.status = "waiting"
    state.approval = event.approval_id
    state.approvals = max(state.approvals, 1) if event.kind == "step" else state.approvals + 1
    timer = f"approval:{event.step}"
    turn.order(f"timer:{timer}", StartTimer(timer=timer, due=event.expires_at))
    if state.parent:
        fanout.item_waits(turn, event.step)


def approval_decided(turn: Turn, event: ApprovalDecided) -> None:
    """Go on with exactly what was approved, or end the step."""
    state = turn.state.steps[event.step]
    turn.answered(f"timer:approval:{event.step}")
    turn.answered(f"step:{event.step}")
    state.status = "running"
    state.approval = ""
    if event.decision != "approved":
        if state.parent:
            fanout.item_returns(turn, event.step)
        _end_refused(turn, event)
    elif turn.node_of(event.step).step.kind is Kind.APPROVAL:
        output = {"decision": event.decision, "by": event.actor, "comment": event.comment}
        done = StepCompleted(at=event.at, step=event.step, attempt=state.attempt, output=output)
        record(turn, event.step, done)
    else:
        state.approved = event.payload
        fanout.go_on(turn, event.step)


def approval_expired(turn: Turn, step: str) -> None:
    """Nobody decided in time: that is a no."""
    decided = ApprovalDecided(
        at=turn.state.now,
        step=step,
        approval_id=turn.state.steps[step].approval,
        decision="expired",
        actor="clock",
        comment="nobody decided in time",
    )
    turn.order(f"step:{step}", RecordEvent(event=decided))


def _end_refused(turn: Turn, event: ApprovalDecided) -> None:
    code = "rejected" if event.decision == "rejected" else "approval_expired"
    attempt = turn.state.steps[event.step].attempt
    error = Failure(code=code, message=event.comment or f"{event.decision} by {event.actor}")
    record(turn, event.step, StepFailed(at=event.at, step=event.step, attempt=attempt, error=error))
