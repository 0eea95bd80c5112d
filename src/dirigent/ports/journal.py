"""The journal's port, and what it gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from dirigent.domain.event import Event


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One event as the journal holds it. `position` counts all events, `version` those of the stream."""

    position: int
    stream: str
    version: int
    event: Event
    digest: bytes


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """One finding of a verification: the stream, where in it, and what is wrong."""

    stream: str
    version: int | None
    reason: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification of the whole journal found. No damage means every event verified."""

    events: int
    streams: int
    damages: tuple[Damage, ...] = ()


@runtime_checkable
class Journal(Protocol):
    """The append-only truth.

    `append` returns an awaitable that completes when the events are on stable storage; events handed
    in while a commit is under way go out together with the next one. Order of calls is order of
    positions. A wrong `expected_version` raises `Conflict` at once and appends nothing.
    """

    @property
    def position(self) -> int:
        """The position of the last event handed in, whether or not it is on stable storage yet."""
        ...

    def append(self, stream: str, expected_version: int, events: Sequence[Event]) -> Awaitable[None]:
        """Append events after `expected_version` (0 for a new stream)."""
        ...

    def read(self, stream: str, after: int = 0) -> list[Event]:
        """The durable events of one stream after a version, in order; verified while read."""
        ...

    def tail(self, after: int, limit: int = 1000) -> list[Recorded]:
        """Durable events of all streams after a position, in order."""
        ...

    def head(self, stream: str) -> int:
        """The version of the last event handed in for a stream; 0 when there is none."""
        ...

    def expect_new(self, stream: str) -> None:
        """Be told that no stream has a name, because it was minted just now; nothing need be looked up."""
        ...

    def verify(self) -> Verification:
        """Check every digest, chain, gap and the head anchor."""
        ...

    async def close(self) -> None:
        """Commit what is pending and release the storage."""
        ...


@runtime_checkable
class FollowedJournal(Protocol):
    """A journal that says when there is more to read. `tail` may be called from any thread."""

    @property
    def durable(self) -> int:
        """The last position on stable storage."""
        ...

    def tail(self, after: int, limit: int = 1000) -> list[Recorded]:
        """Durable events of all streams after a position, in order."""
        ...

    def follow(self, follower: Callable[[], None]) -> Callable[[], None]:
        """Be told, on the event loop, whenever more is on stable storage; returns how to stop."""
        ...


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream amounts to after a version, as bytes that its writer understands."""

    version: int
    state: bytes


@runtime_checkable
class Snapshots(Protocol):
    """States of long streams, so that they need not be folded from the beginning. They may be lost."""

    def keep(self, stream: str, state: bytes) -> None:
        """Keep the state after the last event handed in for a stream."""
        ...

    def get(self, stream: str) -> Snapshot | None:
        """The last one kept that the journal confirms."""
        ...

    def forget(self, stream: str) -> None:
        """Let go of one."""
        ...
