"""Followers of the log that keep their place: at least once, in order by subject, over restarts."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

import structlog

from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.errors import ActionFailed, InvalidInput, NotFound, StorageFailure
from dirigent.domain.event import (
    ConsumerAdvanced,
    DeadLetterReplayed,
    Event,
    EventDeadLettered,
    EventPublished,
)
from dirigent.domain.patterns import matches
from dirigent.intake.events.feed import Feed
from dirigent.intake.events.lanes import Lanes
from dirigent.intake.events.log import EventLog, Taken
from dirigent.intake.events.upcasting import Upcasters
from dirigent.ports import Clock, EventIndex, Journal

AT_ONCE = 64
ROOM = 1000
ATTEMPTS = 3
BACKOFF_MS = 1000
PASSED_BY_MS = 1000
NOTES_LOOKED_AT = 100
ERROR_LENGTH_MAX = 500
RESERVED = frozenset({"triggers"})

# Where the journal says how far each consumer came, and what it gave up.
CONSUMERS, DEAD_LETTERS = "consumers", "dead_letters"

Handle = Callable[[DomainEvent], Awaitable[None]]

log = structlog.get_logger("dirigent.events")


class DeadLetter(NamedTuple):
    """An event that a consumer gave up, and why."""

    position: int
    event_id: str
    attempts: int
    error: str
    at: int


class EventConsumer:
    """A consumer group of one name: it goes on where it stopped, also after a crash.

    Events of one subject are handled in their order, those of different subjects side by side; events
    without a subject have no order. A handler that fails is tried again, the wait doubling, and then the
    event is dead-lettered: on record, and to be replayed. After a crash some events come again, so
    handlers have to be idempotent. An event that is not `wanted` costs next to nothing: that it was passed
    by is put on record with the others of a second.
    """

    def __init__(
        self,
        name: str,
        log: EventLog,
        index: EventIndex,
        journal: Journal,
        clock: Clock,
        *,
        tenant: str | None = None,
        types: Sequence[str] = ("*",),
        attempts: int = ATTEMPTS,
        backoff_ms: int = BACKOFF_MS,
        upcasters: Upcasters | None = None,
        wanted: Callable[[DomainEvent], object] = lambda _event: True,
    ) -> None:
        if not name or name in RESERVED:
            raise InvalidInput(f"A consumer cannot be called {name!r}.", fix="Give it a name of its own.")
        self.name = name
        self._log = log
        self._index = index
        self._journal = journal
        self._clock = clock
        self._tenant = tenant
        self._types = tuple(types)
        self._attempts = attempts
        self._backoff_ms = backoff_ms
        self._upcasters = upcasters or Upcasters()
        self._wanted = wanted
        self._stop_alarm: Callable[[], None] | None = None
        self._feed: Feed | None = None
        self._under_way: OrderedDict[int, None] = OrderedDict()
        self._seen = self._noted = self._last_position()
        self._done = asyncio.Event()

    @property
    def position(self) -> int:
        """Every event up to here has been dealt with."""
        return next(iter(self._under_way)) - 1 if self._under_way else self._seen

    @property
    def lag(self) -> int:
        """How many events in memory have not been dealt with."""
        return len(self._under_way) + (self._feed.waiting if self._feed is not None else 0)

    async def run(self, handle: Handle) -> None:
        """Hand every event to a handler, for ever; ends by being cancelled, or with the journal."""
        lanes = Lanes[Taken](lambda taken: self._deal_with(taken, handle), at_once=AT_ONCE, room=ROOM)
        feeding = asyncio.ensure_future(self._feed_into(lanes))
        try:
            await asyncio.wait({feeding, lanes.failure}, return_when=asyncio.FIRST_COMPLETED)
            for ended in (feeding, lanes.failure):
                if ended.done():
                    await ended
        finally:
            feeding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await feeding
            await lanes.close()
            self._stop_following()

    async def get_event(self) -> DomainEvent:
        """The next event, for who goes through them one by one; it stays under way until `done`."""
        while True:
            (taken,) = await self._following().next(1)
            if self._is_wanted(taken):
                self._under_way[taken.position] = None
                self._seen = taken.position
                return self._upcasters.current(taken.event)
            self._pass_by(taken)

    def done(self, event: DomainEvent) -> None:
        """The oldest event under way has been dealt with."""
        assert self._under_way, f"{event.id} is not under way"
        self._finish(next(iter(self._under_way)))

    async def caught_up(self, position: int) -> None:
        """Return when every event up to a position has been dealt with."""
        while self.position < position:
            self._done.clear()
            await self._done.wait()

    def dead_letters(self) -> list[DeadLetter]:
        """Events that were given up and not replayed since, oldest first."""
        return still_dead(self._journal.read(self._dead_stream))

    async def replay(self, position: int, handle: Handle, actor: str) -> None:
        """Hand a dead letter to a handler once more.

        Raises `NotFound` where none is at the position, `ActionFailed` where the handler fails again.
        """
        if all(letter.position != position for letter in self.dead_letters()):
            raise NotFound(f"{self.name} has no dead letter at {position}.", code="dead_letter_not_found")
        published = self._journal.tail(position - 1, 1)[0].event
        assert isinstance(published, EventPublished), "a dead letter is an event"
        try:
            await handle(self._upcasters.current(published.event))
        except Exception as error:
            raise ActionFailed(f"The event {published.event.id!r} failed again: {error}.") from error
        replayed = DeadLetterReplayed(
            at=self._clock.now_ms(), consumer=self.name, position=position, actor=actor
        )
        await self._append(self._dead_stream, replayed)

    async def _feed_into(self, lanes: Lanes[Taken]) -> None:
        feed = self._following()
        while True:
            for taken in await feed.next():
                if not self._is_wanted(taken):
                    self._pass_by(taken)
                    continue
                self._under_way[taken.position] = None
                self._seen = taken.position
                event = taken.event
                await lanes.put((event.tenant, event.subject) if event.subject else None, taken)

    async def _deal_with(self, taken: Taken, handle: Handle) -> None:
        for attempt in range(1, self._attempts + 1):
            try:
                await handle(self._upcasters.current(taken.event))
            except Exception as error:
                log.warning(
                    "event.failed",
                    consumer=self.name,
                    event_id=taken.event.id,
                    attempt=attempt,
                    reason=str(error),
                )
                if attempt == self._attempts:
                    await self._give_up(taken, error)
                else:
                    await self._sleep(self._backoff_ms * 2 ** (attempt - 1))
            else:
                break
        self._finish(taken.position)

    async def _give_up(self, taken: Taken, error: Exception) -> None:
        event = EventDeadLettered(
            at=self._clock.now_ms(),
            consumer=self.name,
            position=taken.position,
            event_id=taken.event.id,
            attempts=self._attempts,
            error=f"{type(error).__name__}: {error}"[:ERROR_LENGTH_MAX],
        )
        await self._append(self._dead_stream, event)

    async def _sleep(self, span_ms: int) -> None:
        woken = asyncio.Event()
        cancel = self._clock.call_at(self._clock.now_ms() + span_ms, woken.set)
        try:
            await woken.wait()
        finally:
            cancel()

    def _is_wanted(self, taken: Taken) -> bool:
        event = taken.event
        if self._tenant not in (None, event.tenant):
            return False
        return any(matches(type, event.type) for type in self._types) and bool(self._wanted(event))

    def _pass_by(self, taken: Taken) -> None:
        self._seen = taken.position
        if not self._under_way:
            self._done.set()
            if self._stop_alarm is None:
                self._stop_alarm = self._clock.call_at(self._clock.now_ms() + PASSED_BY_MS, self._note)

    def _finish(self, position: int) -> None:
        del self._under_way[position]
        self._note()

    def _note(self) -> None:
        """Put on record how far everything has been dealt with, if that has moved."""
        if self._stop_alarm is not None:
            self._stop_alarm()
            self._stop_alarm = None
        position = self.position
        if position > self._noted:
            self._noted = position
            event = ConsumerAdvanced(at=self._clock.now_ms(), consumer=self.name, position=position)
            _ = self._append(self._stream, event)
            self._done.set()

    def _following(self) -> Feed:
        if self._feed is None:
            self._feed = Feed(self._log, self._index, self._seen)
        return self._feed

    def _stop_following(self) -> None:
        """What was under way comes again at the next run."""
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        if self._stop_alarm is not None:
            with contextlib.suppress(StorageFailure):  # then they are passed by once more
                self._note()
        self._seen = self.position
        self._under_way.clear()

    def _last_position(self) -> int:
        """What is on record; the newest entries of this very process may not be durable yet."""
        after = max(0, self._journal.head(self._stream) - NOTES_LOOKED_AT)
        noted = [one for one in self._journal.read(self._stream, after) if isinstance(one, ConsumerAdvanced)]
        return noted[-1].position if noted else 0

    @property
    def _stream(self) -> str:
        return f"{CONSUMERS}/{self.name}"

    @property
    def _dead_stream(self) -> str:
        return f"{DEAD_LETTERS}/{self.name}"

    def _append(self, stream: str, event: Event) -> Awaitable[None]:
        return self._journal.append(stream, self._journal.head(stream), [event])


def still_dead(events: Iterable[Event]) -> list[DeadLetter]:
    """What is on record as given up and was not replayed since, oldest first."""
    found: dict[int, DeadLetter] = {}
    for event in events:
        if isinstance(event, EventDeadLettered):
            found[event.position] = DeadLetter(
                event.position, event.event_id, event.attempts, event.error, event.at
            )
        elif isinstance(event, DeadLetterReplayed):
            found.pop(event.position, None)
    return list(found.values())
