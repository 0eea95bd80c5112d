"""Facts about one customer's orders, and the products that fit now: counted, never guessed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from string import capwords
from typing import Any

from dirigent.agents.revenue.dossier import (
    RECORD_IDS_MAX,
    Evidence,
    ProductFit,
    Reason,
    day_in_words,
    month_in_words,
)
from dirigent.agents.revenue.order_book import SALE, TAKEN_BACK, day_of
from dirigent.agents.revenue.strategy import YEAR_DAYS, season_of_last_year
from dirigent.ports import BoundRecords
from dirigent.security.text import shown

ORDERS = "orders"
REORDER_DAYS_MIN = 2


@dataclass(frozen=True, kw_only=True)
class Purchases:
    """One customer's orders, and the lines of goods that were sold and not taken back; ascending by time."""

    orders: tuple[dict[str, Any], ...]
    lines: tuple[dict[str, Any], ...]
    names: dict[str, str]

    @property
    def sales(self) -> list[dict[str, Any]]:
        """The orders that were sales of positive value."""
        return [order for order in self.orders if order["kind"] == SALE and float(order["value"]) > 0]


@dataclass(frozen=True, kw_only=True)
class _Bought:
    """How one product was bought: days and orders ascending, and how many pieces."""

    sku: str
    name: str
    days: tuple[date, ...]
    order_ids: tuple[str, ...]
    quantity: float


def read_purchases(records: BoundRecords, customer_id: str) -> Purchases:
    """A customer's orders, lines and product names."""
    orders = records.fetch("orders", where={"customer_id": customer_id}, order_by="ordered_at")
    times = {order["order_id"]: order["ordered_at"] for order in orders}
    lines = records.fetch("order_lines", where={"order_id": sorted(times)}) if times else []
    dated = (
        {**line, "at": times[line["order_id"]], "day": day_of(times[line["order_id"]])} for line in lines
    )
    goods = _kept(sorted(dated, key=lambda line: (line["at"], line["order_id"], line["line"])))
    skus = sorted({line["sku"] for line in goods})
    products = records.fetch("products", where={"sku": skus}) if skus else []
    names = {product["sku"]: presentable(product["name"]) for product in products if product["name"]}
    return Purchases(orders=tuple(orders), lines=tuple(goods), names=names)


def presentable(name: str) -> str:
    """A product's name for readers: nothing invisible, single spaces, no shouting."""
    plain = " ".join(shown(name).split())
    return capwords(plain) if plain.isupper() else plain


def order_facts(purchases: Purchases, day: date, *, deep: bool) -> list[Evidence]:
    """What the orders as a whole say; empty without a sale."""
    sales = purchases.sales
    if not sales:
        return []
    days = sorted({day_of(order["ordered_at"]) for order in sales})
    facts = [
        _fact("last_order", "The last order was placed on {}.", day_in_words(days[-1]), _on(sales, days[-1])),
        _fact(
            "first_order", "The first order on record is of {}.", month_in_words(days[0]), _on(sales, days[0])
        ),
        _fact("order_days", "Orders came in on {} different days.", str(len(days)), sales),
        _spend_fact(purchases.orders, day),
    ]
    return [*facts, *_deep_facts(purchases)] if deep else facts


def product_fits(
    purchases: Purchases, day: date, limit: int, first_index: int
) -> tuple[list[Evidence], list[ProductFit]]:
    """At most `limit` products to talk about, best first, and their facts.

    First what was ordered in the coming weeks of last year, by pieces; then what was ordered on at
    least two days, by days and pieces. `first_index` is where the facts will stand in the dossier.
    """
    start, end = season_of_last_year(day)
    in_season = [line for line in purchases.lines if start <= line["day"] <= end]
    season = sorted(_by_product(in_season, purchases.names), key=lambda item: (-item.quantity, item.sku))
    often = (
        item
        for item in _by_product(purchases.lines, purchases.names)
        if len(item.days) >= REORDER_DAYS_MIN and item.sku not in {other.sku for other in season}
    )
    reorder = sorted(often, key=lambda item: (-len(item.days), -item.quantity, item.sku))
    chosen: list[tuple[_Bought, Reason]] = [(item, "season") for item in season]
    chosen.extend((item, "reorder") for item in reorder)
    del chosen[limit:]
    facts = [_product_fact(item, reason) for item, reason in chosen]
    fits = [_fit(item, reason, first_index + n) for n, (item, reason) in enumerate(chosen)]
    return facts, fits


