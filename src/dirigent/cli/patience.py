"""How long a connection may take to say what it wants, and to take in what it is told."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class Impatient(H11Protocol):
    """HTTP/1.1 that closes a connection on which the head of a request does not come in time.

    Whoever waits for an answer, or sends a body, is not meant.
    """

    head_seconds: ClassVar[float] = 10.0
    _closing: asyncio.TimerHandle | None = None
    _upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take in what comes, and wait on where it is not a whole head."""
        super().data_received(data)
        self._watch()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """The head has come, and no other will."""
        self._upgraded = True
        self._cease()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        super().connection_lost(exc)
        self._cease()

    @property
    def _waits_for_a_head(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # there is none before the first request
        return cycle is None or cycle.response_complete

    def _watch(self) -> None:
        if self._upgraded or not self._waits_for_a_head:
            self._cease()
        elif self._closing is None:
            self._closing = self.loop.call_later(self.head_seconds, self._give_up)

    def _give_up(self) -> None:
        if self._waits_for_a_head:
            self.transport.close()

    def _cease(self) -> None:
        closing, self._closing = self._closing, None
        if closing is not None:
            closing.cancel()


class ImpatientSocket(WebSocketsSansIOProtocol):
    """A WebSocket that does not wait for ever for a client that takes nothing to take in its end.

    Nor does it read what such a client sends: answers to pings would gather without bound.
    """

    linger_seconds: ClassVar[float] = 10.0
    _aborting: asyncio.TimerHandle | None = None

    async def send(self, message: Any) -> None:
        """Send; that the socket is closed is put behind what is still to go, however much that is."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)

    def pause_writing(self) -> None:
        """The client takes nothing more for now; nothing more is taken from it."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The client has taken what there was."""
        super().resume_writing()
        if not (self.read_paused or self.transport.is_closing()):
            self.transport.resume_reading()

    async def run_asgi(self) -> None:
        """Serve until the end, then give the client its time."""
        await super().run_asgi()
        if not self.disconnected:
            self._aborting = self.loop.call_later(self.linger_seconds, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        super().connection_lost(exc)
        if self._aborting is not None:
            self._aborting.cancel()
