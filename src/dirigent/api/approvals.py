"""Approvals: what waits for a person, what exactly it is about, and the decision."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from dirigent.api.approval_models import ApprovalDetail, ApprovalList, ApprovalModel, Decision
from dirigent.api.bodies import StrictRoute
from dirigent.api.messages import message_named_in
from dirigent.api.services import Given
from dirigent.api.tenancy import Asked, required_approval
from dirigent.api.times import iso, iso_or_none
from dirigent.domain.canonical import plain
from dirigent.domain.errors import InvalidInput
from dirigent.ports import ApprovalRow

router = APIRouter(prefix="/api/v1/approvals", tags=["approvals"], route_class=StrictRoute)


@router.get("", response_model=ApprovalList)
async def list_approvals(
    given: Given,
    asked: Asked,
    state: Annotated[
        Literal["open", "approved", "rejected", "expired", "edited", "cancelled", "all"],
        Query(description="Which to list; `cancelled`: the execution ended before anybody decided."),
    ] = "open",
    execution: Annotated[str | None, Query(description="Only this execution's and its children's.")] = None,
) -> dict[str, Any]:
    """Requests for a decision, oldest first; the open ones unless told otherwise."""
    rows = given.engine.approvals(asked, state=None if state == "all" else state, execution=execution)
    return {"approvals": [_approval(row) for row in rows], "total": len(rows)}


@router.get("/{approval_id}", response_model=ApprovalDetail)
async def read_approval(approval_id: str, given: Given, asked: Asked) -> dict[str, Any]:
    """One request, with the message as it would go out."""
    row = required_approval(given, approval_id, asked)
    message_id = message_named_in(row.preview)
    return {**_approval(row), "message": given.message(row.tenant, message_id) if message_id else None}


@router.post("/{approval_id}/decide", response_model=ApprovalModel)
async def decide_approval(approval_id: str, body: Decision, given: Given, asked: Asked) -> dict[str, Any]:
    """Approve exactly what was shown, reject it, or have something else asked for.

    A conflict says that it was decided before, or that delivery is off and how to turn it on.
    """
    required_approval(given, approval_id, asked)
    actor = body.actor or given.actor
    if (body.inputs is not None) is not (body.decision == "edit"):
        raise InvalidInput("inputs go with edit, and only with it.", fix="Send both or none.", field="inputs")
    if body.inputs is not None:
        return _approval(await given.engine.edit(approval_id, body.inputs, actor, body.comment))
    decide = given.engine.approve if body.decision == "approve" else given.engine.reject
    return _approval(await decide(approval_id, actor, body.comment))


def _approval(row: ApprovalRow) -> dict[str, Any]:
    return {
        "approval_id": row.approval_id,
        "execution_id": row.execution_id,
        "org_id": row.tenant,
        "step": row.step,
        "agent": row.agent,
        "action": row.action,
        "risk": row.risk,
        "kind": row.kind,
        "reason": row.reason,
        "state": row.state,
        "preview": row.preview,
        "payload_hash": row.payload_hash,
        "requested_at": iso(row.requested_at),
        "expires_at": iso_or_none(row.expires_at),
        "decided_by": row.decided_by,
        "decided_at": iso_or_none(row.decided_at),
        "comment": row.comment,
        "required": row.deciders.required,
        "progress": row.progress,
        "votes": [plain(vote) | {"at": iso(vote.at), "comment": vote.comment} for vote in row.votes],
        "approvers": list(row.deciders.approvers),
        "roles": list(row.deciders.roles),
        "not_requester": row.deciders.not_requester,
    }
