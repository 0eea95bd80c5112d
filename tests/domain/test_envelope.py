"""The canonical envelope: metadata and records, each with its provenance."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dirigent.domain.envelope import Envelope, records_from
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


EXAMPLE = Path(__file__).parent.parent / "fixtures" / "examples" / "004-01-envelope.json"


def _printed(**changes: Any) -> Any:
    return json.loads(EXAMPLE.read_text()) | changes


def test_the_printed_envelope_is_one() -> None:
    """Built and read, it says what was printed."""
    printed = _printed()
    read = Envelope.from_dict(printed)
    assert read.validate().as_dict() == printed
    assert Envelope.from_records(printed["records"], printed["metadata"]) == read == Envelope.of(read)


def test_what_is_missing_of_the_printed_envelope_is_named() -> None:
    """No metadata, no records, a record without provenance, or something else in their place."""
    (record,) = _printed()["records"]
    bare = {key: value for key, value in record.items() if key != "provenance"}
    wrong: list[tuple[Any, str]] = [
        ({"records": []}, "metadata"),
        ({"metadata": _printed()["metadata"]}, "records"),
        (_printed(metadata=None), "metadata"),
        (_printed(records=None), "records"),
        (_printed(records={"a": 1}), "records"),
        (_printed(records=[record, bare]), "records[1].provenance"),
        (_printed(records=[record | {"provenance": {}}]), "records[0].provenance"),
        (_printed(records=[record | {"provenance": "crm"}]), "records[0].provenance"),
        (_printed(records=["record"]), "records[0]"),
        (_printed(records=[record | {"data": 83.5}]), "records[0].data"),
        (_printed(records=[record | {"id": 1}]), "records[0].id"),
        ([], "envelope"),
        (None, "envelope"),
    ]
    for value, field in wrong:
        with pytest.raises(InvalidInput) as caught:
            Envelope.of(value)
        assert caught.value.field.startswith(field), value


def test_an_envelope_made_by_hand_is_checked_too() -> None:
    """What the constructor lets through, `validate` does not."""
    for wrong in (Envelope(metadata=METADATA), Envelope(metadata=_printed()["metadata"], records=None)):  # type: ignore[arg-type]
        with pytest.raises(InvalidInput):
            wrong.validate()


@pytest.mark.parametrize("sure", [-0.1, 1.1, "high", True, float("nan")])
def test_confidence_is_a_share(sure: Any) -> None:
    """From 0 to 1, where it is given."""
    with pytest.raises(InvalidInput, match=r"records\[0\]\.provenance\.confidence"):
        Envelope.from_records([_record(provenance={**PROVENANCE, "confidence": sure})], METADATA)


def test_any_result_makes_records() -> None:
    """Envelopes give theirs, a list one per item, a value one, nothing none."""
    envelope = Envelope.from_records([_record()], METADATA)
    assert [record.id for record in records_from([envelope, {"id": "x"}, 7], "note", PROVENANCE)] == [
        "rec_1",
        "x",
        "r1/score/3",
    ]
    assert records_from(envelope.as_dict(), "note", PROVENANCE) == envelope.records
    assert records_from(None, "note", PROVENANCE) == ()
    assert records_from(7, "note", PROVENANCE)[0].data == {"value": 7}


def test_it_works_where_pydantic_is_not_installed() -> None:
    """The module needs the standard library alone."""
    code = (
        "import sys; sys.modules['pydantic'] = None; sys.modules['msgspec'] = None\n"
        "from dirigent.domain.envelope import Envelope\n"
        f"print(len(Envelope.from_records([{_record()!r}], {METADATA!r}).records))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
