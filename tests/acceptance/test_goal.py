"""The goal path from the goal to the outbox, over the published entry."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from dirigent import Autonomy, Dirigent, Goal
from dirigent.domain.errors import Conflict, InvalidInput
from dirigent.domain.event import ActionRefused, ApprovalRequested, StepStarted
from dirigent.domain.goal import GoalType
from dirigent.intake.goals.report import GoalReport
from dirigent.settings import Settings
from tests.acceptance.books import DORMANT, small_books

TENANT = "org_123"


def _goal(level: str = "L2", **constraints: Any) -> dict[str, Any]:
    return {
        "goal_type": "REVIVE_PIPELINE",
        "description": "Reactivate 50 dormant enterprise leads",
        "target_metrics": {"meetings_booked": 5, "reply_rate": 0.15},
        "constraints": {"autonomy_level": level, "max_budget": 1000} | constraints,
        "org_id": TENANT,
        "user_id": "user_456",
    }


def _system(folder: Path, *, delivery: bool = False, **options: Any) -> Dirigent:
    settings = Settings(data_folder=folder, allow_delivery=delivery)
    return Dirigent(settings=settings, **options)


async def _run(dirigent: Dirigent, goal: dict[str, Any]) -> GoalReport:
    small_books(dirigent, TENANT)
    return await dirigent.process_goal(goal)


async def test_held_while_delivery_is_off(tmp_path: Path) -> None:
    """At L2 with delivery off every released draft is held, and nothing is in the outbox."""
    async with _system(tmp_path) as dirigent:
        report = await _run(dirigent, _goal())
        assert report.status == "awaiting_approval"
        assert len(report.drafts) == DORMANT
        assert {draft["state"] for draft in report.drafts} == {"held"}
        first = dirigent.engine.approvals(TENANT)[0]
        with pytest.raises(Conflict, match="delivery is off"):
            await dirigent.engine.approve(first.approval_id, "boss")
    assert not list((tmp_path / "outbox").glob("*.eml"))


async def test_waits_at_l1_and_releases_exactly_what_was_approved(tmp_path: Path) -> None:
    """At L1 each message waits; approving writes the approved bytes, rejecting writes nothing."""
    async with _system(tmp_path, delivery=True) as dirigent:
        report = await _run(dirigent, _goal("L1"))
        waiting = dirigent.engine.approvals(TENANT)
        assert len(waiting) == DORMANT
        approved, rejected = waiting[0], waiting[1]
        await dirigent.engine.approve(approved.approval_id, "boss")
        await dirigent.engine.reject(rejected.approval_id, "boss", "not now")
        reading = await dirigent.engine.rest(report.goal.execution_id)
        assert reading.status == "awaiting_approval"
    letters = list((tmp_path / "outbox").glob("*.eml"))
    assert [letter.stem for letter in letters] == [approved.preview["message_id"]]
    assert hashlib.sha256(letters[0].read_bytes()).hexdigest() == approved.preview["sha256"]


async def test_ends_when_everything_is_decided(tmp_path: Path) -> None:
    """With the last decision the goal completes, and a second decision about the same is refused."""
    async with _system(tmp_path, delivery=True) as dirigent:
        report = await _run(dirigent, _goal("L1"))
        waiting = dirigent.engine.approvals(TENANT)
        for row in waiting:
            await dirigent.engine.approve(row.approval_id, "boss")
        reading = await dirigent.engine.rest(report.goal.execution_id)
        assert reading.status == "completed"
        with pytest.raises(Conflict):
            await dirigent.engine.approve(waiting[0].approval_id, "boss")
    assert len(list((tmp_path / "outbox").glob("*.eml"))) == DORMANT


async def test_sends_by_itself_at_l2_inside_policy(tmp_path: Path) -> None:
    """With delivery on, L2 sends what is inside policy with enough confidence and asks for the rest."""
    async with _system(tmp_path, delivery=True) as dirigent:
        report = await _run(dirigent, _goal("L2"))
        states = [draft["state"] for draft in report.drafts]
    assert set(states) <= {"sent", "waiting"}
    sure = [draft for draft in report.drafts if draft["confidence"] >= 0.8]
    assert states.count("sent") == len(sure) > 0


async def test_changed_bytes_are_not_what_was_approved(tmp_path: Path) -> None:
    """A message that changes after it was shown is not sent on the old approval."""
    async with _system(tmp_path, delivery=True) as dirigent:
        report = await _run(dirigent, _goal("L1"))
        row = dirigent.engine.approvals(TENANT)[0]
        message = dirigent.records.fetch(TENANT, "messages", where={"message_id": row.preview["message_id"]})[
            0
        ]
        dirigent.records.save(TENANT, "messages", [{**message, "content": b"Subject: x\r\n\r\nchanged"}])
        await dirigent.engine.approve(row.approval_id, "boss")
        await dirigent.engine.rest(report.goal.execution_id)
    assert not list((tmp_path / "outbox").glob("*.eml"))


async def test_an_opt_out_after_drafting_stops_the_message(tmp_path: Path) -> None:
    """Whoever opts out between draft and approval gets nothing; the refusal is on record."""
    async with _system(tmp_path, delivery=True) as dirigent:
        report = await _run(dirigent, _goal("L1"))
        row = dirigent.engine.approvals(TENANT)[0]
        contact = dirigent.records.fetch(TENANT, "contacts", where={"contact_id": row.preview["lead_id"]})[0]
        dirigent.records.save(TENANT, "contacts", [{**contact, "opted_out": True}])
        await dirigent.engine.approve(row.approval_id, "boss")
        await dirigent.engine.rest(report.goal.execution_id)
        refused = [
            event for event in dirigent.engine.events(row.execution_id) if isinstance(event, ActionRefused)
        ]
        assert [event.action for event in refused] == ["send"]
    assert not list((tmp_path / "outbox").glob("*.eml"))


async def test_l0_only_simulates(tmp_path: Path) -> None:
    """At L0 nothing above R0 acts, not even drafts."""
    async with _system(tmp_path, delivery=True) as dirigent:
        await _run(dirigent, _goal("L0"))
        assert dirigent.records.count(TENANT, "messages") == 0
    assert not list((tmp_path / "outbox").glob("*.eml"))


async def test_a_level_above_the_maximum_is_clamped(tmp_path: Path) -> None:
    """L3 runs at the organisation's maximum, and the report names both."""
    async with _system(tmp_path) as dirigent:
        report = (await _run(dirigent, _goal("L3"))).as_dict()
    assert report["autonomy"] == {"requested": "L3", "effective": "L2", "note": "autonomy_clamped"}


