"""`CampaignManager`: from a trigger to a run, by way of a queue or at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dirigent.bootstrap.wiring import CampaignManager
from dirigent.domain.envelope import Envelope
from dirigent.domain.errors import Conflict, InvalidInput, NotFound
from dirigent.domain.job import DELAYED
from dirigent.execution.registry import Registry
from dirigent.storage.in_memory.audit import InMemoryAudit
from dirigent.testing.frozen_clock import FrozenClock
from tests.execution.office import Office, empty_envelope

EXAMPLE = Path(__file__).parent.parent / "fixtures" / "examples" / "004-02-job.json"
TRIGGER = {
    "flow": "lead",
    "source": "api",
    "payload": {"org_id": "org_123", "filter": {"state": "dormant", "limit": 50}},
}


@pytest.fixture
def office() -> Office:
    """An office that knows the flow `lead`."""
    found = Office()
    found.registry.register_flow("lead", empty_envelope)
    return found


def test_a_trigger_becomes_the_printed_job(office: Office) -> None:
    """On the topic of its flow, with every name that is printed and values of these kinds."""
    printed = json.loads(EXAMPLE.read_text())
    run = office.manager.ingest_event(TRIGGER)
    assert (run.status, run.envelope) == ("queued", None)
    (queued,) = office.queue.jobs(topic="runs.lead")
    message = queued.message
    assert {name: type(value) for name, value in message.items() if name in printed} == {
        name: type(value) for name, value in printed.items()
    }
    for name in ("topic", "flow", "payload", "attempts", "max_attempts", "priority", "tenant_id"):
        assert message[name] == printed[name], name
    assert (message["job_id"], message["run_id"]) == (run.job_id, run.run_id)
    assert message["allow_delivery"] is False
    assert message["enqueued_at"].endswith("Z")


def test_what_a_trigger_may_say(office: Office) -> None:
    """Tenant, correlation, priority, attempts and delay are the job's."""
    said = {"tenant_id": "t", "correlation_id": "c", "priority": 8, "max_attempts": 5, "delay": 60, "id": "a"}
    office.manager.ingest_event({**TRIGGER, **said})
    (queued,) = office.queue.jobs()
    assert (queued.priority, queued.max_attempts, queued.state) == (8, 5, DELAYED)
    assert (queued.message["tenant_id"], queued.message["correlation_id"]) == ("t", "c")


def test_an_unknown_flow_lists_those_there_are(office: Office) -> None:
    """And nothing is enqueued."""
    office.registry.register_flow("delivery", empty_envelope)
    with pytest.raises(NotFound, match="The flows: delivery, lead") as caught:
        office.manager.ingest_event({**TRIGGER, "flow": "leads"})
    assert caught.value.code == "flow_not_found"
    assert office.queue.jobs() == []


def test_the_same_trigger_twice_is_one_run(office: Office) -> None:
    """By its id, within its tenant and source; another trigger under the id is refused."""
    first = office.manager.ingest_event({**TRIGGER, "id": "evt_1"})
    office.clock.move(5_000)
    assert office.manager.ingest_event({**TRIGGER, "id": "evt_1"}) == first
    assert office.manager.ingest_event({**TRIGGER, "id": "evt_1", "source": "webhook"}) != first
    with pytest.raises(Conflict):
        office.manager.ingest_event({**TRIGGER, "id": "evt_1", "payload": {"org_id": "org_123"}})
    assert len(office.queue.jobs()) == 2
    assert office.manager.ingest_event(TRIGGER).run_id != office.manager.ingest_event(TRIGGER).run_id


