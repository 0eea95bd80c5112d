"""A stream of events that keeps them in memory, and can be made to fail."""

from __future__ import annotations

from collections.abc import Sequence

from dirigent.domain.errors import TransientError
from dirigent.ports import StreamMessage


class MemoryStream:
    """The port `EventStream` for tests; `failures` says how often sending is still to fail."""

    def __init__(self) -> None:
        self.messages: list[StreamMessage] = []
        self.failures = 0

    def position(self) -> int:
        """The position of the last message."""
        return self.messages[-1].position if self.messages else 0

    def send(self, messages: Sequence[StreamMessage]) -> None:
        """Keep what is new."""
        if self.failures:
            self.failures -= 1
            raise TransientError("The stream takes nothing for now.")
        reached = self.position()
        self.messages += [message for message in messages if message.position > reached]

    def close(self) -> None:
        """Nothing is held."""