async def test_never_more_than_asked_for_and_only_enterprise(tmp_path: Path) -> None:
    """The number in the sentence is a bound, and the segment a condition."""
    async with _system(tmp_path) as dirigent:
        goal = _goal() | {"description": "Reactivate 3 dormant enterprise leads"}
        report = await _run(dirigent, goal)
        leads = report.selection["leads"]
    assert len(leads) == 3
    assert {lead["segment"] for lead in leads} == {"enterprise"}


async def test_the_plan_keeps_its_four_levels(tmp_path: Path) -> None:
    """Goal, subgoals, tasks and calls are visible, and every task has an agent with a reason."""
    async with _system(tmp_path) as dirigent:
        report = await _run(dirigent, _goal())
        shown = report.as_dict()
    assert shown["plan"]["subgoals"] == ["select", "research", "draft", "check", "deliver", "measure"]
    assert all(task["agent"] and task["reason"] for task in shown["tasks"])
    done = [task for task in shown["tasks"] if task["status"] == "succeeded"]
    assert done
    assert all(task["tool_calls"] >= 1 for task in done)


async def test_what_is_not_known_is_pending(tmp_path: Path) -> None:
    """The assessment has both targets; nothing is guessed before anything was sent."""
    async with _system(tmp_path) as dirigent:
        assessment = (await _run(dirigent, _goal())).assessment
    assert assessment["metrics"]["meetings_booked"]["state"] == "pending"
    assert assessment["metrics"]["reply_rate"]["observed"] is None
    assert not assessment["goal_achieved"]
    assert all(0 <= grade <= 1 for grade in assessment["grades"].values())


async def test_the_next_plan_reads_what_was_learned(tmp_path: Path) -> None:
    """A second goal of the same kind cites the memories of the first."""
    async with _system(tmp_path) as dirigent:
        first = await _run(dirigent, _goal())
        second = await dirigent.process_goal(_goal())
    assert not first.plan["cites"]
    assert second.plan["cites"]


async def test_every_effect_has_a_durable_intent_with_its_payload(tmp_path: Path) -> None:
    """Each send is announced with key and payload hash, and asked for with the very same hash."""
    async with _system(tmp_path, delivery=True) as dirigent:
        report = await _run(dirigent, _goal("L1"))
        for row in dirigent.engine.approvals(TENANT):
            await dirigent.engine.approve(row.approval_id, "boss")
        await dirigent.engine.rest(report.goal.execution_id)
        events = dirigent.engine.events(f"{report.goal.execution_id}/release")
    asked = {event.step: event.payload for event in events if isinstance(event, ApprovalRequested)}
    intents = [event for event in events if isinstance(event, StepStarted) and event.action == "send"]
    assert len(intents) == DORMANT
    assert all(event.key and event.payload == asked[event.step] for event in intents)
    assert len({event.key for event in intents}) == DORMANT


async def test_a_goal_made_in_python_is_checked_like_a_written_one(tmp_path: Path) -> None:
    """`Goal(...)` runs at the clamped level, and a wrong field is named."""
    async with _system(tmp_path) as dirigent:
        small_books(dirigent, TENANT)
        goal = Goal(
            goal_type=GoalType.REVIVE_PIPELINE, tenant=TENANT, limit=2, autonomy_requested=Autonomy.L3
        )
        report = await dirigent.process_goal(goal)
        with pytest.raises(InvalidInput, match="number of leads"):
            await dirigent.process_goal(Goal(goal_type=GoalType.REVIVE_PIPELINE, limit=0))
    assert len(report.drafts) == 2
    assert report.as_dict()["autonomy"]["effective"] == "L2"
