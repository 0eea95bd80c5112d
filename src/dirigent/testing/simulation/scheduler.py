"""Simulated time: what is due when, and nothing else happens. Everything in it hangs on one seed."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

TURN_S = 0.000_05


class Due:
    """Something that is to happen at a time, unless it is cancelled."""

    __slots__ = ("args", "call")

    def __init__(self, call: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.call: Callable[..., object] | None = call
        self.args = args

    def cancel(self) -> None:
        """It does not happen any more."""
        self.call = None
        self.args = ()

    def cancelled(self) -> bool:
        """Whether it will not happen."""
        return self.call is None


class Scheduler:
    """Time that jumps to whatever is due next. `now` are seconds since the simulation began.

    What is due at the same time happens in an order drawn by chance, for no clock promises one. Work takes
    no time except that each turn of an event loop takes `TURN_S`, so that what is due meanwhile comes in
    between two turns, and that each look at the clock takes `look_s`, so that who works until its time is up
    gets there.
    """

    def __init__(self, chance: random.Random, look_s: float = 0.0) -> None:
        self.now = 0.0
        self.look_s = look_s
        self.steps = 0
        self._draw = chance.random
        self._due: list[tuple[float, float, int, Due]] = []

    def time(self) -> float:
        """The steady clock of the simulated machines."""
        self.now += self.look_s
        return self.now

    def at(self, when: float, call: Callable[..., object], *args: Any) -> Due:
        """Let something happen at a time."""
        self.steps += 1
        due = Due(call, args)
        heapq.heappush(self._due, (when, self._draw(), self.steps, due))
        return due

    def after(self, seconds: float, call: Callable[..., object], *args: Any) -> Due:
        """Let something happen in so many seconds."""
        return self.at(self.now + seconds, call, *args)

    def next_at(self) -> float | None:
        """When something is due next; None when nothing is."""
        due = self._due
        while due and due[0][3].call is None:
            heapq.heappop(due)
        return due[0][0] if due else None

    def advance(self) -> bool:
        """Go to what is due next and let it happen; False when nothing is."""
        if self.next_at() is None:
            return False
        self._happen()
        return True

    def catch_up(self) -> None:
        """Let everything happen that is due by now."""
        while (when := self.next_at()) is not None and when <= self.now:
            self._happen()

    def _happen(self) -> None:
        when, _, _, due = heapq.heappop(self._due)
        self.now = max(self.now, when)
        call, args = due.call, due.args
        due.cancel()
        assert call is not None, "what was cancelled has been passed over"
        call(*args)
