"""How an event is tied to its predecessor: a digest over what it says, where it stands, what was before."""

from __future__ import annotations

from hashlib import sha256
from struct import Struct
from struct import error as StructError

_place = Struct(">QQQ").pack


def genesis(stream: str, journal: bytes = b"") -> bytes:
    """What the first event of a stream is tied to.

    It is the stream's name, so that no stream can be renamed, after the random name of the journal, so that
    pages of another journal never verify. Journals of format 1 have the stream's name only.
    """
    return sha256(journal + stream.encode()).digest()


def link(before: bytes, position: int, stream: int, version: int, body: bytes) -> bytes:
    """The digest of an event: SHA-256(digest before || position || stream || version || body)."""
    return sha256(before + _place(position, stream, version) + body).digest()


def linked(before: bytes, position: int, stream: int, version: int, body: bytes) -> bytes | None:
    """As `link`, for what was read from a disk: None where a value has not even the right type."""
    try:
        return link(before, position, stream, version, body)
    except (StructError, TypeError):
        return None
