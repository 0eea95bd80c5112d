"""`/ws` over a real socket: who is told what, from where on, and who is let go."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from dirigent import Dirigent, Effect, Risk, action, agent
from dirigent.api.services import Patience
from dirigent.domain.errors import TransientError
from dirigent.domain.workflow import Definition
from dirigent.intake.live.feed import Bounds
from dirigent.interpreter.loading import definition_from
from dirigent.settings import read_settings
from tests.api.sockets import Served, closing, heard, telling, until

QUICK = Patience(heartbeat_s=0.05)
RUNS = "channels=executions"
SMALL_BUFFER = 4096
ENDS = ("execution.completed", "execution.failed")


def workflow(*steps: dict[str, Any], name: str = "small") -> Definition:
    return definition_from({"name": name, "steps": list(steps)})


SMALL = workflow(
    {
        "id": "note",
        "type": "agent",
        "agent_type": "porter",
        "action": "carry",
        "parameters": {"what": "${input.name}"},
    }
)
EVENTS_OF_MANY = 2 + 200
FAILING = workflow(
    {
        "id": "fall",
        "type": "agent",
        "agent_type": "clumsy",
        "action": "fall",
        "retry_policy": {"max_attempts": 6, "initial": "1ms"},
    },
    name="failing",
)
MANY = workflow(
    *({"id": f"s{number}", "type": "transform", "parameters": {"n": number}} for number in range(200)),
    name="many",
)


@agent("porter", domain="test")
class Porter:
    """Carries what another hands him."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def carry(self, what: str = "") -> str:
        """Carry."""
        return f"secret {what}"

    @action(risk=Risk.R4, effect=Effect.KEYED)
    async def burn(self) -> str:
        """Burn, which always asks a person."""
        return "burnt"


@agent("clumsy", domain="test")
class Clumsy:
    """Is out of order."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def fall(self) -> str:
        """Fall."""
        raise TransientError("no answer")


def porter(action: str, **more: Any) -> Definition:
    return workflow({"id": action, "type": "agent", "agent_type": "porter", "action": action, **more})


@pytest.fixture
async def dirigent(tmp_path: Path) -> AsyncIterator[Dirigent]:
    """A Dirigent over an empty folder, with the test's agent."""
    settings = read_settings(environment={}, folder=tmp_path, data_folder=tmp_path / "data")
    async with Dirigent(settings=settings, agents=[Porter(), Clumsy()]) as opened:
        yield opened


@pytest.fixture
async def served(dirigent: Dirigent) -> AsyncIterator[Served]:
    """It, on a socket."""
    async with telling(dirigent) as opened:
        yield opened


async def hello(client: ClientConnection) -> dict[str, Any]:
    message = await heard(client)
    assert message["type"] == "hello"
    return message


async def test_hello_says_what_there_is(served: Served, dirigent: Dirigent) -> None:
    """Whose events of which channels, how often there is a heartbeat, and from where on."""
    await dirigent.run(SMALL, {"name": "Ada"})
    async with served.connect("channels=alerts,executions&org_id=org_1") as client:
        assert await hello(client) == {
            "type": "hello",
            "org_id": "org_1",
            "channels": ["executions", "alerts"],
            "offered": ["executions", "agents", "alerts"],
            "execution_id": None,
            "heartbeat_s": 20.0,
            "last_event_id": str(dirigent.journal.durable),
        }
    async with served.connect() as client:
        told = await hello(client)
        assert (told["org_id"], told["channels"]) == ("default", told["offered"])


async def test_a_run_while_it_runs(served: Served, dirigent: Dirigent) -> None:
    """From its start to its end, each event durable when it is told, without what it works on."""
    async with served.connect("channels=executions") as client:
        await hello(client)
        running = asyncio.ensure_future(dirigent.run(SMALL, {"name": "Ada"}))
        messages: list[dict[str, Any]] = []
        while not messages or messages[-1]["type"] not in ENDS:
            messages.append(await heard(client))
            assert int(messages[-1]["id"]) <= dirigent.journal.durable
        execution_id = (await running).execution_id
    assert [message["type"] for message in messages] == [
        "execution.started",
        "step.started",
        "step.succeeded",
        "execution.completed",
    ]
    ids = [int(message["id"]) for message in messages]
    assert ids == sorted(set(ids))
    assert {(one["execution_id"], one["org_id"]) for one in messages} == {(execution_id, "default")}
    assert messages[1]["data"] == {"step": "note", "attempt": 1, "agent": "porter", "action": "carry"}
    assert messages[1]["time"].endswith("Z")
    assert "secret" not in repr(messages)
    assert "Ada" not in repr(messages)


