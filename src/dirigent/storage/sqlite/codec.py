"""Events as the journal stores them: JSON, and what is large in it once, by the hash of its content."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256

import msgspec

from dirigent.domain.event import AnyEvent

BODY_BYTES_MAX = 8 * 1024
PAYLOAD_BYTES_MIN = 1024

_REFERENCES = "$payloads"
_MARK = b'{"$payloads":'

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_fields: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_references: msgspec.json.Decoder[dict[str, str]] = msgspec.json.Decoder(dict[str, str])

encode = _encoder.encode


def decode(body: bytes) -> AnyEvent:
    """The event of a whole body; raises `msgspec.DecodeError` where it is none."""
    return _decoder.decode(body)


def split(body: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Take the large fields out of a large body; returns what is left and the payloads by their hash.

    What is left names the hash of every field that was taken out, so its digest covers them too.
    """
    if len(body) <= BODY_BYTES_MAX:
        return body, {}
    kept: dict[str, msgspec.Raw] = {}
    payloads: dict[bytes, bytes] = {}
    references: dict[str, str] = {}
    for name, value in _fields.decode(body).items():
        content = bytes(value)
        if len(content) < PAYLOAD_BYTES_MIN:
            kept[name] = value
            continue
        key = sha256(content).digest()
        payloads[key] = content
        references[name] = key.hex()
    return encode({_REFERENCES: references, **kept}), payloads


def references(body: bytes) -> Iterator[bytes]:
    """The hashes of the payloads that a stored body names."""
    if body.startswith(_MARK):
        named = _references.decode(_fields.decode(body)[_REFERENCES])
        yield from (bytes.fromhex(key) for key in named.values())


def restore(body: bytes, fetch: Callable[[bytes], bytes]) -> AnyEvent:
    """The event of a stored body, its payloads fetched by their hash."""
    if not body.startswith(_MARK):
        return _decoder.decode(body)
    fields = _fields.decode(body)
    for name, key in _references.decode(fields.pop(_REFERENCES)).items():
        fields[name] = msgspec.Raw(fetch(bytes.fromhex(key)))
    return _decoder.decode(encode(fields))
