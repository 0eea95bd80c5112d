"""The learner: a run's lessons are stored once, add up over runs, and change what the next plan goes by."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from dirigent.control.critic import CriticAgent
from dirigent.control.learning import LearnerAgent
from dirigent.control.memory import RagServiceAgent
from dirigent.domain.errors import InvalidInput
from dirigent.ports import MemoryItem
from tests.control import runs
from tests.control.world import NOON, FakeContext, FakeMemory, call

GOAL_TYPE = "REVIVE_PIPELINE"


async def learn(
    memory: FakeMemory,
    number: int,
    work: Any = None,
    timings: Any = None,
    goal: Any = None,
    **inputs: Any,
) -> dict[str, Any]:
    """Assess a run and learn from it."""
    ctx = FakeContext(memory=memory, execution_id=f"run_{number}", now=NOON + timedelta(days=number))
    about: dict[str, Any] = {"goal": goal or runs.goal(), "plan": runs.plan()}
    assessment = await call(CriticAgent, "evaluate", **about, work=runs.work() if work is None else work)
    found: dict[str, Any] = await call(
        LearnerAgent, "learn", ctx, **about, assessment=assessment, timings=timings, **inputs
    )
    return found


async def heuristics(memory: FakeMemory, goal_type: str = GOAL_TYPE) -> dict[str, Any]:
    found: dict[str, Any] = await call(
        LearnerAgent, "heuristics", FakeContext(memory=memory), goal_type=goal_type
    )
    return found


def kinds(memory: FakeMemory) -> list[str]:
    return [item.kind for item in memory.items.values()]


async def test_without_any_run_there_is_nothing_to_go_by():
    """Before the first run the heuristics are empty, not invented."""
    assert await heuristics(FakeMemory()) == {
        "goal_type": GOAL_TYPE,
        "durations": {},
        "success": {},
        "signals": [],
        "patterns": [],
        "baselines": {},
        "cites": [],
    }


async def test_run_stores_outcome_statistics_and_signals():
    """Everything a run teaches lies in memory under the ids that the learner returns."""
    memory = FakeMemory()
    found = await learn(memory, 1, timings=runs.timings())
    assert list(memory.items) == found["stored"]
    assert kinds(memory)[:2] == ["outcome", "agent_stats"]
    assert kinds(memory)[2:] == ["signal"] * len(found["signals"])
    assert [signal["id"] for signal in found["signals"]] == found["stored"][2:]
    outcome = memory.items["outcome:run_1"]
    assert outcome.source == "run_1"
    assert "REVIVE_PIPELINE with referral, value: goal not reached yet, quality 0.90." in outcome.text
    assert found["heuristics"] == await heuristics(memory)


async def test_outcome_is_found_by_the_words_of_a_similar_goal():
    """The next goal finds what became of one like it."""
    memory = FakeMemory()
    await learn(memory, 1, goal=runs.goal(description="Build a profile of ideal customers"))
    await learn(memory, 2)
    found = await call(
        RagServiceAgent, "retrieve", FakeContext(memory=memory), query="reactivate dormant customers", k=1
    )
    assert found["items"][0]["item"]["id"] == "outcome:run_2"


async def test_learning_twice_from_one_run_changes_nothing():
    """A repeated attempt leaves the same items, and the same heuristics."""
    memory = FakeMemory()
    await learn(memory, 1, timings=runs.timings())
    first = await learn(memory, 2, timings=runs.timings())
    before = dict(memory.items)
    again = await learn(memory, 2, timings=runs.timings())
    assert again == first
    assert memory.items == before


async def test_memory_of_a_run_names_nobody():
    """What is kept for long holds numbers and names of rules, no lead and no message."""
    memory = FakeMemory()
    work = runs.work(refused={0})
    work["check"]["results"][1] |= {"allow": False, "violations": ["ann@example.com has opted out"]}
    goal = runs.goal(description="Write to bob@example.com and others")
    await learn(memory, 1, work, runs.timings(), goal)
    assert memory.items["outcome:run_1"].text.startswith("Write to [email] and others (REVIVE_PIPELINE")
    kept = str([(item.text, item.data) for item in memory.items.values()])
    assert "contact.opted_out" in kept
    assert "unnamed" in kept
    for private in ("ann@example.com", "bob@example.com", "k-1", "m-1"):
        assert private not in kept


async def test_durations_and_success_are_per_run_of_an_action():
    """Seconds per run and shares of success add up over executions, with Wilson's interval."""
    memory = FakeMemory()
    await learn(memory, 1, timings=runs.timings(50, research=10))
    await learn(memory, 2, timings=runs.timings(150, research=10))
    found = await heuristics(memory)
    research = found["success"]["researcher.research_lead"]
    assert (research["rate"], research["runs"]) == (0.9, 200)
    assert research["low"] < 0.9 < research["high"]
    assert found["durations"]["researcher.research_lead"] == pytest.approx(0.04)
    assert "delivery.send" not in found["success"]


