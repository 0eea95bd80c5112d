"""Goals over HTTP: the printed examples, and what is wrong with a goal said field by field."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import httpx2
import pytest

from dirigent import Dirigent
from dirigent.api.goal_models import Constraints, GoalRequest
from dirigent.domain.envelope import Envelope
from dirigent.intake.goals.acceptance import CONSTRAINTS, FIELDS
from tests.acceptance.books import small_books
from tests.acceptance.wire import differences, printed

STATUSES = {
    "accepted",
    "planning",
    "running",
    "awaiting_approval",
    "paused",
    "completed",
    "partially_completed",
    "blocked",
    "failed",
    "cancelled",
    "rejected",
}


def _end_of_quarter(today: date) -> date:
    month, day = {1: (3, 31), 2: (6, 30), 3: (9, 30), 4: (12, 31)}[(today.month + 2) // 3]
    return date(today.year, month, day)


def _today(dirigent: Dirigent) -> date:
    return datetime.fromtimestamp(dirigent.clock.now_ms() / 1000, UTC).date()


async def test_a_sentence_as_printed(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """The sentence is read: type, a quarter more meetings, and the last day of this quarter."""
    example = printed("000-06-goal-natural-language")
    answer = await example.send(http)
    assert answer.status_code == 202
    assert not differences(example.answer, answer.json())
    assert answer.json()["interpreted_goal"] == {
        "goal_type": "INCREASE_MEETINGS",
        "target_metrics": {"meetings_booked": {"relative_change": 0.25}},
        "deadline": _end_of_quarter(_today(dirigent)).isoformat(),
        "confidence": 0.9,
    }


async def test_a_goal_as_printed(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """The printed goal is accepted at once, under an id of the printed form, with a time not yet past."""
    example = printed("000-07-post-goal")
    before = datetime.now(UTC).replace(microsecond=0)
    answer = await example.send(http)
    after = datetime.now(UTC)
    assert (answer.status_code, set(answer.json())) == (202, set(example.answer))
    assert not differences(example.answer, answer.json())
    accepted = answer.json()
    assert accepted["status"] == "accepted"
    found = re.fullmatch(r"are_exec_([0-9]{8}_[0-9]{6})_[0-9]{5}", accepted["execution_id"])
    assert found
    assert before <= datetime.strptime(found[1], "%Y%m%d_%H%M%S").replace(tzinfo=UTC) <= after
    assert accepted["estimated_completion"].endswith("Z")
    assert datetime.fromisoformat(accepted["estimated_completion"]) >= before
    stored = dirigent.engine.read(accepted["execution_id"]).started
    assert stored.labels["goal"]["target_metrics"] == {"meetings_booked": 10}
    assert (stored.passport.actor, stored.passport.tenant, stored.trigger) == ("local", "org_123", "api")


async def test_an_execution_as_printed(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """A goal that ran tells everything that is printed, with a valid envelope as its result."""
    small_books(dirigent, "org_123")
    accepted = (await printed("000-07-post-goal").send(http)).json()["execution_id"]
    await dirigent.engine.rest(accepted)
    for approval in (await http.get("/api/v1/approvals")).json()["approvals"]:
        decided = await http.post(
            f"/api/v1/approvals/{approval['approval_id']}/decide", json={"decision": "reject"}
        )
        assert decided.status_code == 200
    await dirigent.engine.rest(accepted)
    example = printed("000-08-get-execution")
    answer = await example.send(http, are_exec_20241126_143000_12345=accepted)
    assert answer.status_code == 200
    assert not differences(example.answer, answer.json())
    told = answer.json()
    assert told["status"] in STATUSES
    assert told["autonomy"] == {"requested": "L2", "effective": "L2"}
    assert told["tasks"]
    Envelope.from_records(told["result"]["records"], told["result"]["metadata"])
    whole = (await http.get(f"/api/are/executions/{accepted}?expand=plan")).json()
    assert whole["plan"]["tasks"]
    assert "tasks" not in told["plan"]


async def test_goals_are_listed_newest_first(http: httpx2.AsyncClient) -> None:
    """The list shows goals only, the tenant's only, and no more than asked for."""
    ids = [(await printed("000-07-post-goal").send(http)).json()["execution_id"] for _ in range(3)]
    listed = (await http.get("/api/are/executions?limit=2")).json()
    assert [line["execution_id"] for line in listed["executions"]] == ids[:0:-1]
    assert (await http.get("/api/are/executions?org_id=org_9")).json() == {"executions": [], "total": 0}


