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
from dirigent.interpreter.recording import record
from dirigent.interpreter.state import Ended, Turn
from dirigent.interpreter.stopping import end_stopped

ON_EXPIRY = {"fail": "expired", "reject": REJECT, "approve": APPROVE}


def approval_requested(turn: Turn, event: ApprovalRequested) -> None:
    """Park the step until the decision, or until the time for it has passed."""
    state = turn.state.steps[event.step]
    turn.answered(f"step:{event.step}")
    if state.let_go:
        end_stopped(turn, event.step)
        return
    state.status = "waiting"
    state.approval, state.payload = event.approval_id, event.payload
    state.deciders, state.votes = event.deciders, {}
    state.approvals = max(state.approvals, 1) if event.kind == "step" else state.approvals + 1
    timer = f"approval:{event.step}"
    turn.order(f"timer:{timer}", StartTimer(timer=timer, due=event.expires_at))
    fanout.step_waits(turn, event.step)


def approval_voted(turn: Turn, event: ApprovalVoted) -> None:
    """Count what one of several said; enough of them decide."""
    state = turn.state.steps[event.step]
    assert state.deciders is not None, "an approval is requested before anybody votes"
    state.votes[event.actor] = event.decision
    passport = turn.state.passport
    outcome = state.deciders.outcome(state.votes, passport.actor if passport is not None else "")
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
        return
    then = _what_follows(turn, event)
    if then is None:
        state.approved = event.payload
        fanout.go_on(turn, event.step)
    elif state.parent:
        fanout.step_returns(turn, event.step)
        record(turn, event.step, then)
    else:
        fanout.go_on(turn, event.step, then)


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


def _what_follows(turn: Turn, event: ApprovalDecided) -> Ended | None:
    """The end of the step: a no, or the yes that an approval step asked for. An approved action goes on."""
    attempt = turn.state.steps[event.step].attempt
    if event.decision != "approved":
        code = "rejected" if event.decision == "rejected" else "approval_expired"
        error = Failure(code=code, message=event.comment or f"{event.decision} by {event.actor}")
        return StepFailed(at=event.at, step=event.step, attempt=attempt, error=error)
    if turn.node_of(event.step).step.kind is not Kind.APPROVAL:
        return None
    output = {"decision": event.decision, "by": event.actor, "comment": event.comment}
    return StepCompleted(at=event.at, step=event.step, attempt=attempt, output=output)
