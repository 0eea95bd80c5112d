"""The port of what carries events out to other systems: a file, or a broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class StreamMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way out. `position` is where the journal has it, and only ever grows.

    Messages of one `key` stay in order wherever they are spread over. `at` is milliseconds since the
    epoch, `event` the JSON form of CloudEvents.
    """

    position: int
    at: int
    topic: str
    key: str
    event: msgspec.Raw


class EventStream(Protocol):
    """Keeps what it was sent, in order. Calls block and run in a thread, one at a time."""

    def position(self) -> int:
        """The position of the last message that is on stable storage; 0 where there is none."""
        ...

    def send(self, messages: Sequence[StreamMessage]) -> None:
        """Return when all are on stable storage, in order; those it has already change nothing.

        Raises `TransientError` where it takes nothing for now; some may then have been taken.
        """
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...
