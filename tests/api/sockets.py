"""A server on a socket of this machine, and WebSocket clients of it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from dirigent import Dirigent
from dirigent.api.app import create_app
from dirigent.api.services import Patience
from dirigent.cli.server import hearing_signals, listening
from dirigent.intake.live.feed import Bounds, LiveFeed

SECONDS_MAX = 30.0


class Served:
    """A server that runs; `address` is where its WebSocket is, `live` what it tells from."""

    def __init__(self, address: str, live: LiveFeed, stop: Callable[[], None]) -> None:
        self.address = address
        self.live = live
        self.stop = stop

    def connect(self, query: str = "", *, name: str = "127.0.0.1", **options: Any) -> connect:
        """A client that takes in all that comes; `name` is what it calls the server by."""
        host, _, port = self.address.partition(":")
        if "sock" not in options:
            options |= {"host": host, "port": int(port)}
        options = {"proxy": None, "compression": None, "max_queue": None} | options
        return connect(f"ws://{name}:{port}/ws?{query}", **options)


@asynccontextmanager
async def telling(
    dirigent: Dirigent,
    bounds: Bounds | None = None,
    patience: Patience | None = None,
    send_buffer: int = 0,
) -> AsyncIterator[Served]:
    """A server over a Dirigent as `dirigent serve` has one, on a free port, with bounds of the test's own."""
    live = LiveFeed(
        dirigent.journal,
        lambda execution_id: dirigent.engine.row(execution_id).tenant,
        dirigent.projections.begun_at,
        bounds,
    )
    services = replace(dirigent.services(), live=live, patience=patience or Patience())
    with listening("127.0.0.1", 0) as listener, hearing_signals(create_app(services)) as server:
        if send_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)

        def stop() -> None:
            server.should_exit = True

        task = asyncio.ensure_future(server.serve(sockets=[listener]))
        try:
            yield Served(f"127.0.0.1:{listener.getsockname()[1]}", live, stop)
        finally:
            stop()
            await task
            await live.close()


async def heard(client: ClientConnection) -> dict[str, Any]:
    """The next message."""
    async with asyncio.timeout(SECONDS_MAX):
        message: dict[str, Any] = json.loads(await client.recv())
        return message


async def until(client: ClientConnection, *last: str) -> list[dict[str, Any]]:
    """All messages up to the first of one of these types, but no heartbeats."""
    messages: list[dict[str, Any]] = []
    while not messages or messages[-1]["type"] not in last:
        message = await heard(client)
        if message["type"] != "heartbeat" or "heartbeat" in last:
            messages.append(message)
    return messages


async def closing(client: ClientConnection) -> tuple[list[dict[str, Any]], int, str]:
    """What still comes, and the code and reason with which the socket is closed then."""
    messages = [json.loads(message) async for message in _till_the_end(client)]
    assert client.close_code is not None
    return messages, client.close_code, client.close_reason or ""


async def _till_the_end(client: ClientConnection) -> AsyncIterator[str | bytes]:
    with suppress(ConnectionClosed):
        while True:
            yield await client.recv()
