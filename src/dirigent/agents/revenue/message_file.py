"""One message as RFC 5322 bytes: the same input gives the same bytes, to exactly one recipient."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from unicodedata import category

from dirigent.domain.errors import ActionFailed
from dirigent.security.letters import POLICY, read_message


@dataclass(frozen=True, kw_only=True)
class Post:
    """Everything that goes into a message file. Addresses are already checked to be one mailbox each."""

    message_id: str
    sent_at: datetime
    from_name: str
    from_address: str
    to_name: str
    to_address: str
    subject: str
    body: str
    unsubscribe_url: str
    postal_address: str


def message_bytes(post: Post) -> bytes:
    """The bytes of the message, read back and checked before they are given out.

    List-Unsubscribe and List-Unsubscribe-Post are those of RFC 8058; X-Postal-Address repeats the
    sender's address in one line for whoever checks the message. Raises `ActionFailed` where the bytes
    do not read back as one message to one recipient.
    """
    message = EmailMessage(policy=POLICY)
    message["From"] = Address(display_name=post.from_name, addr_spec=post.from_address)
    message["To"] = Address(display_name=post.to_name, addr_spec=post.to_address)
    message["Subject"] = post.subject
    message["Date"] = format_datetime(_aware(post.sent_at))
    message["Message-ID"] = f"<{post.message_id}@{post.from_address.rpartition('@')[2]}>"
    message["List-Unsubscribe"] = f"<{post.unsubscribe_url}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["X-Postal-Address"] = ", ".join(post.postal_address.split("\n"))
    message.set_content(post.body, charset="utf-8")
    content = message.as_bytes()
    _check(content, post)
    return content


def fits_header(text: str) -> bool:
    """Whether a text may stand in a header: not empty, nothing that does not show, no encoded word.

    The e-mail package decodes an encoded word (RFC 2047) that stands in a value, and writes out the
    line break that may hide in it.
    """
    return (
        bool(text) and "=?" not in text and not any(category(one)[0] in "CZ" and one != " " for one in text)
    )


def recipients_of(message: EmailMessage) -> list[str]:
    """Every address that any header would send the message to."""
    headers = [value for name in ("To", "Cc", "Bcc", "Resent-To") for value in message.get_all(name, [])]
    return [address.addr_spec for header in headers for address in header.addresses]


def _check(content: bytes, post: Post) -> None:
    message = read_message(content)
    if (
        message.defects
        or recipients_of(message) != [post.to_address]
        or len(message.keys()) != len(set(message.keys()))
    ):
        raise ActionFailed(
            f"The message {post.message_id} does not read back as one message to one recipient.",
            fix="Check the names and addresses of contact and sender.",
        )


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
