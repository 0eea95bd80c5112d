"""The demand for a product, day by day, and what follows for ordering it."""

from __future__ import annotations

import math
from datetime import date
from typing import Literal

from dirigent.agents.commerce.reorder import Reorder, propose
from dirigent.agents.commerce.sales_history import SalesHistory, Source, history_of
from dirigent.agents.commerce.stock_ledger import StockLevel
from dirigent.agents.forecasting import Outlook, Timeline, outlook_of
from dirigent.domain.shape import Shape

LEAD_TIME_DAYS = 7
DECIMALS = 3


class DayForecast(Shape):
    """What is expected to be wanted on a day, and the two numbers it lies between with the given coverage."""

    date: date
    qty: float
    low: float
    high: float


class HeldOut(Shape):
    """How it did on the latest sales, unseen: the mean error a step, and that of repeating the last value."""

    error: float
    naive_error: float
    steps: int


class DemandForecast(Shape):
    """The demand of the coming days and a proposal to order; without a forecast the reason why there is none.

    `methods` are those it is made of, by their weight. Errors of `held_out` are those of a day, week or
    month, whichever the sales were.
    """

    product_id: str
    forecast: list[DayForecast]
    reorder: Reorder | None
    coverage: float
    methods: dict[str, float]
    history: SalesHistory | None
    held_out: HeldOut | None
    provider: Literal["deterministic"] = "deterministic"
    reason: str | None = None


class Question(Shape):
    """What is to be foretold: how many days, and what the proposal to order is to hold for."""

    product_id: str
    horizon_days: int
    lead_time_days: int | None
    service_level: float
    coverage: float


def foretell(
    question: Question, source: Source, timeline: Timeline, level: StockLevel | None
) -> DemandForecast:
    """The forecast that follows from a history of sales; the days begin after its last one."""
    steps = math.ceil(timeline.steps_ahead(question.horizon_days))
    outlook = outlook_of(timeline.values, horizon=steps, period=timeline.grain.period, floor=0.0)
    days = _by_day(outlook, timeline, question)
    lead_time = question.lead_time_days if question.lead_time_days is not None else _lead_time(level)
    reorder = propose(
        outlook,
        timeline,
        [(day.date, day.qty) for day in days],
        level,
        lead_time_days=lead_time,
        service_level=question.service_level,
    )
    return DemandForecast(
        product_id=question.product_id,
        forecast=days,
        reorder=reorder,
        coverage=question.coverage,
        methods={name: round(weight, DECIMALS) for name, weight in outlook.methods.items()},
        history=history_of(source, timeline),
        held_out=_held_out(outlook),
    )


def nothing_to_tell(question: Question, reason: str) -> DemandForecast:
    """The answer where no sale is known."""
    return DemandForecast(
        product_id=question.product_id,
        forecast=[],
        reorder=None,
        coverage=question.coverage,
        methods={},
        history=None,
        held_out=None,
        reason=reason,
    )


def _by_day(outlook: Outlook, timeline: Timeline, question: Question) -> list[DayForecast]:
    """Each day's share of its step.

    Days of a week are taken as alike, each for itself, since nothing else is known of them: the error of
    one is that of the week by the root of seven.
    """
    shares = timeline.days_ahead(question.horizon_days)
    steps = shares[-1][1] + 1
    expected, band = outlook.expected(steps), outlook.band(steps, question.coverage)
    found = []
    for day, step, span in shares:
        mean, (low, high) = expected[step], band[step]
        width = math.sqrt(span)
        found.append(
            DayForecast(
                date=day,
                qty=round(mean / span, DECIMALS),
                low=round(max(0.0, mean / span - (mean - low) / width), DECIMALS),
                high=round(mean / span + (high - mean) / width, DECIMALS),
            )
        )
    return found


def _lead_time(level: StockLevel | None) -> int:
    known = level.lead_time_days if level else None
    return LEAD_TIME_DAYS if known is None else known


def _held_out(outlook: Outlook) -> HeldOut | None:
    found = outlook.accuracy
    if found is None:
        return None
    return HeldOut(
        error=round(found.error, DECIMALS), naive_error=round(found.naive_error, DECIMALS), steps=found.steps
    )
