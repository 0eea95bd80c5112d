"""Stored messages read back from their bytes."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

# Seven-bit bytes survive every relay. Headers are not folded before the limit of RFC 5322 (998), because
# folding would encode a long link, and an encoded List-Unsubscribe is none.
POLICY = SMTP.clone(cte_type="7bit", max_line_length=998)


def content_of(row: dict[str, Any]) -> bytes:
    """The bytes of a row of the entity `messages`."""
    content = row["content"]
    return content if isinstance(content, bytes) else str(content or "").encode()


def read_message(content: bytes) -> EmailMessage:
    """A message from its bytes, with headers as values."""
    return message_from_bytes(content, _class=EmailMessage, policy=POLICY)


def body_of(message: EmailMessage) -> str:
    """The plain text of a message, with Unix line ends; empty where there is none."""
    part = message.get_body(preferencelist=("plain",))
    return str(part.get_content()).replace("\r\n", "\n") if part else ""
