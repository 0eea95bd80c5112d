"""What the policies are told of a message that is about to leave: its bytes and who gets it."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from dirigent.ports import Records


def message_facts(records: Records, tenant: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Facts about the stored message an outward action names, read anew at this moment.

    Empty when the inputs name no stored message; a rule then finds nothing to allow.
    """
    message_id = inputs.get("message_id")
    rows = records.fetch(tenant, "messages", where={"message_id": message_id}) if message_id else []
    if not rows:
        return {}
    row = rows[0]
    contact = _first(records, tenant, "contacts", {"contact_id": row["lead_id"]})
    suppressed = records.count(tenant, "suppressions", where={"address": row["to_address"].lower()}) > 0
    return {
        "channel": "email",
        "message": _message(row),
        "lead": {
            "email": row["to_address"],
            "country": contact.get("country"),
            "consent": contact.get("consent"),
            "opted_out": bool(contact.get("opted_out", True)),
            "suppressed": suppressed,
        },
    }


def _message(row: dict[str, Any]) -> dict[str, Any]:
    content = row["content"]
    raw = content if isinstance(content, bytes) else str(content).encode()
    parsed = message_from_bytes(raw, policy=SMTP)
    assert isinstance(parsed, EmailMessage), "the SMTP policy makes EmailMessage"
    body = parsed.get_body(preferencelist=("plain",))
    return {
        "channel": "email",
        "to": parsed.get("To", ""),
        "subject": parsed.get("Subject", ""),
        "body": body.get_content() if body else "",
        "from_name": parsed.get("From", ""),
        "unsubscribe_url": parsed.get("List-Unsubscribe", ""),
        "postal_address": parsed.get("X-Postal-Address", ""),
        "sha256": row["sha256"],
    }


def _first(records: Records, tenant: str, entity: str, where: dict[str, Any]) -> dict[str, Any]:
    rows = records.fetch(tenant, entity, where=where, limit=1)
    return rows[0] if rows else {}
