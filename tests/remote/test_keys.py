"""Who may call an agent's server: those with a key, for which tenant they say, and nobody by accident."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dirigent import Dirigent
from dirigent.api.agent_key import AgentKeyOnly
from dirigent.api.failures import TooSlow
from dirigent.bootstrap.agent_keys import key_to_call_with, keys_to_serve_with
from dirigent.bootstrap.agent_server import AgentServer
from dirigent.domain.errors import InvalidInput
from dirigent.settings import Settings, read_settings
from tests.remote.bench import (
    ADDRESS,
    COPIES,
    KEY,
    NEXT_KEY,
    Bench,
    Press,
    a_call,
    bench,
    caller_settings,
    posted,
    server_settings,
)

CALLS = "/api/v1/agents/press/calls"


@pytest.fixture
async def press(tmp_path: Path) -> AsyncIterator[Bench]:
    """An engine and the server of its agent."""
    COPIES.reset()
    async with bench(tmp_path) as opened:
        yield opened


def client(press: Bench) -> httpx2.AsyncClient:
    """Somebody without a key."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=press.server.app()), base_url=ADDRESS)


async def test_without_a_key_nothing_is_answered(press: Bench) -> None:
    """Every address of the server is 401 without a key, also those that do not exist; only life is told."""
    app = press.server.app()
    described = app.openapi()["paths"].items()
    paths = {(method.upper(), path) for path, methods in described for method in methods}
    assert ("POST", "/api/v1/agents/{agent_type}/calls") in paths
    tricks = ("/health/", "//health", "/health?verbose=1", "/api/v1/agents/press/calls/health", "/HEALTH")
    extra = {("GET", path) for path in ("/openapi.json", "/nowhere", *tricks)} | {("POST", "/health")}
    async with client(press) as nobody:
        for method, path in sorted(paths | extra):
            answer = await nobody.request(method, path.replace("{", "").replace("}", ""))
            if (method, path) == ("GET", "/health"):
                assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})
            else:
                assert (answer.status_code, method, path) == (401, method, path)
                assert answer.json()["code"] == "agent_key_refused"
                assert answer.headers["www-authenticate"] == "Bearer"
    assert not press.server.engine.executions()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {KEY}",
        KEY,
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY}x",
        f"Bearer {NEXT_KEY}",
    ],
)
async def test_a_key_that_is_none(press: Bench, header: str) -> None:
    """Nothing but the whole key after its word opens; the answer never says what was wrong."""
    async with client(press) as somebody:
        answer = await somebody.post(CALLS, json=a_call(text="news"), headers={"authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "agent_key_refused")
    assert KEY not in answer.text
    assert not COPIES.runs


async def test_a_key_is_changed_without_a_gap(tmp_path: Path) -> None:
    """First the server knows both, then the caller sends the new one, then the old one is gone."""
    COPIES.reset()
    stages = [
        (f"{KEY} {NEXT_KEY}", KEY, "completed"),
        (f"{KEY} {NEXT_KEY}", f"{NEXT_KEY} {KEY}", "completed"),
        (NEXT_KEY, NEXT_KEY, "completed"),
        (NEXT_KEY, KEY, "failed"),
    ]
    reading = None
    for there, here, status in stages:
        keys = {"here": {"DIRIGENT_AGENT_KEY": here}, "there": {"DIRIGENT_AGENT_KEY": there}}
        async with bench(tmp_path, **keys) as press:  # type: ignore[arg-type]
            reading = await press.run("print_one")
            assert (reading.status, here, there) == (status, here, there)
    assert reading is not None
    assert reading.error.code == "agent_key_refused"


async def test_no_key_is_ever_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is in no file of either side, no log, no configuration and no error, also where a call fails."""
    caplog.set_level(logging.DEBUG)
    async with bench(tmp_path) as press:
        await press.run("print_one")
        press.wire.before = [httpx2.ConnectError("refused"), httpx2.ReadError("lost")]
        failed = [await press.run("shout"), await press.run("shout"), await press.run("spoil")]
        shown = json.dumps(press.dirigent.services().config())
        press.wire.app = None
        await press.dirigent.servers.look()
        told = json.dumps(press.dirigent.health())
        texts = [shown, told, caplog.text, repr(press.dirigent.settings), repr(press.server.settings)]
        texts += [str(reading.error) for reading in failed]
    assert "***" in shown
    assert not [text for text in texts if KEY in text]
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if KEY.encode() in file.read_bytes()]


@pytest.mark.parametrize("value", ["short", "a" * 23, "with\ttab-and-more-characters é", "x" * 201])
def test_a_key_that_cannot_be_used(tmp_path: Path, value: str) -> None:
    """What could not stand in a header, or be guessed, is refused by its variable and never quoted."""
    with pytest.raises(InvalidInput) as refused:
        read_settings(environment={"DIRIGENT_AGENT_KEY": value}, folder=tmp_path)
    assert refused.value.field == "DIRIGENT_AGENT_KEY"
    assert value not in str(refused.value)


def home(tmp_path: Path, **given: Any) -> Settings:
    """A machine of one user, with nothing configured."""
    environment = {"XDG_STATE_HOME": str(tmp_path / "state")}
    return read_settings(environment=environment, folder=tmp_path, **given)


def test_a_key_for_this_user_alone(tmp_path: Path) -> None:
    """On loopback a key is made for this user's own programs; it is sent to this machine and nowhere else."""
    settings = home(tmp_path)
    [key] = keys_to_serve_with(settings)
    assert settings.agent_key_file is not None
    assert settings.agent_key_file.stat().st_mode & 0o777 == 0o600
    assert keys_to_serve_with(settings) == (key,)
    assert key_to_call_with(settings, "http://localhost:8083") == key
    assert key_to_call_with(settings, "http://[::1]:8083") == key
    assert key_to_call_with(settings, "https://agents.example") == ""
    settings.agent_key_file.chmod(0o640)
    with pytest.raises(InvalidInput, match="chmod 600"):
        key_to_call_with(settings, "http://localhost:8083")


def test_who_can_be_reached_needs_a_key(tmp_path: Path) -> None:
    """A server that others can reach does not start without one."""
    with pytest.raises(InvalidInput, match="has no key") as refused:
        keys_to_serve_with(home(tmp_path, host="0.0.0.0"))
    assert "DIRIGENT_AGENT_KEY" in refused.value.fix
    assert not (tmp_path / "state").exists()


async def test_a_caller_without_a_key_sends_nothing(tmp_path: Path) -> None:
    """The step says what to set."""
    COPIES.reset()
    async with bench(tmp_path, here={"DIRIGENT_AGENT_KEY": ""}) as press:
        reading = await press.run("shout")
    assert (reading.error.code, press.wire.requests) == ("agent_key_missing", [])
    assert "DIRIGENT_AGENT_KEY" in reading.error.message


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("ftp://127.0.0.1", "http:// or https://"),
        ("http://user:pass-word@127.0.0.1:8083", "a name or a password"),
        ("http://agents.example:8083", "in plain text"),
        ("https://agents.example/?x=1", "holds a query"),
        ("http://127.0.0.1:8083\r\nx-evil: 1", "control characters"),
        ("http://2130706433:8083", "in plain text"),
    ],
)
def test_an_address_that_cannot_be_used(tmp_path: Path, address: str, why: str) -> None:
    """It is refused at the start, by the name of its variable, and a password in it is not repeated."""
    with pytest.raises(InvalidInput, match=why) as refused:
        Dirigent(settings=caller_settings(tmp_path, PRESS_AGENT_URL=address), agents=[Press])
    assert refused.value.field == "PRESS_AGENT_URL"
    assert "pass-word" not in str(refused.value)


