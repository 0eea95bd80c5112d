"""Agents over HTTP: the catalogue with its schemas, and direct calls under the same checks as any run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dirigent import Autonomy, Dirigent
from dirigent.api.app import create_app
from dirigent.domain.envelope import Envelope
from dirigent.settings import Config, Settings
from tests.acceptance.books import small_books
from tests.acceptance.desk import Desk
from tests.acceptance.wire import client_of, differences, printed


@pytest.fixture
def desk(dirigent: Dirigent, http: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """The HTTP interface of a Dirigent with the test's agent."""
    dirigent.registry.register(Desk)
    return http


async def _execute(client: httpx2.AsyncClient, action: str, inputs: Any = None) -> httpx2.Response:
    body = {"action": action, "inputs": inputs or {}, "org_id": "org_1"}
    return await client.post("/api/are/agents/desk/execute", json=body)


async def test_compliance_as_printed(http: httpx2.AsyncClient) -> None:
    """The printed message is not allowed, and the envelope says by which rules and how to mend it."""
    example = printed("000-10-agent-execute")
    answer = await example.send(http)
    assert answer.status_code == 200
    told = answer.json()
    assert not differences(example.answer, told)
    assert (told["agent"], told["action"], told["status"]) == ("compliance", "check_message", "succeeded")
    envelope = Envelope.from_records(told["envelope"]["records"], told["envelope"]["metadata"])
    assert envelope.metadata["tenant_id"] == "org_123"
    record = envelope.records[0]
    expected = example.answer["envelope"]["records"][0]
    assert (record.type, record.provenance["source"], record.provenance["node"]) == (
        "policy_decision",
        "rule_engine",
        "direct",
    )
    assert record.data["allow"] is False
    assert set(expected["data"]["violations"]) <= set(record.data["violations"])


async def test_a_list_gives_a_record_each(desk: httpx2.AsyncClient) -> None:
    """Every item of the output is a record named after its class, with its provenance."""
    told = (await _execute(desk, "list_leads", {"count": 2})).json()
    records = told["envelope"]["records"]
    assert [(record["type"], record["data"]) for record in records] == [
        ("new_lead", {"lead_id": "L0"}),
        ("new_lead", {"lead_id": "L1"}),
    ]
    assert len({record["id"] for record in records}) == 2
    assert {record["provenance"]["run_id"] for record in records} == {told["execution_id"]}
    Envelope.from_records(records, told["envelope"]["metadata"])


async def test_an_alias_is_as_good_as_the_key(desk: httpx2.AsyncClient) -> None:
    """The agent is found by any of its names and answers by its key."""
    body = {"action": "list_leads", "inputs": {"count": 1}}
    answer = await desk.post("/api/are/agents/DeskAgent/execute", json=body)
    assert (answer.status_code, answer.json()["agent"]) == (200, "desk")
    assert answer.json()["envelope"]["metadata"]["tenant_id"] == "default"


async def test_an_unknown_agent_gets_the_nearest_names(desk: httpx2.AsyncClient) -> None:
    """404 agent_not_found, with names close to the one asked for."""
    answer = await desk.post("/api/are/agents/desc/execute", json={"action": "pay"})
    assert (answer.status_code, answer.json()["code"]) == (404, "agent_not_found")
    assert "desk" in answer.json()["nearest"]


@pytest.mark.parametrize(
    ("action", "inputs", "field", "said"),
    [
        ("fly", {}, "action", "list_leads, pay"),
        ("list_leads", {"count": "many"}, "count", "integer"),
        ("list_leads", {}, "count", "required"),
        ("list_leads", {"count": 1, "colour": "red"}, "colour", "not permitted"),
    ],
)
async def test_a_wrong_call_names_the_field(
    desk: httpx2.AsyncClient, action: str, inputs: dict[str, Any], field: str, said: str
) -> None:
    """422 lists the actions there are, or names the input and what it should be; nothing is started."""
    answer = await _execute(desk, action, inputs)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert said in f"{answer.json()['detail']} {answer.json()['fix']}"
    assert (await desk.get("/api/v1/executions")).json()["total"] == 0


async def test_a_body_with_unknown_names_is_refused(desk: httpx2.AsyncClient) -> None:
    """A misspelt field does not pass for a left-out one; every finding is told."""
    answer = await desk.post("/api/are/agents/desk/execute", json={"acton": "pay", "inputs": []})
    told = answer.json()
    assert (answer.status_code, told["code"]) == (422, "validation_failed")
    assert {finding["field"] for finding in told["errors"]} == {"action", "inputs", "acton"}