async def test_only_ones_own_tenant(served: Served, dirigent: Dirigent) -> None:
    """What others do is not told, whatever the channel, neither live nor from the past."""
    await dirigent.run(porter("burn"), tenant="org_2")
    async with (
        served.connect("org_id=org_1&last_event_id=0") as client,
        served.connect("channels=executions", additional_headers={"X-Org-Id": "org_1"}) as other,
    ):
        await hello(client)
        await hello(other)
        await dirigent.run(porter("burn"), tenant="org_2")
        await dirigent.run(SMALL, {"name": "Ada"}, tenant="org_1")
        for one in (client, other):
            messages = await until(one, *ENDS)
            assert {message["org_id"] for message in messages} == {"org_1"}
            assert len(messages) == 4


async def test_going_on_where_it_stopped(served: Served, dirigent: Dirigent) -> None:
    """What was missed comes first, then what happens, without gap or double, however often it breaks off."""
    await dirigent.run(MANY)
    busy = asyncio.gather(*(dirigent.run(MANY) for _ in range(4)))
    pieces: list[str] = []
    while len(pieces) < 5 * EVENTS_OF_MANY:
        last = pieces[-1] if pieces else "0"
        async with served.connect(f"channels=executions&last_event_id={last}") as client:
            assert (await hello(client))["last_event_id"] == last
            pieces += [(await heard(client))["id"] for _ in range(101)]
    await busy
    async with served.connect("channels=executions&last_event_id=0") as client:
        await hello(client)
        at_once = [(await heard(client))["id"] for _ in pieces]
    assert pieces == at_once
    assert [int(one) for one in pieces] == sorted({int(one) for one in pieces})
    assert len(pieces) == 5 * EVENTS_OF_MANY


async def test_over_a_restart(tmp_path: Path) -> None:
    """An id that was told before the server stopped is one to go on from afterwards."""
    settings = read_settings(environment={}, folder=tmp_path, data_folder=tmp_path / "data")
    async with Dirigent(settings=settings, agents=[Porter()]) as before:
        async with telling(before) as served, served.connect(RUNS) as client:
            await hello(client)
            await before.run(SMALL, {"name": "Ada"})
            last = (await until(client, *ENDS))[-1]["id"]
        unheard = await before.run(SMALL, {"name": "Ada"})
    async with (
        Dirigent(settings=settings, agents=[Porter()]) as after,
        telling(after) as served,
        served.connect(f"{RUNS}&last_event_id={last}") as client,
    ):
        await hello(client)
        live = asyncio.ensure_future(after.run(SMALL, {"name": "Ada"}))
        messages = await until(client, *ENDS) + await until(client, *ENDS)
        runs = [unheard.execution_id, (await live).execution_id]
    assert [message["execution_id"] for message in messages] == [runs[0]] * 4 + [runs[1]] * 4


async def test_from_the_past_into_the_present(dirigent: Dirigent) -> None:
    """Whoever begins in the past while much happens hears all of it, page by page, and then the present."""
    async with telling(dirigent, Bounds(page=7)) as served:
        busy = asyncio.gather(*(dirigent.run(MANY) for _ in range(5)))
        async with served.connect("channels=executions&last_event_id=0") as client:
            await hello(client)
            messages = [await heard(client) for _ in range(5 * EVENTS_OF_MANY)]
            await busy
            await dirigent.run(SMALL, {"name": "Ada"})
            messages += await until(client, *ENDS)
    told = [int(message["id"]) for message in messages]
    assert told == sorted(set(told))
    assert [message["type"] for message in messages].count("step.succeeded") == 5 * 200 + 1


