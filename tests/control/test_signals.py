"""Learning signals: whom they address, how strong they are, and when they are applied."""

from __future__ import annotations

from typing import Any

import pytest

from dirigent.control.critic import CriticAgent
from dirigent.control.signals import Observation, SignalRule, judge
from tests.control import runs
from tests.control.world import call

SENT = {"run_id": "r", "messages": {"sent": 40, "replied": 8, "meeting": 2}, "sent": 50}


async def evaluate(work: Any) -> dict[str, Any]:
    found: dict[str, Any] = await call(CriticAgent, "evaluate", goal=runs.goal(), plan=runs.plan(), work=work)
    return found


async def signals(assessment: dict[str, Any], **inputs: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await call(CriticAgent, "generate_signals", assessment=assessment, **inputs)
    return found


def of(found: list[dict[str, Any]], key: str, measure: str) -> dict[str, Any]:
    (signal,) = [item for item in found if item["key"] == key and item["evidence"]["measure"] == measure]
    return signal


async def test_one_run_has_signals_for_planner_writer_and_lead_scorer():
    """Signals address everybody the run has data for, in one run."""
    found = await signals(await evaluate(runs.work(60, poor=range(12))))
    assert {"planner", "writer", "lead_scorer"} <= {signal["key"] for signal in found}
    assert of(found, "planner", "yield")["evidence"]["successes"] == 48
    writer = of(found, "writer", "held_back")
    assert (writer["target"], writer["samples"], writer["applied"]) == ("agent", 60, True)
    assert writer["effect"] == "held back for quality.length: 20% of 60, avoid it"
    assert of(found, "lead_scorer", "success_rate")["effect"].startswith("score_revivability succeeds: 100%")


@pytest.mark.parametrize(("count", "applied"), [(49, False), (50, True)])
async def test_forty_nine_samples_are_too_few(count, applied):
    """The same clear effect is recorded at 49 samples and applied at 50."""
    signal = of(await signals(await evaluate(runs.work(count))), "writer", "pass_rate")
    assert signal["strength"] > 0.99
    assert (signal["samples"], signal["applied"]) == (count, applied)


@pytest.mark.parametrize(("wanted", "applied"), [(0.69, False), (0.71, True)])
def test_weak_signal_is_recorded_and_not_applied(wanted, applied):
    """At 50 samples a strength of 0.69 is recorded only, one of 0.71 is applied."""
    expected = (1 - wanted) ** (1 / 50)  # 50 of 50 have the strength 1 - expected^50
    observation = Observation(
        target="agent", key="writer", measure="pass_rate", about="messages pass",
        successes=50, trials=50, expected=expected, advice="",
    )  # fmt: skip
    signal = judge(observation, SignalRule())
    assert signal.strength == pytest.approx(wanted)
    assert signal.applied is applied


async def test_limits_of_signals_can_be_set():
    """Fewer samples suffice where the configuration says so, and a higher threshold holds back more."""
    assessment = await evaluate(runs.work(20))
    assert of(await signals(assessment, min_samples=20), "writer", "pass_rate")["applied"] is True
    strict = await signals(assessment, min_samples=20, threshold=0.99)
    assert of(strict, "writer", "pass_rate")["applied"] is False


async def test_failing_task_is_told_to_the_planner():
    """Where most calls of a task fail, the planner is told to do without it."""
    work = runs.work(60)
    work["research"] = {
        "results": [None] * 60,
        "failures": [{"index": place, "code": "down", "message": "no answer"} for place in range(60)],
    }
    signal = of(await signals(await evaluate(work)), "planner", "failing_task")
    assert signal["applied"] is True
    assert "researcher.research_lead succeeds: 0% of 60" in signal["effect"]


async def test_score_that_tells_nobody_apart_is_told_to_the_scorer():
    """Where every lead is qualified the limit is no help, and the scorer hears of it."""
    everybody = of(
        await signals(await evaluate(runs.work(60, qualified=60))), "lead_scorer", "qualified_share"
    )
    nobody = of(await signals(await evaluate(runs.work(60, qualified=0))), "lead_scorer", "qualified_share")
    assert everybody["applied"] is True
    assert nobody["applied"] is True


async def test_strategies_are_held_against_each_other():
    """A strategy that is answered more gets a signal of its own, with its lift."""
    by_strategy = {"value": {"sent": 60, "replied": 3}, "referral": {"sent": 60, "replied": 18}}
    found = await signals(await evaluate(runs.work(measure=SENT | {"by_strategy": by_strategy})))
    referral = of(found, "referral", "reply_rate")
    assert (referral["target"], referral["applied"]) == ("strategy", True)
    assert referral["evidence"]["lift"] == pytest.approx(0.3 / 0.175)
    assert referral["effect"].endswith("use it more")
    assert of(found, "value", "reply_rate")["effect"].endswith("use it less")


async def test_writer_is_not_blamed_for_recipients():
    """What the check has against a recipient goes to the planner; to the writer go faults of writing."""
    found = await signals(await evaluate(runs.work(60, refused=range(10))))
    assert of(found, "planner", "held_back")["effect"].startswith(
        "held back for contact.opted_out: 17% of 60"
    )
    assert of(found, "writer", "pass_rate")["evidence"]["successes"] == 60
    assert not [
        item for item in found if (item["key"], item["evidence"]["measure"]) == ("writer", "held_back")
    ]


async def test_strategies_that_do_equally_well_say_nothing():
    """Where no strategy differs from the others there is no signal about any."""
    found = await signals(await evaluate(runs.work(60)))
    assert not [item for item in found if item["target"] == "strategy"]


async def test_anomaly_becomes_a_signal_of_whom_it_names():
    """An anomaly goes to the agent it names, one of quality to the writer, any other to the planner."""
    metrics = ["success_rate:researcher.research_lead", "quality", "success_rate"]
    points = [{"metric": metric, "at": "2026-11-20T12:00:00Z", "value": 0.3} for metric in metrics]
    known = {"mean": 0.9, "deviation": 0.05, "samples": 80}
    anomalies = await call(
        CriticAgent, "detect_anomalies", series=points, baseline=dict.fromkeys(metrics, known)
    )
    found = await signals(await evaluate(runs.work()), anomalies=anomalies)
    told = {item["key"]: item for item in found if item["evidence"]["measure"] == "anomaly"}
    assert set(told) == {"researcher", "writer", "planner"}
    assert all(item["applied"] and item["samples"] == 80 for item in told.values())
