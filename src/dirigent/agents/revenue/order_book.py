"""The order book as rhythm and value need it: one history of order days and money per customer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from dirigent.ports import BoundRecords

SALE = "sale"
TAKEN_BACK = ("cancellation", "return")


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What one customer ordered, as far as it is known.

    `days` are the days with at least one sale of positive value, ascending; several invoices of one
    day count once, because they are one decision to buy. `flows` are the values of all orders by
    day, ascending, with cancellations and returns negative, in the currency of the books.
    """

    customer_id: str
    days: tuple[date, ...]
    flows: tuple[tuple[date, float], ...]

    def net_spend(self, day: date, days: int) -> float:
        """Money of the `days` days that end with `day`: sales less cancellations and returns."""
        start = day - timedelta(days=days)
        return sum(value for at, value in self.flows if start < at <= day)

    def bought_between(self, first: date, last: date) -> bool:
        """Whether an order day lies in the span, both ends included."""
        return any(first <= day <= last for day in self.days)


def read_histories(records: BoundRecords) -> list[History]:
    """The histories of all customers with at least one sale, by customer id.

    Orders without a customer belong to nobody and are left out.
    """
    flows: dict[str, list[tuple[date, str, float]]] = defaultdict(list)
    columns = ("customer_id", "ordered_at", "kind", "value")
    for row in records.fetch("orders", columns=columns):
        if row["customer_id"]:
            flows[str(row["customer_id"])].append(_flow(row))
    histories = (_history(customer_id, flows[customer_id]) for customer_id in sorted(flows))
    return [history for history in histories if history.days]


def known_on(histories: Iterable[History], day: date) -> list[History]:
    """The histories as they stood at the end of `day`, without what came later."""
    cut = (
        History(
            customer_id=history.customer_id,
            days=tuple(at for at in history.days if at <= day),
            flows=tuple(flow for flow in history.flows if flow[0] <= day),
        )
        for history in histories
    )
    return [history for history in cut if history.days]


def day_of(text: str) -> date:
    """The day of an ISO 8601 time, as written; the books are kept in one local time."""
    return date.fromisoformat(text[:10])


def _flow(row: dict[str, Any]) -> tuple[date, str, float]:
    value = float(row["value"])
    kind = row["kind"]
    return day_of(row["ordered_at"]), kind, -abs(value) if kind in TAKEN_BACK else value


def _history(customer_id: str, flows: Sequence[tuple[date, str, float]]) -> History:
    ordered = sorted(flows)
    days = sorted({at for at, kind, value in ordered if kind == SALE and value > 0})
    return History(
        customer_id=customer_id, days=tuple(days), flows=tuple((at, value) for at, _, value in ordered)
    )
