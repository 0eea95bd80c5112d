"""To whom a message would go: how many, at which domain, and whether that is whom the record names.

Sources: RFC 5322 section 3.4 (lists and groups), RFC 2142 (role mailboxes that must stay reachable).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

_ADDRESS = re.compile(r"(?<![^\s<>,;:\"'()])[^\s<>,;:\"'()@]{1,64}+@[^\s<>,;:\"'()@]{1,255}+")
_ROLES = frozenset({"abuse", "postmaster", "noc", "security", "hostmaster", "mailer-daemon", "spam"})
_NO_REPLY = re.compile(r"(?:no|do-?not|dont|nao|keine?)[-_.]?(?:reply|respond|antwort)", re.IGNORECASE)
_BREAK = re.compile("[\r\n\x00\x0b\x0c\x85\u2028\u2029]")


class Recipients(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses a message names, and how they compare with the person it is meant for."""

    count: int
    domain: str
    role_mailbox: bool
    another: bool


def recipients_of(message: Mapping[str, Any], lead: Mapping[str, Any]) -> Recipients:
    """Read the recipients of a mail; without a `to` it goes to the lead's own address."""
    own = addresses_in(lead.get("email"))
    to = addresses_in(message.get("to")) or own
    everyone = [*to, *addresses_in(message.get("cc")), *addresses_in(message.get("bcc"))]
    first = to[0] if to else ""
    local, _, domain = first.rpartition("@")
    return Recipients(
        count=len(everyone),
        domain=domain,
        role_mailbox=local in _ROLES,
        another=bool(own) and any(address not in own for address in everyone),
    )


def addresses_in(value: object) -> list[str]:
    """Every address in a header, a list of addresses or a group, in lower case."""
    if isinstance(value, list | tuple):
        return [address for item in value for address in addresses_in(item)]
    return [found.lower().rstrip(".") for found in _ADDRESS.findall(value)] if isinstance(value, str) else []


def cannot_be_answered(message: Mapping[str, Any]) -> bool:
    """Whether replies go to an address that says it does not take any."""
    reply_to = addresses_in(message.get("reply_to")) or addresses_in(
        message.get("from_email") or message.get("from_name")
    )
    return bool(reply_to) and all(_NO_REPLY.match(address) for address in reply_to)


def breaks_a_header(message: Mapping[str, Any]) -> bool:
    """Whether a header field holds a line break, and so could smuggle in another header."""
    fields = ("subject", "from_name", "from_email", "reply_to", "to", "cc", "bcc", "in_reply_to")
    texts = [message.get(field) for field in fields]
    return any(isinstance(text, str) and _BREAK.search(text) for text in texts)
