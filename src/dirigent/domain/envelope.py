"""The canonical result: metadata and records, every record with its provenance.

This module needs nothing but the standard library, so that a remote agent can use it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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

    def validate(self) -> Envelope:
        """Raise `InvalidInput` naming the first field that is missing or wrong; return self."""
        _require(self.metadata, REQUIRED_METADATA, "metadata")
        if self.metadata["status"] not in STATUSES:
            raise InvalidInput(
                f"metadata.status is {self.metadata['status']!r}.",
                fix=f"Use one of: {', '.join(STATUSES)}.",
                field="metadata.status",
            )
        for number, record in enumerate(self.records):
            _require(record.provenance, REQUIRED_PROVENANCE, f"records[{number}].provenance")
        return self

    def as_dict(self) -> dict[str, Any]:
        """The envelope as plain JSON data."""
        return {"metadata": dict(self.metadata), "records": [asdict(record) for record in self.records]}


def _record(item: Mapping[str, Any], number: int) -> Record:
    _require(item, ("id", "type", "data", "provenance"), f"records[{number}]")
    return Record(id=item["id"], type=item["type"], data=item["data"], provenance=item["provenance"])


def _require(mapping: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    for name in names:
        if mapping.get(name) in (None, ""):
            raise InvalidInput(
                f"{where}.{name} is missing.", fix="Every result names it.", field=f"{where}.{name}"
            )
