"""Approvals over HTTP: what waits, exactly what would go out, and the decision."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx2

from dirigent import Dirigent
from dirigent.api.app import create_app
from dirigent.settings import Settings
from tests.acceptance.books import small_books
from tests.acceptance.desk import Desk
from tests.acceptance.wire import client_of, printed

TENANT = "org_123"


async def _held(dirigent: Dirigent, client: httpx2.AsyncClient) -> list[dict[str, object]]:
    """The approvals of the printed goal over small books."""
    small_books(dirigent, TENANT)
    accepted = (await printed("000-07-post-goal").send(client)).json()["execution_id"]
    await dirigent.engine.rest(accepted)
    told = (await client.get(f"/api/v1/approvals?execution={accepted}")).json()
    assert told["total"] == len(told["approvals"]) > 0
    return list(told["approvals"])


async def test_the_message_is_shown_as_it_would_go_out(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """An approval shows recipient, subject and text, and the hash of the very bytes it is about."""
    first = (await _held(dirigent, http))[0]
    detail = (await http.get(f"/api/v1/approvals/{first['approval_id']}")).json()
    message, preview = detail["message"], detail["preview"]
    assert message["message_id"] == preview["message_id"]
    stored = dirigent.records.fetch(TENANT, "messages", where={"message_id": preview["message_id"]})[0]
    raw = message["raw"].encode()
    assert raw == (stored["content"].encode() if isinstance(stored["content"], str) else stored["content"])
    assert message["sha256"] == preview["sha256"] == hashlib.sha256(raw).hexdigest()
    assert "@" in message["headers"]["To"]
    assert message["headers"]["Subject"] == stored["subject"]
    assert message["body"].strip()


async def test_delivery_that_is_off_cannot_be_approved(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """409 says how to turn it on; the approval stays open and nothing is in the outbox."""
    address = f"/api/v1/approvals/{(await _held(dirigent, http))[0]['approval_id']}"
    answer = await http.post(f"{address}/decide", json={"decision": "approve"})
    assert answer.status_code == 409
    assert "DIRIGENT_ALLOW_DELIVERY=1" in answer.json()["fix"]
    assert (await http.get(address)).json()["state"] == "open"
    assert not list((dirigent.settings.data_folder / "outbox").glob("*.eml"))


async def test_rejecting_is_final(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """Rejected by whom and why; it leaves the open ones, and deciding again is a conflict."""
    waiting = await _held(dirigent, http)
    address = f"/api/v1/approvals/{waiting[0]['approval_id']}"
    body = {"decision": "reject", "comment": "not him", "actor": "boss"}
    told = (await http.post(f"{address}/decide", json=body)).json()
    assert (told["state"], told["decided_by"], told["comment"]) == ("rejected", "boss", "not him")
    again = await http.post(f"{address}/decide", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert (await http.get("/api/v1/approvals")).json()["total"] == len(waiting) - 1
    rejected = (await http.get("/api/v1/approvals?state=rejected")).json()["approvals"]
    assert [row["approval_id"] for row in rejected] == [waiting[0]["approval_id"]]
    assert (await http.get("/api/v1/approvals?state=all")).json()["total"] == len(waiting)


async def test_approving_lets_exactly_that_message_go(tmp_path: Path) -> None:
    """With delivery on and at L1, the approved message is in the outbox and no other."""
    settings = Settings(data_folder=tmp_path, allow_delivery=True)
    async with Dirigent(settings=settings) as dirigent, client_of(create_app(dirigent.services())) as client:
        small_books(dirigent, TENANT)
        goal = {"goal_type": "REVIVE_PIPELINE", "constraints": {"autonomy_level": "L1"}, "org_id": TENANT}
        accepted = (await client.post("/api/are/goals", json=goal)).json()["execution_id"]
        await dirigent.engine.rest(accepted)
        first = (await client.get("/api/v1/approvals")).json()["approvals"][0]
        told = await client.post(
            f"/api/v1/approvals/{first['approval_id']}/decide", json={"decision": "approve"}
        )
        assert (told.status_code, told.json()["state"]) == (200, "approved")
        await dirigent.engine.rest(accepted)
        letters = list((tmp_path / "outbox").glob("*.eml"))
    assert [letter.stem for letter in letters] == [first["preview"]["message_id"]]
    assert hashlib.sha256(letters[0].read_bytes()).hexdigest() == first["preview"]["sha256"]


async def test_an_approval_about_no_message_shows_none(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """Where nothing is stored under the id, or no id is named, the preview stands alone."""
    dirigent.registry.register(Desk)
    for action, inputs in (("pay", {"amount": 3}), ("shred", {"message": {"message_id": "m1"}})):
        body = {"action": action, "inputs": inputs}
        waiting = (await http.post("/api/are/agents/desk/execute", json=body)).json()["approvals"][0]
        detail = (await http.get(f"/api/v1/approvals/{waiting}")).json()
        assert (detail["preview"], detail["message"]) == (inputs, None)


async def test_another_tenants_approval_is_not_there(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """Neither listed, nor read, nor decided."""
    dirigent.registry.register(Desk)
    body = {"action": "pay", "inputs": {"amount": 3}, "org_id": "org_1"}
    waiting = (await http.post("/api/are/agents/desk/execute", json=body)).json()["approvals"][0]
    foreign = {"X-Org-Id": "org_2"}
    assert (await http.get("/api/v1/approvals", headers=foreign)).json()["total"] == 0
    read = await http.get(f"/api/v1/approvals/{waiting}", headers=foreign)
    decided = await http.post(
        f"/api/v1/approvals/{waiting}/decide", json={"decision": "approve"}, headers=foreign
    )
    assert [(answer.status_code, answer.json()["code"]) for answer in (read, decided)] == [
        (404, "approval_not_found")
    ] * 2
    assert dirigent.engine.approval(waiting).state == "open"


async def test_a_decision_is_approve_or_reject(http: httpx2.AsyncClient) -> None:
    """Any other word is refused by field, before anything is looked up."""
    for body in ({}, {"decision": "yes"}, {"decision": "approve", "commment": "x"}):
        answer = await http.post("/api/v1/approvals/apr_x/decide", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    unknown = await http.post("/api/v1/approvals/apr_x/decide", json={"decision": "reject"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "approval_not_found")
