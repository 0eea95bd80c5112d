"""One encoding and one hash for everything that is compared, chained or approved."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(order="sorted")


def canonical_bytes(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values give equal bytes in every process."""
    return _encoder.encode(value)


def digest_of(value: Any) -> str:
    """Hex SHA-256 of the canonical bytes of a JSON value."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def plain(value: Any) -> Any:
    """The JSON value (dict, list, str, number, bool, None) that a frozen value stands for."""
    return msgspec.to_builtins(value)