@pytest.mark.parametrize(
    ("goal", "code", "field", "guidance"),
    [
        ({}, "goal_not_understood", "goal_type", "Which goal is it"),
        ({"description": "Paint the office blue"}, "goal_not_understood", "description", "Which goal is it"),
        ({"goal_type": "WIN_WAR"}, "invalid_input", "goal_type", "REVIVE_PIPELINE, INCREASE_MEETINGS"),
        (
            {"goal_type": "BUILD_ICP", "target_metrics": {"meetngs": 1}},
            "invalid_input",
            "target_metrics.meetngs",
            "meetings",
        ),
        (
            {"goal_type": "BUILD_ICP", "target_metrics": {"meetings": "many"}},
            "invalid_input",
            "target_metrics.meetings",
            "number",
        ),
        (
            {"goal_type": "BUILD_ICP", "constraints": {"max_budget": -1}},
            "invalid_input",
            "constraints.max_budget",
            "zero or more",
        ),
        (
            {"goal_type": "BUILD_ICP", "constraints": {"autonomy_level": "L9"}},
            "invalid_input",
            "constraints.autonomy_level",
            "L0",
        ),
        (
            {"goal_type": "BUILD_ICP", "constraints": {"max_bugdet": 1}},
            "invalid_input",
            "constraints.max_bugdet",
            "max_budget",
        ),
        ({"gaol_type": "BUILD_ICP"}, "invalid_input", "gaol_type", "goal_type"),
        ([{"goal_type": "BUILD_ICP"}], "validation_failed", "body", "object"),
        ("Revive the pipeline", "validation_failed", "body", "object"),
    ],
)
async def test_a_wrong_goal_is_told_by_field(
    http: httpx2.AsyncClient, goal: Any, code: str, field: str, guidance: str
) -> None:
    """422 names the field that is wrong and what would be right; nothing is started."""
    answer = await http.post("/api/are/goals", json=goal)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["field"]) == (422, code, field)
    assert guidance in " ".join(problem["guidance"])
    assert (await http.get("/api/are/executions")).json()["total"] == 0


async def test_one_request_speaks_for_one_tenant(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """The header stands in for the body's organization, and a different one in the body is refused."""
    goal = {"goal_type": "BUILD_ICP"}
    taken = await http.post("/api/are/goals", json=goal, headers={"X-Org-Id": "org_7"})
    assert dirigent.engine.row(taken.json()["execution_id"]).tenant == "org_7"
    refused = await http.post(
        "/api/are/goals", json={**goal, "org_id": "org_8"}, headers={"X-Org-Id": "org_7"}
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "tenant_mismatch")


@pytest.mark.parametrize("asked", ["nope", "are_exec_20241126_143000_12345", "a/b/c", "%00"])
async def test_an_unknown_execution_is_not_found(http: httpx2.AsyncClient, asked: str) -> None:
    """404 with its own code and where to look."""
    answer = await http.get(f"/api/are/executions/{asked}")
    assert (answer.status_code, answer.json()["code"]) == (404, "execution_not_found")
    assert answer.json()["guidance"]


async def test_another_tenants_execution_is_not_there(http: httpx2.AsyncClient) -> None:
    """404, not 403: nobody learns that it exists."""
    accepted = (await printed("000-07-post-goal").send(http)).json()["execution_id"]
    for path in ("/api/are/executions", "/api/v1/executions"):
        assert (await http.get(f"{path}/{accepted}?org_id=org_123")).status_code == 200
        foreign = await http.get(f"{path}/{accepted}", headers={"X-Org-Id": "org_9"})
        assert (foreign.status_code, foreign.json()["code"]) == (404, "execution_not_found")


def test_the_described_goal_is_the_one_taken() -> None:
    """The fields in the API document are those that intake reads."""
    assert set(GoalRequest.model_fields) == set(FIELDS)
    assert set(Constraints.model_fields) == set(CONSTRAINTS)
