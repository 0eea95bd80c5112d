"""The base of everything that can happen, and why something did not come to its result."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """Base of all events."""

    at: int


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why something failed: a stable code, a sentence, and whether another try may help.

    `retry_after_ms` is how long whoever failed asked to be left alone, where they said so.
    """

    code: str
    message: str
    retryable: bool = False
    rules: tuple[str, ...] = ()
    retry_after_ms: int = 0