async def test_one_run_with_all_it_starts(served: Served, dirigent: Dirigent) -> None:
    """Of the channels asked for only what a run and its children do, from its beginning if wished."""
    child = {"name": "child", "steps": [{"id": "note", "type": "transform", "parameters": {}}]}
    parent = workflow({"id": "ask", "type": "subworkflow", "workflow": "${input.child}"}, name="parent")
    await dirigent.run(SMALL, {"name": "Ada"}, tenant="org_1")
    execution_id = (await dirigent.run(parent, {"child": child}, tenant="org_1")).execution_id
    await dirigent.run(SMALL, {"name": "Ada"}, tenant="org_1")
    async with served.connect(f"execution={execution_id}&last_event_id=0") as client:
        assert (await hello(client))["org_id"] == "org_1"
        messages = await until(client, *ENDS)
        messages += await until(client, *ENDS)
    whose = {message["execution_id"] for message in messages}
    assert whose == {execution_id, f"{execution_id}/ask"}
    assert ("step.succeeded", "ask") in {(one["type"], one["data"].get("step")) for one in messages}


async def test_agents_and_alerts(dirigent: Dirigent, served: Served) -> None:
    """An agent that fails too often, what waits for a person, and what was decided; nothing else."""
    async with served.connect("channels=alerts") as alerts, served.connect("channels=agents") as agents:
        await hello(alerts)
        await hello(agents)
        execution_id = (await dirigent.run(porter("burn"))).execution_id
        (asked,) = dirigent.engine.approvals()
        await dirigent.engine.reject(asked.approval_id, "ann", "no")
        await dirigent.engine.rest(execution_id)
        told = await until(alerts, "execution.failed")
        assert [message["type"] for message in told] == [
            "approval.requested",
            "approval.decided",
            "execution.failed",
        ]
        assert told[0]["data"]["expires_at"].endswith("Z")
        assert (told[0]["data"]["approval_id"], told[0]["data"]["kind"]) == (asked.approval_id, "approval")
        await dirigent.run(FAILING, {})
        told = await until(alerts, "circuit.opened")
        assert (told[-1]["data"]["agent"], told[-1]["execution_id"]) == ("clumsy", None)
        told = await until(agents, "circuit.opened")
        assert {message["type"] for message in told} == {"step.started", "circuit.opened"}


@pytest.mark.parametrize(
    ("query", "status", "code", "said"),
    [
        ("channels=executions,alert", 422, "invalid_input", "'alerts'"),
        ("channels=", 422, "invalid_input", "executions, agents, alerts"),
        ("channel=alerts", 422, "invalid_input", "'channels'"),
        ("last_event_id=-1", 422, "invalid_input", "last_event_id"),
        ("last_event_id=%C2%B2", 422, "invalid_input", "last_event_id"),
        ("last_event_id=99999", 422, "invalid_input", "no event 99999 yet"),
        ("execution=nope", 404, "execution_not_found", "nope"),
        ("org_id=" + "x" * 201, 422, "invalid_input", "org_id"),
    ],
)
async def test_what_cannot_be_had(served: Served, query: str, status: int, code: str, said: str) -> None:
    """It is refused before the socket is open, with a problem document that says what to do."""
    with pytest.raises(InvalidStatus) as refused:
        await served.connect(query).__aenter__()
    answer = refused.value.response
    problem = json.loads(answer.body or b"")
    assert (answer.status_code, problem["code"]) == (status, code)
    assert said in problem["detail"] + problem["fix"]
    assert problem["correlation_id"] == answer.headers["x-request-id"]


async def test_anothers_run(served: Served, dirigent: Dirigent) -> None:
    """A run of another organization is not there."""
    execution_id = (await dirigent.run(SMALL, {"name": "Ada"}, tenant="org_2")).execution_id
    with pytest.raises(InvalidStatus) as refused:
        await served.connect(f"execution={execution_id}&org_id=org_1").__aenter__()
    assert refused.value.response.status_code == 404
    with pytest.raises(InvalidStatus) as refused:
        await served.connect("org_id=org_1", additional_headers={"X-Org-Id": "org_2"}).__aenter__()
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"origin": "https://evil.example"}, 403, "foreign_origin"),
        ({"origin": "null"}, 403, "foreign_origin"),
        ({"name": "evil.example"}, 421, "foreign_host"),
    ],
)
async def test_pages_from_elsewhere(served: Served, options: dict[str, Any], status: int, code: str) -> None:
    """A page of another origin, or under another name, hears nothing; ours does."""
    with pytest.raises(InvalidStatus) as refused:
        await served.connect(**options).__aenter__()
    answer = refused.value.response
    assert (answer.status_code, json.loads(answer.body or b"")["code"]) == (status, code)
    async with served.connect(origin=f"http://{served.address}") as client:
        await hello(client)


