"""The canonical envelope: metadata and records, each with its provenance."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from dirigent.domain.envelope import Envelope
from dirigent.domain.errors import InvalidInput

METADATA = {"run_id": "r1", "tenant_id": "org_123", "status": "ok", "created_at": "2024-11-26T14:30:00Z"}
PROVENANCE = {"source": "crm", "agent": "lead_scorer", "run_id": "r1", "node": "score", "created_at": "now"}


def _record(**changes: Any) -> dict[str, Any]:
    data = {"lead_id": "lead_1", "score": 83.5}
    return {"id": "rec_1", "type": "lead_score", "data": data, "provenance": PROVENANCE, **changes}


def test_records_make_an_envelope_that_reads_back() -> None:
    """What goes in stands in the plain form, with the schema version added."""
    envelope = Envelope.from_records([_record()], METADATA)
    assert envelope.as_dict() == {"metadata": {"schema_version": "1", **METADATA}, "records": [_record()]}
    assert envelope.validate() is envelope


@pytest.mark.parametrize("name", ["run_id", "tenant_id", "status", "created_at"])
def test_missing_metadata_is_named(name: str) -> None:
    """Every field that a reader relies on is required."""
    metadata = {key: value for key, value in METADATA.items() if key != name}
    with pytest.raises(InvalidInput) as caught:
        Envelope.from_records([], metadata)
    assert caught.value.field == f"metadata.{name}"


@pytest.mark.parametrize("name", ["id", "type", "data", "provenance"])
def test_an_incomplete_record_is_named_by_its_place(name: str) -> None:
    """The second record lacks something: the error says which record and what."""
    with pytest.raises(InvalidInput) as caught:
        Envelope.from_records([_record(), _record(**{name: None})], METADATA)
    assert caught.value.field == f"records[1].{name}"


def test_a_record_without_its_source_is_refused() -> None:
    """No provenance, no record."""
    with pytest.raises(InvalidInput, match=r"provenance\.source"):
        Envelope.from_records([_record(provenance={**PROVENANCE, "source": ""})], METADATA)


def test_an_unknown_status_is_refused() -> None:
    """The error lists what there is."""
    with pytest.raises(InvalidInput, match="Use one of: ok"):
        Envelope.from_records([], {**METADATA, "status": "fine"})


def test_it_works_where_pydantic_is_not_installed() -> None:
    """The module needs the standard library alone."""
    code = (
        "import sys; sys.modules['pydantic'] = None; sys.modules['msgspec'] = None\n"
        "from dirigent.domain.envelope import Envelope\n"
        f"print(len(Envelope.from_records([{_record()!r}], {METADATA!r}).records))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
