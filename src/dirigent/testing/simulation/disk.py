"""The stable storage of a simulated machine, and the journal that writes to it.

What is on the disk survives every crash; what is still on its way does not. A batch reaches the disk whole or
not at all. Everything goes through bytes, so that nobody can change an event after it was handed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

import msgspec

from dirigent.domain.errors import Conflict, InvalidInput, StorageFailure
from dirigent.domain.event import AnyEvent, Event
from dirigent.ports import Damage, Recorded, Verification
from dirigent.testing.memory_projections import MemoryProjections
from dirigent.testing.simulation.loop import SimulatedLoop
from dirigent.testing.simulation.scheduler import Scheduler

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


class Stored(msgspec.Struct, frozen=True):
    """One event as it lies on the disk."""

    position: int
    stream: str
    version: int
    body: bytes
    digest: bytes


@dataclass(frozen=True, kw_only=True)
class Write:
    """What the disk makes of one batch: how long it takes, whether it keeps it, whether it says so."""

    seconds: float
    kept: bool = True
    reported: bool = True


class DiskFaults(Protocol):
    """Decides what becomes of writes."""

    def write(self) -> Write:
        """The next one."""
        ...

    def survives(self) -> bool:
        """Whether a write that was under way when the process died reached the disk."""
        ...


class Disk:
    """What survives: events in order, and the rows folded from them.

    `recorded` are the events for whoever looks on from outside; a process reads copies of its own.
    """

    def __init__(self) -> None:
        self.events: list[Stored] = []
        self.streams: dict[str, list[Stored]] = {}
        self.rows = MemoryProjections()
        self.recorded: list[Recorded] = []
        self.last_at = 0

    @property
    def durable(self) -> int:
        """The last position on the disk."""
        return len(self.events)

    def keep(self, batch: Sequence[Stored]) -> None:
        """Take in a batch, whole."""
        for stored in batch:
            assert stored.position == len(self.events) + 1, "batches reach the disk in their order"
            self.events.append(stored)
            self.streams.setdefault(stored.stream, []).append(stored)
            recorded = _recorded(stored)
            self.recorded.append(recorded)
            self.rows.take(recorded)
            self.last_at = max(self.last_at, recorded.event.at)

    def read(self, after: int = 0, limit: int | None = None) -> list[Recorded]:
        """Events after a position."""
        until = len(self.events) if limit is None else min(len(self.events), after + limit)
        return [_recorded(stored) for stored in self.events[after:until]]

    def verify(self) -> Verification:
        """Check every digest and chain."""
        damages = [
            Damage(stream=stream, version=event.version, reason="it does not match its digest")
            for stream, events in self.streams.items()
            for before, event in zip([None, *events], events, strict=False)
            if event.digest != _digest(before, event.position, stream, event.version, event.body)
        ]
        return Verification(events=len(self.events), streams=len(self.streams), damages=tuple(damages))


class _Durable(asyncio.Future[None]):
    """The answer to a batch; who is cancelled while waiting for it does not take it away from others."""

    def cancel(self, msg: object | None = None) -> bool:
        """Refuse."""
        return False


@dataclass
class _Batch:
    future: _Durable
    events: list[Stored] = field(default_factory=list)


class SimulatedJournal:
    """The port `Journal` of one process over a disk: group commit, faults, and a process that may be gone.

    `passed` is told of every point at which a crash would be of interest. After the first failed write
    nothing is accepted any more; `failed` is then called, once.
    """

    def __init__(
        self,
        disk: Disk,
        loop: SimulatedLoop,
        scheduler: Scheduler,
        faults: DiskFaults,
        *,
        passed: Callable[[str], None],
        failed: Callable[[], None],
    ) -> None:
        self._disk = disk
        self._loop = loop
        self._scheduler = scheduler
        self._faults = faults
        self._passed = passed
        self._failed = failed
        self._last: dict[str, Stored] = {}
        self._position = disk.durable
        self._open: _Batch | None = None
        self._writing: _Batch | None = None
        self._under_way = False
        self._failure: StorageFailure | None = None
        self._closed = False

    @property
    def position(self) -> int:
        """The position of the last event handed in."""
        return self._position

    @property
    def failed(self) -> bool:
        """Whether a write failed, so that nothing is accepted any more."""
        return self._failure is not None

    def append(self, stream: str, expected_version: int, events: Sequence[Event]) -> Awaitable[None]:
        """Append events after a version; the awaitable completes when they are on the disk."""
        if self._failure is not None or self._closed or self._gone():
            raise self._failure or StorageFailure("The journal is closed.", fix="Open it again.")
        if expected_version != self.head(stream):
            raise Conflict(
                f"Stream {stream!r} is at version {self.head(stream)}, not {expected_version}.",
                fix="Read it again and decide anew.",
            )
        if not _is_name(stream):
            raise InvalidInput(f"{stream!r} is no name for a stream.", field="stream")
        bodies = [_encoded(event) for event in events]
        batch = self._batch()
        for body in bodies:
            batch.events.append(self._chained(stream, body))
        self._passed("append")
        return batch.future

    def read(self, stream: str, after: int = 0) -> list[Event]:
        """The durable events of one stream after a version, in order."""
        return [_decoder.decode(stored.body) for stored in self._disk.streams.get(stream, ())[after:]]

    def tail(self, after: int, limit: int = 1000) -> list[Recorded]:
        """Durable events of all streams after a position, in order."""
        return self._disk.read(after, limit)

    def head(self, stream: str) -> int:
        """The version of the last event handed in for a stream; 0 when there is none."""
        last = self._before(stream)
        return last.version if last is not None else 0

    def expect_new(self, stream: str) -> None:
        """There is nothing to look up that is not in memory."""

    def verify(self) -> Verification:
        """Check what is on the disk."""
        return self._disk.verify()

    def crash(self) -> None:
        """The process is gone; what the disk was just writing is there now, or never will be."""
        batch, self._writing = self._writing, None
        if batch is not None and self._failure is None and self._faults.survives():
            self._disk.keep(batch.events)

    async def close(self) -> None:
        """Wait until what was handed in is on the disk, and accept nothing more."""
        self._closed = True
        while (self._open is not None or self._under_way) and self._failure is None:
            await asyncio.sleep(0.001)

    def _gone(self) -> bool:
        return self._loop.killed

    def _before(self, stream: str) -> Stored | None:
        last = self._last.get(stream)
        if last is None and (stored := self._disk.streams.get(stream)):
            last = self._last[stream] = stored[-1]
        return last

    def _chained(self, stream: str, body: bytes) -> Stored:
        before = self._before(stream)
        version = before.version + 1 if before is not None else 1
        self._position += 1
        digest = _digest(before, self._position, stream, version, body)
        stored = self._last[stream] = Stored(self._position, stream, version, body, digest)
        return stored

    def _batch(self) -> _Batch:
        if self._open is None:
            self._open = _Batch(_Durable(loop=self._loop))
            if not self._under_way:
                self._loop.call_soon(self._send_if_free)
        return self._open

    def _send_if_free(self) -> None:
        if self._under_way or self._open is None:
            return
        batch, self._open = self._open, None
        self._under_way, self._writing = True, batch
        write = self._faults.write()
        self._passed("write")
        self._scheduler.after(write.seconds, self._written, batch, write)

    def _written(self, batch: _Batch, write: Write) -> None:
        """The disk is done with a batch; at every point the process may die."""
        if self._gone():
            return
        self._writing = None
        if write.kept:
            self._disk.keep(batch.events)
            self._passed("durable")
        if self._gone():
            return
        if not write.reported:
            self._failure = StorageFailure("The disk failed; nothing was acknowledged.", fix="Start again.")
        self._loop.call_soon(self._settle, batch)

    def _settle(self, batch: _Batch) -> None:
        self._under_way = False
        if self._failure is None:
            batch.future.set_result(None)
            self._passed("acknowledged")
            self._send_if_free()
            return
        self._failed()
        for lost in (batch, self._open):
            if lost is not None and not lost.future.done():
                lost.future.set_exception(self._failure)
                lost.future.exception()
        self._open = None


def _digest(before: Stored | None, position: int, stream: str, version: int, body: bytes) -> bytes:
    start = before.digest if before is not None else b""
    return sha256(start + f"{position}\0{stream}\0{version}\0".encode() + body).digest()


def _recorded(stored: Stored) -> Recorded:
    return Recorded(
        position=stored.position,
        stream=stored.stream,
        version=stored.version,
        event=_decoder.decode(stored.body),
        digest=stored.digest,
    )


def _is_name(stream: str) -> bool:
    try:
        return bool(stream.encode())
    except UnicodeEncodeError:
        return False


def _encoded(event: Event) -> bytes:
    try:
        return _encoder.encode(event)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise InvalidInput(f"{type(event).__name__} cannot be stored: {error}.") from error
