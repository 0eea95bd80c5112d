"""Real time, never going backwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

LONGEST_SLEEP_S = 24 * 3600.0


class SystemClock:
    """Wall-clock time that stands still where the machine's clock jumps back."""

    def __init__(self) -> None:
        self._latest = 0

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC; never less than what was said before."""
        self._latest = max(self._latest, int(time.time() * 1000))
        return self._latest

    def call_at(self, due_ms: int, callback: Callable[[], None]) -> Callable[[], None]:
        """Run a callback on the event loop when the time has come; returns a cancel function."""
        return _Alarm(self, due_ms, callback).cancel


class _Alarm:
    """A timer that looks at the wall clock when it wakes, so that a clock set back cannot fire it early."""

    def __init__(self, clock: SystemClock, due_ms: int, callback: Callable[[], None]) -> None:
        self._clock, self._due, self._callback = clock, due_ms, callback
        self._handle: asyncio.TimerHandle | None = None
        self._arm()

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _arm(self) -> None:
        wait = max(0.0, (self._due - self._clock.now_ms()) / 1000)
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(min(wait, LONGEST_SLEEP_S), self._wake)

    def _wake(self) -> None:
        if self._clock.now_ms() >= self._due:
            self._callback()
        else:
            self._arm()