def _kept(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was sold less what was taken back.

    The books do not say which sale a cancellation or return belongs to: it lowers the latest earlier
    lines of the product, and a line lowered to nothing was no purchase.
    """
    sold: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        pieces = abs(float(line["quantity"]))
        if line["kind"] == SALE and line["goods"] and float(line["quantity"]) > 0 and line["unit_price"] > 0:
            sold[line["sku"]].append({**line, "quantity": pieces})
        elif line["kind"] in TAKEN_BACK:
            _take_back(sold[line["sku"]], pieces)
    return [line for sku in sorted(sold) for line in sold[sku]]


def _take_back(sold: list[dict[str, Any]], pieces: float) -> None:
    while pieces > 0 and sold:
        lowered = min(pieces, sold[-1]["quantity"])
        sold[-1]["quantity"] -= lowered
        pieces -= lowered
        if sold[-1]["quantity"] <= 0:
            sold.pop()


def _by_product(lines: Iterable[dict[str, Any]], names: dict[str, str]) -> list[_Bought]:
    grouped: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        if line["sku"] in names:
            grouped[line["sku"]].append(line)
    return [
        _Bought(
            sku=sku,
            name=names[sku],
            days=tuple(sorted({line["day"] for line in bought})),
            order_ids=tuple(dict.fromkeys(line["order_id"] for line in bought)),
            quantity=sum(float(line["quantity"]) for line in bought),
        )
        for sku, bought in sorted(grouped.items())
    ]


def _fit(item: _Bought, reason: Reason, index: int) -> ProductFit:
    return ProductFit(
        sku=item.sku,
        name=item.name,
        reason=reason,
        order_days=len(item.days),
        quantity=item.quantity,
        last_at=item.days[-1].isoformat(),
        evidence=index,
    )


def _product_fact(item: _Bought, reason: Reason) -> Evidence:
    pieces, last = f"{item.quantity:,g}", day_in_words(item.days[-1])
    if reason == "season":
        text = f"{item.name} ({item.sku}) was ordered in {month_in_words(item.days[-1])}: {pieces} pieces."
    else:
        text = (
            f"{item.name} ({item.sku}) was ordered on {len(item.days)} days,"
            f" {pieces} pieces in all, last on {last}."
        )
    return Evidence(
        kind=reason,
        text=text,
        value=item.name,
        source="order_lines",
        record_ids=list(item.order_ids[:RECORD_IDS_MAX]),
        records=len(item.order_ids),
        at=item.days[-1].isoformat(),
    )


def _deep_facts(purchases: Purchases) -> list[Evidence]:
    taken_back = [order for order in purchases.orders if order["kind"] in TAKEN_BACK]
    products = len({line["sku"] for line in purchases.lines})
    facts = [_fact("range", "The orders hold {} different products.", str(products), purchases.sales)]
    if taken_back:
        wording = "Cancellations and returns on record: {}."
        facts.append(_fact("taken_back", wording, str(len(taken_back)), taken_back))
    return facts


def _spend_fact(orders: Sequence[dict[str, Any]], day: date) -> Evidence:
    start = day - timedelta(days=YEAR_DAYS)
    counted = [order for order in orders if start < day_of(order["ordered_at"]) <= day]
    spend = sum(
        -abs(float(order["value"])) if order["kind"] in TAKEN_BACK else float(order["value"])
        for order in counted
    )
    wording = f"Net spend of the {YEAR_DAYS} days to {day_in_words(day)}: {{}}."
    return _fact("spend_year", wording, f"{spend:,.2f}", counted or list(orders))


def _fact(kind: str, wording: str, value: str, orders: Sequence[dict[str, Any]]) -> Evidence:
    return Evidence(
        kind=kind,
        text=wording.format(value),
        value=value,
        source=ORDERS,
        record_ids=[order["order_id"] for order in orders[:RECORD_IDS_MAX]],
        records=len(orders),
        at=max(day_of(order["ordered_at"]) for order in orders).isoformat(),
    )


def _on(orders: Iterable[dict[str, Any]], day: date) -> list[dict[str, Any]]:
    return [order for order in orders if day_of(order["ordered_at"]) == day]
