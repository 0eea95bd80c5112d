"""The demand for a product, and the proposal to order that follows from it."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from statistics import NormalDist
from typing import Any

import pytest

from dirigent.agents.catalogue import catalogue
from dirigent.domain.errors import InvalidInput
from dirigent.execution.registry import Registry
from tests.agents.fakes import FakeContext
from tests.agents.stockroom import TENANT, Stockroom, of

MONDAY = date(2025, 11, 24)
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.fixture
async def room() -> AsyncIterator[Stockroom]:
    """A hundred mugs, two weeks away from the factory."""
    room = Stockroom()
    await room.update(of("mug", 100, lead_time_days=14))
    yield room
    room.records.close()


def weeks(count: int = 52, seed: int = 1, mean: float = 70, sigma: float = 10) -> list[tuple[date, int]]:
    """Sales of whole weeks that vary around a mean."""
    chance = random.Random(seed)
    return [(MONDAY + timedelta(weeks=week), round(chance.gauss(mean, sigma))) for week in range(count)]


def daily(count: int, seed: int, mean: float = 20, sigma: float = 5) -> list[tuple[date, float]]:
    """Sales of days, of whatever size."""
    chance = random.Random(seed)
    return [(MONDAY + timedelta(days=day), max(0.0, chance.gauss(mean, sigma))) for day in range(count)]


async def test_fifty_two_weeks_of_sales(room: Stockroom) -> None:
    """Every day has a band around it; the reorder point is lead-time demand plus safety stock."""
    got = await room.forecast("mug", sales=weeks(), horizon_days=28, lead_time_days=14, service_level=0.95)
    assert [day.date for day in got.forecast] == [date(2026, 11, 23) + timedelta(days=n) for n in range(28)]
    assert all(0 < day.low < day.qty < day.high for day in got.forecast)
    assert sum(day.qty for day in got.forecast) == pytest.approx(280, rel=0.05)
    reorder = got.reorder
    assert reorder is not None
    assert reorder.lead_time_demand == pytest.approx(140, rel=0.05)
    assert reorder.point == pytest.approx(reorder.lead_time_demand + reorder.safety_stock)
    two_weeks = NormalDist().inv_cdf(0.95) * 10 * math.sqrt(2)
    assert 0.8 * two_weeks < reorder.safety_stock < 2.0 * two_weeks
    assert got.history is not None
    assert (got.history.source, got.history.each, got.history.first_day) == ("given", "week", MONDAY)
    assert (got.provider, got.reason) == ("deterministic", None)


async def test_it_is_better_than_repeating_the_last_week(room: Stockroom) -> None:
    """And says by how much, on weeks it had not seen."""
    got = await room.forecast("mug", sales=weeks())
    assert got.held_out is not None
    assert got.held_out.error < got.held_out.naive_error
    assert sum(got.methods.values()) == pytest.approx(1, abs=0.01)


async def test_the_stock_lasts_as_often_as_was_promised(room: Stockroom) -> None:
    """Of sixty products with demand of a known kind, the point suffices for 95 % of the lead times."""
    lasted = 0
    for seed in range(60):
        sales = daily(120 + 10, seed)
        got = await room.forecast("mug", sales=sales[:120], lead_time_days=10, service_level=0.95)
        assert got.reorder is not None
        lasted += sum(quantity for _, quantity in sales[120:]) <= got.reorder.point
    assert lasted >= 54


async def test_longer_or_surer_takes_more(room: Stockroom) -> None:
    """The point rises with the lead time and with the service level, the band with its coverage."""
    points, widths = [], []
    for lead_time, service, coverage in ((7, 0.9, 0.5), (14, 0.9, 0.8), (14, 0.99, 0.95)):
        got = await room.forecast(
            "mug", sales=weeks(), lead_time_days=lead_time, service_level=service, coverage=coverage
        )
        assert got.reorder is not None
        points.append(got.reorder.point)
        widths.append(got.forecast[0].high - got.forecast[0].low)
    assert points == sorted(set(points))
    assert widths == sorted(set(widths))


async def test_even_odds_need_no_safety_stock(room: Stockroom) -> None:
    """At a service level of one half, the point is what is expected; parts of pieces are not rounded."""
    got = await room.forecast("mug", sales=daily(100, 3), lead_time_days=5, service_level=0.5)
    assert got.reorder is not None
    assert got.reorder.point == pytest.approx(got.reorder.lead_time_demand, abs=0.001)


async def test_order_when_what_is_left_has_fallen_to_the_point(room: Stockroom) -> None:
    """Ten a day and a hundred there; the goods take six days: order after the fourth, for four weeks more."""
    sales = [(MONDAY + timedelta(days=day), 10.0) for day in range(60)]
    got = await room.forecast("mug", sales=sales, horizon_days=28, lead_time_days=6)
    reorder = got.reorder
    assert reorder is not None
    assert (reorder.point, reorder.safety_stock, reorder.available) == (60, 0, 100)
    assert reorder.order_by == MONDAY + timedelta(days=60 + 4)
    assert reorder.quantity == 280
    await room.update(of("mug", -70))
    late = (await room.forecast("mug", sales=sales, horizon_days=28, lead_time_days=6)).reorder
    assert late is not None
    assert (late.order_by, late.quantity) == (MONDAY + timedelta(days=60), 60 + 280 - 30)
    await room.update(of("mug", 970))
    enough = (await room.forecast("mug", sales=sales, horizon_days=28, lead_time_days=6)).reorder
    assert enough is not None
    assert (enough.order_by, enough.quantity) == (None, None)
    assert enough.reason == "What is available lasts beyond the 28 days looked at."


async def test_the_lead_time_is_the_product_s_own(room: Stockroom) -> None:
    """Else a week; what is asked for goes before both, and of goods that are there at once none is kept."""
    found = [
        (await room.forecast(product, sales=weeks(), lead_time_days=asked)).reorder
        for product, asked in (("mug", None), ("pot", None), ("mug", 0))
    ]
    assert [reorder.lead_time_days for reorder in found if reorder] == [14, 7, 0]
    assert found[2] is not None
    assert found[2].point == 0


async def test_without_stock_on_record_nobody_can_say_when(room: Stockroom) -> None:
    """The point is known, the rest is not invented."""
    got = await room.forecast("pot", sales=weeks())
    assert got.reorder is not None
    assert got.reorder.point > 0
    assert (got.reorder.order_by, got.reorder.quantity, got.reorder.available) == (None, None, None)
    assert got.reorder.reason is not None
    assert "No stock of it is on record" in got.reorder.reason


async def test_it_is_only_a_proposal(room: Stockroom) -> None:
    """Nothing is booked, nothing is told, however much ought to be ordered."""
    context = room.context()
    await room.forecast("mug", ctx=context, sales=weeks(mean=900))
    assert len(room.ledger()) == 1
    assert (context.published, context.delivered) == ([], {})


async def test_the_order_of_the_sales_does_not_matter(room: Stockroom) -> None:
    """Nor that a day is told in several parts."""
    sales = weeks()
    parts = [(day, part) for day, quantity in reversed(sales) for part in (quantity - 3, 3)]
    assert await room.forecast("mug", sales=parts) == await room.forecast("mug", sales=sales)


async def test_no_sales_have_an_honest_answer(room: Stockroom) -> None:
    """Neither numbers nor a proposal, and the reason why."""
    nothing = await room.forecast("mug")
    assert (nothing.forecast, nothing.reorder, nothing.history) == ([], None, None)
    assert nothing.reason is not None
    assert "No sale of 'mug' is on record" in nothing.reason
    assert (await room.forecast("mug", sales=[])).reason == "The list of sales is empty."


def at(room: Stockroom, days_ago: int) -> FakeContext:
    """A step of some days before now."""
    return replace(room.context(), now=NOW - timedelta(days=days_ago))


async def test_what_left_the_stock_as_a_sale_was_sold(room: Stockroom) -> None:
    """By the day it was booked, up to yesterday; what was broken, counted or came back is no sale."""
    for days_ago in range(30, -1, -1):
        await room.update(
            of("mug", 10),
            of("mug", -4, reason="Sale: order 17"),
            of("mug", -2, reason="sale"),
            of("mug", -1, reason="broken"),
            of("mug", 1, reason="sale taken back"),
            of("mug", -1, reason="salesman's sample"),
            ctx=at(room, days_ago),
        )
    got = await room.forecast("mug", ctx=at(room, 0), horizon_days=7)
    assert got.history is not None
    assert (got.history.source, got.history.sold) == ("stock_ledger", 180)
    assert (got.history.first_day, got.history.last_day) == (date(2026, 10, 21), date(2026, 11, 19))
    assert [(day.date.day, day.qty) for day in got.forecast] == [(day, 6.0) for day in range(20, 27)]


def book_order(room: Stockroom, number: int, day: date, quantity: float, kind: str = "sale") -> None:
    """One order of pots."""
    order = {"order_id": f"{number}", "ordered_at": f"{day}T10:00:00Z", "kind": kind, "value": quantity}
    line = {
        "order_id": f"{number}",
        "line": 1,
        "sku": "pot",
        "quantity": quantity,
        "unit_price": 1,
        "kind": kind,
    }
    room.records.save(TENANT, "orders", [order])
    room.records.save(TENANT, "order_lines", [line])


async def test_else_the_order_book_says_what_was_wanted(room: Stockroom) -> None:
    """What was cancelled on the same day was never wanted; days without an order are days without demand."""
    for number in (number for number in range(60) if number != 41):
        book_order(room, number, MONDAY + timedelta(days=number), 5)
    book_order(room, 100, MONDAY + timedelta(days=7), 80_000)
    book_order(room, 101, MONDAY + timedelta(days=7), -80_000, "cancellation")
    book_order(room, 102, MONDAY + timedelta(days=8), -3, "adjustment")
    book_order(room, 103, MONDAY + timedelta(days=41), -2, "return")
    got = await room.forecast("pot", horizon_days=3)
    assert got.history is not None
    assert (got.history.source, got.history.sold, got.history.last_day) == (
        "order_book",
        295,
        MONDAY + timedelta(days=59),
    )
    assert [day.qty for day in got.forecast] == pytest.approx([5.0] * 3, abs=0.5)
    await room.update(of("pot", 9), of("pot", -1, reason="sale"), ctx=at(room, 3))
    later = await room.forecast("pot", ctx=at(room, 0))
    assert later.history is not None
    assert later.history.source == "stock_ledger"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"horizon_days": -1}, "horizon_days"),
        ({"horizon_days": 0}, "horizon_days"),
        ({"horizon_days": 100_000}, "horizon_days"),
        ({"lead_time_days": -1}, "lead_time_days"),
        ({"service_level": 1.0}, "service_level"),
        ({"service_level": 0.3}, "service_level"),
        ({"coverage": float("nan")}, "coverage"),
        ({"sales": [{"date": "2026-01-01", "qty": float("nan")}]}, "sales.0.qty"),
        ({"sales": [{"date": "2026-01-01", "qty": float("inf")}]}, "sales.0.qty"),
        ({"sales": [{"date": "2026-01-01", "qty": 1}, {"date": "2026-01-02", "qty": -1}]}, "sales.1.qty"),
        ({"sales": [{"date": "yesterday", "qty": 1}]}, "sales.0.date"),
        ({"sales": [{"date": "2026-01-01", "quantity": 1}]}, "sales.0.qty"),
        ({"product_id": ""}, "product_id"),
    ],
)
def test_bad_input_is_refused_with_its_field(asked: dict[str, Any], field: str) -> None:
    """Before anything is looked up."""
    action = Registry(catalogue()).action("inventory", "forecast_demand")
    with pytest.raises(InvalidInput) as caught:
        action.read_inputs({"product_id": "mug", **asked})
    assert caught.value.field.startswith(field)
