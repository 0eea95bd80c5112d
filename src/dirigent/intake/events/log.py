"""Taking in events of the business: on stable storage first, then told to those who follow."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import structlog

from dirigent.domain.domain_event import DomainEvent, event_key
from dirigent.domain.errors import Conflict, InvalidInput
from dirigent.domain.event import EventPublished
from dirigent.intake.events.reading import checked
from dirigent.ports import Acknowledged, Clock, EventIndex, Journal

STREAM_PREFIX = "events/"

log = structlog.get_logger("dirigent.events")


class Taken(NamedTuple):
    """An event that is on stable storage: where, since when (milliseconds), and what it says."""

    position: int
    at: int
    event: DomainEvent


Follower = Callable[[Sequence[Taken]], None]


class _Group:
    """What one caller hands in: taken in whole or not at all."""

    __slots__ = ("events", "fresh", "future", "keys")

    def __init__(self, events: list[DomainEvent]) -> None:
        self.events = events
        self.keys = [event_key(event.tenant, event.source, event.id) for event in events]
        self.fresh: list[bool] = []
        self.future: asyncio.Future[list[Acknowledged]] = asyncio.get_running_loop().create_future()

    def refuse(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)

    def answer(self, known: Mapping[bytes, Taken]) -> None:
        if not self.future.done():
            self.future.set_result(
                [
                    Acknowledged(event_id=event.id, position=known[key].position, duplicate=not fresh)
                    for key, event, fresh in zip(self.keys, self.events, self.fresh, strict=True)
                ]
            )


class EventLog:
    """The port `EventSink` over a journal and the index of its events.

    What is handed in during one turn of the event loop is looked up and appended together. There is one
    log per journal: it alone appends to the streams of events. `follow` is told of every event, in the
    order of positions, once it is on stable storage.
    """

    def __init__(self, journal: Journal, index: EventIndex, clock: Clock) -> None:
        self._journal = journal
        self._index = index
        self._clock = clock
        self._gathered: dict[str, list[_Group]] = {}
        self._under_way: dict[bytes, Taken] = {}
        self._last: asyncio.Future[None] | None = None
        self._followers: list[Follower] = []

    async def publish(self, event: DomainEvent) -> Acknowledged:
        """Take in one event; returns when it is on stable storage."""
        (answer,) = await self.publish_all([event])
        return answer

    async def publish_all(self, events: Sequence[DomainEvent]) -> list[Acknowledged]:
        """Take in many of one tenant, in order, all or none; returns when they are on stable storage.

        Raises `InvalidInput` for what is no event, and `Conflict` where another event has the same name.
        """
        group = _Group([checked(event) for event in events])
        tenants = {event.tenant for event in group.events}
        if len(tenants) > 1:
            raise InvalidInput(
                f"The events are of {len(tenants)} tenants.", fix="Hand in those of one tenant at a time."
            )
        if not tenants:
            return []
        if not self._gathered:
            group.future.get_loop().call_soon(self._take_in)
        self._gathered.setdefault(tenants.pop(), []).append(group)
        return await group.future

    def follow(self, follower: Follower) -> Callable[[], None]:
        """Be told of what is taken in from here on; returns how to stop. Stopping twice is harmless."""

        def stop() -> None:
            with contextlib.suppress(ValueError):
                self._followers.remove(follower)

        self._followers.append(follower)
        return stop

    def _take_in(self) -> None:
        gathered, self._gathered = self._gathered, {}
        for tenant, groups in gathered.items():
            try:
                self._take_in_of(tenant, groups)
            except Exception as error:  # whoever waits has to learn of it, whatever it is
                for group in groups:
                    group.refuse(error)

    def _take_in_of(self, tenant: str, groups: Sequence[_Group]) -> None:
        known = self._look_up([key for group in groups for key in group.keys])
        fresh: dict[bytes, DomainEvent] = {}
        admitted = [group for group in groups if _admit(group, known, fresh)]
        taken = self._append(STREAM_PREFIX + tenant, list(fresh.values()))
        for key, one in zip(fresh, taken, strict=True):
            known[key] = self._under_way[key] = one

        def settle(done: asyncio.Future[None] | None) -> None:
            self._settle(admitted, known, taken, done)
            for key in fresh:
                del self._under_way[key]

        if self._last is None or self._last.done():
            settle(self._last)
        else:
            self._last.add_done_callback(settle)

    def _look_up(self, keys: Sequence[bytes]) -> dict[bytes, Taken]:
        """What is known of the keys: what is on its way to stable storage, and what is there."""
        known = {key: self._under_way[key] for key in keys if key in self._under_way}
        stored = self._index.positions([key for key in keys if key not in known] if known else keys)
        for key, position in stored.items():
            event = self._journal.tail(position - 1, 1)[0].event
            assert isinstance(event, EventPublished), "the index names positions of events only"
            known[key] = Taken(position, event.at, event.event)
        return known

    def _append(self, stream: str, events: Sequence[DomainEvent]) -> list[Taken]:
        if not events:
            return []
        at = self._clock.now_ms()
        published = [EventPublished(at=at, event=event) for event in events]
        durable = self._journal.append(stream, self._journal.head(stream), published)
        self._last = asyncio.ensure_future(durable)
        first = self._journal.position - len(events) + 1
        return [Taken(position, at, event) for position, event in enumerate(events, first)]

    def _settle(
        self,
        groups: Sequence[_Group],
        known: Mapping[bytes, Taken],
        taken: Sequence[Taken],
        done: asyncio.Future[None] | None,
    ) -> None:
        error = done.exception() if done is not None else None
        if error is not None:
            for group in groups:
                group.refuse(error)
            return
        for group in groups:
            group.answer(known)
        if taken:
            for follower in list(self._followers):
                try:
                    follower(taken)
                except Exception:  # the others, and who waits for the answer, are not to suffer from it
                    log.exception("follower.failed")


def _admit(group: _Group, known: Mapping[bytes, Taken], fresh: dict[bytes, DomainEvent]) -> bool:
    """Whether nothing of a group contradicts what is known; what is new in it goes into `fresh`."""
    own: dict[bytes, DomainEvent] = {}
    for key, event in zip(group.keys, group.events, strict=True):
        before = known[key].event if key in known else fresh.get(key) or own.get(key)
        if before is not None and before != event:
            group.refuse(_contradiction(event))
            return False
        group.fresh.append(before is None)
        if before is None:
            own[key] = event
    fresh |= own
    return True


def _contradiction(event: DomainEvent) -> Conflict:
    return Conflict(
        f"There is another event {event.id!r} of source {event.source!r}.",
        fix="An event is never changed: hand in a new one with an id of its own.",
    )
