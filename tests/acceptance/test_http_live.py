"""`/ws` as printed: what a plain request is told, and the printed workflow followed while it runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2

from dirigent import Dirigent
from tests.acceptance.wire import printed
from tests.api.sockets import heard, telling, until

PRINTED = Path(__file__).parents[1] / "fixtures" / "002-01-content-creation-workflow.yaml"
INPUT = {"brand_id": "b-1", "content_topic": "espresso"}


async def test_a_plain_request(http: httpx2.AsyncClient) -> None:
    """It is told what the address is for, as printed, and by the header that clients know."""
    example = printed("002-06-ws-plain-get")
    answer = await example.send(http)
    assert answer.status_code == 426
    assert answer.headers["upgrade"] == "websocket"
    said = answer.json()["error"]
    assert {name: said[name] for name in example.answer["error"]} == example.answer["error"]


async def test_the_printed_workflow_while_it_runs(dirigent: Dirigent) -> None:
    """Every step of it is told as it begins and as it ends, in this order, with the shipped agents."""
    async with telling(dirigent) as served, served.connect("channels=executions") as client:
        assert (await heard(client))["type"] == "hello"
        running = asyncio.ensure_future(dirigent.run(PRINTED, INPUT))
        messages = await until(client, "execution.completed", "execution.failed")
        reading = await running
    of_step = [(one["type"], one["data"]["step"]) for one in messages if one["type"].startswith("step.")]
    begun = [step for kind, step in of_step if kind == "step.started"]
    ended = [step for kind, step in of_step if kind == "step.succeeded"]
    assert messages[0]["type"] == "execution.started"
    assert (messages[-1]["type"], reading.status) == ("execution.completed", "completed")
    assert "generate_content" in begun
    for step in begun:
        assert of_step.index(("step.started", step)) < of_step.index(("step.succeeded", step))
    assert ended == [name for name, step in reading.steps.items() if step.status == "succeeded"]


async def test_what_was_missed(dirigent: Dirigent) -> None:
    """A client that comes back with the last id it saw gets what happened meanwhile, and nothing else."""
    async with telling(dirigent) as served:
        async with served.connect("channels=executions") as client:
            assert (await heard(client))["type"] == "hello"
            await dirigent.run(PRINTED, INPUT)
            first = await until(client, "execution.completed")
        missed = await dirigent.run(PRINTED, INPUT)
        async with served.connect(f"channels=executions&last_event_id={first[-1]['id']}") as client:
            assert (await heard(client))["last_event_id"] == first[-1]["id"]
            second = await until(client, "execution.completed")
    assert {one["execution_id"] for one in second} == {missed.execution_id}
    assert [one["type"] for one in second] == [one["type"] for one in first]
