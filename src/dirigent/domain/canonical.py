"""One encoding and one hash for everything that is compared, chained or approved."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from dirigent.domain.errors import InvalidInput

VALUE_BYTES_MAX = 8 * 1024 * 1024

_encoder = msgspec.json.Encoder(order="sorted")


def canonical_bytes(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values give equal bytes in every process."""
    return _encoder.encode(value)


def digest_of(value: Any) -> str:
    """Hex SHA-256 of the canonical bytes of a JSON value."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def storable(value: Any, what: str) -> Any:
    """The value exactly as the journal will give it back; raises `InvalidInput` for what it cannot keep.

    So that a running execution never knows more than its replay: what is no number becomes null, and
    texts, whole numbers and sizes beyond the bounds are refused.
    """
    try:
        encoded = msgspec.json.encode(value)
        kept = msgspec.json.decode(encoded)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise InvalidInput(f"{what} cannot be stored: {error}.", fix="Give plain JSON data.") from error
    if len(encoded) > VALUE_BYTES_MAX:
        raise InvalidInput(
            f"{what} has {len(encoded):,} bytes.", fix=f"Keep it under {VALUE_BYTES_MAX:,} and refer to it."
        )
    return kept


def plain(value: Any) -> Any:
    """The JSON value (dict, list, str, number, bool, None) that a frozen value stands for."""
    return msgspec.to_builtins(value)
