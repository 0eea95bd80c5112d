"""Steps that write no parameters: their actions are given what the run knows by the names of their inputs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent, Effect, Risk, Workflow, action, agent
from dirigent.domain.errors import TransientError
from dirigent.interpreter.loading import inspect_definition
from dirigent.interpreter.reading import Reading
from dirigent.settings import Settings


@agent("desk", domain="test")
class Desk:
    """Takes notes of what it was given."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []
        self.failures = 0
        self.other_ended = asyncio.Event()

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def price(self, price: int = 3) -> dict[str, int]:
        """Say a price."""
        return {"price": price}

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def late_price(self) -> dict[str, int]:
        """Say a price and let others go on."""
        self.other_ended.set()
        return {"price": 1_000}

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def order(self, article: str, price: int | None = None) -> dict[str, Any]:
        """Order; fails first as often as it is told to."""
        self.given.append({"article": article, "price": price})
        if self.failures:
            self.failures -= 1
            await self.other_ended.wait()
            raise TransientError("busy")
        return {"ordered": article}

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def hint(self, article: str = "none") -> dict[str, Any]:
        """Can do without anything."""
        self.given.append({"article": article})
        return {}

    @action(risk=Risk.R3, effect=Effect.KEYED, outward=True)
    async def pay(self, price: int) -> dict[str, int]:
        """Ask a person first."""
        self.given.append({"price": price})
        return {"paid": price}


def _step(name: str, what: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "type": "agent", "agent": "desk", "action": what, **more}


async def _run(folder: Path, desk: Desk, steps: list[Any], input: dict[str, Any], **more: Any) -> Reading:
    async with Dirigent(folder, agents=[desk]) as dirigent:
        flow = Workflow.parse(_text(steps, **more), actions=dirigent.registry.known_actions())
        return await dirigent.run(flow, input)


def _text(steps: list[Any], **more: Any) -> str:
    return json.dumps({"name": "by name", "steps": steps, **more})


async def test_the_nearest_output_then_the_input(tmp_path: Path) -> None:
    """The price of the nearer step, the article of the input; what has a default is given as well."""
    desk = Desk()
    steps = [
        _step("far", "price", parameters={"price": 7}),
        _step("near", "price", parameters={"price": 5}),
        {"id": "gate", "type": "condition", "conditions": ["price > 1"]},
        _step("order", "order"),
    ]
    reading = await _run(tmp_path, desk, steps, {"article": "beans", "price": 9, "other": 1})
    assert reading.status == "completed"
    assert desk.given == [{"article": "beans", "price": 5}]


async def test_what_runs_beside_it_says_nothing(tmp_path: Path) -> None:
    """Another branch ends between two attempts: both are given the same."""
    desk = Desk()
    desk.failures = 1
    steps = [
        _step("one", "price", parameters={"price": 5}),
        _step("order", "order", retry_policy={"max_attempts": 2, "initial": "1ms"}),
        _step("beside", "late_price"),
    ]
    ways = [{"from": "one", "to": "order"}, {"from": "one", "to": "beside"}]
    reading = await _run(tmp_path, desk, steps, {"article": "beans"}, connections=ways)
    assert reading.status == "completed"
    assert desk.given == [{"article": "beans", "price": 5}] * 2


async def test_inside_a_block_what_is_around_it_is_known(tmp_path: Path) -> None:
    """A step before the block, where no step inside it says anything."""
    desk = Desk()
    steps = [
        _step("one", "price", parameters={"price": 5}),
        {"id": "block", "type": "parallel", "steps": [_step("order", "order"), _step("o", "late_price")]},
    ]
    await _run(tmp_path, desk, steps, {"article": "beans"})
    assert desk.given == [{"article": "beans", "price": 5}]


async def test_each_time_round_and_for_each_item(tmp_path: Path) -> None:
    """In a loop the step before it in the same round; for an item the same; else what is around them."""
    desk = Desk()
    price = _step("price", "price", parameters={"price": "${index}"})
    loop = {"id": "l", "type": "loop", "max_iterations": 3, "until": "index == 2"}
    each = {"id": "f", "type": "foreach", "foreach": "input.rows"}
    steps = [
        _step("one", "price", parameters={"price": 5}),
        {**loop, "steps": [price, _step("order", "order")]},
        {**each, "steps": [_step("again", "order")]},
    ]
    reading = await _run(tmp_path, desk, steps, {"article": "beans", "rows": [1, 2]})
    assert reading.status == "completed"
    assert [one["price"] for one in desk.given] == [0, 1, 5, 5]


async def test_what_needs_nothing_is_given_nothing(tmp_path: Path) -> None:
    """An action that can do without any input is asked as it is written."""
    desk = Desk()
    await _run(tmp_path, desk, [_step("hint", "hint")], {"article": "beans"})
    assert desk.given == [{"article": "none"}]


@pytest.mark.parametrize(
    ("step", "input"), [(_step("order", "order", parameters={"price": 1}), {"article": "beans"}),
                        (_step("order", "order"), {"price": 1})],
)  # fmt: skip
async def test_what_is_missing_is_named(tmp_path: Path, step: dict[str, Any], input: dict[str, Any]) -> None:
    """A step that writes parameters is given these and no others; and nothing is made up."""
    reading = await _run(tmp_path, Desk(), [step], input)
    assert reading.error is not None
    assert "desk.order: article: Field required" in reading.error.message


async def test_a_person_decides_about_what_is_filled_in(tmp_path: Path) -> None:
    """The request shows it, and what was approved is what is done."""
    desk = Desk()
    steps = [_step("one", "price", parameters={"price": 5}), _step("pay", "pay")]
    settings = Settings(data_folder=tmp_path, allow_delivery=True)
    async with Dirigent(settings=settings, agents=[desk]) as dirigent:
        flow = Workflow.parse(_text(steps), actions=dirigent.registry.known_actions())
        asks = await dirigent.run(flow, {})
        [asked] = dirigent.engine.approvals()
        assert (asked.preview, desk.given) == ({"price": 5}, [])
        await dirigent.engine.approve(asked.approval_id, "boss")
        reading = await dirigent.engine.rest(asks.execution_id)
    assert reading.status == "completed"
    assert desk.given == [{"price": 5}]


def _advice(tmp_path: Path, steps: list[Any], **more: Any) -> list[str]:
    registry = Dirigent(tmp_path, agents=[Desk()]).registry
    found = inspect_definition(_text(steps, **more), actions=registry.known_actions(), facts=registry.facts)
    return [f"{one.code} {one.message}" for one in found.warnings]


def test_advice_where_nobody_says_it(tmp_path: Path) -> None:
    """Only where the input is described, and neither it nor a step before has the name."""
    steps = [_step("order", "order")]
    fields = {"type": "object", "properties": {"price": {"type": "integer"}}}
    assert _advice(tmp_path, steps) == []
    assert _advice(tmp_path, steps, input=fields) == ["WL016 desk.order will refuse it: article is missing"]
    both = {"type": "object", "properties": {"price": {}, "article": {}}}
    assert _advice(tmp_path, steps, input=both) == []


def test_what_is_taken_by_name_is_read(tmp_path: Path) -> None:
    """A step whose output feeds another one by name computes for somebody."""
    steps = [_step("one", "price"), _step("order", "order")]
    assert _advice(tmp_path, steps) == []
    assert _advice(tmp_path, [_step("one", "price"), _step("hint", "hint")]) == [
        "WL008 nobody reads the output of one"
    ]
