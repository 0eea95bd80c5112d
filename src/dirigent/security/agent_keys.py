"""Keys by which agents' servers know their callers: made, checked, and compared without a hint."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence

from dirigent.domain.errors import InvalidInput, Refused

VARIABLE = "DIRIGENT_AGENT_KEY"
SCHEME = "Bearer"
KEYS_MAX = 5

_FORM = re.compile(r"[A-Za-z0-9._~+/=-]{24,200}")


class KeyMissing(Refused):
    """A call without a key, or with one that is not known. It never says which of the two."""

    code = "agent_key_refused"
    http_status = 401

    def __init__(self) -> None:
        super().__init__(
            "The call carries no key that is known here.",
            fix=f"Send `Authorization: {SCHEME} KEY` with a key of {VARIABLE}.",
        )


def new_key() -> str:
    """A random key."""
    return secrets.token_urlsafe(32)


def read_keys(text: str, where: str) -> tuple[str, ...]:
    """The keys in a text, with spaces or lines between; the first is the one to send.

    Raises `InvalidInput`, which names where they stand and never quotes them.
    """
    found = tuple(text.split())
    if len(found) > KEYS_MAX:
        raise InvalidInput(f"{where} holds {len(found)} keys.", fix=f"Keep {KEYS_MAX} at most.", field=where)
    for number, key in enumerate(found, 1):
        if not _FORM.fullmatch(key):
            raise InvalidInput(
                f"Key {number} of {where} cannot be used.",
                fix="24 to 200 letters, digits or -._~+/=; `dirigent agent key` makes one.",
                field=where,
            )
    return found


def authorization(key: str) -> dict[str, str]:
    """The header that carries a key."""
    return {"authorization": f"{SCHEME} {key}"}


def require_key(headers: Mapping[str, str], keys: Sequence[str]) -> None:
    """Raise `KeyMissing` unless a header carries one of the keys; without keys nothing is let in."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    digest = hashlib.sha256(given.strip().encode()).digest()
    known = [
        hmac.compare_digest(digest, hashlib.sha256(key.encode()).digest()) for key in keys
    ]  # every one, so that the time tells nothing
    if scheme.lower() != SCHEME.lower() or not any(known):
        raise KeyMissing
