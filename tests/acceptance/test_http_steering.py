"""What operators ask of executions over HTTP: signals, outcomes and their settling, forks and retries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dirigent import Context, Dirigent, Effect, Risk, action, agent
from dirigent.api.app import create_app
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.engine import Start
from dirigent.settings import read_settings
from dirigent.testing.frozen_clock import FrozenClock
from tests.acceptance.wire import client_of

RUNS = "/api/v1/executions"


@agent("shop", domain="test")
class Shop:
    """Takes orders; its first answer is lost."""

    def __init__(self) -> None:
        self.orders: list[str] = []

    @action(risk=Risk.R1, effect=Effect.QUERYABLE, lookup="find")
    async def order(self, sku: str, ctx: Context) -> dict[str, Any]:
        """Take an order."""
        self.orders.append(ctx.execution_id)
        ctx.acknowledge(f"no. {len(self.orders)}")
        if len(self.orders) == 1:
            raise ConnectionError("lost")
        return {"sku": sku}

    @action(risk=Risk.R0, effect=Effect.READ)
    async def find(self, sku: str, ctx: Context) -> dict[str, Any] | None:
        """Look an order up."""
        return {"found": ctx.reference} if ctx.execution_id in self.orders else None


@pytest.fixture
def shop() -> Shop:
    """The other side."""
    return Shop()


@pytest.fixture
async def opened(tmp_path: Path, shop: Shop) -> AsyncIterator[Dirigent]:
    """A Dirigent with the shop, in which time stands still, and the unclear order `e` of tenant `t`."""
    settings = read_settings(environment={}, folder=tmp_path, data_folder=tmp_path / "data")
    async with Dirigent(settings=settings, agents=[shop], clock=FrozenClock()) as dirigent:
        given = {"sku": "A1"}
        order = Step(id="order", kind=Kind.AGENT, agent="shop", action="order", parameters=given)
        paid = Step(id="paid", kind=Kind.WAIT_FOR_EVENT, event="order.paid")
        flow = Definition(name="order", steps=(order, paid))
        await dirigent.engine.start(Start(definition=flow, tenant="t", actor="a", execution_id="e"))
        await dirigent.engine.rest("e")
        yield dirigent


@pytest.fixture
async def http(opened: Dirigent) -> AsyncIterator[httpx2.AsyncClient]:
    """Its HTTP interface."""
    async with client_of(create_app(opened.services())) as client:
        yield client


async def test_an_unclear_effect_is_listed_and_looked_at(
    opened: Dirigent, http: httpx2.AsyncClient, shop: Shop
) -> None:
    """What was sent, when and under which key; looked at it is found, and the order is not made again."""
    answer = (await http.get("/api/v1/outcomes?org_id=t")).json()
    [row] = answer["outcomes"]
    assert (row["execution_id"], row["inputs"], row["reference"]) == ("e", {"sku": "A1"}, "no. 1")
    assert row["key"] == opened.engine.unknown_outcomes()[0].key
    assert row["sent_at"].endswith("Z")
    assert (await http.get("/api/v1/outcomes?org_id=other")).json()["total"] == 0
    said = await http.post(f"{RUNS}/e/resolve", json={"step": "order", "outcome": "look", "actor": "b"})
    assert said.status_code == 200
    reading = await opened.engine.rest("e")
    assert (reading.steps["order"].output, shop.orders) == ({"found": "no. 1"}, ["e"])
    settled = (await http.get("/api/v1/outcomes?state=happened")).json()["outcomes"]
    assert [row["settled_by"] for row in settled] == ["read_back"]


async def test_a_word_settles_one_attempt(opened: Dirigent, http: httpx2.AsyncClient) -> None:
    """A word of another attempt is a conflict; an output without an effect is a mistake."""
    word = {"step": "order", "outcome": "happened", "output": {"sku": "A2"}}
    late = await http.post(f"{RUNS}/e/resolve", json={**word, "attempt": 2})
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    wrong = await http.post(f"{RUNS}/e/resolve", json={**word, "outcome": "not_happened"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "output")
    assert (await http.post(f"{RUNS}/e/resolve", json=word)).status_code == 200
    assert (await opened.engine.rest("e")).steps["order"].output == {"sku": "A2"}


async def test_signals_forks_and_retries(opened: Dirigent, http: httpx2.AsyncClient, shop: Shop) -> None:
    """Each answers with the run it is about; what was ordered is not ordered again."""
    word = {"step": "order", "outcome": "happened", "output": {"sku": "A1"}}
    await http.post(f"{RUNS}/e/resolve", json=word)
    told = await http.post(f"{RUNS}/e/signal", json={"name": "order.paid", "data": 49, "signal_id": "s1"})
    assert (told.status_code, told.json()["signal_id"]) == (200, "s1")
    assert (await opened.engine.rest("e")).status == "completed"
    refused = await http.post(f"{RUNS}/e/retry")
    assert (refused.status_code, "Fork it" in refused.json()["fix"]) == (409, True)
    forked = (await http.post(f"{RUNS}/e/fork", json={"at": "paid"})).json()
    assert forked["execution_id"] != "e"
    await http.post(f"{RUNS}/{forked['execution_id']}/cancel")
    await opened.engine.rest(forked["execution_id"])
    retried = (await http.post(f"{RUNS}/{forked['execution_id']}/retry", json={"step": "paid"})).json()
    reading = await opened.engine.rest(retried["execution_id"])
    assert reading.started.forked_from == forked["execution_id"]
    assert reading.steps["paid"].status == "waiting"
    assert shop.orders == ["e"]


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("signal", {"name": "a.b"}),
        ("resolve", {"step": "order", "outcome": "look"}),
        ("fork", {}),
        ("retry", {}),
    ],
)
async def test_another_tenant_has_no_such_execution(
    opened: Dirigent, http: httpx2.AsyncClient, act: str, body: dict[str, Any]
) -> None:
    """404, as for one that does not exist, and nothing is done."""
    before = opened.engine.events("e")
    answer = await http.post(f"{RUNS}/e/{act}?org_id=other", json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "execution_not_found")
    assert opened.engine.events("e") == before
