"""Waiting for a person: requested, decided, expired."""

from __future__ import annotations

from dirigent.domain.approval import ANYBODY, APPROVE, REJECT
from dirigent.domain.command import RecordEvent, StartTimer
from dirigent.domain.event import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    Failure,
    StepCompleted,
    StepFailed,
)
from dirigent.domain.workflow import Kind
from dirigent.interpreter import fanout
from dirigent.interpreter.beginning import record
from dirigent.interpreter.state import Turn

ON_EXPIRY = {"fail": "expired", "reject": REJECT, "approve": APPROVE}


def approval_requested(turn: Turn, event: ApprovalRequested) -> None:
    """Park the step until the decision, or until the time for it has passed."""
    state = turn.state.steps[event.step]
    turn.answered(f"step:{event.step}")
    state.status = "waiting"
    state.approval, state.payload = event.approval_id, event.payload
    state.deciders, state.votes = event.deciders, {}
    state.approvals = max(state.approvals, 1) if event.kind == "step" else state.approvals + 1
    timer = f"approval:{event.step}"
    turn.order(f"timer:{timer}", StartTimer(timer=timer, due=event.expires_at))
    if state.parent:
        fanout.item_waits(turn, event.step)


def approval_voted(turn: Turn, event: ApprovalVoted) -> None:
    """Count what one of several said; enough of them decide."""
    state = turn.state.steps[event.step]
    assert state.deciders is not None, "an approval is requested before anybody votes"
    state.votes[event.actor] = event.decision
    outcome = state.deciders.outcome(state.votes)
    if outcome:
        agreed = ", ".join(actor for actor, decision in state.votes.items() if decision == outcome)
        decided = ApprovalDecided(
            at=event.at,
            step=event.step,
            approval_id=event.approval_id,
            decision=outcome,
            actor=agreed,
            comment=event.comment,
            payload=event.payload,
        )
        turn.order(f"step:{event.step}", RecordEvent(event=decided))


def approval_decided(turn: Turn, event: ApprovalDecided) -> None:
    """Go on with exactly what was approved, or end the step."""
    state = turn.state.steps[event.step]
    turn.answered(f"timer:approval:{event.step}")
    turn.answered(f"step:{event.step}")
    state.status = "running"
    state.approval = ""
    if event.decision == "edited":
        state.inputs, state.approved = event.inputs, ""
        fanout.go_on(turn, event.step)
    elif event.decision != "approved":
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
    """Nobody decided in time: that is a no, unless the workflow says otherwise."""
    state = turn.state.steps[step]
    deciders = state.deciders or ANYBODY
    decided = ApprovalDecided(
        at=turn.state.now,
        step=step,
        approval_id=state.approval,
        decision=ON_EXPIRY[deciders.on_expiry],
        actor="clock",
        comment="nobody decided in time",
        payload=state.payload,
    )
    turn.order(f"step:{step}", RecordEvent(event=decided))


def _end_refused(turn: Turn, event: ApprovalDecided) -> None:
    code = "rejected" if event.decision == "rejected" else "approval_expired"
    attempt = turn.state.steps[event.step].attempt
    error = Failure(code=code, message=event.comment or f"{event.decision} by {event.actor}")
    record(turn, event.step, StepFailed(at=event.at, step=event.step, attempt=attempt, error=error))
