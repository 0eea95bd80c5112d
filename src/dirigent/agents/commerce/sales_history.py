"""What was sold of a product: as it is given, else by the stock ledger, else by the order book."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from dirigent.agents.commerce.stock_ledger import QUANTITY_MAX
from dirigent.agents.forecasting import Grain, Timeline, timeline_of
from dirigent.domain.shape import Shape
from dirigent.ports import BoundRecords

SALE = "sale"
BACK = ("cancellation", "return")

Day = date  # a field is called date, too
Source = Literal["given", "stock_ledger", "order_book"]


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Sale:
    """So many pieces sold on a day, or in the week or month that begins with it."""

    date: Day
    qty: Annotated[int | float, Field(ge=0, le=QUANTITY_MAX)]


class SalesHistory(Shape):
    """Which sales a forecast rests on: where they are from, and the days from the first to the last known."""

    source: Source
    first_day: date
    last_day: date
    each: Grain
    sold: float


def given_sales(sales: Sequence[Sale]) -> Timeline | None:
    """The sales of a list, in any order, up to the last one; None of an empty list."""
    return timeline_of((sale.date, sale.qty) for sale in sales) if sales else None


def sales_by_ledger(records: BoundRecords, product_id: str, now: datetime) -> Timeline | None:
    """What left the stock as a sale, up to yesterday, since today is not over; None where nothing did.

    A change is a sale if it takes something away and its reason begins with the word "sale".
    """
    columns = ("delta", "reason", "at")
    rows = records.fetch("stock_changes", where={"product_id": product_id}, columns=columns)
    until = now.date() - timedelta(days=1)
    sold = [
        (day, -row["delta"])
        for row in rows
        if row["delta"] < 0 and _is_sale(row["reason"]) and (day := _day_of(row["at"])) <= until
    ]
    return timeline_of(sold, until=until, grain=Grain.DAY) if sold else None


def sales_by_orders(records: BoundRecords, product_id: str) -> Timeline | None:
    """What was ordered, up to the books' last day; None where the product is in no order.

    What was taken back on the day it was ordered was never wanted; a later return was.
    """
    lines = records.fetch("order_lines", where={"sku": product_id}, columns=("order_id", "quantity", "kind"))
    as_of = records.as_of()
    if not lines or as_of is None:
        return None
    ids = sorted({line["order_id"] for line in lines})
    orders = records.fetch("orders", where={"order_id": ids}, columns=("order_id", "ordered_at"))
    days = {order["order_id"]: _day_of(order["ordered_at"]) for order in orders}
    wanted: dict[date, float] = defaultdict(float)
    for line in lines:
        if line["kind"] == SALE or line["kind"] in BACK:
            wanted[days[line["order_id"]]] += line["quantity"]
    sold = [(day, quantity) for day, quantity in wanted.items() if quantity > 0]
    return timeline_of(sold, until=as_of.date(), grain=Grain.DAY) if sold else None


def history_of(source: Source, timeline: Timeline) -> SalesHistory:
    """What is said of the sales a forecast rests on."""
    return SalesHistory(
        source=source,
        first_day=timeline.start,
        last_day=timeline.end - timedelta(days=1),
        each=timeline.grain,
        sold=round(sum(timeline.values), 6),
    )


def _is_sale(reason: str) -> bool:
    return reason.casefold().split(":")[0].split()[:1] == [SALE]


def _day_of(moment: str) -> date:
    return date.fromisoformat(moment[:10])
