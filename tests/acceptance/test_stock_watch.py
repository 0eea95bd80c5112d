"""The stock behind the one door: booked once whatever happens, refused as a whole, and watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from dirigent import Context, Dirigent, Effect, Risk, Workflow, action, agent
from dirigent.api.app import create_app
from dirigent.domain.errors import TransientError
from dirigent.interpreter.reading import Reading
from dirigent.settings import Settings
from tests.acceptance.till import until
from tests.acceptance.wire import client_of

EXAMPLES = Path(__file__).parents[2] / "examples"
WATCH = EXAMPLES / "workflows" / "stock_watch.yaml"
TENANT = "default"
BEGAN = date(2026, 9, 1)

BOOK = """
name: book
steps:
  - id: booked
    type: agent
    agent_type: StockSpecialist
    action: update_inventory
    retry_policy: {max_attempts: 3, initial: 1ms}
    parameters: {changes: "${input.changes}"}
output: {levels: "${steps.booked.levels}"}
"""


@pytest.fixture
async def dirigent(tmp_path: Path) -> AsyncIterator[Dirigent]:
    """Ten mugs, to be ordered below six; five a day were sold for six weeks."""
    async with Dirigent(settings=Settings(data_folder=tmp_path, actor="ann")) as opened:
        for number in range(42):
            order_id, day = f"o{number}", BEGAN + timedelta(days=number)
            order = {"order_id": order_id, "ordered_at": f"{day}T10:00:00Z", "value": 5.0}
            line = {"order_id": order_id, "line": 1, "sku": "mug", "quantity": 5, "unit_price": 1.0}
            opened.records.save(TENANT, "orders", [order])
            opened.records.save(TENANT, "order_lines", [line])
        await book(opened, {"product_id": "mug", "delta": 10, "reorder_point": 6, "lead_time_days": 4})
        yield opened


async def book(dirigent: Dirigent, *changes: dict[str, Any]) -> Reading:
    """Run a workflow that books changes."""
    return await dirigent.run(
        Workflow.parse(BOOK), {"changes": [{"reason": "test", **change} for change in changes]}
    )


def on_hand(dirigent: Dirigent) -> dict[str, float]:
    """What there is."""
    return {row["product_id"]: row["on_hand"] for row in dirigent.records.fetch(TENANT, "stock")}


def alerts(dirigent: Dirigent) -> list[dict[str, Any]]:
    """What people were alerted of."""
    rows = dirigent.records.fetch(TENANT, "notices", where={"kind": "alert"}, order_by="message")
    return [row["data"] for row in rows]


async def test_more_than_there_is_fails_the_step_and_changes_nothing(dirigent: Dirigent) -> None:
    """The code is `insufficient_stock`; it is not tried again, and the call's other change is not kept."""
    reading = await book(
        dirigent,
        {"product_id": "pot", "delta": 3},
        {"product_id": "mug", "delta": -11, "idempotency_key": "x"},
    )
    assert reading.status == "failed"
    step = reading.steps["booked"]
    assert step.error is not None
    assert (step.error.code, step.attempts) == ("insufficient_stock", 1)
    assert "11 of 'mug' are wanted, 10 available" in step.error.message
    assert on_hand(dirigent) == {"mug": 10}


async def test_over_http_it_is_a_conflict(dirigent: Dirigent) -> None:
    """The status is 409, with the code and what to do; what fits comes back as an envelope."""
    async with client_of(create_app(dirigent.services())) as http:
        for delta, status in ((-11, 409), (-10, 200)):
            changes = [{"product_id": "mug", "delta": delta, "reason": "sale"}]
            body = {"action": "update_inventory", "inputs": {"changes": changes}, "org_id": TENANT}
            answer = await http.post("/api/are/agents/inventory/execute", json=body)
            assert answer.status_code == status
            told = answer.json()
            if status == 409:
                assert told["code"] == "insufficient_stock"
                assert "Nothing of the whole call was changed" in told["detail"]
            else:
                (record,) = told["envelope"]["records"]
                assert record["data"]["levels"][0]["on_hand"] == 0


async def test_the_same_key_in_two_runs_counts_once(dirigent: Dirigent) -> None:
    """Also where both run at once."""
    sale = {"product_id": "mug", "delta": -4, "idempotency_key": "order-17"}
    first, second = await asyncio.gather(book(dirigent, sale), book(dirigent, sale))
    assert {first.status, second.status} == {"completed"}
    assert on_hand(dirigent) == {"mug": 6}


