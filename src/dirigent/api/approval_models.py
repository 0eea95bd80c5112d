"""Approvals as they go over the wire."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

EXAMPLE: dict[str, Any] = {
    "approval_id": "apr_0f3c2a9d1b7e",
    "execution_id": "are_exec_20241126_143000_12345/release",
    "org_id": "org_123",
    "step": "deliver[0]",
    "agent": "delivery",
    "action": "deliver",
    "risk": "R3",
    "kind": "hold",
    "reason": "allow_delivery is off",
    "state": "open",
    "preview": {"message_id": "m1"},
    "payload_hash": "1f0c",
    "requested_at": "2024-11-26T14:30:02.000Z",
    "expires_at": "2024-11-27T14:30:02.000Z",
    "decided_by": None,
    "decided_at": None,
    "comment": "",
    "required": 1,
    "progress": "",
    "votes": [],
    "approvers": [],
    "roles": [],
    "not_requester": False,
}


class VoteModel(BaseModel):
    """What one person said."""

    actor: str
    decision: str
    at: str
    comment: str


class ApprovalModel(BaseModel):
    """A request for a person's decision, with what exactly would be done."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    approval_id: str
    execution_id: str
    org_id: str
    step: str
    agent: str
    action: str
    risk: str
    kind: str = Field(description="approval, hold (delivery is off) or step (a step of the workflow).")
    reason: str
    state: str = Field(description="open, approved, rejected, expired, edited or cancelled.")
    preview: dict[str, Any] = Field(description="The inputs of the action, as they would be used.")
    payload_hash: str = Field(description="The hash of what would be done; the decision holds for that only.")
    requested_at: str
    expires_at: str | None
    decided_by: str | None
    decided_at: str | None
    comment: str
    required: int = Field(description="How many have to approve.")
    progress: str = Field(description="Where several have to: how many have, such as `1 of 2`.")
    votes: list[VoteModel] = Field(description="Who has said what so far, where several have to.")
    approvers: list[str] = Field(description="Who may decide; empty means anybody.")
    roles: list[str] = Field(description="Of which one has to be held to decide; empty means none.")
    not_requester: bool = Field(description="Whether who asked for the execution has no say.")


class MessageModel(BaseModel):
    """A message as it would go out; `sha256` is that of its bytes as they are stored now."""

    message_id: str
    state: str
    headers: dict[str, str]
    body: str
    sha256: str
    raw: str


class ApprovalDetail(ApprovalModel):
    """The same, with the message as it would go out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **EXAMPLE,
                    "message": {
                        "message_id": "m1",
                        "state": "draft",
                        "headers": {"To": "Ann <ann@example.com>", "Subject": "Your account"},
                        "body": "Hello Ann",
                        "sha256": "9a0b",
                        "raw": "To: Ann <ann@example.com>",
                    },
                }
            ]
        }
    )

    message: MessageModel | None = Field(description="The exact message, where it is about one.")


class ApprovalList(BaseModel):
    """Approvals, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"approvals": [EXAMPLE], "total": 1}]})

    approvals: list[ApprovalModel]
    total: int


class Decision(BaseModel):
    """A person's decision."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"decision": "approve", "comment": "Go ahead."}]}
    )

    decision: Literal["approve", "reject", "edit"] = Field(
        description="`edit` has the action asked for anew with other inputs."
    )
    inputs: dict[str, Any] | None = Field(None, description="The other inputs, whole; only with `edit`.")
    comment: str = Field("", max_length=2000)
    actor: str | None = Field(None, min_length=1, max_length=200, description="Who decides.")
