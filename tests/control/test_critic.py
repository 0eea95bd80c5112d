"""The critic's assessment and recommendations over whole runs, missing parts included."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirigent.control.critic import CriticAgent
from dirigent.domain.errors import Refused
from tests.control import runs
from tests.control.world import call

SENT = {"run_id": "r", "messages": {"sent": 40, "replied": 8, "meeting": 2}, "sent": 50}
SIMULATED = {"simulated": True, "would": "writer.write_message"}


async def evaluate(work: Any, goal: Any = None, plan: Any = None) -> dict[str, Any]:
    found: dict[str, Any] = await call(
        CriticAgent, "evaluate", goal=goal or runs.goal(), plan=plan or runs.plan(), work=work
    )
    return found


async def test_targets_are_pending_until_something_is_sent():
    """Before anything is sent a count stands at nought, a rate at nothing, and the goal is not achieved."""
    found = await evaluate(runs.work())
    assert found["attainment"] == {"meetings_booked": 0.0, "reply_rate": None}
    meetings, replies = found["metrics"]["meetings_booked"], found["metrics"]["reply_rate"]
    assert (meetings["target"], meetings["observed"], meetings["state"]) == (5.0, 0.0, "pending")
    assert (replies["target"], replies["observed"], replies["state"]) == (0.15, None, "pending")
    assert replies["why"] == "No message has been sent yet; 50 are released."
    assert found["goal_achieved"] is False


async def test_silence_after_sending_is_no_result():
    """Sent and not answered is still pending: `measure` says so, and the critic does not turn it into 0."""
    measure = {"sent": 50, "reply_rate": "pending", "meetings_booked": "pending", "messages": {"sent": 50}}
    found = await evaluate(runs.work(measure=measure))
    assert found["attainment"] == {"meetings_booked": 0.0, "reply_rate": None}
    assert {metric["state"] for metric in found["metrics"].values()} == {"pending"}


async def test_measured_targets_have_ratios():
    """Attainment is attained over target, with the interval of a share in words."""
    found = await evaluate(runs.work(measure=SENT | {"reply_rate": 0.2, "meetings_booked": 2}))
    assert found["attainment"] == pytest.approx({"meetings_booked": 0.4, "reply_rate": 0.2 / 0.15})
    assert found["metrics"]["reply_rate"]["state"] == "measured"
    assert "between 0.11 and 0.33" in found["metrics"]["reply_rate"]["why"]
    assert found["goal_achieved"] is False


async def test_goal_is_achieved_when_every_target_is():
    """All metrics measured and met, one of them exactly: the goal is achieved."""
    measure = SENT | {"reply_rate": 0.15, "meetings_booked": 6}
    assert (await evaluate(runs.work(measure=measure)))["goal_achieved"] is True


@pytest.mark.parametrize(
    ("metric", "target", "observed", "attained"),
    [("messages_sent", 100, 50.0, 0.5), ("replies", 20, 10.0, 0.5), ("meetings_booked", 0, 2.0, 1.0)],
)
async def test_counts_come_from_the_measurement(metric, target, observed, attained):
    """Messages sent and replies are read from the states of the messages; a target of nought is met."""
    measure = SENT | {"reply_rate": 0.2, "meetings_booked": 2}
    found = await evaluate(runs.work(measure=measure), runs.goal(target_metrics={metric: target}))
    assert found["metrics"][metric]["observed"] == observed
    assert found["attainment"][metric] == attained


async def test_metric_may_be_stated_by_a_step():
    """A value that is ready at once, such as the confidence of a profile, is taken from its step."""
    goal = runs.goal(goal_type="BUILD_ICP", target_metrics={"confidence": 0.8})
    found = await evaluate({"build": {"confidence": 0.88, "criteria": []}}, goal)
    assert found["metrics"]["confidence"] == {
        "target": 0.8,
        "observed": 0.88,
        "state": "measured",
        "why": "The step build states it.",
    }
    assert found["goal_achieved"] is True


@pytest.mark.parametrize(
    ("wanted", "before", "attained"), [(0.25, 4, 2.0), (0.25, 8, 0.0), (0.5, 4, 1.0), (0.0, 6, 1.0)]
)
async def test_relative_change_is_measured_from_a_baseline(wanted, before, attained):
    """Six meetings after four are half more; a fall attains nothing; no change wanted is met by none."""
    goal = runs.goal(
        target_metrics={"meetings_booked": {"relative_change": wanted}},
        inputs={"baseline": {"meetings_booked": before}},
    )
    found = await evaluate(runs.work(measure=SENT | {"meetings_booked": 6}), goal)
    assert found["attainment"]["meetings_booked"] == pytest.approx(attained)


async def test_relative_change_without_baseline_stays_pending():
    """What the change is measured from is asked for, not guessed."""
    goal = runs.goal(target_metrics={"meetings_booked": {"relative_change": 0.25}})
    found = await evaluate(runs.work(measure=SENT | {"meetings_booked": 6}), goal)
    assert found["metrics"]["meetings_booked"]["state"] == "pending"
    assert found["attainment"]["meetings_booked"] == 0.0
    assert "inputs.baseline.meetings_booked" in found["recommendations"][0]["text"]


async def test_only_what_passed_check_and_quality_is_released():
    """A refused and a poor message are held back with their reasons, a lead without one as well."""
    found = await evaluate(runs.work(5, refused={1}, poor={2}, unwritten={3}), plan=runs.plan(5))
    assert [message["message_id"] for message in found["released"]] == ["m-0", "m-4"]
    assert found["released"][0] == {
        "message_id": "m-0",
        "lead_id": "k-0",
        "sha256": "0" * 64,
        "confidence": 0.8,
    }
    assert found["held_back"] == [
        {"message_id": "m-1", "lead_id": "k-1", "reasons": ["contact.opted_out"]},
        {"message_id": "m-2", "lead_id": "k-2", "reasons": ["quality.length: 400 words"]},
        {"message_id": None, "lead_id": "k-3", "reasons": ["draft.no_address: no address"]},
    ]


async def test_message_without_verdicts_is_held_back():
    """A missing check or review is no consent."""
    work = runs.work(2)
    work["check"], work["quality"] = None, {"results": [None, None], "failures": []}
    found = await evaluate(work)
    assert found["released"] == []
    assert [item.partition(":")[0] for item in found["held_back"][0]["reasons"]] == [
        "check.missing",
        "quality.missing",
    ]


async def test_verdict_on_other_bytes_does_not_count():
    """A check that saw another text than the draft's does not release the draft."""
    work = runs.work(1)
    work["check"]["results"][0]["sha256"] = "f" * 64
    found = await evaluate(work)
    assert found["held_back"][0]["reasons"][0].startswith("check.other_bytes")