async def test_timings_may_be_by_task_id_and_strangers_are_left_out():
    """Timings are matched by task id or step; those of no task of the plan count for nobody."""
    memory = FakeMemory()
    await learn(memory, 1, timings={"t2": {"runs": 4, "failures": 1, "duration_ms": 400}, "x": {"runs": 9}})
    found = await heuristics(memory)
    assert found["durations"] == {"lead_scorer.score_revivability": 0.1}
    assert found["success"]["lead_scorer.score_revivability"]["rate"] == 0.75


async def test_failures_of_an_agent_change_what_the_next_plan_sees():
    """After fifty failures the success of an agent has fallen: before and after differ."""
    memory = FakeMemory()
    await learn(memory, 1, timings=runs.timings())
    before = (await heuristics(memory))["success"]["researcher.research_lead"]["rate"]
    await learn(memory, 2, timings=runs.timings(50, research=50))
    after = (await heuristics(memory))["success"]["researcher.research_lead"]["rate"]
    assert (before, after) == (1.0, 0.5)


async def test_samples_add_up_over_runs():
    """Twenty-five drafts are too few to apply a signal; those of two runs together are enough."""
    memory = FakeMemory()
    first = await learn(memory, 1, runs.work(25))
    second = await learn(memory, 2, runs.work(25))
    passed = [
        next(signal for signal in found["signals"] if signal["evidence"]["measure"] == "pass_rate")
        for found in (first, second)
    ]
    assert [(signal["samples"], signal["applied"]) for signal in passed] == [(25, False), (50, True)]
    assert first["heuristics"]["signals"] == []
    assert passed[1]["id"] in [signal["id"] for signal in second["heuristics"]["signals"]]


async def test_heuristics_hold_applied_signals_for_each_addressee():
    """Planner, writer and lead scorer each find their signals, and what stands behind them is cited."""
    memory = FakeMemory()
    await learn(memory, 1, runs.work(100, poor=range(20)), runs.timings())
    found = await heuristics(memory)
    assert {"planner", "writer", "lead_scorer"} <= {signal["key"] for signal in found["signals"]}
    assert all(memory.items[signal["id"]].kind == "signal" for signal in found["signals"])
    assert {signal["id"] for signal in found["signals"]} | {"agent_stats:run_1", "outcome:run_1"} == set(
        found["cites"]
    )


async def test_latest_run_decides_which_signals_are_in_force():
    """A fault that has become rare is no longer told, though its old signal stays on record."""
    memory = FakeMemory()
    await learn(memory, 1, runs.work(60, poor=range(20)))
    assert any("quality.length" in signal["effect"] for signal in (await heuristics(memory))["signals"])
    for number in range(2, 10):
        await learn(memory, number, runs.work(60))
    assert not any("quality.length" in signal["effect"] for signal in (await heuristics(memory))["signals"])
    assert any("quality.length" in item.text for item in memory.items.values() if item.kind == "signal")