def test_delivery_is_only_ever_narrowed() -> None:
    """Off by default; where the manager has it on, a trigger can turn it off and not the other way round."""
    clock = FrozenClock()
    found = []
    for allowed, said in ((False, True), (False, None), (True, None), (True, True), (True, False)):
        office = Office(clock)
        office.registry.register_flow("lead", empty_envelope)
        manager = CampaignManager(queue=office.queue, registry=office.registry, allow_delivery=allowed)
        manager.ingest_event({**TRIGGER, "allow_delivery": said})
        found.append(office.queue.jobs()[0].message["allow_delivery"])
    assert found == [False, False, True, True, False]


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ([], "event"),
        ({}, "flow"),
        ({"flow": 3}, "flow"),
        ({"flow": "lead", "payload": []}, "payload"),
        ({"flow": "lead", "priority": True}, "priority"),
        ({"flow": "lead", "priority": "high"}, "priority"),
        ({"flow": "lead", "priority": 12}, "priority"),
        ({"flow": "lead", "allow_delivery": "yes"}, "allow_delivery"),
        ({"flow": "lead", "payloads": {}}, "payloads"),
    ],
)
def test_what_is_no_trigger_is_refused(office: Office, event: Any, field: str) -> None:
    """With the field at fault, and nothing is enqueued."""
    with pytest.raises(InvalidInput) as caught:
        office.manager.ingest_event(event)
    assert caught.value.field == field
    assert office.queue.jobs() == []


def test_without_a_queue_the_flow_runs_at_once() -> None:
    """The envelope is there, and the run is on record with the stages that it passed."""
    registry, audit = Registry(), InMemoryAudit(FrozenClock())
    registry.register_flow("lead", empty_envelope)
    run = CampaignManager(registry=registry, audit=audit).ingest_event(TRIGGER)
    assert (run.status, run.job_id) == ("completed", None)
    assert run.envelope is not None
    assert run.envelope.validate().records == ()
    (record,) = audit.attempts(run.run_id)
    assert [stage.n for stage in record.stages] == [1, 2, 5, 7, 8, 9]


def test_without_a_queue_a_failure_is_the_callers() -> None:
    """It is raised, and on record."""
    registry, audit = Registry(), InMemoryAudit(FrozenClock())
    registry.register_flow("lead", _broken)
    with pytest.raises(ConnectionError):
        CampaignManager(registry=registry, audit=audit).ingest_event(TRIGGER)
    assert [(record.status, record.error) for record in audit.runs()] == [
        ("failed", "ConnectionError: no line")
    ]


async def test_on_an_event_loop(office: Office) -> None:
    """`ingest` is for there; with a queue `ingest_event` will do as well."""
    registry = Registry()
    registry.register_flow("lead", empty_envelope)
    manager = CampaignManager(registry=registry)
    with pytest.raises(Conflict, match=r"await manager\.ingest"):
        manager.ingest_event(TRIGGER)
    assert (await manager.ingest(TRIGGER)).status == "completed"
    assert (await office.manager.ingest(TRIGGER)).status == "queued"
    assert office.manager.ingest_event(TRIGGER).status == "queued"


async def test_deliver_is_gated(office: Office) -> None:
    """Off, every record is held with the reason; on, the envelope goes to the flow `delivery`."""
    provenance = {"source": "crm", "agent": "w", "run_id": "r", "node": "w", "created_at": "now"}
    record = {"id": "m1", "type": "message", "data": {"message_id": "m1"}, "provenance": provenance}
    metadata = {"run_id": "r", "tenant_id": "org_123", "status": "ok", "created_at": "now"}
    envelope = Envelope.from_records([record], metadata)
    held = await office.manager.deliver(envelope)
    assert (held.released, held.held, held.reason) == (0, 1, "allow_delivery is off")
    assert office.queue.jobs() == []
    office.registry.register_flow("delivery", empty_envelope)
    allowed = CampaignManager(queue=office.queue, registry=office.registry, allow_delivery=True)
    released = await allowed.deliver(envelope)
    assert (released.released, released.held) == (1, 0)
    (job,) = office.queue.jobs(topic="runs.delivery")
    assert job.message["payload"]["envelope"] == envelope.as_dict()
    assert (job.message["tenant_id"], job.message["allow_delivery"]) == ("org_123", True)


def _broken(payload: Mapping[str, Any]) -> Envelope:
    raise ConnectionError("no line")
