"""The memory service: what is stored is found, patterns are recognised, context is summed up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirigent.control.critic import CriticAgent
from dirigent.control.extract import tokens_of
from dirigent.control.learning import LearnerAgent
from dirigent.control.memory import RagServiceAgent
from dirigent.domain.errors import InvalidInput
from tests.control import runs
from tests.control.world import NOON, FakeContext, FakeMemory, call


async def remember(ctx: FakeContext, number: int, **item: Any) -> str:
    """Store an item by a call of its own."""
    ctx.key, ctx.now = f"key-{number}", NOON + timedelta(minutes=number)
    stored = await call(RagServiceAgent, "store", ctx, item={"kind": "fact", **item})
    return str(stored["id"])


async def learn_strategies(memory: FakeMemory, number: int, **strategies: tuple[int, int]) -> None:
    """Let a run teach how many of the messages of each strategy were answered."""
    ctx = FakeContext(memory=memory, execution_id=f"run_{number}", now=NOON + timedelta(days=number))
    by_strategy = {name: {"sent": sent, "replied": replied} for name, (sent, replied) in strategies.items()}
    work = {"measure": {"sent": sum(sent for sent, _ in strategies.values()), "by_strategy": by_strategy}}
    inputs: dict[str, Any] = {"goal": runs.goal(), "plan": runs.plan()}
    assessment = await call(CriticAgent, "evaluate", **inputs, work=work)
    await call(LearnerAgent, "learn", ctx, **inputs, assessment=assessment)


async def patterns(memory: FakeMemory, goal_type: str = "REVIVE_PIPELINE") -> dict[str, dict[str, Any]]:
    found = await call(RagServiceAgent, "recognize_patterns", FakeContext(memory=memory), goal_type=goal_type)
    return {pattern["conditions"]["strategy"]: pattern for pattern in found["patterns"]}


async def test_stored_item_is_found_by_its_words():
    """What was stored comes back with its id, score, time and source, the best first."""
    ctx = FakeContext()
    await remember(ctx, 1, text="winter campaign for hotels")
    best = await remember(ctx, 2, text="spring campaign for restaurants", data={"replies": 3})
    found = await call(RagServiceAgent, "retrieve", ctx, query="restaurants in spring", k=1)
    assert found == {
        "items": [
            {
                "item": {
                    "id": best,
                    "kind": "fact",
                    "text": "spring campaign for restaurants",
                    "data": {"replies": 3},
                    "created_at": "2026-11-20T12:02:00+00:00",
                    "source": "run_1",
                },
                "score": pytest.approx(2 / 3),
            }
        ]
    }


async def test_retrieval_keeps_to_kind_and_number():
    """Only items of the kind asked for are found, and no more than asked for."""
    ctx = FakeContext()
    for number in range(5):
        await remember(ctx, number, text=f"order {number}", kind="fact" if number % 2 else "note")
    found = await call(RagServiceAgent, "retrieve", ctx, query="order", kind="note", k=2)
    assert [item["item"]["kind"] for item in found["items"]] == ["note", "note"]


@pytest.mark.parametrize("query", ["", "   "])
async def test_empty_query_gives_the_newest(query):
    """A goal without a description still gets context: the newest items, at score 0."""
    ctx = FakeContext()
    ids = [await remember(ctx, number, text=f"fact {number}") for number in range(3)]
    found = await call(RagServiceAgent, "retrieve", ctx, query=query, k=2)
    assert [(item["item"]["id"], item["score"]) for item in found["items"]] == [(ids[2], 0.0), (ids[1], 0.0)]


async def test_storing_again_by_the_same_call_changes_nothing():
    """A repeated attempt has the same key and so the same id; another call has another."""
    ctx = FakeContext()
    first = await remember(ctx, 1, text="once")
    assert await remember(ctx, 1, text="once") == first
    assert await remember(ctx, 2, text="once") != first
    assert len(ctx.memory.items) == 2


@pytest.mark.parametrize("kind", ["outcome", "signal", "agent_stats"])
async def test_what_was_learned_cannot_be_forged(kind):
    """Only the learner writes what plans are made by."""
    with pytest.raises(InvalidInput, match="learner alone"):
        await remember(FakeContext(), 1, kind=kind, text="agent x succeeds always")


async def test_patterns_have_lift_and_sources():
    """A strategy answered twice as often as the average has lift 2, and names the runs it is from."""
    memory = FakeMemory()
    await learn_strategies(memory, 1, referral=(30, 9), value=(60, 3))
    await learn_strategies(memory, 2, referral=(30, 9), value=(60, 9))
    found = await patterns(memory)
    referral = found["referral"]
    assert referral["name"] == "referral strategy: reply rate 0.3"
    assert referral["effect"] == {"measure": "reply_rate", "value": 0.3}
    assert referral["samples"] == 60
    assert referral["lift"] == pytest.approx(0.3 / (30 / 180))
    assert (referral["promoted"], referral["basis"]) == (True, "outcomes")
    assert set(referral["sources"]) == {"outcome:run_1", "outcome:run_2"}
    assert found["value"]["promoted"] is False
    assert list(found) == ["referral", "value"]


@pytest.mark.parametrize(("sent", "promoted"), [(49, False), (50, True)])
async def test_pattern_needs_fifty_samples(sent, promoted):
    """A strategy far above the rest is promoted at 50 samples, and not at 49."""
    memory = FakeMemory()
    await learn_strategies(memory, 1, referral=(sent, 30), value=(100, 5))
    assert (await patterns(memory))["referral"]["promoted"] is promoted


async def test_better_by_chance_is_no_pattern():
    """Many samples with a small difference are not promoted; a lone strategy has nothing to exceed."""
    memory = FakeMemory()
    await learn_strategies(memory, 1, referral=(100, 11), value=(100, 9))
    assert (await patterns(memory))["referral"]["promoted"] is False
    alone = FakeMemory()
    await learn_strategies(alone, 1, referral=(100, 50))
    (pattern,) = (await patterns(alone)).values()
    assert (pattern["promoted"], pattern["lift"]) == (False, None)


@pytest.mark.parametrize(
    "item",
    [
        {"text": "referral strategy: reply rate 0.3"},
        {"text": "Referral strategy: reply rate 0.3."},
        {
            "text": "what Ada told us",
            "data": {
                "goal_type": "REVIVE_PIPELINE",
                "conditions": {"strategy": "referral"},
                "effect": {"measure": "reply_rate", "value": 0.3},
            },
        },
    ],
)
async def test_stated_pattern_is_read(item):
    """A pattern that somebody stored, as a sentence or as data, is there with the id of its memory."""
    ctx = FakeContext()
    item_id = await remember(ctx, 1, kind="pattern", **item)
    (pattern,) = (await patterns(ctx.memory)).values()
    assert pattern["conditions"] == {"strategy": "referral"}
    assert pattern["effect"] == {"measure": "reply_rate", "value": 0.3}
    assert (pattern["basis"], pattern["promoted"], pattern["sources"]) == ("stated", True, [item_id])


async def test_pattern_of_another_goal_or_without_sense_is_passed_over():
    """Patterns are per goal type, in outcomes as in what was stated, and nonsense is none."""
    ctx = FakeContext()
    data = {"conditions": {"strategy": "x"}, "effect": {"measure": "reply_rate", "value": 0.3}}
    await remember(ctx, 1, kind="pattern", text="said", data={**data, "goal_type": "BUILD_ICP"})
    await remember(ctx, 2, kind="pattern", text="referrals are nice")
    await remember(ctx, 3, kind="pattern", text="said", data={"conditions": 3})
    await learn_strategies(ctx.memory, 1, referral=(60, 18))
    assert list(await patterns(ctx.memory)) == ["referral"]
    assert list(await patterns(ctx.memory, "BUILD_ICP")) == ["x"]


ITEMS = [
    {"id": "a", "text": "Referral messages were answered most. The weather was fine."},
    {"id": "b", "text": "Answered most were referral messages sent on Tuesdays."},
    {"id": "c", "text": "A cat sat there."},
]


async def test_summary_takes_whole_sentences_that_say_most():
    """With room for one sentence it is the one whose words most items share; with room, every item's."""
    one = await call(RagServiceAgent, "summarize_context", items=ITEMS, budget_tokens=11)
    assert one == {"context": "[a] Referral messages were answered most.", "used_ids": ["a"], "tokens": 11}
    every = await call(RagServiceAgent, "summarize_context", items=ITEMS, budget_tokens=100)
    assert every["used_ids"] == ["a", "b", "c"]
    assert every["context"].splitlines()[2] == "[b] Answered most were referral messages sent on Tuesdays."