def test_plain_http_where_it_is_meant(tmp_path: Path) -> None:
    """The operator may allow a host in a network of his own; other programs' variables mean nothing."""
    given = {"PRESS_AGENT_URL": "http://press:8083/", "DIRIGENT_HTTP_ALLOW": "press:8083"}
    others = {"DD_TRACE_AGENT_URL": "unix:///var/run/apm.socket", "INVENTORY_AGENT_URL": "  "}
    dirigent = Dirigent(settings=caller_settings(tmp_path, **given, **others), agents=[Press])
    assert {key: server.address for key, server in dirigent.servers.servers.items()} == {
        "press": "http://press:8083"
    }


def test_a_server_calls_no_server(tmp_path: Path) -> None:
    """One that stands in the environment of its callers does not call itself, and knows no other agent."""
    settings = server_settings(tmp_path, PRESS_AGENT_URL=ADDRESS, NOTIFIER_AGENT_URL=ADDRESS)
    server = AgentServer("Printing Press", settings=settings, own=[Press])
    assert not server.servers.servers
    assert [spec.key for spec in server.registry.specs()] == ["press"]


HOSTILE: list[tuple[dict[str, Any], int]] = [
    ({"unknown": 1}, 422),
    ({"tenant": ""}, 422),
    ({"tenant": "x" * 201}, 422),
    ({"tenant": None}, 422),
    ({"autonomy": "L9"}, 422),
    ({"time_limit_ms": -1}, 422),
    ({"inputs": "text"}, 422),
    ({"agent": "notifier"}, 422),
    ({"action": "nothing"}, 422),
    ({"action": "__init__"}, 422),
    ({"origin": {"execution_id": "e"}}, 422),
    ({"inputs": {"text": "news", "ctx": {}}}, 422),
    ({"contract": "0" * 64}, 409),
]


