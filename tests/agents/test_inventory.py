"""Inventory: the levels, the ledger behind them, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dirigent.agents.catalogue import catalogue
from dirigent.agents.commerce.inventory import InventoryAgent
from dirigent.agents.commerce.stock_ledger import InsufficientStock, StockChange
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import Conflict, InvalidInput, TransientError
from dirigent.execution.registry import Registry
from tests.agents.fakes import FakeRecords, invoke
from tests.agents.stockroom import TENANT, Stockroom, again, of


@pytest.fixture
async def room() -> AsyncIterator[Stockroom]:
    """Ten mugs, four of them promised."""
    room = Stockroom()
    await room.update(of("mug", 10, "first", reserve=4))
    yield room
    room.records.close()


def test_the_printed_agent_is_there() -> None:
    """Under its type and name, with the printed actions; only one of them changes anything."""
    text = (Path(__file__).parents[1] / "fixtures" / "examples" / "002-02-agents.json").read_text("utf-8")
    (printed,) = (one for one in json.loads(text)["agents"] if one["type"] == "inventory")
    spec = Registry(catalogue()).agent(printed["name"])
    assert (spec.key, spec.domain) == ("inventory", "commerce")
    assert {name: (action.risk, action.effect) for name, action in spec.actions.items()} == {
        "check_stock": (Risk.R0, Effect.READ),
        "update_inventory": (Risk.R1, Effect.KEYED),
        "forecast_demand": (Risk.R0, Effect.READ),
    }
    assert sorted(spec.actions) == sorted(printed["actions"])


async def test_ten_on_hand_less_four_reserved_are_six(room: Stockroom) -> None:
    """What is promised is not available; what is not on record is listed, each once, in the order asked."""
    got = await room.check("pot", "mug", "pan", "mug", "pot")
    (mug,) = got.levels
    assert (mug.product_id, mug.on_hand, mug.reserved, mug.available) == ("mug", 10, 4, 6)
    assert (got.unknown, got.reason) == (["pot", "pan"], None)


async def test_more_than_there_is_changes_nothing(room: Stockroom) -> None:
    """Eleven of ten are too many, and the pot that was booked in the same call does not stay either."""
    with pytest.raises(InsufficientStock) as caught:
        await room.update(of("pot", 5), of("mug", -11))
    assert caught.value.code == "insufficient_stock"
    assert "11 of 'mug' are wanted, 6 available (10 on hand, 4 reserved)" in caught.value.message
    assert (await room.check("pot", "mug")).unknown == ["pot"]
    assert (await room.level("mug")).on_hand == 10
    assert len(room.ledger()) == 1


async def test_what_is_promised_to_others_is_not_taken(room: Stockroom) -> None:
    """Six can go, a seventh cannot, also where they are only promised; the promised ones can be shipped."""
    for change in (of("mug", -7), of("mug", 0, reserve=7)):
        with pytest.raises(InsufficientStock):
            await room.update(change)
    await room.update(of("mug", -6))
    got = await room.update(of("mug", -4, reserve=-4))
    assert (got.levels[0].on_hand, got.levels[0].reserved) == (0, 0)


async def test_changes_of_a_call_are_taken_in_their_order(room: Stockroom) -> None:
    """What comes in first can go out again in the same call, not the other way round."""
    await room.update(of("pot", 5), of("pot", -5))
    with pytest.raises(InsufficientStock):
        await room.update(of("pot", -5), of("pot", 5))


async def test_a_key_counts_once(room: Stockroom) -> None:
    """Within a call, across calls of other runs, and where a step is tried again."""
    first = await room.update(of("mug", 5, "a"), of("mug", 5, "a"), of("mug", 1, "b"))
    assert (first.levels[0].on_hand, first.repeated) == (16, [])
    second = await room.update(of("mug", 5, "a"), of("mug", 2, "c"))
    assert (second.levels[0].on_hand, second.repeated) == (18, ["a"])
    context = room.context()
    without_keys = (of("mug", 1), of("mug", 1))
    assert (await room.update(*without_keys, ctx=context)).levels[0].on_hand == 20
    retried = await room.update(*without_keys, ctx=again(context))
    assert (retried.levels[0].on_hand, len(retried.repeated)) == (20, 2)


async def test_a_repeated_sale_is_not_refused_for_want_of_stock(room: Stockroom) -> None:
    """The last six were sold; being told so again is no want of six more."""
    await room.update(of("mug", -6, "sale-1"))
    assert (await room.update(of("mug", -6, "sale-1"))).levels[0].available == 0


async def test_a_key_stands_for_one_change(room: Stockroom) -> None:
    """Another amount or product under it is a mistake that is told, in one call as across calls."""
    for changes in ([of("mug", 9, "first")], [of("pot", 10, "first")], [of("a", 1, "x"), of("a", 2, "x")]):
        with pytest.raises(Conflict, match="stands for another change already"):
            await room.update(*changes)
    assert len(room.ledger()) == 1


async def test_every_change_says_who_why_and_when(room: Stockroom) -> None:
    """The rows of the ledger name run, step, reason and time, and their sum is what is on hand."""
    await room.update(of("mug", -2, "s1", reason="sale: order 17"))
    (row,) = [row for row in room.ledger() if row["change_id"] == "s1"]
    assert row["reason"] == "sale: order 17"
    assert (row["run_id"], row["step"], row["at"]) == ("run_1", "step_2", "2026-11-20T09:30:00Z")
    assert sum(row["delta"] for row in room.ledger()) == (await room.level("mug")).on_hand == 8


async def test_below_the_reorder_point(room: Stockroom) -> None:
    """What counts is what is available; without a point nothing is below it, on the point it is not."""
    assert not (await room.level("mug")).below_reorder_point
    await room.update(of("mug", 0, reorder_point=6, lead_time_days=14))
    level = await room.level("mug")
    assert (level.below_reorder_point, level.reorder_point, level.lead_time_days) == (False, 6, 14)
    assert (await room.update(of("mug", 0, reserve=1))).levels[0].below_reorder_point


async def test_an_empty_tenant_has_an_honest_answer() -> None:
    """Nothing on record is told with the reason, also where everything is asked for."""
    room = Stockroom()
    everything = await invoke(InventoryAgent, "check_stock", room.context())
    assert (everything.levels, everything.reason) == ([], "No stock is on record.")
    assert (await room.check()).reason == "No product was named."


async def test_only_what_is_short(room: Stockroom) -> None:
    """Levels above their points are left out; what is not on record is named all the same."""
    await room.update(of("cup", 1, reorder_point=2), of("pot", 5, reorder_point=2))
    short = await invoke(InventoryAgent, "check_stock", room.context(), only_below=True)
    assert [level.product_id for level in short.levels] == ["cup"]
    asked = {"product_ids": ["pan", "pot", "cup"], "only_below": True}
    short = await invoke(InventoryAgent, "check_stock", room.context(), **asked)
    assert ([level.product_id for level in short.levels], short.unknown) == (["cup"], ["pan"])
    none = await invoke(InventoryAgent, "check_stock", room.context(), product_ids=["pot"], only_below=True)
    assert (none.levels, none.reason) == ([], "Nothing is below its reorder point.")
    assert (await room.check("pan")).reason == "None of these is on record."


async def test_where_others_are_always_faster_it_is_worth_another_try(room: Stockroom) -> None:
    """What looked covered is gone when it is booked, three times over: the step may try again."""
    context = room.context()
    real = context.records

    class Overtaken:
        """Records whose stock is taken by others between looking and booking."""

        fetch = real.fetch

        def save(self, *_: object) -> int:
            raise InvalidInput("A rule of the records is broken: stock on hand does not fall below zero.")

    context.records = cast(FakeRecords, Overtaken())
    with pytest.raises(TransientError, match="nothing was booked"):
        await room.update(of("mug", -1), ctx=context)


async def test_everything_is_listed_where_nothing_is_named(room: Stockroom) -> None:
    """By product id."""
    await room.update(of("cup", 1))
    everything = await invoke(InventoryAgent, "check_stock", room.context())
    assert [level.product_id for level in everything.levels] == ["cup", "mug"]


async def test_a_change_is_told_to_whoever_follows(room: Stockroom) -> None:
    """One event for each product that changed, with its level; none for what had counted in another run."""
    context = room.context()
    await room.update(of("mug", -1), of("pot", 3), of("mug", -1), ctx=context)
    assert [(type, subject, data["available"]) for type, data, subject in context.published] == [
        ("inventory.changed", "mug", 4),
        ("inventory.changed", "pot", 3),
    ]
    context = room.context()
    await room.update(of("mug", 10, "first", reserve=4), ctx=context)
    assert context.published == []


async def test_falling_below_the_point_is_told_once(room: Stockroom) -> None:
    """By the change that did it, or that named the point; not by those that come while it is short."""
    fell = []
    for change in (
        of("mug", 0, reorder_point=6),
        of("mug", -1),
        of("mug", -1),
        of("mug", 9),
        of("mug", -9),
        of("mug", 0, reorder_point=50),
    ):
        context = room.context()
        await room.update(change, ctx=context)
        fell += [data["fell_below"] for _, data, _ in context.published]
    assert fell == [False, True, False, False, True, True]


async def test_a_step_that_died_before_it_told_tells_when_tried_again(room: Stockroom) -> None:
    """Its change was booked and counts once; the event still goes out."""
    context = room.context()
    await room.update(of("mug", -1), ctx=context)
    retried = again(context)
    await room.update(of("mug", -1), ctx=retried)
    assert [subject for _, _, subject in retried.published] == ["mug"]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (of("mug", 0), InvalidInput, "changes nothing"),
        (of("mug", 0, reserve=-5), InvalidInput, "4 are reserved"),
        (of("mug", float("nan")), ValidationError, "greater than"),
        (of("mug", float("inf")), ValidationError, "less than"),
        (of("mug", 1e12), ValidationError, "less than"),
        (of("", 1), ValidationError, "at least 1 character"),
        (of("mug", 1, reason=""), ValidationError, "at least 1 character"),
        (of("mug", 1, lead_time_days=-1), ValidationError, "greater than"),
    ],
)
async def test_a_wrong_change_is_refused(
    room: Stockroom, change: dict[str, Any], error: type[Exception], said: str
) -> None:
    """The field and what was expected are told, and nothing is booked."""
    with pytest.raises(error, match=said):
        await room.update(change)
    assert len(room.ledger()) == 1


async def test_another_tenant_s_stock_is_not_there(room: Stockroom) -> None:
    """The same product and key of somebody else change nothing here."""
    row = {**room.ledger()[0], "delta": 99, "reserve": 0}
    room.records.save("org_b", "stock_changes", [row])
    assert room.records.fetch("org_b", "stock")[0]["on_hand"] == 99
    assert room.records.fetch(TENANT, "stock")[0]["on_hand"] == 10


CHANGES = st.lists(
    st.builds(
        StockChange,
        product_id=st.sampled_from("ab"),
        delta=st.integers(-6, 6),
        reason=st.just("test"),
        idempotency_key=st.integers(0, 400).map(str),
        reserve=st.integers(-2, 2),
    ),
    min_size=1,
    max_size=3,
)


@given(st.lists(CHANGES, max_size=12))
async def test_the_ledger_agrees_with_a_simple_one(calls: list[list[StockChange]]) -> None:
    """Whatever is called: what was refused changed nothing, what was taken counted once."""
    room, seen, sums = Stockroom(), dict[str, StockChange](), {"a": (0.0, 0.0), "b": (0.0, 0.0)}
    for call in calls:
        try:
            await room.update(*(change.model_dump() for change in call))
        except (Conflict, InvalidInput):
            pass
        else:
            for change in call:
                if seen.setdefault(str(change.idempotency_key), change) is change:
                    on_hand, reserved = sums[change.product_id]
                    sums[change.product_id] = on_hand + change.delta, reserved + change.reserve
        levels = {level.product_id: level for level in (await room.check("a", "b")).levels}
        for product, (on_hand, reserved) in sums.items():
            level = levels.get(product)
            found = (level.on_hand, level.reserved) if level else (0, 0)
            assert found == (on_hand, reserved)
            assert 0 <= reserved <= on_hand
    room.records.close()
