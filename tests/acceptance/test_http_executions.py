"""Executions over HTTP: steps, history, stopping."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from dirigent import Dirigent
from dirigent.domain.workflow import Definition, Kind, Step
from tests.acceptance.books import small_books
from tests.acceptance.desk import Desk
from tests.acceptance.wire import differences, printed


def _definition(*steps: Step) -> Definition:
    return Definition(name="desk_work", description="Work at the desk", steps=steps)


def _step(action: str, **parameters: Any) -> Step:
    return Step(id=action, kind=Kind.AGENT, agent="desk", action=action, parameters=parameters)


@pytest.fixture
def desk(dirigent: Dirigent) -> Dirigent:
    """A Dirigent with the test's agent."""
    dirigent.registry.register(Desk)
    return dirigent


async def test_an_execution_tells_its_steps(desk: Dirigent, http: httpx2.AsyncClient) -> None:
    """One entry per step with status, attempts, time and output, and how long the history is."""
    reading = await desk.run(_definition(_step("list_leads", count=1)), tenant="org_1")
    told = (await http.get(f"/api/v1/executions/{reading.execution_id}")).json()
    expected = {
        "execution_id": "a1c7",
        "workflow_id": "w",
        "workflow_version": None,
        "status": "completed",
        "trigger_type": "api",
        "steps": [{"id": "s", "status": "succeeded", "attempts": 1, "duration_ms": 1, "output": None}],
        "output": None,
        "started_at": "2024-11-26T14:30:00Z",
        "finished_at": "2024-11-26T14:30:00Z",
        "audit": {"events": 9},
    }
    assert not differences(expected, told)
    assert (told["status"], told["org_id"], told["workflow_id"]) == ("completed", "org_1", "desk_work")
    step = told["steps"][0]
    assert (step["id"], step["status"], step["attempts"]) == ("list_leads", "succeeded", 1)
    assert step["output"] == [{"lead_id": "L0"}]
    events = (await http.get(f"/api/v1/executions/{reading.execution_id}/events")).json()
    assert told["audit"]["events"] == events["total"] == len(events["events"])


async def test_the_history_names_who_did_what(desk: Dirigent, http: httpx2.AsyncClient) -> None:
    """Every transition in order with type, time and, where a person acted, that person."""
    reading = await desk.run(_definition(_step("pay", amount=3)))
    approval = (await http.get(f"/api/v1/approvals?execution={reading.execution_id}")).json()["approvals"][0]
    decision = {"decision": "approve", "comment": "fine", "actor": "boss"}
    await http.post(f"/api/v1/approvals/{approval['approval_id']}/decide", json=decision)
    await desk.engine.rest(reading.execution_id)
    address = f"/api/v1/executions/{reading.execution_id}/events"
    events = (await http.get(address)).json()["events"]
    assert [event["version"] for event in events] == list(range(1, len(events) + 1))
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    actors = {event["type"]: event["actor"] for event in events}
    assert (actors["ExecutionStarted"], actors["ApprovalDecided"], actors["StepCompleted"]) == (
        "local",
        "boss",
        None,
    )
    page = (await http.get(f"{address}?after=1&limit=2")).json()
    assert page["events"] == events[1:3]
    assert page["total"] == len(events)
    for after in (len(events), len(events) + 100):
        nothing_new = (await http.get(f"{address}?after={after}")).json()
        assert (nothing_new["events"], nothing_new["total"]) == ([], len(events))


