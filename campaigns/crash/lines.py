"""JSON lines over a Unix socket: how the processes of a campaign talk."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

LINE_BYTES_MAX = 4 * 1024 * 1024
RECONNECT_SECONDS = 0.02
BROKEN = "broken"

Message = dict[str, Any]
Answer = Callable[[Message], Awaitable[Message]]

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class ConnectionLost(Exception):
    """The other side went away before it answered: nobody knows what it did."""


def line(message: Message) -> bytes:
    """A message as it goes over the wire."""
    return _encode(message) + b"\n"


async def read(reader: asyncio.StreamReader) -> Message | None:
    """The next message; None where the other side has gone."""
    try:
        text = await reader.readline()
    except ConnectionError:
        return None
    return _decode(text) if text.endswith(b"\n") else None


async def serve(path: Path, answer: Answer) -> asyncio.Server:
    """Answer every request on its own, so that a slow one holds nobody up; `path` is made anew."""
    path.unlink(missing_ok=True)
    under_way: set[asyncio.Task[None]] = set()

    async def reply(request: Message, writer: asyncio.StreamWriter) -> None:
        try:
            answered = await answer(request)
        except Exception as error:
            answered = {"error": BROKEN, "message": "".join(traceback.format_exception(error))}
        with contextlib.suppress(ConnectionError):
            writer.write(line({**answered, "n": request["n"]}))

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while (request := await read(reader)) is not None:
                task = asyncio.ensure_future(reply(request, writer))
                under_way.add(task)
                task.add_done_callback(under_way.discard)

    return await asyncio.start_unix_server(take, path, limit=LINE_BYTES_MAX)


class Line:
    """A connection to a process that may die and come back; requests are told apart by number."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._connecting = asyncio.Lock()
        self._listening: asyncio.Task[None] | None = None

    async def ask(self, **request: Any) -> Message:
        """Send a request as soon as there is somebody; raises `ConnectionLost` where no answer came."""
        writer = await self._connected()
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        writer.write(line({**request, "n": number}))
        answer: Message = await future
        return answer

    def close(self) -> None:
        """Let go of the connection."""
        if self._writer is not None:
            self._writer.close()

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._connecting:
            while self._writer is None:
                try:
                    reader, self._writer = await asyncio.open_unix_connection(
                        self._path, limit=LINE_BYTES_MAX
                    )
                except OSError:
                    await asyncio.sleep(RECONNECT_SECONDS)
                else:
                    self._listening = asyncio.ensure_future(self._listen(reader))
            return self._writer

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while (answer := await read(reader)) is not None:
            waiting = self._waiting.pop(answer["n"], None)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)
        self.close()
        self._writer = None
        lost, self._waiting = self._waiting, {}
        for waiting in lost.values():
            if not waiting.done():
                waiting.set_exception(ConnectionLost())
