"""A journal in memory, for tests and simulation. It keeps nothing and promises the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from hashlib import sha256

import msgspec

from dirigent.domain.errors import Conflict, InvalidInput, StorageFailure
from dirigent.domain.event import AnyEvent, Event
from dirigent.ports import Damage, Recorded, Verification

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


class _Stored(msgspec.Struct, frozen=True):
    """One event as it was handed in: encoded, so that nobody can change it afterwards."""

    position: int
    stream: str
    version: int
    body: bytes
    digest: bytes


class MemoryJournal:
    """The port `Journal` in memory. What is handed in is durable at the next turn of the loop."""

    def __init__(self) -> None:
        self._events: list[_Stored] = []
        self._streams: dict[str, list[_Stored]] = {}
        self._durable = 0
        self._closed = False

    @property
    def position(self) -> int:
        """The position of the last event handed in."""
        return len(self._events)

    def append(self, stream: str, expected_version: int, events: Sequence[Event]) -> Awaitable[None]:
        """Append events after a version; the awaitable completes at the next turn of the loop."""
        if self._closed:
            raise StorageFailure("The journal is closed.", fix="Open it again.")
        if expected_version != self.head(stream):
            raise Conflict(
                f"Stream {stream!r} is at version {self.head(stream)}, not {expected_version}.",
                fix="Read it again and decide anew.",
            )
        name = _checked(stream)
        bodies = [_encoded(event) for event in events]
        for body in bodies:
            self._add(name, body)
        loop = asyncio.get_running_loop()
        durable = loop.create_future()
        loop.call_soon(self._settle, durable, len(self._events))
        return durable

    def read(self, stream: str, after: int = 0) -> list[Event]:
        """The durable events of one stream after a version, in order."""
        stored = self._streams.get(stream, [])[after:]
        return [_decoder.decode(event.body) for event in stored if event.position <= self._durable]

    def tail(self, after: int, limit: int = 1000) -> list[Recorded]:
        """Durable events of all streams after a position, in order."""
        return [_recorded(event) for event in self._events[after : min(after + limit, self._durable)]]

    def head(self, stream: str) -> int:
        """The version of the last event handed in for a stream; 0 when there is none."""
        return len(self._streams.get(stream, ()))

    def expect_new(self, stream: str) -> None:
        """There is nothing to look up that is not in memory."""

    def verify(self) -> Verification:
        """Check every digest and chain."""
        damages = [
            Damage(stream=stream, version=event.version, reason="it does not match its digest")
            for stream, events in self._streams.items()
            for before, event in zip([None, *events], events, strict=False)
            if event.digest != _digest(before, event.position, stream, event.version, event.body)
        ]
        return Verification(events=len(self._events), streams=len(self._streams), damages=tuple(damages))

    async def close(self) -> None:
        """Make durable what is pending and accept nothing more. Closing twice is harmless."""
        self._closed = True
        self._durable = len(self._events)

    def _add(self, stream: str, body: bytes) -> None:
        own = self._streams.setdefault(stream, [])
        position, version = len(self._events) + 1, len(own) + 1
        digest = _digest(own[-1] if own else None, position, stream, version, body)
        stored = _Stored(position, stream, version, body, digest)
        own.append(stored)
        self._events.append(stored)

    def _settle(self, durable: asyncio.Future[None], position: int) -> None:
        self._durable = max(self._durable, position)
        if not durable.done():
            durable.set_result(None)


def _digest(before: _Stored | None, position: int, stream: str, version: int, body: bytes) -> bytes:
    start = before.digest if before is not None else b""
    return sha256(start + f"{position}\0{stream}\0{version}\0".encode() + body).digest()


def _recorded(stored: _Stored) -> Recorded:
    return Recorded(
        position=stored.position,
        stream=stored.stream,
        version=stored.version,
        event=_decoder.decode(stored.body),
        digest=stored.digest,
    )


def _encoded(event: Event) -> bytes:
    try:
        return _encoder.encode(event)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise InvalidInput(f"{type(event).__name__} cannot be stored: {error}.") from error


def _checked(stream: str) -> str:
    try:
        if stream.encode():
            return stream
    except UnicodeEncodeError:
        pass
    raise InvalidInput(f"{stream!r} is no name for a stream.", field="stream")
