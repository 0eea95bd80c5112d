"""Events, web hooks, connectors and triggers over HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dirigent import Dirigent, Effect, Risk, action, agent
from dirigent.api.app import create_app
from dirigent.intake.workflows import Workflow
from dirigent.settings import read_settings
from tests.acceptance.wire import client_of, differences, printed

CONTENT = Path(__file__).parent.parent / "fixtures" / "002-01-content-creation-workflow.yaml"
CONNECTORS = Path(__file__).parents[2] / "examples" / "connectors"
SECRET = "the-secret-of-the-shop"
SHOP = """
webhook:
  name: shop
  signature: hmac_sha256
  event:
    type: ${body.event}
    subject: order/${body.order.no}
    data: {no: "${body.order.no}", total: "${double(body.order.total)}"}
"""
ON_PAID = """
name: paid
steps: [{id: s, type: transform, parameters: {no: "${input.no}"}}]
triggers: [{type: webhook, webhook: shop, event_type: order.paid}]
"""


@agent("social-media-content", domain="test")
class Content:
    """Writes what it is asked for."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def create_content(self) -> dict[str, Any]:
        """Write something good enough."""
        return {"quality_score": 82}

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def enhance_content(self) -> dict[str, Any]:
        """Write it better."""
        return {"quality_score": 90}


@pytest.fixture
async def open_house(tmp_path: Path) -> AsyncIterator[Dirigent]:
    """A Dirigent with the printed workflow and a web hook at work."""
    hooks = tmp_path / "webhooks"
    hooks.mkdir()
    (hooks / "shop.yaml").write_text(SHOP)
    environment = {
        "DIRIGENT_WEBHOOKS": str(hooks),
        "DIRIGENT_CONNECTORS": str(CONNECTORS),
        "DIRIGENT_WEBHOOK_SHOP_SECRET": f"newer-secret-of-it {SECRET}",
    }
    settings = read_settings(environment=environment, folder=tmp_path, data_folder=tmp_path / "data")
    flows = [Workflow.load(CONTENT), Workflow.parse(ON_PAID)]
    async with Dirigent(settings=settings, agents=[Content], workflows=flows) as opened:
        yield opened


@pytest.fixture
async def http(open_house: Dirigent) -> AsyncIterator[httpx2.AsyncClient]:
    """Its HTTP interface."""
    async with client_of(create_app(open_house.services())) as client:
        yield client


def signed(body: bytes, *, late_s: int = 0, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "X-Signature-256": f"sha256={digest}",
        "X-Timestamp": str(int(time.time()) - late_s),
        "Content-Type": "application/json",
    }


async def test_the_printed_event_starts_the_printed_workflow(
    open_house: Dirigent, http: httpx2.AsyncClient
) -> None:
    """202 with position and what was triggered; the run completes."""
    example = printed("003-06-event-ingest")
    answer = await example.send(http)
    assert answer.status_code == 202
    told = answer.json()
    assert not differences(example.answer, told)
    assert (told["event_id"], told["duplicate"], len(told["triggered"])) == ("evt-ext-1", False, 1)
    reading = await open_house.engine.rest(told["triggered"][0])
    assert (reading.status, reading.started.workflow) == ("completed", "AI-Powered Content Creation")
    assert reading.started.trigger == "event"


async def test_the_same_event_again(http: httpx2.AsyncClient) -> None:
    """200, a duplicate, nothing triggered; other content under its name is a conflict."""
    example = printed("003-06-event-ingest")
    first = (await example.send(http)).json()
    again = await example.send(http)
    assert again.status_code == 200
    assert again.json() == {**first, "duplicate": True, "triggered": []}
    changed = await http.post("/api/v1/events", json={**json.loads(example.content), "data": {}})
    assert (changed.status_code, changed.json()["code"]) == (409, "conflict")


async def test_an_unknown_type_is_stored(http: httpx2.AsyncClient) -> None:
    """Nothing is triggered, and the event is there."""
    answer = await http.post("/api/v1/events", json={"type": "sky.cleared", "source": "weather", "data": [1]})
    assert (answer.status_code, answer.json()["triggered"]) == (202, [])
    (event,) = (await http.get("/api/v1/events?type=sky.*")).json()["events"]
    assert event["event"]["data"] == [1]
    assert event["position"] == answer.json()["position"]
    assert (await http.get("/api/v1/events?type=other")).json()["total"] == 0


async def test_events_of_a_tenant(http: httpx2.AsyncClient) -> None:
    """The request's organization owns the event; one that says otherwise is refused."""
    event = {"type": "a", "source": "s", "id": "1"}
    assert (await http.post("/api/v1/events?org_id=org_2", json=event)).status_code == 202
    assert (await http.get("/api/v1/events?org_id=org_2")).json()["total"] == 1
    assert (await http.get("/api/v1/events?org_id=org_3")).json()["total"] == 0
    refused = await http.post("/api/v1/events?org_id=org_2", json={**event, "tenant": "org_3"})
    assert (refused.status_code, refused.json()["code"]) == (403, "tenant_mismatch")