async def test_what_asks_a_person_is_not_done(desk: httpx2.AsyncClient) -> None:
    """202 with the approval it waits for: a direct call is no way around autonomy."""
    answer = await _execute(desk, "pay", {"amount": 3})
    told = answer.json()
    assert (answer.status_code, told["status"]) == (202, "awaiting_approval")
    approval = (await desk.get(f"/api/v1/approvals/{told['approvals'][0]}")).json()
    assert (approval["kind"], approval["preview"], approval["org_id"]) == ("approval", {"amount": 3}, "org_1")


async def test_what_would_leave_is_held(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """202 and held while delivery is off: a direct call is no way around the delivery gate."""
    small_books(dirigent, "org_123")
    accepted = (await printed("000-07-post-goal").send(http)).json()["execution_id"]
    await dirigent.engine.rest(accepted)
    inputs = (await http.get("/api/v1/approvals")).json()["approvals"][0]["preview"]
    body = {"action": "send", "inputs": inputs, "org_id": "org_123"}
    answer = await http.post("/api/are/agents/delivery/execute", json=body)
    told = answer.json()
    assert (answer.status_code, told["status"]) == (202, "held")
    approval = (await http.get(f"/api/v1/approvals/{told['approvals'][0]}")).json()
    assert (approval["kind"], approval["preview"]) == ("hold", inputs)
    assert not list((dirigent.settings.data_folder / "outbox").glob("*.eml"))


async def test_at_l0_everything_is_only_simulated(tmp_path: Path) -> None:
    """The result says that nothing was done, and what would have been."""
    config = Config(defaultAutonomyLevel=Autonomy.L0)
    settings = Settings(data_folder=tmp_path, config=config)
    async with (
        Dirigent(settings=settings, agents=[Desk]) as dirigent,
        client_of(create_app(dirigent.services())) as client,
    ):
        told = (await _execute(client, "pay", {"amount": 3})).json()
    assert (told["status"], told["envelope"]["metadata"]["status"]) == ("simulated", "simulated")
    assert told["envelope"]["records"][0]["data"]["would"] == "desk.pay"


async def test_what_policy_forbids_is_refused_with_its_rules(desk: httpx2.AsyncClient) -> None:
    """403 names the rules and the ways to satisfy them, and the refusal is in the journal."""
    answer = await _execute(desk, "post", {"message": {"channel": "email", "body": "Buy now"}})
    told = answer.json()
    assert (answer.status_code, told["code"]) == (403, "policy_denied")
    assert "can_spam.no_opt_out" in told["rules"]
    assert "add an opt-out link" in told["fix"]
    history = (await desk.get(f"/api/v1/executions/{told['execution_id']}/events")).json()["events"]
    assert "ActionRefused" in {event["type"] for event in history}


async def test_an_action_that_cannot_be_done_says_why(desk: httpx2.AsyncClient) -> None:
    """422 with the agent's own words, and where its history is."""
    answer = await _execute(desk, "stumble")
    told = answer.json()
    assert (answer.status_code, told["code"]) == (422, "action_failed")
    assert "The drawer is empty." in told["detail"]
    assert told["execution_id"] in told["fix"]


async def test_an_agent_that_breaks_is_not_the_servers_fault(desk: httpx2.AsyncClient) -> None:
    """502 in the one form, without a traceback."""
    answer = await _execute(desk, "crash")
    assert (answer.status_code, answer.json()["code"]) == (502, "agent_error")
    assert "Traceback" not in answer.text


async def test_agents_are_listed_as_printed(desk: httpx2.AsyncClient) -> None:
    """Every registered agent once, by key, and only those of a domain where one is named."""
    printed_line = {
        "type": "social-media-content",
        "name": "Social Media Content Agent",
        "status": "online",
        "actions": ["create_content"],
        "transport": "in_process",
    }
    told = (await desk.get("/api/v1/agents")).json()
    assert not differences({"agents": [printed_line], "total": 1}, told)
    keys = [line["type"] for line in told["agents"]]
    assert keys == sorted(keys)
    assert told["total"] == len(keys)
    assert {"desk", "compliance", "delivery", "planner", "critic"} <= set(keys)
    of_domain = (await desk.get("/api/v1/agents?domain=test")).json()
    assert [line["name"] for line in of_domain["agents"]] == ["Desk Agent"]


async def test_every_agent_tells_its_schemas(http: httpx2.AsyncClient) -> None:
    """Each entry of the list leads to the schemas of all its actions."""
    for line in (await http.get("/api/v1/agents")).json()["agents"]:
        detail = (await http.get(line["schemas"])).json()
        assert [action["name"] for action in detail["actions"]] == line["actions"]
        for action in detail["actions"]:
            assert action["input_schema"]["type"] == "object"
            assert json.dumps(action["output_schema"])
    unknown = await http.get("/api/v1/agents/nobody")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "agent_not_found")