async def test_many_runs_take_the_last_ones(dirigent: Dirigent) -> None:
    """Twelve runs want one each: ten get it, two are told that none is left."""
    readings = await asyncio.gather(*(book(dirigent, {"product_id": "mug", "delta": -1}) for _ in range(12)))
    failed = [reading.steps["booked"].error for reading in readings if reading.status == "failed"]
    assert [error.code for error in failed if error] == ["insufficient_stock"] * 2
    assert on_hand(dirigent) == {"mug": 0}


@agent("clerk", domain="test")
class Clerk:
    """Has something booked, and then loses the line, twice."""

    def __init__(self) -> None:
        self.cuts = 2

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def receive(self, product_id: str, ctx: Context) -> None:
        """Book ten pieces."""
        change = {"product_id": product_id, "delta": 10, "reason": "receipt"}
        await ctx.call("inventory", "update_inventory", changes=[change])
        if self.cuts:
            self.cuts -= 1
            raise TransientError("The line was cut.")


async def test_an_attempt_that_failed_after_it_booked_counts_once(tmp_path: Path) -> None:
    """The change without a key of its own carries that of its step, whatever the attempt."""
    flow = BOOK.replace("StockSpecialist", "clerk").replace("update_inventory", "receive")
    flow = flow.replace('{changes: "${input.changes}"}', "{product_id: mug}").partition("output:")[0]
    async with Dirigent(settings=Settings(data_folder=tmp_path), agents=[Clerk]) as dirigent:
        reading = await dirigent.run(Workflow.parse(flow))
        assert (reading.status, reading.steps["booked"].attempts) == ("completed", 3)
        assert on_hand(dirigent) == {"mug": 10}
        assert dirigent.records.count(TENANT, "stock_changes") == 1


async def test_what_falls_below_its_point_is_told_with_a_proposal(dirigent: Dirigent) -> None:
    """The change starts the watch, forecast and alert follow; what stays above its point starts nothing."""
    dirigent.arm(WATCH)
    await book(dirigent, {"product_id": "mug", "delta": -4})
    assert alerts(dirigent) == []
    await book(dirigent, {"product_id": "mug", "delta": -1})
    await until(lambda: alerts(dirigent))
    (alert,) = alerts(dirigent)
    assert alert["message"] == "mug: 5 available, the reorder point is 6"
    assert (alert["level"], alert["current_value"], alert["threshold"]) == ("warning", 5, 6)
    assert alert["suggested_actions"] == ["Order 155 by 2026-10-13"]  # 4 days and 28 days of 5, less 5
    assert on_hand(dirigent) == {"mug": 5}


async def test_the_watch_looks_at_everything(dirigent: Dirigent) -> None:
    """What has no sales is told with the reason, what is not short not at all; the output has proposals."""
    await book(
        dirigent,
        {"product_id": "mug", "delta": -6},
        {"product_id": "pan", "delta": 9, "reorder_point": 3},
        {"product_id": "pot", "delta": 1, "reorder_point": 3},
    )
    reading = await dirigent.run(WATCH, {"horizon_days": 10})
    assert reading.status == "completed"
    assert reading.output["short"] == ["mug", "pot"]
    mug, pot = reading.output["proposals"]
    assert (mug["reorder"]["point"], mug["reorder"]["quantity"]) == (20, 20 + 50 - 4)
    assert mug["reason"] is None
    assert (pot["reorder"], pot["reason"][:24]) == (None, "No sale of 'pot' is on r")
    assert [alert["suggested_actions"][0][:24] for alert in alerts(dirigent)] == [
        "Order 66 by 2026-10-13",
        "No sale of 'pot' is on r",
    ]


async def test_nothing_in_stock_is_nothing_to_tell(tmp_path: Path) -> None:
    """An empty tenant has a run that ends well and alerts nobody."""
    async with Dirigent(settings=Settings(data_folder=tmp_path)) as dirigent:
        reading = await dirigent.run(WATCH)
        assert (reading.status, reading.output) == (
            "completed",
            {"short": [], "unknown": [], "proposals": []},
        )
        assert alerts(dirigent) == []


async def test_the_example_stockroom_is_taken_in(tmp_path: Path) -> None:
    """Seven articles; without the books four run short, and why there is no proposal is said."""
    async with Dirigent(settings=Settings(data_folder=tmp_path)) as dirigent:
        (report,) = dirigent.import_folder(EXAMPLES / "stockroom").files
        assert (report.rows_taken, report.rows_refused) == (7, 0)
        reading = await dirigent.run(WATCH)
        assert reading.output["short"] == ["22423", "84879", "85123A", "NEW-1"]
        for proposal in reading.output["proposals"]:
            assert proposal["reorder"] is None
            assert proposal["reason"].startswith(f"No sale of '{proposal['product_id']}' is on record")
