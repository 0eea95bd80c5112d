"""A connection that does not say what it wants is closed; one that waits for its answer is not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import uvicorn
from uvicorn.server import ServerState
from websockets.asyncio.client import connect

from dirigent.cli.patience import Impatient, ImpatientSocket

SECONDS_MAX = 20.0
PING = b"\x89\xfd\0\0\0\0" + b"x" * 125
A_LOT = b"x" * 1_000_000
UPGRADE = (
    b"GET /%s HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
WHOLE = b"GET /%s HTTP/1.1\r\nhost: x\r\n\r\n"


class Seen:
    """What a test saw of its sockets: that one was cut off, and which were held back."""

    cut: ClassVar[asyncio.Event]
    paused: ClassVar[list[asyncio.Transport]]


class VeryImpatient(Impatient):
    """As the real one, in less time."""

    head_seconds = 0.05


class VeryImpatientSocket(ImpatientSocket):
    """As the real one, in less time; says when it is over."""

    linger_seconds = 0.05

    def pause_writing(self) -> None:
        super().pause_writing()
        Seen.paused.append(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        Seen.cut.set()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers; what is asked for under /slow after more than the patience there is.

    A socket is told when that patience is over twice; or, under /lot, all at once and then its end.
    """
    if scope["type"] == "websocket":
        await tell(scope["path"], send)
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(0.2)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def tell(path: str, send: Any) -> None:
    """What a socket is told."""
    await send({"type": "websocket.accept"})
    if path == "/silent":
        await Seen.cut.wait()
        return
    if path == "/lot":
        for _ in range(20):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await send({"type": "websocket.send", "bytes": A_LOT})
        await send({"type": "websocket.close", "code": 4008, "reason": "slow"})
        return
    await asyncio.sleep(3 * VeryImpatient.head_seconds)
    await send({"type": "websocket.send", "text": "still here"})


@asynccontextmanager
async def served() -> AsyncIterator[tuple[str, int]]:
    """A server on a free port of this machine, and where it is."""
    Seen.cut, Seen.paused = asyncio.Event(), []
    config = uvicorn.Config(app, http=VeryImpatient, ws=VeryImpatientSocket, lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: VeryImpatient(config, state, {}), "127.0.0.1", 0)
    async with server, asyncio.timeout(SECONDS_MAX):
        yield server.sockets[0].getsockname()


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server on a free port of this machine."""
    async with served() as address:
        reader, writer = await asyncio.open_connection(*address)
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


async def test_a_web_socket() -> None:
    """One that was opened has said what it wants and may be silent for longer."""
    async with served() as (host, port), connect(f"ws://{host}:{port}/", proxy=None) as client:
        assert await client.recv() == "still here"


async def test_a_web_socket_that_takes_nothing() -> None:
    """Its end is put behind what was to go; where that is not taken in either, the connection is cut."""
    async with served() as address, lazy_client(address, b"lot"):
        await Seen.cut.wait()


async def test_pings_without_end() -> None:
    """Who sends pings and takes in no answer is read no further, so that answers do not gather."""
    async with served() as address, lazy_client(address, b"silent") as lazy:
        loop = asyncio.get_running_loop()
        flood = asyncio.ensure_future(loop.sock_sendall(lazy, PING * 500_000))
        while not (Seen.paused or flood.done()):
            await asyncio.sleep(0)
        assert not Seen.paused[-1].is_reading()
        flood.cancel()
        await asyncio.wait({flood})
        Seen.cut.set()


@asynccontextmanager
async def lazy_client(address: tuple[str, int], path: bytes) -> AsyncIterator[socket.socket]:
    """A client that opens a WebSocket and reads nothing."""
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(address)
        lazy.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(lazy, UPGRADE % path)
        assert b" 101 " in await loop.sock_recv(lazy, 20)
        yield lazy
