"""Stored workflows at work: runs stay on their version, triggers follow what is in force, pauses hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent
from dirigent.domain.errors import Conflict, InvalidInput, NotFound
from dirigent.domain.event import ExecutionStarted
from dirigent.settings import read_settings

Open = Callable[[], Dirigent]

ASKS = """
name: greeting
steps:
  - {id: ask, type: approval, timeout: 1d}
  - {id: greet, type: transform, parameters: {text: "Hello ${input.name}"}}
"""
ASKS_KINDLY = ASKS.replace("Hello ${input.name}", "Good day, ${input.name}")
PLAIN = """
name: greeting
input: {properties: {name: {type: string, default: everybody}}}
steps:
  - {id: greet, type: transform, parameters: {text: "Hello ${input.name}"}}
"""
REACTS = """
name: reaction
triggers:
  - {type: event, event_type: order.paid, input: {text: "${event.data.order} is paid"}}
steps:
  - {id: note, type: transform, parameters: {text: "${input.text}"}}
"""
CALLS = """
name: caller
steps:
  - {id: greet, type: subworkflow, workflow: greeting, parameters: {name: "${input.name}"}}
"""
WHO: dict[str, Any] = {"tenant": "default", "actor": "ann"}


@pytest.fixture
def opening(tmp_path: Path) -> Open:
    """Opens the same data folder, as often as asked."""
    settings = read_settings(environment={}, folder=tmp_path, data_folder=tmp_path / "data")
    return lambda: Dirigent(settings=settings)


async def paid(dirigent: Dirigent, order: str) -> list[str]:
    """Say that an order was paid; returns what the executions that it started have given."""
    event = {
        "specversion": "1.0",
        "id": order,
        "source": "shop",
        "type": "order.paid",
        "data": {"order": order},
    }
    reaction = await dirigent.publish(event)
    return [(await dirigent.engine.rest(one)).output["text"] for one in reaction.triggered]


async def test_an_update_during_a_run(opening: Open) -> None:
    """The run ends on version 1, the next one takes version 2, and after a rollback version 1 again."""
    async with opening() as dirigent:
        await dirigent.library.save(ASKS, **WHO)
        running = await dirigent.run_stored("greeting", {"name": "Ann"})
        assert running.status == "awaiting_approval"
        await dirigent.library.save(ASKS_KINDLY, **WHO)
        [approval] = dirigent.engine.approvals()
        await dirigent.engine.approve(approval.approval_id, "boss")
        ended = await dirigent.engine.rest(running.execution_id)
        assert ended.output == {"text": "Hello Ann"}
        await approve_next(dirigent, "Good day, Bob", "Bob")
        await dirigent.library.rollback("default", "greeting", 1, actor="ann")
        await approve_next(dirigent, "Hello Cleo", "Cleo")
        started = dirigent.engine.events(running.execution_id)[0]
        assert isinstance(started, ExecutionStarted)
        assert started.labels["version"] == 1


async def approve_next(dirigent: Dirigent, text: str, name: str) -> None:
    """Run what is in force to its end."""
    reading = await dirigent.run_stored("greeting", {"name": name})
    [approval] = dirigent.engine.approvals()
    await dirigent.engine.approve(approval.approval_id, "boss")
    assert (await dirigent.engine.rest(reading.execution_id)).output == {"text": text}


async def test_a_run_outlives_an_update_and_a_restart(opening: Open) -> None:
    """A run that waits is taken up on its own version, whatever is in force by then."""
    async with opening() as dirigent:
        await dirigent.library.save(ASKS, **WHO)
        running = await dirigent.run_stored("greeting", {"name": "Ann"})
        await dirigent.library.save(ASKS_KINDLY, **WHO)
    async with opening() as dirigent:
        assert dirigent.library.find("default", "greeting").version == 2
        [approval] = dirigent.engine.approvals()
        await dirigent.engine.approve(approval.approval_id, "boss")
        assert (await dirigent.engine.rest(running.execution_id)).output == {"text": "Hello Ann"}


async def test_any_version_can_be_run(opening: Open) -> None:
    """By its number, without being in force; a number that is not there is not found."""
    async with opening() as dirigent:
        await dirigent.library.save(PLAIN, **WHO)
        await dirigent.library.save(PLAIN.replace("Hello", "Bye"), **WHO)
        assert (await dirigent.run_stored("greeting", version=1)).output == {"text": "Hello everybody"}
        assert (await dirigent.run_stored("greeting")).output == {"text": "Bye everybody"}
        with pytest.raises(NotFound, match="has no version 3"):
            await dirigent.run_stored("greeting", version=3)


async def test_triggers_follow_what_is_in_force(opening: Open) -> None:
    """Saving puts triggers to work at once, a new version takes their place, a restart keeps them."""
    async with opening() as dirigent:
        assert await paid(dirigent, "A-1") == []
        await dirigent.library.save(REACTS, **WHO)
        assert await paid(dirigent, "A-2") == ["A-2 is paid"]
        await dirigent.library.save(REACTS.replace("is paid", "was paid"), **WHO)
        assert await paid(dirigent, "A-3") == ["A-3 was paid"]
        await dirigent.library.rollback("default", "reaction", 1, actor="ann")
        assert await paid(dirigent, "A-4") == ["A-4 is paid"]
    async with opening() as dirigent:
        assert await paid(dirigent, "A-5") == ["A-5 is paid"]


async def test_a_paused_workflow_starts_nothing(opening: Open) -> None:
    """Neither by hand nor by its triggers nor by another workflow, also after a restart, until resumed."""
    async with opening() as dirigent:
        await dirigent.library.save(REACTS, **WHO)
        await dirigent.library.save(PLAIN, **WHO)
        for name in ("reaction", "greeting"):
            await dirigent.library.pause("default", name, actor="ann", reason="holidays")
        assert await paid(dirigent, "B-1") == []
        with pytest.raises(Conflict, match="paused by ann"):
            await dirigent.run_stored("greeting")
    async with opening() as dirigent:
        assert await paid(dirigent, "B-2") == []
        await dirigent.library.save(CALLS, **WHO)
        reading = await dirigent.run_stored("caller", {"name": "Ann"})
        assert reading.error is not None
        assert (reading.status, reading.error.code) == ("failed", "conflict")
        await dirigent.library.resume("default", "reaction", actor="ann")
        assert await paid(dirigent, "B-3") == ["B-3 is paid"]


async def test_the_same_key_starts_once(opening: Open) -> None:
    """At once, after a restart and after an update; what was refused leaves the key free."""
    async with opening() as dirigent:
        await dirigent.library.save(PLAIN, **WHO)
        with pytest.raises(InvalidInput):
            await dirigent.start_stored("greeting", {"name": 7}, key="k")
        ids = {*await asyncio.gather(*(dirigent.start_stored("greeting", key="k") for _ in range(5)))}
        assert len(ids) == 1
    async with opening() as dirigent:
        await dirigent.library.save(ASKS, **WHO)
        assert {await dirigent.start_stored("greeting", key="k")} == ids
        with pytest.raises(InvalidInput, match="another request"):
            await dirigent.start_stored("greeting", {"name": "Ada"}, key="k")
        await dirigent.library.save(PLAIN, **{**WHO, "tenant": "other"})
        assert {await dirigent.start_stored("greeting", key="k", tenant="other")} != ids
        assert len(dirigent.engine.executions(None)) == 2


async def test_a_stored_workflow_is_called_by_name(opening: Open) -> None:
    """A subworkflow names one of its tenant's; the version in force when the step begins is taken."""
    async with opening() as dirigent:
        await dirigent.library.save(CALLS, **WHO)
        missing = await dirigent.run_stored("caller", {"name": "Ann"})
        assert missing.error is not None
        assert missing.error.code == "workflow_not_found"
        await dirigent.library.save(PLAIN, tenant="another", actor="ann")
        assert (await dirigent.run_stored("caller", {"name": "Ann"})).status == "failed"
        await dirigent.library.save(PLAIN, **WHO)
        assert (await dirigent.run_stored("caller", {"name": "Ann"})).output == {"text": "Hello Ann"}
        await dirigent.library.save(PLAIN.replace("Hello", "Bye"), **WHO)
        assert (await dirigent.run_stored("caller", {"name": "Ann"})).output == {"text": "Bye Ann"}


async def test_the_lists_can_be_folded_anew(opening: Open) -> None:
    """Dropped and rebuilt from the journal, workflows and versions are what they were; verify agrees."""
    async with opening() as dirigent:
        for text in (PLAIN, PLAIN.replace("Hello", "Bye"), REACTS):
            await dirigent.library.save(text, **WHO)
        await dirigent.library.rollback("default", "greeting", 1, actor="bob", note="back")
        await dirigent.library.pause("default", "reaction", actor="bob")
        before = (dirigent.library.rows(), dirigent.library.versions("default", "greeting"))
        dirigent.projections.rebuild()
        assert (dirigent.library.rows(), dirigent.library.versions("default", "greeting")) == before
        assert dirigent.journal.verify().damages == ()
