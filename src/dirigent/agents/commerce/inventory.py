"""Inventory: what is in stock, what came and went, and what will be wanted."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from dirigent.agents.commerce.stock_ledger import ProductId, StockChange, StockLevel, book, read_levels
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.shape import Shape
from dirigent.ports import Context
from dirigent.security.admission import action, agent

CHANGED = "inventory.changed"

ProductIds = Annotated[list[ProductId], Field(max_length=10_000)]
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
    async def check_stock(self, product_ids: ProductIds | None = None, *, ctx: Context) -> Stock:
        """Say what there is of some products, or of all of them."""
        levels = read_levels(ctx.records, product_ids)
        if product_ids is None:
            reason = None if levels else "No stock is on record."
            return Stock(levels=list(levels.values()), unknown=[], reason=reason)
        asked = dict.fromkeys(product_ids)
        return Stock(
            levels=[levels[product] for product in asked if product in levels],
            unknown=[product for product in asked if product not in levels],
            reason=None if asked else "No product was named.",
        )

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def update_inventory(self, changes: Changes, *, ctx: Context) -> StockUpdated:
        """Book what came in, went out, or was promised; all changes of a call, or none.

        A product comes into being with its first change. Raises `insufficient_stock` where more is taken
        than is available. Tells `inventory.changed` of every product that changed.
        """
        counted, repeated = book(ctx, changes)
        touched = list(dict.fromkeys(change.product_id for change in changes))
        levels = read_levels(ctx.records, touched)
        own = ctx.records.fetch(
            "stock_changes",
            where={"change_id": [*counted, *repeated], "run_id": ctx.execution_id, "step": ctx.step},
            columns=("product_id",),
        )
        moved = {row["product_id"] for row in own}  # also by an earlier attempt that did not get to tell it
        told = (
            ctx.publish(CHANGED, levels[product].model_dump(mode="json"), subject=product)
            for product in touched
            if product in moved
        )
        await asyncio.gather(*told)
        return StockUpdated(levels=[levels[product] for product in touched], repeated=repeated)
