"""From an execution to the canonical envelope: a record per result, each saying which step it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dirigent.domain.envelope import Envelope, Record, records_from
from dirigent.interpreter.reading import Reading

STATUSES = {"completed": "ok", "partially_completed": "partial"}
WAITING = frozenset({"held", "waiting"})


def envelope_of_run(reading: Reading, *, tenant: str, created_ms: int) -> Envelope:
    """The envelope of an execution at rest: what it gave, or that it waits for a person, or why it ended."""
    ended = reading.ended_at or created_ms
    created = datetime.fromtimestamp(ended / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = {
        "run_id": reading.execution_id,
        "flow": reading.started.workflow,
        "agent": reading.started.workflow,
        "tenant_id": tenant,
        "correlation_id": reading.started.passport.correlation,
        "status": _status(reading),
        "created_at": created,
        "duration_ms": ended - reading.started.at,
        "errors": _errors(reading),
        "execution_status": reading.status,
    }
    return Envelope.from_records(_records(reading, created), metadata)


def _status(reading: Reading) -> str:
    if any(step.verdict == "simulate" for step in reading.steps.values()):
        return "simulated"
    if not reading.ended_at and any(step.status in WAITING for step in reading.steps.values()):
        return "held"
    if not reading.ended_at:
        return "held" if reading.status.startswith(("awaiting", "waiting", "paused")) else "partial"
    status = STATUSES.get(reading.status, "error")
    held = any(step.verdict == "hold" for step in reading.steps.values())
    return "held" if status == "ok" and held else status


def _errors(reading: Reading) -> list[dict[str, Any]]:
    found = [
        {"node": step.id, "code": step.error.code, "message": step.error.message}
        for step in reading.steps.values()
        if step.error is not None
    ]
    if reading.error is not None and not found:
        found.append({"node": "", "code": reading.error.code, "message": reading.error.message})
    return found


def _records(reading: Reading, created: str) -> list[Record]:
    """What each of the last steps gave, where the output is theirs; else what the output is."""
    output = reading.output
    if isinstance(output, Mapping) and output and set(output) <= set(reading.steps):
        return [record for name, value in output.items() for record in _of(reading, name, value, created)]
    return list(_of(reading, "", output, created))


def _of(reading: Reading, step: str, value: Any, created: str) -> tuple[Record, ...]:
    told = reading.steps.get(step)
    name = step or reading.started.workflow
    provenance = {
        "source": "workflow",
        "agent": told.agent if told is not None and told.agent else reading.started.workflow,
        "run_id": reading.execution_id,
        "node": name,
        "created_at": created,
    }
    if isinstance(value, Mapping) and set(value) == {"results", "failures"}:
        value = [item for item in value["results"] if item is not None]
    return records_from(value, name, provenance)