async def test_verdicts_without_ids_are_matched_by_place():
    """Verdicts without ids are matched by the places of all or of the written drafts, else not at all."""
    work = runs.work(3, unwritten={0}, refused={1})
    for verdict in (*work["check"]["results"], *work["quality"]["results"]):
        del verdict["message_id"]
    assert [item["message_id"] for item in (await evaluate(work))["released"]] == ["m-2"]
    work["check"]["results"].insert(0, None)
    assert [item["message_id"] for item in (await evaluate(work))["released"]] == ["m-2"]
    del work["check"]["results"][1:]
    assert (await evaluate(work))["released"] == []


async def test_every_task_with_an_outcome_has_a_grade():
    """A grade is the share of successes, times the quality where there is one; delivery waits for its own."""
    found = await evaluate(runs.work(10, unwritten={0, 1}, points=80), plan=runs.plan(20))
    assert found["grades"] == {
        "t1": 0.5, "t2": 1.0, "t3": 1.0, "t4": pytest.approx(0.8 * 0.8), "t5": 1.0, "t6": 1.0,
    }  # fmt: skip
    assert found["grade_reasons"]["t1"] == "10 of 20 leads found."
    assert found["grade_reasons"]["t4"] == "8 of 10 succeeded, at a mean quality of 0.80."
    assert found["grade_reasons"]["t7"] == "There is no outcome yet."
    assert found["quality"] == 0.8
    assert found["quality_reason"] == "The mean of 8 reviewed messages."


async def test_simulated_work_is_neither_success_nor_failure():
    """At L0 nothing was written: no grade for the draft, nothing released, and the reason says so."""
    work = runs.work(2) | {"draft": {"results": [SIMULATED, SIMULATED], "failures": []}, "check": None}
    work |= {"quality": None, "score": SIMULATED}
    found = await evaluate(work)
    assert "t4" not in found["grades"]
    assert found["grade_reasons"]["t2"] == "It was only simulated."
    assert found["released"] == []
    assert found["held_back"][0]["reasons"][0].startswith("draft.simulated")


@pytest.mark.parametrize("work", [None, {}, {"select": None, "draft": None, "timings": None}])
async def test_nothing_at_all_is_an_honest_assessment(work):
    """Without any outcome there are no grades and no release, and targets stay pending."""
    found = await evaluate(work)
    assert (found["quality"], found["grades"], found["released"]) == (0.0, {}, [])
    assert found["quality_reason"] == "Nothing has come out of the work."
    assert all(metric["state"] == "pending" for metric in found["metrics"].values())


SCALARS = st.sampled_from(
    [None, True, False, 0, -3, 1e400, 10**400, float("nan"), "", "m-1", [None], {"a": 1}]
)
PARTS = (
    "leads",
    "results",
    "failures",
    "message_id",
    "allow",
    "passed",
    "quality_score",
    "sent",
    "by_strategy",
)
FIELDS = st.dictionaries(st.sampled_from(PARTS), SCALARS, max_size=4)
OUTPUTS = st.dictionaries(
    st.sampled_from(PARTS), SCALARS | st.lists(FIELDS | SCALARS, max_size=3), max_size=4
)


