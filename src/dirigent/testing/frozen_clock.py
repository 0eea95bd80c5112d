"""A clock that stands still until it is told to move."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable


class FrozenClock:
    """The port `Clock` in a test's hands. What comes due is run while the clock is moved, in order."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now = now_ms
        self._numbers = itertools.count()
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()

    def now_ms(self) -> int:
        """Where the clock stands."""
        return self._now

    def not_before(self, at_ms: int) -> None:
        """Stand no earlier than this."""
        self._now = max(self._now, at_ms)

    def call_at(self, due_ms: int, callback: Callable[[], None]) -> Callable[[], None]:
        """Run a callback once the clock is moved to its time or beyond; returns a cancel function."""
        number = next(self._numbers)
        heapq.heappush(self._due, (due_ms, number, callback))
        return lambda: self._cancelled.add(number)

    def next_due(self) -> int | None:
        """When something comes due next; None when nothing does."""
        while self._due and self._due[0][1] in self._cancelled:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def move_to(self, now_ms: int) -> None:
        """Go forward to a moment, stopping at everything that comes due on the way."""
        while (due := self.next_due()) is not None and due <= now_ms:
            _, _, callback = heapq.heappop(self._due)
            self._now = max(self._now, due)
            callback()
        self._now = max(self._now, now_ms)

    def move(self, by_ms: int) -> None:
        """Go forward by a span."""
        self.move_to(self._now + by_ms)