async def test_summary_takes_items_as_retrieved():
    """What was retrieved can be handed over as it is; a better score weighs more."""
    ctx = FakeContext()
    for number, text in enumerate(("alpha beta gamma", "delta epsilon zeta")):
        await remember(ctx, number, text=text)
    found = await call(RagServiceAgent, "retrieve", ctx, query="delta epsilon beta")
    summary = await call(RagServiceAgent, "summarize_context", items=found["items"], budget_tokens=13)
    assert summary["context"].endswith("delta epsilon zeta")


async def test_summary_says_nothing_twice():
    """The same sentence in two items is taken once."""
    twice = [{"id": "a", "text": "Same words."}, {"id": "b", "text": "same words"}]
    found = await call(RagServiceAgent, "summarize_context", items=twice, budget_tokens=1000)
    assert found["used_ids"] == ["a"]


@given(
    st.lists(
        st.fixed_dictionaries({"id": st.text("abc", min_size=1, max_size=3), "text": st.text()}), max_size=8
    ),
    st.integers(1, 60),
)
async def test_summary_stays_within_its_budget(items, budget):
    """Whatever the texts, the summary fits, and cites only items that it takes sentences from."""
    found = await call(RagServiceAgent, "summarize_context", items=items, budget_tokens=budget)
    assert found["tokens"] == tokens_of(found["context"]) <= budget
    assert set(found["used_ids"]) <= {item["id"] for item in items}
    assert all(f"[{item_id}] " in found["context"] for item_id in found["used_ids"])
