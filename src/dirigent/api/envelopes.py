"""From one action's output to the canonical envelope: a record per item, each saying where it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dirigent.api.times import iso
from dirigent.domain.agent import Effect
from dirigent.domain.envelope import Envelope, Record
from dirigent.execution.registry import Action
from dirigent.interpreter.reading import Reading, StepReading

NODE = "direct"
DECIDING_AGENTS = {"compliance": "policy_decision"}
SOURCES = {Effect.PURE: "rule_engine", Effect.READ: "records"}
REFERENCE = re.compile(r"^#/\$defs/")
WORD_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def envelope_of(action: Action, reading: Reading, step: StepReading) -> Envelope:
    """The envelope of an action that was called directly and has ended with its output."""
    tenant, created = reading.started.passport.tenant, iso(step.ended_at)
    simulated = _is_simulated(step.output)
    metadata = {
        "run_id": reading.execution_id,
        "agent": action.agent.key,
        "action": action.spec.name,
        "status": "simulated" if simulated else "ok",
        "tenant_id": tenant,
        "created_at": created,
        "duration_ms": step.duration_ms,
    }
    kind = "simulation" if simulated else record_type(action)
    provenance = {
        "source": _source(action, kind),
        "agent": action.agent.key,
        "run_id": reading.execution_id,
        "node": NODE,
        "created_at": created,
    }
    items = _items(step.output)
    records = [_record(item, number, kind, provenance) for number, item in enumerate(items, 1)]
    return Envelope.from_records(records, metadata)


def record_type(action: Action) -> str:
    """What an action's result items are called: the snake-case name of their class, else of the action."""
    decision = DECIDING_AGENTS.get(action.agent.key)
    return decision or snake_case(_class_name(action.output_schema()) or action.spec.name)


def snake_case(name: str) -> str:
    """`LeadScore` as `lead_score`."""
    return WORD_BORDER.sub("_", name).lower()


def _class_name(schema: Mapping[str, Any]) -> str:
    """The class that a schema was made from; that of the items, where it is a list."""
    shape = schema.get("items", schema) if schema.get("type") == "array" else schema
    referenced = REFERENCE.sub("", shape.get("$ref", ""))
    return str(referenced or shape.get("title", ""))


def _source(action: Action, kind: str) -> str:
    if kind in DECIDING_AGENTS.values():
        return "rule_engine"
    return SOURCES.get(action.spec.effect, action.agent.key)


def _items(output: Any) -> list[Any]:
    if output is None:
        return []
    return output if isinstance(output, list) else [output]


def _record(item: Any, number: int, kind: str, provenance: Mapping[str, Any]) -> Record:
    data = item if isinstance(item, Mapping) else {"value": item}
    own = data.get("id")
    name = own if isinstance(own, str) and own else f"{provenance['run_id']}/{NODE}/{number}"
    return Record(id=name, type=kind, data=data, provenance=provenance)


def _is_simulated(output: Any) -> bool:
    return isinstance(output, Mapping) and output.get("simulated") is True and "would" in output
