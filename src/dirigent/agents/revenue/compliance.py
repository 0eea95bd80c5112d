"""Compliance: whether a message may go to a person, by rule.

The rules are the policies'; this agent brings them the message, the person's record and the sender, and tells
what they said.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import NotFound
from dirigent.domain.policy import Decision, Verdict
from dirigent.domain.shape import Shape
from dirigent.ports import Context
from dirigent.security.admission import action, agent
from dirigent.security.outgoing import is_suppressed, outgoing_facts


class MessageIn(Shape):
    """A message as it would leave. `purpose` is commercial unless it says transactional or service.

    `is_reply` false says that there is no thread behind a "Re:"; left out, nobody knows. `meta` is for the
    caller's own notes and is read as content all the same.
    """

    channel: str = "email"
    subject: str = ""
    body: str = ""
    html: str | None = None
    message_id: str | None = None
    lead_id: str | None = None
    purpose: str | None = None
    language: str | None = None
    from_name: str | None = None
    from_email: str | None = None
    reply_to: str | None = None
    to: str | list[str] | None = None
    cc: str | list[str] | None = None
    bcc: str | list[str] | None = None
    postal_address: str | dict[str, str] | None = None
    unsubscribe_url: str | None = None
    in_reply_to: str | None = None
    is_reply: bool | None = None
    tracks_opens: bool | None = None
    attachments: list[str] = Field(default_factory=list)
    meta: dict[str, Any] = Field(default_factory=dict)


class ConsentIn(Shape):
    """One consent on record. Without a channel it is for all; what cannot be read does not count."""

    type: str
    channel: str | None = None
    channels: list[str] | None = None
    purpose: str | None = None
    obtained_at: str | None = None
    expires_at: str | None = None
    withdrawn_at: str | None = None
    source: str | None = None


class LeadIn(Shape):
    """What is on record about the person. Whatever is left out counts as not on record."""

    lead_id: str | None = None
    contact_id: str | None = None
    customer_id: str | None = None
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    role: str | None = None
    email: str | None = None
    phone: str | None = None
    kind: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None
    language: str | None = None
    source: str | None = None
    consent: str | bool | ConsentIn | list[ConsentIn] | None = None
    consent_at: str | None = None
    consent_source: str | None = None
    legal_basis: str | None = None
    interest_assessment: str | None = None
    last_purchase_at: str | None = None
    last_inquiry_at: str | None = None
    opted_out: bool | None = None
    opted_out_at: str | None = None
    suppressed: bool | None = None
    past_retention: bool | None = None


class OrgIn(Shape):
    """The sender. `domains` are those it sends from, `vertical` its sector."""

    org_id: str | None = None
    name: str | None = None
    vertical: str | None = None
    country: str | None = None
    postal_address: str | None = None
    domains: list[str] = Field(default_factory=list)


class PolicyDecision(Shape):
    """What the policies said.

    `decision` is allow, modify, require_approval or deny, and `allow` is true for allow alone. `violations`
    are the rules that object, `fixes` what cures those that deny, `warnings` the rules that only note.
    """

    allow: bool
    decision: str
    violations: list[str]
    fixes: list[str]
    warnings: list[str]
    policy_version: str


class DraftDecision(PolicyDecision):
    """The decision about one stored message."""

    message_id: str
    lead_id: str
    sha256: str


@agent("compliance", domain="revenue", aliases=("ComplianceAgent", "compliance_wrapper"))
class ComplianceAgent:
    """Checks consent, opt-out, sender and wording by the tenant's rules. Not legal advice."""

    @action(risk=Risk.R0, effect=Effect.READ)
    async def check_message(
        self, message: MessageIn, lead: LeadIn, org: OrgIn | None = None, *, ctx: Context
    ) -> PolicyDecision:
        """Whether this message may go to this person. An address on the suppression list counts as such."""
        record = lead.model_dump(mode="json", exclude_none=True)
        facts = {
            "message": message.model_dump(mode="json", exclude_none=True),
            "lead": {
                **record,
                "suppressed": bool(lead.suppressed) or is_suppressed(ctx.records, lead.email),
            },
            "org": org.model_dump(mode="json", exclude_none=True) if org else {},
            "now": ctx.now.isoformat(),
        }
        return PolicyDecision(**_summary(ctx.decide("message", facts)))

    @action(risk=Risk.R0, effect=Effect.READ)
    async def check_draft(self, message_id: str, ctx: Context) -> DraftDecision:
        """Whether a stored message may go to its contact, read from the message's own bytes.

        Raises `NotFound` for an unknown message; an unknown contact counts as one without any consent.
        """
        rows = ctx.records.fetch("messages", where={"message_id": message_id}, limit=1)
        if not rows:
            raise NotFound(f"There is no message {message_id!r}.", code="message_not_found")
        row = rows[0]
        facts = {**outgoing_facts(ctx.records, row), "now": ctx.now.isoformat()}
        return DraftDecision(
            **_summary(ctx.decide("message", facts)),
            message_id=message_id,
            lead_id=str(row["lead_id"]),
            sha256=str(row["sha256"]),
        )


def _summary(decision: Decision) -> dict[str, Any]:
    objections = [finding for finding in decision.findings if finding.verdict is not Verdict.ALLOW]
    cures = (finding.fix for finding in objections if finding.verdict is Verdict.DENY and finding.fix)
    return {
        "allow": decision.verdict is Verdict.ALLOW,
        "decision": decision.verdict.value,
        "violations": [finding.rule for finding in objections],
        "fixes": list(dict.fromkeys(cures)),
        "warnings": [finding.rule for finding in decision.findings if finding.verdict is Verdict.ALLOW],
        "policy_version": decision.policy_version,
    }
