"""What happens in the business: events as they are handed in, published and matched (CloudEvents 1.0)."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

# A chain of causes longer than this is a circle: an event whose workflow publishes what starts it again.
DEPTH_MAX = 16


class DomainEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened, said once and for ever; the names are those of CloudEvents 1.0.

    `source` and `id` together name it: a second one of the same names is a repetition. `subject` is what
    it is about; events of one subject are handled in their order. `time` is when it happened by its
    source (RFC 3339). `tenant`, `correlationid`, `causationid` (what brought it about: an event or an
    execution), `depth` (how many events stand between it and the first cause) and `schemaversion` are
    extensions of ours; `extensions` holds those of others.
    """

    id: str
    source: str
    type: str
    tenant: str
    specversion: str = "1.0"
    subject: str = ""
    time: str = ""
    datacontenttype: str = "application/json"
    dataschema: str = ""
    correlationid: str = ""
    causationid: str = ""
    depth: int = 0
    schemaversion: int = 1
    extensions: dict[str, Any] = {}
    data: Any = None


def emitted_id(execution_id: str, step: str, ordinal: int = 0) -> str:
    """The id of an event that a step publishes: the same for every attempt, so that it counts once."""
    parts = "\x1f".join((execution_id, step, str(ordinal)))
    return "evt_" + hashlib.sha256(parts.encode()).hexdigest()[:32]


def event_key(tenant: str, source: str, id: str) -> bytes:
    """Sixteen bytes that stand for one event wherever it is looked up."""
    return hashlib.sha256("\x1f".join((tenant, source, id)).encode()).digest()[:16]
