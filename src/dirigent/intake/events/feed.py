"""Reading on from a position: what was missed from the journal, what comes in from memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from dirigent.domain.event import EventPublished
from dirigent.intake.events.log import EventLog, Taken
from dirigent.ports import EventIndex, Recorded

LIVE_EVENTS_MAX = 10_000
PAGE_EVENTS = 1000


class Feed:
    """The events after a position, in order, each once; one reader.

    `at_once` is asked first where the reader waits for what comes in: it may deal with events right where
    they are told, if that takes no waiting, and says whether it did. What comes in otherwise is kept in
    memory up to a bound. Beyond it the reader goes back to the journal, so a slow reader costs no memory
    and misses nothing.
    """

    def __init__(
        self,
        log: EventLog,
        index: EventIndex,
        after: int,
        at_once: Callable[[Sequence[Taken]], bool] = lambda _: False,
    ) -> None:
        self.position = after
        self._at_once = at_once
        self._reader_waits = False
        self._index = index
        self._live: deque[Taken] = deque()
        self._complete = False
        self._arrived = asyncio.Event()
        self._stop = log.follow(self._take)

    async def next(self, limit: int = PAGE_EVENTS) -> list[Taken]:
        """The next events, at least one; waits for it."""
        while True:
            found = self.nowait(limit)
            if found:
                return found
            self._arrived.clear()
            self._reader_waits = True
            await self._arrived.wait()

    def nowait(self, limit: int = PAGE_EVENTS) -> list[Taken]:
        """The next events that are there; none when everything was read."""
        found = [] if self._complete else self._missed(limit)
        while self._live and len(found) < limit and self._complete:
            one = self._live.popleft()
            if one.position > self.position:
                found.append(one)
        if found:
            self.position = found[-1].position
        return found

    @property
    def waiting(self) -> int:
        """How many events are in memory and not yet read."""
        return len(self._live)

    def close(self) -> None:
        """Stop following."""
        self._stop()

    def _missed(self, limit: int) -> list[Taken]:
        """A page from the journal; the last one has been read when it is empty."""
        page = self._index.events(after=self.position, limit=limit)
        self._complete = not page
        return [taken_of(recorded) for recorded in page]

    def _take(self, events: Sequence[Taken]) -> None:
        if self._reader_waits and events[0].position > self.position and self._at_once(events):
            self.position = events[-1].position
            return
        self._reader_waits = False
        if len(self._live) + len(events) > LIVE_EVENTS_MAX:
            self._live.clear()
            self._complete = False
        else:
            self._live.extend(events)
        self._arrived.set()


def taken_of(recorded: Recorded) -> Taken:
    """An event of the index as followers are told of it."""
    assert isinstance(recorded.event, EventPublished), "the index gives events only"
    return Taken(recorded.position, recorded.event.at, recorded.event.event)
