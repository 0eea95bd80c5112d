"""The canonical result: metadata and records, every record with its provenance.

This module needs nothing but the standard library, so that a remote agent can use it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from dirigent.domain.errors import InvalidInput

SCHEMA_VERSION = "1"
STATUSES = ("ok", "partial", "error", "simulated", "held")
REQUIRED_METADATA = ("run_id", "tenant_id", "status", "created_at", "schema_version")
REQUIRED_PROVENANCE = ("source", "agent", "run_id", "node", "created_at")


@dataclass(frozen=True, kw_only=True)
class Record:
    """One item of a result, with where it comes from."""

    id: str
    type: str
    data: Mapping[str, Any]
    provenance: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """The result of an agent, a node, a flow or a goal."""

    metadata: Mapping[str, Any]
    records: tuple[Record, ...] = field(default=())

    @classmethod
    def from_records(
        cls, records: Iterable[Mapping[str, Any] | Record], metadata: Mapping[str, Any]
    ) -> Envelope:
        """Build an envelope; every record must have id, type, data and provenance."""
        built = tuple(
            item if isinstance(item, Record) else _record(item, n) for n, item in enumerate(records)
        )
        return cls(metadata={"schema_version": SCHEMA_VERSION, **metadata}, records=built).validate()

    @classmethod
    def from_dict(cls, value: Any) -> Envelope:
        """Read the plain form back; raises `InvalidInput` naming what is missing or wrong."""
        if not isinstance(value, Mapping):
            raise _wrong("envelope", value, "an object with metadata and records")
        for name in ("metadata", "records"):
            if name not in value:
                raise InvalidInput(f"{name} is missing.", fix="An envelope has both.", field=name)
        records = value["records"]
        if isinstance(records, str | Mapping) or not isinstance(records, Sequence):
            raise _wrong("records", records, "a list")
        built = tuple(_record(item, number) for number, item in enumerate(records))
        return cls(metadata=value["metadata"], records=built).validate()

    @classmethod
    def of(cls, value: Any) -> Envelope:
        """An envelope, or what has the form of one; raises `InvalidInput`."""
        return value.validate() if isinstance(value, Envelope) else cls.from_dict(value)

    def validate(self) -> Envelope:
        """Raise `InvalidInput` naming the first field that is missing or wrong; return self."""
        _require(_mapping(self.metadata, "metadata"), REQUIRED_METADATA, "metadata")
        if self.metadata["status"] not in STATUSES:
            raise InvalidInput(
                f"metadata.status is {self.metadata['status']!r}.",
                fix=f"Use one of: {', '.join(STATUSES)}.",
                field="metadata.status",
            )
        if not isinstance(self.records, tuple):
            raise _wrong("records", self.records, "a tuple of records")
        for number, record in enumerate(self.records):
            _check_record(record, f"records[{number}]")
        return self

    def as_dict(self) -> dict[str, Any]:
        """The envelope as plain JSON data."""
        return {"metadata": dict(self.metadata), "records": [asdict(record) for record in self.records]}


def looks_like_envelope(value: Any) -> bool:
    """Whether a value is meant as an envelope: one, or an object with metadata and records."""
    return isinstance(value, Envelope) or (
        isinstance(value, Mapping) and "metadata" in value and "records" in value
    )


def records_from(value: Any, kind: str, provenance: Mapping[str, Any]) -> tuple[Record, ...]:
    """Records out of any result: those of envelopes as they are, anything else with this provenance.

    A list gives a record per item, None gives none. An item's own `id` names its record.
    """
    if looks_like_envelope(value):
        return Envelope.of(value).records
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        value = [value]
    found: list[Record] = []
    for item in value:
        if looks_like_envelope(item):
            found += Envelope.of(item).records
        else:
            found.append(_made(item, len(found) + 1, kind, provenance))
    return tuple(found)


def _made(item: Any, number: int, kind: str, provenance: Mapping[str, Any]) -> Record:
    data = item if isinstance(item, Mapping) else {"value": item}
    own = data.get("id")
    name = own if isinstance(own, str) and own else f"{provenance['run_id']}/{provenance['node']}/{number}"
    return Record(id=name, type=kind, data=data, provenance=provenance)


def _record(item: Any, number: int) -> Record:
    where = f"records[{number}]"
    _require(_mapping(item, where), ("id", "type", "data", "provenance"), where)
    return Record(id=item["id"], type=item["type"], data=item["data"], provenance=item["provenance"])


def _check_record(record: Any, where: str) -> None:
    if not isinstance(record, Record):
        raise _wrong(where, record, "a record")
    for name in ("id", "type"):
        if not isinstance(getattr(record, name), str) or not getattr(record, name):
            raise _wrong(f"{where}.{name}", getattr(record, name), "a name")
    _mapping(record.data, f"{where}.data")
    _require(_mapping(record.provenance, f"{where}.provenance"), REQUIRED_PROVENANCE, f"{where}.provenance")
    sure = record.provenance.get("confidence", 1.0)
    if isinstance(sure, bool) or not isinstance(sure, int | float) or not 0 <= sure <= 1:
        raise _wrong(f"{where}.provenance.confidence", sure, "a number from 0 to 1")


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(where, value, "an object")
    return value


def _require(mapping: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    for name in names:
        if mapping.get(name) in (None, ""):
            raise InvalidInput(
                f"{where}.{name} is missing.", fix="Every result names it.", field=f"{where}.{name}"
            )


def _wrong(where: str, value: Any, expected: str) -> InvalidInput:
    shown = repr(value)
    told = shown if len(shown) <= 80 else f"{shown[:80]}..."
    return InvalidInput(f"{where} is {told}.", fix=f"It is {expected}.", field=where)
