"""Whether several decide as they were asked to: S15 and S16."""

from __future__ import annotations

from dataclasses import dataclass, field

from dirigent.domain.approval import Deciders
from dirigent.domain.event import ApprovalDecided, ApprovalRequested, ApprovalVoted
from dirigent.ports import Recorded
from dirigent.testing.invariants.findings import Findings
from dirigent.testing.invariants.history import History, Stream

BY_TIME = {"fail": "expired", "reject": "rejected", "approve": "approved"}


@dataclass
class _Poll:
    """What was asked of whom, and what they said."""

    asked: ApprovalRequested
    votes: dict[str, str] = field(default_factory=dict)
    decided: bool = False


def check_votes(history: History, findings: Findings) -> None:
    """Nobody votes who may not, twice or too late; and enough votes decide, at once."""
    for stream in history.executions.values():
        polls: dict[str, _Poll] = {}
        due: str = ""
        for recorded in stream.recorded:
            event = recorded.event
            if due and not (isinstance(event, ApprovalDecided) and event.approval_id == due):
                _broken(
                    "S15", f"enough have voted on {due}, and it is not decided", stream, recorded, findings
                )
            due = ""
            if isinstance(event, ApprovalRequested):
                polls[event.approval_id] = _Poll(event)
            elif isinstance(event, ApprovalVoted) and event.approval_id in polls:
                due = _vote(polls[event.approval_id], event, stream, recorded, findings)
            elif isinstance(event, ApprovalDecided) and event.approval_id in polls:
                _decision(polls[event.approval_id], event, stream, recorded, findings)


def _vote(poll: _Poll, event: ApprovalVoted, stream: Stream, recorded: Recorded, findings: Findings) -> str:
    """Take in a vote; the approval that has to be decided now, if it does."""
    requester = stream.started.passport.actor
    findings.met("S16")
    findings.did("votes")
    if poll.decided:
        _broken("S15", f"{event.actor} votes after the decision", stream, recorded, findings)
    if not _may_decide(poll.asked.deciders, event.actor, requester):
        _broken("S16", f"{event.actor} has no vote", stream, recorded, findings)
    if event.at > poll.asked.expires_at:
        _broken("S16", f"{event.actor} votes too late", stream, recorded, findings)
    poll.votes[event.actor] = event.decision
    return event.approval_id if _outcome(poll, requester) else ""


def _decision(
    poll: _Poll, event: ApprovalDecided, stream: Stream, recorded: Recorded, findings: Findings
) -> None:
    deciders, requester = poll.asked.deciders, stream.started.passport.actor
    poll.decided = True
    findings.met("S15")
    if event.decision == "edited":
        return
    if event.actor == "clock":
        if event.decision != BY_TIME[deciders.on_expiry]:
            _broken("S16", f"time makes it {event.decision}", stream, recorded, findings)
    elif deciders.required == deciders.reject_after == 1:
        if not _may_decide(deciders, event.actor, requester):
            _broken("S16", f"{event.actor} has no say", stream, recorded, findings)
    elif _outcome(poll, requester) != event.decision:
        said = ", ".join(f"{actor} {word}" for actor, word in poll.votes.items())
        text = f"it is {event.decision}, with {deciders.required} needed and these votes: {said}"
        _broken("S15", text, stream, recorded, findings)


def _may_decide(deciders: Deciders, actor: str, requester: str) -> bool:
    named = not deciders.approvers or actor in deciders.approvers
    return named and not (deciders.not_requester and actor == requester)


def _outcome(poll: _Poll, requester: str) -> str:
    """Approved by as many as are needed; rejected by as many as it takes, or when no yes can come of it."""
    deciders, said = poll.asked.deciders, list(poll.votes.values())
    if said.count("approved") >= deciders.required:
        return "approved"
    may = [actor for actor in deciders.approvers if _may_decide(deciders, actor, requester)]
    beyond_reach = bool(deciders.approvers) and len(may) - said.count("rejected") < deciders.required
    return "rejected" if said.count("rejected") >= deciders.reject_after or beyond_reach else ""


def _broken(invariant: str, text: str, stream: Stream, recorded: Recorded, findings: Findings) -> None:
    findings.broken(invariant, text, stream.name, recorded.version)
