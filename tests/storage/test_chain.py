"""The digest of an event covers everything that says what it is and where it stands."""

from hashlib import sha256
from typing import Any

import pytest

from dirigent.storage.sqlite.chain import genesis, link, linked

PARTS: dict[str, Any] = {"before": bytes(32), "position": 7, "stream": 3, "version": 2, "body": b"{}"}


def test_the_formula_is_for_ever() -> None:
    """Journals outlive versions: SHA-256 of digest before, position, stream, version and body."""
    place = b"".join(number.to_bytes(8, "big") for number in (7, 3, 2))
    assert link(**PARTS) == sha256(bytes(32) + place + b"{}").digest()
    assert genesis("run-1") == sha256(b"run-1").digest()
    assert genesis("run-1", b"journal") == sha256(b"journalrun-1").digest()


@pytest.mark.parametrize(
    ("part", "other"),
    [("before", b"\1" * 32), ("position", 8), ("stream", 4), ("version", 3), ("body", b"[]")],
)
def test_every_part_counts(part: str, other: Any) -> None:
    """Another value of any part is another digest; that is what keeps whole rows from being renumbered."""
    assert link(**PARTS | {part: other}) != link(**PARTS)


@pytest.mark.parametrize(
    ("part", "value"), [("position", -1), ("version", None), ("stream", "x"), ("body", None), ("before", 5)]
)
def test_what_has_the_wrong_type_is_no_event(part: str, value: Any) -> None:
    """A damaged page may hold anything where a number or bytes should stand; it never verifies."""
    assert linked(**PARTS | {part: value}) is None
