"""Either side ends in the middle of a call and comes back: each effect once, and nothing is guessed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent
from dirigent.bootstrap.agent_server import AgentServer
from tests.acceptance.terminal import dirigent
from tests.remote.bench import (
    ADDRESS,
    COPIES,
    KEY,
    Press,
    Wire,
    a_call,
    bench,
    caller_settings,
    posted,
    server_settings,
    workflow,
)

RULES = """
policies:
- id: press.read_first
  applies_to: action
  when: action.type == 'press.print_one'
  effect: require_approval
  reason: Every copy is read first.
"""


class House:
    """Two processes as they are to each other: what a crash leaves is on the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wire = Wire()
        self.entered, self.hold = asyncio.Event(), asyncio.Event()
        COPIES.reset()
        COPIES.held = self._held

    async def _held(self) -> None:
        self.entered.set()
        await self.hold.wait()

    async def server(self, stack: AsyncExitStack) -> AgentServer:
        """Start the server."""
        opened = await stack.enter_async_context(
            AgentServer("press", settings=server_settings(self.folder), own=[Press])
        )
        self.wire.app = opened.app()
        return opened

    async def caller(self, stack: AsyncExitStack) -> Dirigent:
        """Start the engine."""
        settings = caller_settings(self.folder, PRESS_AGENT_URL=ADDRESS)
        return await stack.enter_async_context(
            Dirigent(settings=settings, agents=[Press], agent_transport=self.wire)
        )


@pytest.fixture
async def house(tmp_path: Path) -> House:
    """Both folders, nobody at work."""
    return House(tmp_path)


async def begun(house: House, engine: Dirigent, act: str, **step: Any) -> str:
    """Start a run and wait until its effect is under way at the server."""
    run = await engine.intake.run_workflow(workflow(act, **step), {"text": "news"})
    await house.entered.wait()
    return run


async def test_the_engine_crashes_in_a_keyed_call(house: House) -> None:
    """Its next process asks again under the same key, and gets the outcome of the call that went on."""
    async with AsyncExitStack() as there:
        server = await house.server(there)
        async with AsyncExitStack() as here:
            run = await begun(house, await house.caller(here), "print_one")
        house.hold.set()
        async with AsyncExitStack() as again:
            engine = await house.caller(again)
            reading = await engine.engine.rest(run)
        assert (reading.status, COPIES.runs, len(COPIES.by_key)) == ("completed", ["news"], 1)
        assert len(server.engine.executions()) == 1
    assert len(house.wire.requests) == 2


async def test_the_engine_crashes_in_a_call_that_must_not_be_repeated(house: House) -> None:
    """It is not asked again; a person says what happened, and a wrong word is caught by the server."""
    async with AsyncExitStack() as there:
        await house.server(there)
        async with AsyncExitStack() as here:
            run = await begun(house, await house.caller(here), "shout")
        house.hold.set()
        async with AsyncExitStack() as again:
            engine = (await house.caller(again)).engine
            await engine.rest(run)
            [row] = engine.unknown_outcomes()
            assert (row.inputs, row.sent_at > 0, len(house.wire.requests)) == ({"text": "news"}, True, 1)
            await engine.resolve(run, "print", happened=False, actor="ann")
            reading = await engine.rest(run)
    assert (reading.status, reading.output, COPIES.runs) == ("completed", "heard", ["news"])


async def test_the_engine_crashes_in_a_call_that_can_be_read_back(house: House) -> None:
    """Its next process looks at the server first, finds the effect and asks for no other."""
    async with AsyncExitStack() as there:
        await house.server(there)
        async with AsyncExitStack() as here:
            run = await begun(house, await house.caller(here), "post")
        house.hold.set()
        async with AsyncExitStack() as again:
            reading = await (await house.caller(again)).engine.rest(run)
    assert (reading.status, reading.output, COPIES.runs) == ("completed", "news", ["news"])
    paths = [b'"action":"find_post"' in request.content for request in house.wire.requests]
    assert paths == [False, True]


