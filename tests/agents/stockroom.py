"""A stockroom over real records: the context of one step after another, and what is in stock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from dirigent.agents.commerce.demand import DemandForecast
from dirigent.agents.commerce.inventory import InventoryAgent, Stock, StockUpdated
from dirigent.agents.commerce.sales_history import Sale
from dirigent.agents.commerce.stock_ledger import StockChange, StockLevel
from dirigent.execution.context import TenantRecords
from dirigent.storage.sqlite.records import SqliteRecords
from tests.agents.fakes import FakeContext, FakeRecords, invoke

TENANT = "org_123"


class Stockroom:
    """Records in memory, and an agent that is called as if by one step after another."""

    def __init__(self) -> None:
        self.records = SqliteRecords(":memory:")
        self.steps = 0

    def context(self) -> FakeContext:
        """The context of the next step, with a key of its own."""
        self.steps += 1
        own = cast(FakeRecords, TenantRecords(self.records, TENANT))
        return FakeContext(records=own, step=f"step_{self.steps}", key=f"key_{self.steps}")

    async def update(self, *changes: dict[str, Any], ctx: FakeContext | None = None) -> StockUpdated:
        """Book changes; a reason that is not given is "test"."""
        typed = [StockChange.model_validate({"reason": "test", **change}) for change in changes]
        got = await invoke(InventoryAgent, "update_inventory", ctx or self.context(), changes=typed)
        assert isinstance(got, StockUpdated)
        return got

    async def check(self, *product_ids: str) -> Stock:
        """What there is of these."""
        got = await invoke(InventoryAgent, "check_stock", self.context(), product_ids=list(product_ids))
        assert isinstance(got, Stock)
        return got

    async def forecast(self, product_id: str, ctx: FakeContext | None = None, **asked: Any) -> DemandForecast:
        """What will be wanted of a product; sales are (day, quantity)."""
        if "sales" in asked:
            asked["sales"] = [Sale(date=day, qty=quantity) for day, quantity in asked["sales"]]
        context = ctx or self.context()
        got = await invoke(InventoryAgent, "forecast_demand", context, product_id=product_id, **asked)
        assert isinstance(got, DemandForecast)
        return got

    async def level(self, product_id: str) -> StockLevel:
        """What there is of one that is on record."""
        (level,) = (await self.check(product_id)).levels
        return level

    def ledger(self) -> list[dict[str, Any]]:
        """Every row, as it was booked."""
        return self.records.fetch(TENANT, "stock_changes", order_by="at")


def again(context: FakeContext) -> FakeContext:
    """The context of another attempt of the same step."""
    return replace(context, attempt=context.attempt + 1, published=[])


def of(product_id: str, delta: float, key: str | None = None, **more: Any) -> dict[str, Any]:
    """A change of one product."""
    return {"product_id": product_id, "delta": delta, "idempotency_key": key, **more}