async def test_children_are_reached_by_their_ids(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """An id with a slash names the execution that a step started, its history too."""
    small_books(dirigent, "org_123")
    accepted = (await printed("000-07-post-goal").send(http)).json()["execution_id"]
    await dirigent.engine.rest(accepted)
    told = (await http.get(f"/api/v1/executions/{accepted}/work")).json()
    assert (told["execution_id"], told["trigger_type"]) == (f"{accepted}/work", "parent")
    events = (await http.get(f"/api/v1/executions/{accepted}/work/events")).json()
    assert (events["execution_id"], events["total"]) == (f"{accepted}/work", told["audit"]["events"])
    no_goal = await http.get(f"/api/are/executions/{accepted}/work")
    assert (no_goal.status_code, no_goal.json()["code"]) == (404, "execution_not_found")


async def test_lists_look_back_as_far_as_needed(desk: Dirigent, http: httpx2.AsyncClient) -> None:
    """What is rare is found behind much that is frequent."""
    waiting = (await desk.run(_definition(_step("pay", amount=1)))).execution_id
    for _ in range(6):
        await desk.run(_definition(_step("list_leads", count=0)))
    told = (await http.get("/api/v1/executions?status=awaiting_approval&limit=1")).json()
    assert [line["execution_id"] for line in told["executions"]] == [waiting]


async def test_executions_are_listed_by_status(desk: Dirigent, http: httpx2.AsyncClient) -> None:
    """Newest first, filtered by status and tenant, bounded."""
    done = [(await desk.run(_definition(_step("list_leads", count=1)))).execution_id for _ in range(2)]
    waiting = (await desk.run(_definition(_step("pay", amount=1)), tenant="org_2")).execution_id

    async def ids(query: str) -> list[str]:
        told = (await http.get(f"/api/v1/executions{query}")).json()
        assert told["total"] == len(told["executions"])
        return [line["execution_id"] for line in told["executions"]]

    assert await ids("") == [waiting, done[1], done[0]]
    assert await ids("?status=completed") == [done[1], done[0]]
    assert await ids("?status=awaiting_approval") == [waiting]
    assert await ids("?org_id=org_2") == [waiting]
    assert await ids("?limit=1") == [waiting]
    for limit in ("0", "-1", "1001", "many"):
        assert (await http.get(f"/api/v1/executions?limit={limit}")).status_code == 422


@pytest.mark.parametrize("body", [{"reason": "enough", "actor": "boss"}, None])
async def test_cancelling_stops_it(
    desk: Dirigent, http: httpx2.AsyncClient, body: dict[str, str] | None
) -> None:
    """Controlled, by whom and why is on record; a second time it has ended already."""
    execution = await desk.intake.run_workflow(_definition(_step("linger")))
    address = f"/api/v1/executions/{execution}/cancel"
    answer = await (http.post(address, json=body) if body else http.post(address))
    assert (answer.status_code, answer.json()["execution_id"]) == (200, execution)
    assert answer.json()["status"] in ("cancelling", "cancelled")
    assert (await desk.engine.rest(execution)).status == "cancelled"
    events = (await http.get(f"/api/v1/executions/{execution}/events")).json()["events"]
    asked = next(event for event in events if event["type"] == "CancelRequested")
    assert asked["actor"] == ("boss" if body else "local")
    again = await http.post(address)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize("suffix", ["", "/events", "/cancel"])
async def test_an_unknown_execution_is_not_found(http: httpx2.AsyncClient, suffix: str) -> None:
    """404 with its own code at every address below the id."""
    address = f"/api/v1/executions/nope/child{suffix}"
    answer = await (http.post(address) if suffix == "/cancel" else http.get(address))
    assert (answer.status_code, answer.json()["code"]) == (404, "execution_not_found")


async def test_pause_and_resume_over_http(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """A run that waits for a person can be paused once, says so, and goes on waiting after the resume."""
    step = Step(id="ask", kind=Kind.APPROVAL, parameters={"reason": "may it go on?"})
    execution_id = await dirigent.intake.run_workflow(Definition(name="asking", steps=(step,)))
    await dirigent.engine.rest(execution_id)
    address = f"/api/v1/executions/{execution_id}"
    assert (await http.post(f"{address}/pause", json={"reason": "lunch"})).json()["status"] == "paused"
    assert (await http.post(f"{address}/pause")).status_code == 409
    assert (await http.post(f"{address}/resume")).json()["status"] == "awaiting_approval"
