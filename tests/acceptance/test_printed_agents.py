"""The printed agents, all of them: listed with the printed actions, and every action gives something real."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from dirigent import Dirigent
from dirigent.domain.envelope import Envelope
from tests.acceptance.wire import EXAMPLES

PRINTED = json.loads((EXAMPLES / "002-02-agents.json").read_text(encoding="utf-8"))["agents"]
ACTIONS = [
    (agent["type"], action)
    for agent in PRINTED
    for action in (*agent["actions"], *agent.get("actions_added", []))
]
ORG = "org_1"

Given = dict[str, Any]
Sees = Callable[[Any], object]


def _feedback(text: str, rating: int) -> Given:
    return {"id": f"f-{rating}", "text": text, "rating": rating}


BAD = _feedback("Not good at all, never again. I want my money back.", 1)
GOOD = _feedback("The delivery was quick, and it tastes very good.", 5)
SALES = [{"date": f"2026-{month:02}-{day:02}", "qty": 10} for month in (9, 10) for day in range(1, 29)]
BOOKED = {"product_id": "mug", "delta": 10, "reason": "delivery", "idempotency_key": "d-1"}
POSTS = {"brand_id": "b-1", "content_topic": "New Product Launch", "platforms": ["x", "linkedin"]}
DULL = {"platform": "x", "text": "New product launch.", "hashtags": []}

# By action: what it is asked with in a house with two posts and ten mugs, and what has to be so then.
SAMPLES: dict[tuple[str, str], tuple[Given, Sees]] = {
    ("social-media-content", "create_content"): (
        POSTS,
        lambda said: (
            75 <= said["quality_score"] <= 100
            and all("New Product Launch" in post["text"] for post in said["content"])
        ),
    ),
    ("social-media-content", "enhance_content"): (
        {"content": [DULL], "quality_score": 60, "content_topic": "New product launch"},
        lambda said: said["quality_score"] > said["quality_before"] and said["changes"],
    ),
    ("social-media-content", "schedule_content"): (
        {"content_ids": "<posts>", "window": {"start": "09:00", "end": "17:00"}},
        lambda said: [one["at"][11:] for one in said["confirmations"]] == ["09:00:00Z", "17:00:00Z"],
    ),
    ("social-media-content", "publish_content"): (
        {"content_ids": "<posts>"},
        lambda said: {one["held_reason"] for one in said["results"]} == {"delivery_disabled"},
    ),
    ("social-media-content", "analyze_content"): (
        {"content_ids": "<posts>"},
        lambda said: [one["rate"] for one in said["analytics"]] == [0.05, 0.02] and said["significant"],
    ),
    ("feedback-analyst", "analyze_feedback"): (
        {"items": [BAD, GOOD]},
        lambda said: [one["label"] for one in said["results"]] == ["negative", "positive"],
    ),
    ("feedback-analyst", "generate_response"): (
        {"item": BAD, "tone": "friendly"},
        lambda said: said["needs_human"] and said["suggestion"],
    ),
    ("feedback-analyst", "categorize_feedback"): (
        {"items": [GOOD], "taxonomy": ["delivery", "price"]},
        lambda said: said["categories"][0]["category"] == "delivery",
    ),
    ("inventory", "check_stock"): (
        {"product_ids": ["mug", "cup"]},
        lambda said: (said["levels"][0]["available"], said["unknown"]) == (10, ["cup"]),
    ),
    ("inventory", "update_inventory"): (
        {"changes": [{"product_id": "mug", "delta": -4, "reason": "sale", "idempotency_key": "s-1"}]},
        lambda said: said["levels"][0]["on_hand"] == 6,
    ),
    ("inventory", "forecast_demand"): (
        {"product_id": "mug", "sales": SALES, "horizon_days": 7},
        lambda said: [round(one["qty"]) for one in said["forecast"]] == [10] * 7 and said["reorder"],
    ),
    ("notifier", "send_notification"): (
        {"content": "Stock is low.", "recipients": ["ann"], "channels": ["in_app"]},
        lambda said: [(one["recipient"], one["delivered"]) for one in said["deliveries"]] == [("ann", True)],
    ),
    ("notifier", "create_alert"): (
        {"level": "warning", "message": "Stock is low.", "current_value": 3, "threshold": 5},
        lambda said: (said["alert"]["level"], said["alert"]["state"]) == ("warning", "open"),
    ),
    ("notifier", "update_status"): (
        {"subject": {"type": "order", "id": "17"}, "status": "paid"},
        lambda said: said["status_entry"]["status"] == "paid",
    ),
}  # fmt: skip


@pytest.fixture
async def posts(http: httpx2.AsyncClient, dirigent: Dirigent) -> list[str]:
    """Two posts with figures, and ten mugs; the ids of the posts."""
    made = await _output(http, dirigent, "social-media-content", "create_content", POSTS)
    ids = [post["content_id"] for post in made["content"]]
    measured = [(ids[0], 1000, 50), (ids[1], 2000, 40)]
    figures = [
        {"content_id": one, "measured_at": "2026-11-20T10:00:00Z", "impressions": seen, "engagement": reacted}
        for one, seen, reacted in measured
    ]
    dirigent.records.save(ORG, "content_figures", figures)
    await _output(http, dirigent, "inventory", "update_inventory", {"changes": [BOOKED]})
    return ids


async def _output(
    http: httpx2.AsyncClient, dirigent: Dirigent, agent: str, action: str, inputs: Given
) -> Any:
    body = {"action": action, "inputs": inputs, "org_id": ORG}
    answer = await http.post(f"/api/are/agents/{agent}/execute", json=body)
    told = answer.json()
    assert (answer.status_code, told.get("status")) == (200, "succeeded"), told
    envelope = told["envelope"]
    assert Envelope.from_records(envelope["records"], envelope["metadata"]).records
    return dirigent.engine.read(told["execution_id"]).output


async def test_all_are_listed_with_their_actions(http: httpx2.AsyncClient) -> None:
    """Each once, under its type and name, with every printed action."""
    listed = {line["type"]: line for line in (await http.get("/api/v1/agents")).json()["agents"]}
    for agent in PRINTED:
        line = listed[agent["type"]]
        assert line["name"] == agent["name"]
        assert {*agent["actions"], *agent.get("actions_added", [])} <= set(line["actions"])
        assert line["status"] == "online"


def test_every_printed_action_has_a_sample() -> None:
    """None is left out."""
    assert set(SAMPLES) == set(ACTIONS)
    assert len(ACTIONS) == 14


@pytest.mark.parametrize(("agent", "action"), ACTIONS)
async def test_an_action_gives_something_real(
    http: httpx2.AsyncClient, dirigent: Dirigent, posts: list[str], agent: str, action: str
) -> None:
    """No network, no key, no model: its output on the sample is what it has to be."""
    inputs, sees = SAMPLES[agent, action]
    asked = {name: posts if value == "<posts>" else value for name, value in inputs.items()}
    output = await _output(http, dirigent, agent, action, asked)
    assert sees(output), output