async def test_the_server_crashes_in_a_call_that_must_not_be_repeated(house: House) -> None:
    """Both sides park it. The word of the person at the engine settles it at the server as well."""
    async with AsyncExitStack() as here:
        engine = await house.caller(here)
        async with AsyncExitStack() as there:
            await house.server(there)
            run = await begun(house, engine, "shout")
            house.wire.cut.set()
        house.wire.cut.clear()
        house.hold.set()
        assert (await engine.engine.rest(run)).steps["print"].status == "outcome_unknown"
        async with AsyncExitStack() as again:
            server = await house.server(again)
            await server.engine.rest(server.resumed[0], patience_ms=1)
            [row] = server.engine.unknown_outcomes()
            assert row.inputs == {"text": "news"}
            same = a_call("shout", text="news", origin={"key": row.key})
            told = await posted(Posting(server), same)
            assert (told.json()["status"], COPIES.runs) == ("outcome_unknown", ["news"])
            await engine.engine.resolve(run, "print", happened=False, actor="ann")
            reading = await engine.engine.rest(run)
            assert not server.engine.unknown_outcomes()
            [settled] = server.engine.unknown_outcomes(state=None)
    assert (reading.status, COPIES.runs) == ("completed", ["news", "news"])
    assert settled.key == row.key


async def test_the_server_crashes_in_a_call_that_can_be_read_back(house: House) -> None:
    """Asked again, its next process looks before it acts; the poster is up, so nothing is put up twice."""
    async with AsyncExitStack() as there:
        server = await house.server(there)
        sent = asyncio.ensure_future(posted(Posting(server), a_call("post", text="news")))
        await house.entered.wait()
        sent.cancel()
    house.hold.set()
    async with AsyncExitStack() as again:
        told = await posted(Posting(await house.server(again)), a_call("post", text="news"))
    assert (told.json()["status"], told.json()["output"], COPIES.runs) == ("succeeded", "news", ["news"])


async def test_a_poster_that_is_not_there(house: House) -> None:
    """What the server sees is missing, it does when it is asked for again."""
    COPIES.held = None
    COPIES.trouble = [ConnectionError("the wall is gone")]
    async with AsyncExitStack() as there:
        server = await house.server(there)
        first = await posted(Posting(server), a_call("post", text="news"))
        COPIES.by_key.clear()
        second = await posted(Posting(server), a_call("post", text="news"))
    assert [one.json()["status"] for one in (first, second)] == ["outcome_unknown", "succeeded"]
    assert COPIES.runs == ["news", "news"]


async def test_the_server_s_own_policy_asks(tmp_path: Path) -> None:
    """Where it asks for a person, the one at the engine counts; without one it is refused at once."""
    COPIES.reset()
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    policy = {"DIRIGENT_POLICIES": str(rules)}
    async with bench(tmp_path / "there", there=policy) as press:
        reading = await press.run("print_one")
        assert (reading.status, reading.error.code) == ("failed", "refused")
        assert "Every copy is read first" in reading.error.message
        assert reading.error.rules == ("press.read_first",)
        assert not press.server.engine.approvals()
    assert not COPIES.runs
    async with bench(tmp_path / "both", here=policy, there=policy) as press:
        reading = await press.run("print_one")
        [row] = press.dirigent.engine.approvals()
        await press.dirigent.engine.approve(row.approval_id, "ann")
        assert (await press.dirigent.engine.rest(reading.execution_id)).status == "completed"


class Posting:
    """A server, where no engine is needed."""

    def __init__(self, server: AgentServer) -> None:
        self.server = server


async def test_an_outcome_that_was_put_away(house: House) -> None:
    """What is in an archive is neither told nor done again: a person has to say."""
    COPIES.held = None
    async with AsyncExitStack() as there:
        first = await posted(Posting(await house.server(there)), a_call("shout", text="news"))
    folder, key = house.folder / "press", {"DIRIGENT_AGENT_KEY": KEY}
    put_away = await asyncio.to_thread(dirigent, "archive", "--older-than", "0d", "--yes", data=folder, **key)
    assert put_away.code == 0, put_away.err
    async with AsyncExitStack() as again:
        told = await posted(Posting(await house.server(again)), a_call("shout", text="news"))
    assert [one.json()["status"] for one in (first, told)] == ["succeeded", "outcome_unknown"]
    assert "in an archive" in told.json()["error"]["message"]
    assert COPIES.runs == ["news"]
