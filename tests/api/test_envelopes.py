"""The envelope of a direct call: what its records are called, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from dirigent import Effect, Envelope, Risk, action, agent
from dirigent.agents.catalogue import catalogue
from dirigent.api.envelopes import envelope_of, record_type, snake_case
from dirigent.control.catalogue import control_agents
from dirigent.domain.event import ExecutionStarted, Passport
from dirigent.execution.registry import Registry
from dirigent.interpreter.reading import Reading, StepReading

ENDED_AT = 1_732_631_400_000


class ICPTraits(BaseModel):
    """A result in a class whose name begins with letters that belong together."""

    id: str = "t1"


@dataclass
class WinRate:
    """A result that is no model."""

    rate: float


@agent("sampler", domain="test")
class Sampler:
    """Declares outputs of every kind."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def model(self) -> ICPTraits:
        """A model."""
        return ICPTraits()

    @action(risk=Risk.R0, effect=Effect.READ)
    async def models(self) -> list[ICPTraits]:
        """Several."""
        return []

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def values(self) -> WinRate:
        """A dataclass."""
        return WinRate(0.5)

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def count_open(self) -> dict[str, int]:
        """No class at all."""
        return {}


def _ended(name: str, output: Any) -> tuple[Any, Reading, StepReading]:
    started = ExecutionStarted(
        at=ENDED_AT,
        execution_id="exec_1",
        workflow="w",
        definition="d",
        input={},
        passport=Passport(tenant="org_1", actor="ann"),
    )
    step = StepReading(id="direct", status="succeeded", started_at=ENDED_AT, ended_at=ENDED_AT, output=output)
    return Registry([Sampler]).action("sampler", name), Reading(execution_id="exec_1", started=started), step


@pytest.mark.parametrize(
    ("name", "expected"),
    [("LeadScore", "lead_score"), ("ICPTraits", "icp_traits"), ("B2BLead", "b2_b_lead"), ("done", "done")],
)
def test_names_are_written_with_underscores(name: str, expected: str) -> None:
    """Words end where capitals begin; letters that belong together stay together."""
    assert snake_case(name) == expected


@pytest.mark.parametrize(
    ("action_name", "expected"),
    [("model", "icp_traits"), ("models", "icp_traits"), ("values", "win_rate"), ("count_open", "count_open")],
)
def test_records_are_called_after_their_class(action_name: str, expected: str) -> None:
    """The class of the output or of its items; the action where there is no class."""
    assert record_type(Registry([Sampler]).action("sampler", action_name)) == expected


def test_an_item_keeps_its_own_id() -> None:
    """What has an id keeps it; what has none is numbered within its run."""
    envelope = envelope_of(*_ended("models", [{"id": "t1"}, {"lift": 2}]))
    assert [record.id for record in envelope.records] == ["t1", "exec_1/direct/2"]


@pytest.mark.parametrize(
    ("output", "data"),
    [(None, []), ([], []), (7, [{"value": 7}]), (["a", {"b": 1}], [{"value": "a"}, {"b": 1}])],
)
def test_any_output_becomes_records(output: Any, data: list[Any]) -> None:
    """Nothing gives no record, a bare value one that holds it, a list one each."""
    assert [record.data for record in envelope_of(*_ended("model", output)).records] == data


@pytest.mark.parametrize(
    ("action_name", "source"), [("model", "rule_engine"), ("models", "records"), ("count_open", "sampler")]
)
def test_the_source_follows_from_the_effect(action_name: str, source: str) -> None:
    """Computed by rule, read from the records, or of the agent's own doing."""
    record = envelope_of(*_ended(action_name, {"x": 1})).records[0]
    assert record.provenance["source"] == source
    assert record.provenance["created_at"] == "2024-11-26T14:30:00.000Z"


EVERY_ACTION = [
    (spec.key, name) for spec in Registry([*control_agents(), *catalogue()]).specs() for name in spec.actions
]


@pytest.mark.parametrize(("agent_key", "action_name"), EVERY_ACTION, ids=".".join)
def test_every_action_of_every_agent_gives_an_envelope(agent_key: str, action_name: str) -> None:
    """The contract at the border holds for the whole registry: valid, each record with its provenance."""
    _, reading, step = _ended("models", [{"id": "a"}, {"n": 1}])
    action = Registry([*control_agents(), *catalogue()]).action(agent_key, action_name)
    envelope = Envelope.of(envelope_of(action, reading, step).as_dict())
    assert {record.provenance["agent"] for record in envelope.records} == {agent_key}
    assert (envelope.metadata["agent"], len(envelope.records)) == (agent_key, 2)
