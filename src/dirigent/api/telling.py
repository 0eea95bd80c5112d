"""Telling one client over its open WebSocket, until one of the two has enough."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, NamedTuple

import msgspec
import structlog
from fastapi import WebSocket, WebSocketDisconnect

from dirigent.api.services import Patience
from dirigent.domain.errors import DirigentError
from dirigent.intake.live.feed import Stopping, Subscription, TooSlow
from dirigent.intake.live.news import CHANNELS

# Codes of RFC 6455, and one of our own.
SAID_SOMETHING, FAILED, STOPS, TOO_SLOW = 1008, 1011, 1012, 4008
REASON_BYTES_MAX = 123
CLOSE_SECONDS = 1.0

log = structlog.get_logger("dirigent.live")


class Ending(NamedTuple):
    """Why a socket is closed, and the code that says so."""

    code: int
    reason: str


SLOW = Ending(TOO_SLOW, "too_slow: what happens comes faster than it is taken; go on with last_event_id")
TALKING = Ending(SAID_SOMETHING, "nothing_is_taken: this socket only tells")


class Telling:
    """One open socket: `hello`, then events as they come, a heartbeat now and then.

    It ends when the client leaves, says something, or takes longer over a message than there is patience.
    """

    def __init__(self, socket: WebSocket, subscription: Subscription, patience: Patience) -> None:
        self._socket = socket
        self._subscription = subscription
        self._patience = patience

    async def run(self) -> None:
        """Tell until the end, and close with its reason."""
        telling = asyncio.create_task(self._tell())
        hearing = asyncio.create_task(self._hear())
        ended = self._subscription.ended
        parts: set[asyncio.Future[Any]] = {telling, hearing, ended}
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (telling, hearing):
                task.cancel()
            await asyncio.wait({telling, hearing})
        endings = _ending_of(ended), _result_of(hearing), _result_of(telling)
        ending = next(filter(None, endings), None)
        if ending is not None:
            log.info("socket.closed", code=ending.code, reason=ending.reason)
            await self._close(ending)

    async def _tell(self) -> Ending:
        """Send what there is; returns when a message is not taken in time."""
        loop, period = asyncio.get_running_loop(), self._patience.heartbeat_s
        try:
            await self._send(self._hello())
            beat_at = loop.time() + period
            while True:
                await self._tell_until(beat_at)
                beat = {"type": "heartbeat", "last_event_id": str(self._subscription.position)}
                await self._send(msgspec.json.encode(beat).decode())
                beat_at = loop.time() + period
        except TimeoutError:
            return SLOW

    async def _tell_until(self, moment: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < moment:
            try:
                async with asyncio.timeout_at(moment):
                    notices = await self._subscription.next()
            except TimeoutError:
                return
            for notice in notices:
                await self._send(notice.text)

    async def _hear(self) -> Ending | None:
        """Wait for the client to leave; it has nothing to say."""
        message = await self._socket.receive()
        return None if message["type"] == "websocket.disconnect" else TALKING

    async def _send(self, text: str) -> None:
        async with asyncio.timeout(self._patience.send_s):
            await self._socket.send_text(text)

    async def _close(self, ending: Ending) -> None:
        reason = ending.reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
        with contextlib.suppress(WebSocketDisconnect, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._socket.close(ending.code, reason)

    def _hello(self) -> str:
        interest = self._subscription.interest
        return msgspec.json.encode(
            {
                "type": "hello",
                "org_id": interest.tenant,
                "channels": [name for name in CHANNELS if name in interest.channels],
                "offered": CHANNELS,
                "execution_id": interest.execution or None,
                "heartbeat_s": self._patience.heartbeat_s,
                "last_event_id": str(self._subscription.position),
            }
        ).decode()


def _ending_of(ended: asyncio.Future[DirigentError]) -> Ending | None:
    return _ending_after(ended.result()) if ended.done() else None


def _ending_after(error: DirigentError) -> Ending:
    if isinstance(error, TooSlow):
        return SLOW
    return Ending(STOPS if isinstance(error, Stopping) else FAILED, f"{error.code}: {error.message}")


def _result_of(task: asyncio.Task[Ending | None] | asyncio.Task[Ending]) -> Ending | None:
    """How a part of the telling ended; None where it was broken off, or the client is gone."""
    if task.cancelled():
        return None
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, WebSocketDisconnect):
        return None
    if isinstance(error, DirigentError):
        return _ending_after(error)
    raise error