async def test_goal_types_do_not_teach_each_other():
    """Signals, patterns and baselines are of one goal type; what agents can do is of all."""
    memory = FakeMemory()
    await learn(memory, 1, runs.work(60), runs.timings())
    found = await heuristics(memory, "INCREASE_MEETINGS")
    assert (found["signals"], found["patterns"], found["baselines"]) == ([], [], {})
    assert "writer.write_message" in found["success"]


async def test_run_out_of_the_ordinary_is_noticed():
    """Against the baseline of earlier runs a drop in quality and in an agent's success is an anomaly."""
    memory, chance = FakeMemory(), random.Random(1)
    for number in range(60):
        usual = await learn(memory, number, runs.work(points=chance.randint(86, 94)), runs.timings())
        assert usual["anomalies"] == []
    baseline = (await heuristics(memory))["baselines"]["quality"]
    assert baseline["mean"] == pytest.approx(0.9, abs=0.01)
    bad = await learn(memory, 61, runs.work(points=60), runs.timings(50, research=20))
    assert {item["rule"] for item in bad["anomalies"]} == {
        "threshold.qualityDrop",
        "threshold.successRateDrop",
    }
    told = [signal for signal in bad["signals"] if signal["evidence"]["measure"] == "anomaly"]
    assert {signal["key"]: signal["applied"] for signal in told} == {"writer": True, "researcher": False}
    after = bad["heuristics"]["baselines"]["quality"]
    assert after["samples"] == 60
    assert after["mean"] == baseline["mean"]


async def test_few_runs_are_no_baseline():
    """Nine runs say too little of the spread: nothing is out of the ordinary yet."""
    memory = FakeMemory()
    for number in range(9):
        await learn(memory, number, timings=runs.timings())
    assert (await heuristics(memory))["baselines"] == {}
    assert (await learn(memory, 10, runs.work(points=10)))["anomalies"] == []


async def test_empty_run_teaches_nothing_false():
    """A run that was blocked stores its outcome, but no quality that later runs are held against."""
    memory = FakeMemory()
    found = await learn(memory, 1, {}, {})
    assert found["stored"] == ["outcome:run_1"]
    assert found["signals"] == []
    assert memory.items["outcome:run_1"].data["quality"] is None


async def test_what_others_stored_under_the_same_kind_is_passed_over():
    """Items that are not of the learner's making neither break nor sway it."""
    memory = FakeMemory()
    for kind in ("outcome", "signal", "agent_stats", "pattern"):
        memory.store(
            [
                MemoryItem(
                    id=kind, kind=kind, text="?", data={"goal_type": GOAL_TYPE}, created_at="", source=""
                )
            ]
        )
    await learn(memory, 1, runs.work(60), runs.timings())
    assert (await heuristics(memory))["success"]["writer.write_message"]["runs"] == 50


async def test_limits_of_learning_are_inputs():
    """The configuration's samples and threshold decide what is applied; nonsense is refused by name."""
    memory = FakeMemory()
    found = await learn(memory, 1, runs.work(20), min_samples=20)
    assert found["heuristics"]["signals"]
    with pytest.raises(InvalidInput, match="min_samples"):
        await learn(memory, 1, min_samples=0)


async def test_repeated_runs_find_the_better_strategy():
    """With a hidden better strategy the learned patterns name it, run after run, once there are samples."""
    memory, chance, rates = FakeMemory(), random.Random(3), {"value": 0.1, "referral": 0.3}
    for number in range(12):
        counted = {
            name: {"sent": 25, "replied": sum(chance.random() < rate for _ in range(25))}
            for name, rate in rates.items()
        }
        work = runs.work() | {"measure": {"sent": 50, "by_strategy": counted}}
        await learn(memory, number, work)
    found = await heuristics(memory)
    replies = [pattern for pattern in found["patterns"] if pattern["effect"]["measure"] == "reply_rate"]
    assert [pattern["conditions"]["strategy"] for pattern in replies if pattern["promoted"]] == ["referral"]
    assert any(signal["target"] == "strategy" and signal["key"] == "referral" for signal in found["signals"])
