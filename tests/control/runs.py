"""A goal, its plan, and what came out of its work, as an execution would hand them to the critic."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

STEPS = (
    ("select", "revival_engine", "find_dormant"),
    ("score", "lead_scorer", "score_revivability"),
    ("research", "researcher", "research_lead"),
    ("draft", "writer", "write_message"),
    ("check", "compliance", "check_draft"),
    ("quality", "quality_control", "review"),
    ("deliver", "delivery", "send"),
)
STRATEGIES = ("value", "referral")


def goal(**changes: Any) -> dict[str, Any]:
    """The goal of the quick start."""
    return {
        "goal_type": "REVIVE_PIPELINE",
        "description": "Reactivate 50 dormant enterprise leads",
        "tenant": "org_123",
        "target_metrics": {"meetings_booked": 5, "reply_rate": 0.15},
        "autonomy": "L2",
        "limit": 50,
        "inputs": {},
        **changes,
    }


def plan(limit: int = 50) -> dict[str, Any]:
    """A plan of seven tasks, of which the last belongs to the release."""
    tasks = [
        {
            "task_id": f"t{number}",
            "step": step,
            "subgoal_id": step,
            "agent": agent,
            "action": action,
            "risk": "R0",
        }
        for number, (step, agent, action) in enumerate(STEPS, start=1)
    ]
    return {"plan_id": "plan_1", "goal_type": "REVIVE_PIPELINE", "limit": limit, "tasks": tasks}


def work(
    leads: int = 50,
    *,
    unwritten: Collection[int] = (),
    refused: Collection[int] = (),
    poor: Collection[int] = (),
    points: int = 90,
    qualified: int | None = None,
    measure: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The output of the work for so many leads; the collections name leads by place."""
    written = [place for place in range(leads) if place not in unwritten]
    hot = leads * 2 // 3 if qualified is None else qualified
    found: dict[str, Any] = {
        "select": {"leads": [_lead(place) for place in range(leads)], "reason": None, "detail": ""},
        "score": _each([{"value": 70.0, "qualified": place < hot} for place in range(leads)]),
        "research": _each([{"facts": []} for _ in range(leads)]),
        "draft": _drafts(leads, unwritten),
        "check": _each([_check(place, place in refused) for place in written]),
        "quality": _each(
            [_review(place, 60 if place in poor else points, place in poor) for place in written]
        ),
        "timings": {},
    }
    return found | ({"measure": measure} if measure else {})


def timings(count: int = 50, **failures: int) -> dict[str, Any]:
    """How often each step ran, 40 ms a time, and how often it failed."""
    steps = [step for step, _, _ in STEPS if step != "deliver"]
    runs = {step: 1 if step == "select" else count for step in steps}
    return {
        step: {"runs": runs[step], "failures": failures.get(step, 0), "duration_ms": 40 * runs[step]}
        for step in steps
    }


def _each(results: Sequence[Any], failures: Sequence[Any] = ()) -> dict[str, Any]:
    return {"results": list(results), "failures": list(failures)}


def _lead(place: int) -> dict[str, Any]:
    return {"lead_id": f"k-{place}", "strategy": STRATEGIES[place % 2]}


def _drafts(leads: int, unwritten: Collection[int]) -> dict[str, Any]:
    results = [None if place in unwritten else _draft(place) for place in range(leads)]
    failures = [
        {"index": place, "code": "no_address", "message": "no address"} for place in sorted(unwritten)
    ]
    return _each(results, failures)


def _draft(place: int) -> dict[str, Any]:
    return {
        "message_id": f"m-{place}",
        "lead_id": f"k-{place}",
        "sha256": f"{place:064x}",
        "template": STRATEGIES[place % 2],
        "confidence": 0.8,
    }


def _check(place: int, refused: bool) -> dict[str, Any]:
    return {
        "message_id": f"m-{place}",
        "sha256": f"{place:064x}",
        "allow": not refused,
        "violations": ["contact.opted_out"] if refused else [],
    }


def _review(place: int, points: int, poor: bool) -> dict[str, Any]:
    defects = [{"kind": "length", "text": "400 words", "penalty": 40, "blocking": True}] if poor else []
    return {"message_id": f"m-{place}", "quality_score": points, "passed": not poor, "defects": defects}
