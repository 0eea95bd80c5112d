"""Real time, never going backwards and never standing still."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

from dirigent.domain.errors import JournalDamaged
from dirigent.ports import Journal

LONGEST_SLEEP_S = 10.0
ALARMS_PER_TURN = 64
COMPACT_FROM = 100
TAIL_EVENTS = 64


class SystemClock:
    """Wall-clock time; where the machine's clock is set back, it goes on at the pace of the steady one.

    `wall` gives seconds since the epoch, `steady` seconds that no one can set. A wall clock that is set
    ahead, or a machine that slept, is followed within `longest_sleep_s`. Alarms go off in the order of
    their times.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        longest_sleep_s: float = LONGEST_SLEEP_S,
    ) -> None:
        self._wall = wall
        self._longest_sleep_s = longest_sleep_s
        self._steady = steady
        self._anchor_ms = 0.0
        self._anchored_at = steady()
        self._alarms: list[_Alarm] = []
        self._numbers = itertools.count()
        self._cancelled = 0
        self._wake_up: _WakeUp | None = None

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC; never less than what was said before."""
        steady = self._steady()
        counted = self._anchor_ms + (steady - self._anchored_at) * 1000
        wall = self._wall() * 1000
        if wall < counted:
            return int(counted)
        self._anchor_ms, self._anchored_at = wall, steady
        return int(wall)

    def not_before(self, at_ms: int) -> None:
        """From now on say no time before this one, which somebody was told before this process began."""
        if self.now_ms() < at_ms:
            self._anchor_ms, self._anchored_at = float(at_ms), self._steady()

    def call_at(self, due_ms: int, callback: Callable[[], None]) -> Callable[[], None]:
        """Run a callback on the event loop when the time has come; returns a cancel function."""
        alarm = _Alarm(due_ms, next(self._numbers), callback)
        heapq.heappush(self._alarms, alarm)
        self._sleep()
        return lambda: self._cancel(alarm)

    def _cancel(self, alarm: _Alarm) -> None:
        if alarm.callback is None:
            return
        alarm.callback = None
        self._cancelled += 1
        if self._cancelled > COMPACT_FROM and self._cancelled * 2 > len(self._alarms):
            self._alarms = [kept for kept in self._alarms if kept.callback is not None]
            heapq.heapify(self._alarms)
            self._cancelled = 0

    def _sleep(self) -> None:
        """See to it that the loop wakes the clock for the alarm that comes first."""
        if not self._alarms:
            return
        loop, due = asyncio.get_running_loop(), self._alarms[0].due
        planned = self._wake_up
        if planned is not None and planned.loop is loop:
            if planned.due <= due:
                return
            planned.handle.cancel()
        wait = min(max(0.0, (due - self.now_ms()) / 1000), self._longest_sleep_s)
        self._wake_up = _WakeUp(loop, due, loop.call_later(wait, self._wake))

    def _wake(self) -> None:
        """Let alarms go off whose time has come: some now, the rest after others had their turn."""
        self._wake_up = None
        try:
            for _ in range(ALARMS_PER_TURN):
                if not self._alarms or self._alarms[0].due > self.now_ms():
                    break
                self._go_off(heapq.heappop(self._alarms))
        finally:
            self._sleep()

    def _go_off(self, alarm: _Alarm) -> None:
        callback, alarm.callback = alarm.callback, None
        if callback is None:
            self._cancelled -= 1
        else:
            callback()


def last_recorded_at(journal: Journal) -> int:
    """The time that a journal ends with; among its last events one may have waited to be handed in."""
    try:
        last = journal.tail(max(0, journal.position - TAIL_EVENTS), TAIL_EVENTS)
    except JournalDamaged:  # it is told of when the stream that it belongs to is loaded
        return 0
    return max((recorded.event.at for recorded in last), default=0)


class _Alarm:
    """Something to do at a time; without a callback there is nothing to do any more."""

    __slots__ = ("callback", "due", "number")

    def __init__(self, due: int, number: int, callback: Callable[[], None]) -> None:
        self.due = due
        self.number = number
        self.callback: Callable[[], None] | None = callback

    def __lt__(self, other: _Alarm) -> bool:
        return (self.due, self.number) < (other.due, other.number)


class _WakeUp:
    """When the loop wakes the clock next."""

    __slots__ = ("due", "handle", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, due: int, handle: asyncio.TimerHandle) -> None:
        self.loop = loop
        self.due = due
        self.handle = handle
