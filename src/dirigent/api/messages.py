"""A stored message as a person reads it before deciding, with the hash of the bytes that would go out."""

from __future__ import annotations

import hashlib
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from dirigent.ports import Records

HEADERS = ("From", "To", "Subject", "Date", "List-Unsubscribe")


def find_message(records: Records, tenant: str, message_id: str) -> dict[str, Any] | None:
    """A message by its id, as headers, body and raw text; None where there is none."""
    rows = records.fetch(tenant, "messages", where={"message_id": message_id}, limit=1)
    return _readable(rows[0]) if rows else None


def message_named_in(preview: dict[str, Any]) -> str:
    """The id of the message that an approval is about; empty where it is about something else."""
    parts = [preview, *(part for part in preview.values() if isinstance(part, dict))]
    return next((part["message_id"] for part in parts if isinstance(part.get("message_id"), str)), "")


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    content = row["content"]
    raw = content if isinstance(content, bytes) else str(content or "").encode()
    letter = message_from_bytes(raw, _class=EmailMessage, policy=SMTP)
    body = letter.get_body(preferencelist=("plain",))
    return {
        "message_id": row["message_id"],
        "state": row["state"],
        "headers": {name: str(letter[name]) for name in HEADERS if letter[name]},
        "body": str(body.get_content()).replace("\r\n", "\n") if body else "",
        "sha256": hashlib.sha256(raw).hexdigest(),
        "raw": raw.decode(errors="replace"),
    }
