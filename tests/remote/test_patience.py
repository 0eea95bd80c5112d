"""A connection that does not say what it wants is closed; one that waits for its answer is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from dirigent.cli.patience import Impatient

SECONDS_MAX = 20.0
WHOLE = b"GET /%s HTTP/1.1\r\nhost: x\r\n\r\n"


class VeryImpatient(Impatient):
    """As the real one, in less time."""

    head_seconds = 0.05


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers; what is asked for under /slow after more than the patience there is."""
    if scope["path"] == "/slow":
        await asyncio.sleep(0.2)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server on a free port of this machine."""
    config = uvicorn.Config(app, http=VeryImpatient, lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: VeryImpatient(config, state, {}), "127.0.0.1", 0)
    async with server, asyncio.timeout(SECONDS_MAX):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield reader, writer
        writer.close()


async def test_half_a_head() -> None:
    """What begins a request and does not go on is closed, also after one that was answered."""
    async with connected() as (reader, writer):
        writer.write(WHOLE[:10])
        assert await reader.read() == b""
    async with connected() as (reader, writer):
        writer.write(WHOLE % b"")
        assert b"ok" in await reader.readuntil(b"ok")
        writer.write(WHOLE[:10])
        assert await reader.read() == b""


async def test_nothing_at_all() -> None:
    """A connection on which nothing comes is closed."""
    async with connected() as (reader, _):
        assert await reader.read() == b""


async def test_waiting_for_the_answer() -> None:
    """Who has asked may wait for longer."""
    async with connected() as (reader, writer):
        writer.write(WHOLE % b"slow")
        assert b"ok" in await reader.readuntil(b"ok")
