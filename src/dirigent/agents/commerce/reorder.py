"""When to order and how much: only ever a proposal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from statistics import NormalDist

from dirigent.agents.commerce.stock_ledger import StockLevel
from dirigent.agents.forecasting import Outlook, Timeline
from dirigent.domain.shape import Shape

DECIMALS = 3
ALMOST = 1e-9


class Reorder(Shape):
    """A proposal to order, and what it rests on. Nobody has placed it.

    `point` is the stock that must be available when ordering: what will be wanted until the goods come in,
    `lead_time_demand`, and `safety_stock` against being wrong, rounded up to whole pieces where only whole
    ones are sold. `order_by` is the first day on which no more
    than that is left, and `quantity` fills up to the point and the demand of the whole horizon; both are
    None where it cannot be said, or nothing has to be ordered, with the reason.
    """

    point: int | float
    quantity: int | float | None
    order_by: date | None
    lead_time_demand: float
    safety_stock: float
    lead_time_days: int
    service_level: float
    available: int | float | None
    reason: str | None


def propose(
    outlook: Outlook,
    timeline: Timeline,
    daily: Sequence[tuple[date, float]],
    level: StockLevel | None,
    *,
    lead_time_days: int,
    service_level: float,
) -> Reorder:
    """The reorder point and, where the stock is known, when to order how much.

    Lead-time demand plus z times the standard deviation of the lead time's forecast error, with z the
    normal quantile of the service level, that is the chance of not running out before the goods are there:
    Silver, Pyke and Thomas, "Inventory and Production Management in Supply Chains" (2017), chapter 6. The
    quantity fills up to a level, as in their (s, S) system. What is on order already is not known here.
    """
    demand, spread = outlook.total(timeline.steps_ahead(lead_time_days))
    safety = NormalDist().inv_cdf(service_level) * spread
    whole = all(float(value).is_integer() for value in timeline.values)
    point = _rounded_up(demand + safety, whole)
    day, quantity, reason = _when(daily, level, point, whole)
    return Reorder(
        point=point,
        quantity=quantity,
        order_by=day,
        lead_time_demand=round(demand, DECIMALS),
        safety_stock=round(point - demand, DECIMALS),
        lead_time_days=lead_time_days,
        service_level=service_level,
        available=level.available if level else None,
        reason=reason,
    )


def _when(
    daily: Sequence[tuple[date, float]], level: StockLevel | None, point: float, whole: bool
) -> tuple[date | None, float | None, str | None]:
    """The first day on which what is left has fallen to the point, and what fills it up then."""
    if level is None:
        return None, None, "No stock of it is on record, so when to order how much cannot be said."
    left = float(level.available)
    horizon_demand = math.fsum(quantity for _, quantity in daily)
    for day, quantity in daily:
        if left <= point and point + horizon_demand > left:
            return day, _rounded_up(point + horizon_demand - left, whole), None
        left -= quantity
    return None, None, f"What is available lasts beyond the {len(daily)} days looked at."


def _rounded_up(quantity: float, whole: bool) -> int | float:
    """Up to whole pieces where only whole ones are sold; what is a hair above counts as even."""
    return math.ceil(quantity - ALMOST) if whole else round(quantity, DECIMALS)