async def test_too_many(dirigent: Dirigent) -> None:
    """Those of one organization are counted, and all; who leaves makes room."""
    async with (
        telling(dirigent, Bounds(at_once=3, of_tenant=2)) as served,
        served.connect("org_id=a"),
        served.connect("org_id=a") as second,
    ):
        for query in ("org_id=a", "org_id=a&last_event_id=0"):
            with pytest.raises(InvalidStatus) as refused:
                await served.connect(query).__aenter__()
            assert refused.value.response.status_code == 429
            assert refused.value.response.headers["retry-after"]
        async with served.connect("org_id=b"):
            with pytest.raises(InvalidStatus):
                await served.connect("org_id=c").__aenter__()
        await second.close()
        async with served.connect("org_id=a") as another:
            await hello(another)


async def test_heartbeats(dirigent: Dirigent) -> None:
    """They come while nothing happens, and say how far all has been told that was asked for."""
    async with telling(dirigent, patience=QUICK) as served, served.connect("channels=alerts") as client:
        await hello(client)
        await dirigent.run(SMALL, {"name": "Ada"})
        before = dirigent.journal.durable
        beats = [await heard(client) for _ in range(3)]
        assert {beat["type"] for beat in beats} == {"heartbeat"}
        while int(beats[-1]["last_event_id"]) < before:
            beats.append(await heard(client))


async def test_it_only_tells(served: Served) -> None:
    """Who says something is let go; what is larger than anything that could be meant is not even read."""
    for said, code in (("subscribe", 1008), (b"\0", 1008), ("x" * 5000, 1009)):
        async with served.connect() as client:
            await hello(client)
            await client.send(said)
            assert (await closing(client))[1] == code


async def test_a_client_that_takes_nothing(dirigent: Dirigent) -> None:
    """It is let go with a code of its own, while runs and other clients go on; later it gets the rest."""
    bounds = Bounds(waiting=20_000, page=50)
    async with telling(dirigent, bounds, send_buffer=SMALL_BUFFER) as served:
        async with served.connect(RUNS, sock=lazy_socket(served), max_queue=1) as lazy:
            async with served.connect(RUNS) as quick:
                runs = 0
                while served.live.followers > 1:
                    await dirigent.run(MANY)
                    assert len(await until(quick, *ENDS)) == EVENTS_OF_MANY + (runs == 0)
                    runs += 1
            taken, code, reason = await closing(lazy)
        assert (code, reason.partition(":")[0]) == (4008, "too_slow")
        missed = runs * EVENTS_OF_MANY - len(taken[1:])
        assert missed > 0
        async with served.connect(f"{RUNS}&last_event_id={taken[-1]['id']}") as client:
            await hello(client)
            rest = [await heard(client) for _ in range(missed)]
    assert (rest[-1]["type"], int(rest[-1]["id"])) == ("execution.completed", dirigent.journal.durable)


async def test_a_client_that_takes_nothing_of_the_past(dirigent: Dirigent) -> None:
    """Nothing waits in memory for it, and it is let go when one message is not taken in time."""
    for _ in range(4):
        await dirigent.run(MANY)
    patience = Patience(send_s=0.05)
    async with telling(dirigent, patience=patience, send_buffer=SMALL_BUFFER) as served:
        query = f"{RUNS}&last_event_id=0"
        async with served.connect(query, sock=lazy_socket(served), max_queue=1) as lazy:
            async with served.connect(RUNS) as quick:
                while served.live.followers > 1:
                    await (await quick.ping())
            _, code, _ = await closing(lazy)
        assert code == 4008


def lazy_socket(served: Served) -> socket.socket:
    """A connection that takes in little before somebody reads."""
    lazy = socket.socket()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    host, _, port = served.address.partition(":")
    lazy.connect((host, int(port)))
    lazy.setblocking(False)
    return lazy


async def test_the_server_stops(dirigent: Dirigent) -> None:
    """Sockets are closed with the code for a restart."""
    async with telling(dirigent) as served, served.connect() as client:
        await hello(client)
        served.stop()
        assert (await closing(client))[1] == 1012