@pytest.mark.parametrize(
    ("body", "field"),
    [({"source": "s"}, "type"), ({"type": "a", "source": "s", "webhook": "shop"}, "webhook"), ([], "")],
)
async def test_what_is_no_event_is_refused(http: httpx2.AsyncClient, body: Any, field: str) -> None:
    """422 with the attribute; nobody can pretend to be a web hook."""
    answer = await http.post("/api/v1/events", json=body)
    assert answer.status_code == 422
    if field:
        assert answer.json()["field"] == field


async def test_the_printed_web_hook(open_house: Dirigent, http: httpx2.AsyncClient) -> None:
    """The call becomes an event by its mapping and starts the workflow that waits for it."""
    example = printed("003-07-webhook")
    answer = await http.post(example.path, content=example.content, headers=signed(example.content))
    assert answer.status_code == 202
    assert not differences({**example.answer}, answer.json())
    assert answer.json()["type"] == "order.paid"
    await open_house.triggers.matcher.started_by(answer.json()["position"])
    (row,) = open_house.engine.executions()
    assert (row.workflow, row.trigger) == ("paid", "webhook")
    assert (await open_house.engine.rest(row.execution_id)).output == {"no": "A-17"}
    again = await http.post(example.path, content=example.content, headers=signed(example.content))
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    assert len(open_house.engine.executions()) == 1


async def test_web_hooks_that_are_refused(http: httpx2.AsyncClient) -> None:
    """401 for a bad signature and for an old call, 422 for one that does not fit, 404 for an unknown one."""
    body = printed("003-07-webhook").content
    path = "/api/v1/webhooks/shop"
    forged = await http.post(path, content=body, headers=signed(body, secret="another secret of it"))
    assert (forged.status_code, forged.json()["code"]) == (401, "signature_invalid")
    missing = await http.post(path, content=b"not even json")
    assert missing.json()["error"]["message"] == forged.json()["error"]["message"]
    old = await http.post(path, content=body, headers=signed(body, late_s=301))
    assert (old.status_code, old.json()["code"]) == (401, "replay")
    strange = await http.post(path, content=b'{"a":1}', headers=signed(b'{"a":1}'))
    assert (strange.status_code, strange.json()["code"]) == (422, "mapping_failed")
    broken = await http.post(path, content=b"{", headers=signed(b"{"))
    assert (broken.status_code, broken.json()["code"]) == (400, "bad_request")
    assert (await http.post("/api/v1/webhooks/none", content=body)).status_code == 404
    huge = b"x" * 1_100_000
    assert (await http.post(path, content=huge, headers=signed(huge))).status_code == 413
    assert (await http.get("/api/v1/events")).json()["total"] == 0


async def test_triggers_are_listed_paused_and_fired(open_house: Dirigent, http: httpx2.AsyncClient) -> None:
    """What is at work, when it fires next, what it did; and a hand on it."""
    told = (await http.get("/api/v1/triggers")).json()["triggers"]
    by_type = {one["type"]: one for one in told}
    assert set(by_type) == {"schedule", "event", "webhook"}
    assert by_type["schedule"]["next"] is not None
    assert by_type["schedule"]["fires_for"] == "0 9 * * 1-5 UTC"
    event = by_type["event"]
    address = f"/api/v1/triggers/{event['id']}"
    paused = await http.post(f"{address}/pause", json={"actor": "ada", "reason": "too loud"})
    assert paused.json()["paused"] is True
    assert (await printed("003-06-event-ingest").send(http)).json()["triggered"] == []
    assert (await http.post(f"{address}/fire", json={"input": {}})).status_code == 409
    assert (await http.post(f"{address}/resume")).json()["paused"] is False
    content = {"brand_id": "b", "content_topic": "t"}
    fired = await http.post(f"{address}/fire", json={"input": content})
    assert fired.status_code == 202
    await open_house.engine.rest(fired.json()["execution_id"])
    firings = (await http.get(f"/api/v1/triggers/firings?trigger={event['id']}")).json()["firings"]
    assert [one["decision"] for one in firings] == ["started", "paused", "paused"]
    unknown = await http.post("/api/v1/triggers/none/fire")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "trigger_not_found")


async def test_connectors_are_listed_and_asked(open_house: Dirigent, http: httpx2.AsyncClient) -> None:
    """What is asked, how far it came, and asking it now; an unknown one is 404."""
    (crm,) = (await http.get("/api/v1/connectors")).json()["connectors"]
    assert (crm["name"], crm["event_type"], crm["through"], crm["failure"]) == ("crm", "crm.deal_won", 0, "")
    first = await http.post("/api/v1/connectors/crm/poll")
    assert (first.status_code, first.json()["taken"], first.json()["refused"]) == (200, 2, [])
    again = (await http.post("/api/v1/connectors/crm/poll", json={"again": True})).json()
    assert (again["taken"], again["known"], again["passed"]) == (0, 2, 2)
    (crm,) = (await http.get("/api/v1/connectors")).json()["connectors"]
    assert crm["through"] == again["through"] > 0
    assert (await http.get("/api/v1/connectors?org_id=org_9")).json()["total"] == 0
    unknown = await http.post("/api/v1/connectors/shop/poll")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "connector_not_found")
    assert open_house.event_index.events(type="crm.*")
