"""Inventory: what is in stock, what came and went, and what will be wanted."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import Field

from dirigent.agents.commerce.demand import DemandForecast, Question, foretell, nothing_to_tell
from dirigent.agents.commerce.sales_history import (
    Sale,
    Source,
    given_sales,
    sales_by_ledger,
    sales_by_orders,
)
from dirigent.agents.commerce.stock_ledger import (
    LEAD_TIME_DAYS_MAX,
    Moved,
    ProductId,
    StockChange,
    StockLevel,
    book,
    changes_of_step,
    read_levels,
)
from dirigent.agents.forecasting import Timeline
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.shape import Shape
from dirigent.ports import Context
from dirigent.security.admission import action, agent

CHANGED = "inventory.changed"

ProductIds = Annotated[list[ProductId], Field(max_length=10_000)]
Sales = Annotated[list[Sale], Field(max_length=1_000_000)]
Days = Annotated[int, Field(ge=1, le=366)]
LeadTime = Annotated[int, Field(ge=0, le=LEAD_TIME_DAYS_MAX)]
ServiceLevel = Annotated[float, Field(ge=0.5, lt=1)]
Coverage = Annotated[float, Field(gt=0, lt=1)]
Changes = Annotated[list[StockChange], Field(min_length=1, max_length=1_000)]


class Stock(Shape):
    """Levels by product, in the order asked for; `unknown` is of what nothing is on record."""

    levels: list[StockLevel]
    unknown: list[str]
    reason: str | None = None


class StockUpdated(Shape):
    """The levels of the changed products as they are now; `repeated` are the keys that had counted before."""

    levels: list[StockLevel]
    repeated: list[str]


@agent(
    "inventory",
    domain="commerce",
    aliases=("InventoryAgent", "Inventory Agent", "Inventory", "StockSpecialist", "stock_worker"),
)
class InventoryAgent:
    """Keeps the stock, foretells demand, proposes what to order."""

    @action(risk=Risk.R0, effect=Effect.READ)
    async def check_stock(
        self, product_ids: ProductIds | None = None, only_below: bool = False, *, ctx: Context
    ) -> Stock:
        """Say what there is of some products, or of all; `only_below` leaves out what is not short."""
        known = read_levels(ctx.records, product_ids)
        asked = dict.fromkeys(known if product_ids is None else product_ids)
        found = [known[product] for product in asked if product in known]
        return Stock(
            levels=[level for level in found if level.below_reorder_point or not only_below],
            unknown=[product for product in asked if product not in known],
            reason=_why_nothing(product_ids, found, only_below=only_below),
        )

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def update_inventory(self, changes: Changes, *, ctx: Context) -> StockUpdated:
        """Book what came in, went out, or was promised; all changes of a call, or none.

        A product comes into being with its first change. Raises `insufficient_stock` where more is taken
        than is available. Tells `inventory.changed` of every product that changed, with its level, and
        whether it `fell_below` its reorder point by this.
        """
        counted, repeated = book(ctx, changes)
        touched = list(dict.fromkeys(change.product_id for change in changes))
        levels = read_levels(ctx.records, touched)
        moved = changes_of_step(ctx, [*counted, *repeated])
        told = (
            ctx.publish(CHANGED, _told(levels[product], moved[product]), subject=product)
            for product in touched
            if product in moved
        )
        await asyncio.gather(*told)
        return StockUpdated(levels=[levels[product] for product in touched], repeated=repeated)

    @action(risk=Risk.R0, effect=Effect.READ)
    async def forecast_demand(
        self, product_id: ProductId, sales: Sales | None = None, horizon_days: Days = 28,
        lead_time_days: LeadTime | None = None, service_level: ServiceLevel = 0.95, coverage: Coverage = 0.8,
        *, ctx: Context,
    ) -> DemandForecast:  # fmt: skip
        """Foretell what will be wanted day by day, and propose when to order how much; nothing is ordered.

        Without `sales` it takes what left the stock as a sale, else what the order book says. Sales may
        come in any order and several a day; a day without one sold nothing. A lead time that is not given
        is the product's own, else 7 days.
        """
        question = Question(
            product_id=product_id,
            horizon_days=horizon_days,
            lead_time_days=lead_time_days,
            service_level=service_level,
            coverage=coverage,
        )
        return await asyncio.to_thread(_answer, question, sales, ctx)


def _why_nothing(asked: list[str] | None, found: list[StockLevel], *, only_below: bool) -> str | None:
    """Why there is no level to show; None where there is one."""
    if asked is None and not found:
        return "No stock is on record."
    if not found:
        return "None of these is on record." if asked else "No product was named."
    if only_below and not any(level.below_reorder_point for level in found):
        return "Nothing is below its reorder point."
    return None


def _told(level: StockLevel, moved: Moved) -> dict[str, Any]:
    """The data of the event about a product."""
    before = level.available - moved.available
    was_below = not moved.named_point and level.reorder_point is not None and before < level.reorder_point
    fell_below = level.below_reorder_point and not was_below
    return {**level.model_dump(mode="json"), "fell_below": fell_below}


def _answer(question: Question, sales: list[Sale] | None, ctx: Context) -> DemandForecast:
    source, timeline = _sold(question.product_id, sales, ctx)
    if timeline is None and sales is not None:
        return nothing_to_tell(question, "The list of sales is empty.")
    if timeline is None:
        known = "neither in the stock ledger before today nor in the order book"
        return nothing_to_tell(question, f"No sale of {question.product_id!r} is on record, {known}.")
    level = read_levels(ctx.records, [question.product_id]).get(question.product_id)
    return foretell(question, source, timeline, level)


def _sold(product_id: str, sales: list[Sale] | None, ctx: Context) -> tuple[Source, Timeline | None]:
    if sales is not None:
        return "given", given_sales(sales)
    by_ledger = sales_by_ledger(ctx.records, product_id, ctx.now)
    if by_ledger is not None:
        return "stock_ledger", by_ledger
    return "order_book", sales_by_orders(ctx.records, product_id)
