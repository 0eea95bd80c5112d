"""Signals and events in running executions: durable once acknowledged, and applied once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent
from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.errors import Conflict, InvalidInput, NotFound, SignalRefused
from dirigent.domain.event import SignalReceived, WaitEnded
from dirigent.domain.workflow import Definition
from dirigent.engine import SIGNAL_BYTES_MAX, Engine
from dirigent.interpreter.loading import load_definition

WAITS = """
workflow:
  name: payment
  steps:
    - id: paid
      type: wait_for_event
      event: order.paid
      filter: event.data.order == input.order
    - id: shipped
      type: wait_for_event
      event: order.shipped
      timeout: 30d
"""
COLLECTS = """
workflow:
  name: collect
  steps:
    - {id: one, type: wait_for_event, event: "n.*"}
    - {id: two, type: wait_for_event, event: "n.*"}
    - {id: three, type: wait_for_event, event: "n.*"}
  output: {all: "${[steps.one, steps.two, steps.three]}"}
"""


def _payment() -> Definition:
    return load_definition(WAITS)


def _event(id: str, type: str = "order.paid", tenant: str = "org_1", **data: Any) -> DomainEvent:
    return DomainEvent(id=id, source="shop", type=type, tenant=tenant, data=data)


def _taken(engine: Engine, execution_id: str) -> list[str]:
    events = engine.events(execution_id)
    return [event.step for event in events if isinstance(event, WaitEnded)]


async def test_an_execution_goes_on_with_what_it_is_told(tmp_path: Path) -> None:
    """It rests until the signal comes, also over a restart in between, and gives its data."""
    async with Dirigent(tmp_path) as dirigent:
        waiting = await dirigent.run(_payment(), {"order": 7})
        assert (waiting.status, waiting.steps["paid"].status) == ("running", "waiting")
        assert waiting.steps["paid"].reason == "for order.paid"
        await dirigent.engine.signal(waiting.execution_id, "order.shipped", {"by": "ship"}, sender="dock")
    async with Dirigent(tmp_path) as dirigent:
        await dirigent.engine.signal(waiting.execution_id, "order.paid", {"order": 7, "sum": 5})
        reading = await dirigent.engine.rest(waiting.execution_id)
    assert (reading.status, reading.output) == ("completed", {"by": "ship"})
    assert reading.steps["paid"].output == {"order": 7, "sum": 5}


async def test_what_was_acknowledged_is_there_after_the_process_is_gone(tmp_path: Path) -> None:
    """Another opening of the same folder finds the signal before anything was closed in order."""
    async with Dirigent(tmp_path) as dirigent:
        waiting = await dirigent.run(_payment(), {"order": 7})
        await dirigent.engine.signal(waiting.execution_id, "note", "hello", signal_id="s1")
        stored = dirigent.journal.read(waiting.execution_id)
    assert [event.signal_id for event in stored if isinstance(event, SignalReceived)] == ["s1"]


async def test_a_repeated_signal_is_acknowledged_and_counts_once(tmp_path: Path) -> None:
    """While it runs, at the same moment, and after the end; other data under the id is refused."""
    definition = load_definition(COLLECTS)
    async with Dirigent(tmp_path) as dirigent:
        engine = dirigent.engine
        run = (await dirigent.run(definition)).execution_id
        await asyncio.gather(*(engine.signal(run, "n.1", 1, signal_id="s1") for _ in range(5)))
        with pytest.raises(SignalRefused, match="said something else"):
            await engine.signal(run, "n.1", 2, signal_id="s1")
        assert _taken(engine, run) == ["one"]
        for number in (2, 3):
            await engine.signal(run, "n.x", number, signal_id=f"s{number}")
        reading = await engine.rest(run)
        assert await engine.signal(run, "n.1", 1, signal_id="s1") == "s1"
        with pytest.raises(SignalRefused, match="said something else"):
            await engine.signal(run, "n.1", 2, signal_id="s1")
        with pytest.raises(Conflict, match="has ended"):
            await engine.signal(run, "n.4", 4)
    assert reading.output == {"all": [1, 2, 3]}


async def test_signals_of_one_sender_keep_their_order(tmp_path: Path) -> None:
    """Also where they come before anybody waits, and all at once."""
    async with Dirigent(tmp_path) as dirigent:
        run = (await dirigent.run(load_definition(COLLECTS))).execution_id
        await asyncio.gather(*(dirigent.engine.signal(run, "n.x", number) for number in range(3)))
        reading = await dirigent.engine.rest(run)
    assert reading.output == {"all": [0, 1, 2]}


async def test_an_event_reaches_every_execution_that_waits_for_it(tmp_path: Path) -> None:
    """Of its tenant, whose filter it fits; handed in again it changes nothing."""
    async with Dirigent(tmp_path) as dirigent:
        engine = dirigent.engine
        runs = [
            (await dirigent.run(_payment(), {"order": order}, tenant=tenant)).execution_id
            for order, tenant in ((7, "org_1"), (8, "org_1"), (7, "org_1"), (7, "org_2"))
        ]
        assert len(engine.waiting("org_1", event="order.paid")) == 3
        reached = await engine.deliver_event("org_1", _event("e1", order=7))
        assert reached == [runs[0], runs[2]]
        assert [_taken(engine, run) for run in runs] == [["paid"], [], ["paid"], []]
        events = [len(engine.events(run)) for run in runs]
        assert await engine.deliver_event("org_1", _event("e1", order=7)) == []
        assert [len(engine.events(run)) for run in runs] == events
        assert [row.execution_id for row in engine.waiting(event="order.paid")] == [runs[1], runs[3]]
        assert await engine.deliver_event("org_1", _event("e2", order=9)) == []


async def test_an_event_in_a_wrong_form_ends_nobody_s_wait(tmp_path: Path) -> None:
    """Its filter cannot be evaluated: the run waits on and takes the next. Told to it alone, it fails."""
    async with Dirigent(tmp_path) as dirigent:
        engine = dirigent.engine
        runs = [(await dirigent.run(_payment(), {"order": 7}, tenant="org_1")).execution_id for _ in range(2)]
        assert await engine.deliver_event("org_1", _event("e1", other=1)) == []
        assert [_taken(engine, run) for run in runs] == [[], []]
        await engine.signal(runs[1], "order.paid", {"other": 1})
        failed = await engine.rest(runs[1])
        assert failed.error is not None
        assert (failed.status, failed.error.code) == ("failed", "expression_error")
        assert await engine.deliver_event("org_1", _event("e2", order=7)) == [runs[0]]
        assert _taken(engine, runs[0]) == ["paid"]


async def test_an_event_counts_once_for_an_execution_that_goes_on_waiting(tmp_path: Path) -> None:
    """Three waits by pattern take three events, whatever is repeated in between."""
    async with Dirigent(tmp_path) as dirigent:
        run = (await dirigent.run(load_definition(COLLECTS), tenant="org_1")).execution_id
        for number in (1, 1, 2, 1, 2, 3):
            event = _event(f"e{number}", f"n.{number}", number=number)
            assert await dirigent.engine.deliver_event("org_1", event) == [run]
        reading = await dirigent.engine.rest(run)
    assert reading.output == {"all": [{"number": 1}, {"number": 2}, {"number": 3}]}


async def test_a_signal_to_nobody_or_without_a_name_is_refused(tmp_path: Path) -> None:
    """With what is wrong, and nothing is kept."""
    async with Dirigent(tmp_path) as dirigent:
        run = (await dirigent.run(_payment(), {"order": 7})).execution_id
        before = len(dirigent.engine.events(run))
        with pytest.raises(NotFound):
            await dirigent.engine.signal("exec_nobody", "order.paid")
        with pytest.raises(InvalidInput, match="no name"):
            await dirigent.engine.signal(run, "order.*")
        with pytest.raises(InvalidInput, match="bytes"):
            await dirigent.engine.signal(run, "order.paid", "x" * SIGNAL_BYTES_MAX)
        with pytest.raises(InvalidInput, match="cannot be stored"):
            await dirigent.engine.signal(run, "order.paid", "\ud800")
        assert len(dirigent.engine.events(run)) == before


async def test_who_is_patient_sees_the_time_for_an_event_run_out(tmp_path: Path) -> None:
    """A wait whose time is over within the patience is seen to its end; a longer one is left alone."""
    short, long = (
        load_definition(
            f"name: waits\nsteps: [{{id: paid, type: wait_for_event, event: a, timeout: {time}}}]\n"
        )
        for time in ("200ms", "30d")
    )
    async with Dirigent(tmp_path) as dirigent:
        waiting, left = await dirigent.run(short), await dirigent.run(long)
        ended = await dirigent.engine.rest(waiting.execution_id, patience_ms=60_000)
        assert (waiting.status, ended.status) == ("running", "failed")
        assert (await dirigent.engine.rest(left.execution_id, patience_ms=60_000)).status == "running"
