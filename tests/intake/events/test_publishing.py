"""What happens goes out on a stream: in order, once, and whatever becomes of the stream."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from dirigent import Dirigent
from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import definition_from
from dirigent.ports import StreamMessage
from dirigent.settings import read_settings
from dirigent.testing.frozen_clock import FrozenClock
from dirigent.testing.memory_stream import MemoryStream
from tests.intake.triggers.house import event, settle

ASKS = definition_from(
    {
        "name": "asks",
        "steps": [
            {"id": "note", "type": "transform", "parameters": {"text": "secret ${input.name}"}},
            {"id": "agree", "type": "approval"},
        ],
    }
)
FAILS = definition_from(
    {"name": "fails", "steps": [{"id": "no", "type": "validation", "conditions": ["false"]}]}
)


def told(messages: list[StreamMessage], topic: str = "executions") -> list[dict[str, Any]]:
    """The events of a topic."""
    return [msgspec.json.decode(one.event) for one in messages if one.topic == topic]


def a_dirigent(folder: Path, stream: MemoryStream | None, **environment: str) -> Dirigent:
    settings = read_settings(environment=environment, folder=folder, data_folder=folder / "data")
    return Dirigent(settings=settings, stream=stream, clock=FrozenClock())


async def sent(dirigent: Dirigent) -> None:
    """Return when everything in the journal is out."""
    publisher = dirigent.reactions.publisher
    assert publisher is not None
    while publisher.position < dirigent.journal.position:
        publisher.rouse()
        await settle(1)


async def run(dirigent: Dirigent, definition: Definition, **given: Any) -> str:
    reading = await dirigent.run(definition, given)
    return reading.execution_id


async def test_an_execution_from_accepted_to_completed(tmp_path: Path) -> None:
    """In its order, under its key, whose it is, and without what it works on."""
    stream = MemoryStream()
    async with a_dirigent(tmp_path, stream) as dirigent:
        execution_id = await run(dirigent, ASKS, name="Ada")
        (asked,) = dirigent.engine.approvals()
        await dirigent.engine.approve(asked.approval_id, "ann")
        await dirigent.engine.rest(execution_id)
        await sent(dirigent)
    events = told(stream.messages)
    assert [one["type"].removeprefix("execution.") for one in events] == [
        "accepted",
        "step_completed",
        "approval_requested",
        "approval_decided",
        "step_completed",
        "completed",
    ]
    assert {(one["subject"], one["tenant"], one["source"]) for one in events} == {
        (execution_id, "default", "dirigent")
    }
    assert {message.key for message in stream.messages} == {execution_id}
    assert events[0]["data"] == {"workflow": "asks", "trigger": "manual", "parent": ""}
    assert "secret" not in repr(stream.messages)
    assert "Ada" not in repr(stream.messages)
    assert len({one["id"] for one in events}) == len(events)


async def test_a_failure_says_why(tmp_path: Path) -> None:
    """With the code of the error."""
    stream = MemoryStream()
    async with a_dirigent(tmp_path, stream) as dirigent:
        await run(dirigent, FAILS)
        await sent(dirigent)
    last = told(stream.messages)[-1]
    assert (last["type"], last["data"]["status"]) == ("execution.failed", "failed")
    assert last["data"]["error"]["code"]


async def test_events_of_the_business_go_out_too(tmp_path: Path) -> None:
    """On a topic of their own, as they were said, under what they are about."""
    stream = MemoryStream()
    async with a_dirigent(tmp_path, stream) as dirigent:
        first = await dirigent.publish(event("e1", subject="order/1", data={"n": 1}))
        await dirigent.publish(event("e1", subject="order/1", data={"n": 1}))
        assert dirigent.reactions.publisher is not None
        await dirigent.reactions.publisher.caught_up(first.position)
    (said,) = told(stream.messages, "events")
    assert (said["id"], said["source"], said["data"]) == ("e1", "shop", {"n": 1})
    assert [message.key for message in stream.messages] == ["order/1"]


async def test_nothing_is_sent_twice_or_left_out_over_restarts(tmp_path: Path) -> None:
    """The stream says how far it came: also of what happened while nothing was sent."""
    stream = MemoryStream()
    async with a_dirigent(tmp_path, stream) as dirigent:
        await dirigent.publish(event("e1"))
        await sent(dirigent)
    async with a_dirigent(tmp_path, None) as dirigent:
        assert dirigent.reactions.publisher is None
        await dirigent.publish(event("e2"))
    async with a_dirigent(tmp_path, stream) as dirigent:
        await dirigent.publish(event("e3"))
        await sent(dirigent)
    assert [one["id"] for one in told(stream.messages, "events")] == ["e1", "e2", "e3"]


async def test_a_stream_that_takes_nothing_is_tried_again(tmp_path: Path) -> None:
    """The work goes on meanwhile, the failure is told, and afterwards everything is there in order."""
    stream = MemoryStream()
    stream.failures = 2
    async with a_dirigent(tmp_path, stream) as dirigent:
        publisher = dirigent.reactions.publisher
        assert publisher is not None
        reactions = [await dirigent.publish(event(f"e{number}")) for number in range(3)]
        while not publisher.failure:
            await settle(1)
        assert not stream.messages
        waiting = asyncio.ensure_future(publisher.caught_up(reactions[-1].position))
        while not waiting.done():
            dirigent.clock.move(500)  # type: ignore[attr-defined]
            await settle(1)
        assert publisher.failure == ""
    assert [one["id"] for one in told(stream.messages, "events")] == ["e0", "e1", "e2"]


async def test_a_folder_in_the_settings_is_a_stream(tmp_path: Path) -> None:
    """Its lines are the messages."""
    folder = tmp_path / "stream"
    async with a_dirigent(tmp_path, None, DIRIGENT_STREAM=str(folder)) as dirigent:
        await run(dirigent, FAILS)
    (file,) = folder.iterdir()
    lines = [msgspec.json.decode(line, type=StreamMessage) for line in file.read_bytes().splitlines()]
    types = [one["type"] for one in told(lines)]
    assert (types[0], types[-1]) == ("execution.accepted", "execution.failed")
