"""What the policies are told of a stored message: its bytes, and what is on record about who gets it.

The compliance agent asks with these facts when a message is drafted, the dispatcher when it leaves; both
read them anew.
"""

from __future__ import annotations

from typing import Any

from dirigent.ports import BoundRecords
from dirigent.security.addresses import matching_form
from dirigent.security.letters import body_of, content_of, read_message

HEADERS = {
    "to": "To",
    "cc": "Cc",
    "bcc": "Bcc",
    "subject": "Subject",
    "from_name": "From",
    "reply_to": "Reply-To",
    "in_reply_to": "In-Reply-To",
    "unsubscribe_url": "List-Unsubscribe",
    "postal_address": "X-Postal-Address",
}
CONTACT_FIELDS = ("country", "timezone", "consent", "consent_at", "consent_source", "opted_out")
UNKNOWN_CONTACT = {"opted_out": True}


def outgoing_facts(records: BoundRecords, row: dict[str, Any]) -> dict[str, Any]:
    """Message and recipient of a row of `messages`; a contact that is not on record counts as opted out."""
    return {"channel": "email", "message": _message(row), "lead": _recipient(records, row)}


def suppressed_forms(records: BoundRecords) -> frozenset[str]:
    """All suppressed addresses in the form they are compared in."""
    rows = records.fetch("suppressions", columns=("address",))
    return frozenset(matching_form(str(row["address"])) for row in rows)


def is_suppressed(records: BoundRecords, address: str | None) -> bool:
    """Whether an address, in any of its spellings, is on the suppression list."""
    return bool(address) and matching_form(str(address)) in suppressed_forms(records)


def _message(row: dict[str, Any]) -> dict[str, Any]:
    parsed = read_message(content_of(row))
    fields = {name: str(parsed.get(header, "")) for name, header in HEADERS.items()}
    return {**fields, "channel": "email", "body": body_of(parsed)}


def _recipient(records: BoundRecords, row: dict[str, Any]) -> dict[str, Any]:
    contacts = records.fetch("contacts", where={"contact_id": row["lead_id"]}, limit=1)
    contact = contacts[0] if contacts else UNKNOWN_CONTACT
    known = {name: contact[name] for name in CONTACT_FIELDS if contact.get(name) is not None}
    address = str(row["to_address"])
    bought = _last_purchase(records, contact.get("customer_id"))
    return {
        **known,
        **({"last_purchase_at": bought} if bought else {}),
        "email": contact.get("email") or address,
        "suppressed": is_suppressed(records, address),
    }


def _last_purchase(records: BoundRecords, customer_id: Any) -> str:
    where = {"customer_id": customer_id, "kind": "sale"}
    rows = records.fetch("orders", where=where, order_by="-ordered_at", limit=1) if customer_id else []
    return str(rows[0]["ordered_at"]) if rows else ""