@given(st.dictionaries(st.sampled_from([step for step, _, _ in runs.STEPS] + ["measure"]), OUTPUTS | SCALARS))
async def test_rubbish_is_never_released(work):
    """Whatever steps return, the assessment stands, and nothing is released that was not let through."""
    found = await evaluate(work)
    assert 0 <= found["quality"] <= 1
    assert not found["released"] or (says(work, "check", "allow") and says(work, "quality", "passed"))


def says(work: dict[str, Any], step: str, field: str) -> bool:
    output = work.get(step)
    results = output.get("results") if isinstance(output, dict) else None
    return any(isinstance(item, dict) and item.get(field) is True for item in results or [])


PLACES = st.sets(st.integers(0, 11))


@given(PLACES, PLACES, PLACES)
async def test_every_lead_is_released_or_held_back(unwritten, refused, poor):
    """Each lead is in exactly one of the two lists, and released are those nobody objected to."""
    found = await evaluate(runs.work(12, unwritten=unwritten, refused=refused, poor=poor), plan=runs.plan(12))
    released = {item["lead_id"] for item in found["released"]}
    held = {item["lead_id"] for item in found["held_back"]}
    assert released == {f"k-{place}" for place in range(12)} - {
        f"k-{place}" for place in unwritten | refused | poor
    }
    assert not released & held
    assert len(released | held) == 12


async def test_pending_and_missed_metrics_have_recommendations_with_evidence():
    """Each metric that is not met gets at least one recommendation that names its numbers."""
    pending = await evaluate(runs.work())
    assert [item["evidence"]["metric"] for item in pending["recommendations"]] == [
        "meetings_booked",
        "reply_rate",
    ]
    assert pending["recommendations"][0]["text"].startswith("Approve and send the 50 released messages")
    missed = await evaluate(runs.work(measure=SENT | {"reply_rate": 0.2, "meetings_booked": 2}))
    (advice,) = missed["recommendations"]
    assert advice["evidence"] == {
        "metric": "meetings_booked",
        "target": 5.0,
        "observed": 2.0,
        "sent": 50,
        "more_messages": 75,
    }


@pytest.mark.parametrize(
    ("work", "kind", "words"),
    [
        ({"select": {"leads": [], "detail": "There are no orders."}}, "strategy", "There are no orders"),
        (runs.work(4, refused=range(4)), "content", "Mend what held every message back: contact.opted_out"),
        (runs.work(3, unwritten=range(3)), "process", "look at the tasks that failed"),
        (runs.work(measure=SENT | {"reply_rate": "pending"}), "process", "Wait for answers to the 50"),
        (
            runs.work(measure=SENT | {"reply_rate": 0.1, "by_strategy": {
                "value": {"sent": 25, "replied": 1}, "referral": {"sent": 25, "replied": 4}}}),
            "strategy",
            "Write more by the strategy referral, which 16% answered.",
        ),
        (runs.work(measure=SENT | {"reply_rate": 0.1}), "strategy", "reply_rate stands at 0.1 of 0.15"),
    ],
)  # fmt: skip
async def test_recommendation_names_what_stands_in_the_way(work, kind, words):
    """What is advised depends on where the run stopped."""
    found = await evaluate(work, runs.goal(target_metrics={"reply_rate": 0.15}))
    advice = found["recommendations"][0]
    assert advice["kind"] == kind
    assert words in advice["text"]
    assert advice["evidence"]["metric"] == "reply_rate"


async def test_failures_and_faults_are_recommended_for_mending():
    """Failed calls and what held messages back are named; a goal without target is told."""
    found = await evaluate(runs.work(10, unwritten={0}, poor={1, 2}), runs.goal(target_metrics={}))
    texts = [advice["text"] for advice in found["recommendations"]]
    assert texts[0].startswith("Name a target metric")
    assert "writer.write_message failed in 1 of 10 cases; look at why." in texts
    assert "Mend quality.length: it held back 2 of 9 messages." in texts
    assert found["goal_achieved"] is False


async def test_recommend_adds_what_anomalies_show():
    """An anomaly adds one recommendation of its kind per metric, with its numbers."""
    assessment = await evaluate(runs.work())
    points = [{"metric": "quality", "at": f"2026-11-2{day}T12:00:00Z", "value": 0.5} for day in range(2)]
    anomalies = await call(CriticAgent, "detect_anomalies", series=points, baseline={"quality": 0.8})
    found = await call(CriticAgent, "recommend", assessment=assessment, anomalies=anomalies)
    assert found[:-1] == assessment["recommendations"]
    assert (found[-1]["kind"], found[-1]["evidence"]["at"]) == ("content", "2026-11-21T12:00:00Z")


async def test_thousand_outcomes_take_less_than_ten_seconds():
    """A run of a thousand leads is assessed and turned into signals well within the limit."""
    begin = time.perf_counter()
    assessment = await evaluate(runs.work(1000), plan=runs.plan(1000))
    await call(CriticAgent, "generate_signals", assessment=assessment)
    assert time.perf_counter() - begin < 5


async def test_critic_is_only_reached_through_the_dispatcher():
    """Called around the dispatcher, the critic refuses."""
    with pytest.raises(Refused):
        await CriticAgent().evaluate({}, {}, None, ctx=None)
