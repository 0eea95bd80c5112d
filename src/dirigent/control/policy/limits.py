"""Counting what happened within a window of time, exactly: so many in any stretch of that length."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable

KEYS_MAX = 100_000


class SlidingWindows:
    """Counters by key. Each remembers the times of what was counted, as many as its limit at most.

    The clock is given, so that the same times give the same answers. When more than `KEYS_MAX` keys are
    in use and none can be dropped, further keys count as used up.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._times: dict[Hashable, deque[int]] = {}
        self._ends: dict[Hashable, int] = {}

    def retry_after_ms(self, key: Hashable, most: int, per_ms: int) -> int:
        """Zero when one more is within the limit, else how long until it is."""
        now = self._now_ms()
        times = self._times.get(key)
        if times is None:
            return 0 if len(self._times) < KEYS_MAX or self._drop_spent(now) else per_ms
        while times and times[0] <= now - per_ms:
            times.popleft()
        return 0 if len(times) < most else times[len(times) - most] + per_ms - now

    def count(self, key: Hashable, most: int, per_ms: int) -> None:
        """Count one, now."""
        now = self._now_ms()
        self._times.setdefault(key, deque(maxlen=most)).append(now)
        self._ends[key] = now + per_ms

    def _drop_spent(self, now: int) -> bool:
        for key in [key for key, end in self._ends.items() if end <= now]:
            del self._times[key], self._ends[key]
        return len(self._times) < KEYS_MAX


def seconds_up(milliseconds: int) -> int:
    """Whole seconds, rounded up, as a person is told to wait."""
    return math.ceil(milliseconds / 1000)