@pytest.mark.parametrize(("change", "status"), HOSTILE, ids=[str(change) for change, _ in HOSTILE])
async def test_a_call_that_is_none(press: Bench, change: dict[str, Any], status: int) -> None:
    """What does not fit is refused before anything is begun."""
    answer = await posted(press, {**a_call(text="news"), **change})
    assert answer.status_code == status
    assert not press.server.engine.executions()
    assert not COPIES.runs


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{" + b'"agent": "press", ' * 2 + b'"x": 1}', 400),
        (b'{"inputs": ' + b"[" * 100 + b"]" * 100 + b"}", 400),
        (b'{"time_limit_ms": NaN}', 400),
        (b"\xff\xfe", 400),
        (b"", 400),
        (b"x" * 9_500_000, 413),
    ],
)
async def test_a_body_that_is_none(press: Bench, content: bytes, status: int) -> None:
    """It is strict JSON of at most nine megabytes."""
    async with client(press) as somebody:
        answer = await somebody.post(CALLS, content=content, headers={"authorization": f"Bearer {KEY}"})
    assert answer.status_code == status


async def test_one_tenant_in_one_call(press: Bench) -> None:
    """A call speaks for one tenant; where the request names another it is refused."""
    answer = await posted(press, a_call(text="news", tenant="one"), headers={"x-org-id": "two"})
    assert (answer.status_code, answer.json()["code"]) == (403, "tenant_mismatch")
    assert (await posted(press, a_call(text="news", tenant="one"))).status_code == 200
    [row] = press.server.engine.executions()
    assert row.tenant == "one"


async def test_a_replayed_call(press: Bench) -> None:
    """The very same bytes again do nothing again."""
    call = a_call("shout", text="news")
    first, second = await posted(press, call), await posted(press, call)
    assert (first.json()["replayed"], second.json()["replayed"]) == (False, True)
    assert COPIES.runs == ["news"]


async def test_somebody_who_sends_slowly() -> None:
    """A body that does not come in its time is given up; who only waits for the answer may wait."""
    beginning = {"type": "http.request", "body": b"{", "more_body": True}
    messages, sent = [beginning], []

    async def receive() -> Any:
        return messages.pop() if messages else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    async def inner(scope: Any, take: Any, give: Any) -> None:
        while True:
            await take()

    door = AgentKeyOnly(inner, [KEY], body_seconds=0.01)
    headers = [(b"authorization", f"Bearer {KEY}".encode())]
    scope = {"type": "http", "method": "POST", "path": CALLS, "query_string": b"", "headers": headers}
    with pytest.raises(TooSlow):
        await door(scope, receive, send)
    messages.append({**beginning, "more_body": False})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(door(scope, receive, send), 0.1)
    assert not sent


@pytest.mark.parametrize(
    ("headers", "status"), [([], 401), ([(b"authorization", f"Bearer {KEY}".encode())], 403)]
)
async def test_no_web_socket(press: Bench, headers: list[Any], status: int) -> None:
    """A web socket is refused before it opens, key or not, and the refusal says why."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    named = [(b"host", b"127.0.0.1:8091"), *headers]
    scope = {"type": "websocket", "path": "/ws", "query_string": b"", "headers": named}
    await press.server.app()(scope, receive, send)
    assert [message["type"] for message in sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert sent[0]["status"] == status
    assert json.loads(sent[1]["body"])["fix"]
