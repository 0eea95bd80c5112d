"""Executions that only wait: which have done so for long enough, and when each has to be there again."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from dirigent.ports import Clock, Passive
from dirigent.runtimes.live import LiveExecution

IDLE_MS = 5_000
SOON_MS = 1_000
IDLE_MAX = 2_000
WOKEN_AT_ONCE = 200


class Idling:
    """Tells of executions that have waited in memory for `IDLE_MS`, or longest of many."""

    def __init__(self, clock: Clock, put_out: Callable[[LiveExecution], None]) -> None:
        self._clock = clock
        self._put_out = put_out
        self._since: dict[LiveExecution, int] = {}
        self._cancel: Callable[[], None] | None = None

    def rests(self, live: LiveExecution) -> None:
        """Nothing of an execution moves in memory any more."""
        self._since.pop(live, None)
        self._since[live] = self._clock.now_ms()
        if len(self._since) > IDLE_MAX:
            self._tell(next(iter(self._since)))
        if self._cancel is None:
            self._watch()

    def stop(self) -> None:
        """Tell of nothing more."""
        self._since.clear()
        if self._cancel is not None:
            self._cancel()

    def _watch(self) -> None:
        oldest = next(iter(self._since.values()))
        self._cancel = self._clock.call_at(oldest + IDLE_MS, self._sweep)

    def _sweep(self) -> None:
        self._cancel = None
        now = self._clock.now_ms()
        for live, since in list(self._since.items()):
            if since + IDLE_MS > now:
                break
            self._tell(live)
        if self._since:
            self._watch()

    def _tell(self, live: LiveExecution) -> None:
        del self._since[live]
        if not live.busy and not live.machine.state.ended:
            self._put_out(live)


class Alarms:
    """Wakes executions that are out of memory when their first timer is due."""

    def __init__(self, clock: Clock, wake: Callable[[str, int], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._due: list[tuple[int, str]] = []
        self._armed_for = 0
        self._cancel: Callable[[], None] | None = None

    def set(self, passive: Passive) -> None:
        """Wake an execution when its time has come; an alarm that is too late does no harm."""
        if passive.until:
            heapq.heappush(self._due, (passive.until, passive.execution_id))
            if self._cancel is None or passive.until < self._armed_for:
                self._arm()

    def stop(self) -> None:
        """Wake nobody any more."""
        self._due.clear()
        if self._cancel is not None:
            self._cancel()

    def _arm(self) -> None:
        if self._cancel is not None:
            self._cancel()
        self._armed_for = self._due[0][0]
        self._cancel = self._clock.call_at(self._armed_for, self._ring)

    def _ring(self) -> None:
        """Wake those whose time has come, so many at once that the others still get their turn."""
        self._cancel = None
        now = self._clock.now_ms()
        for _ in range(WOKEN_AT_ONCE):
            if not self._due or self._due[0][0] > now:
                break
            due, execution_id = heapq.heappop(self._due)
            self._wake(execution_id, due)
        if self._due and self._cancel is None:
            self._arm()
