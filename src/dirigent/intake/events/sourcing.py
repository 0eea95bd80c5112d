"""Event sourcing: append, then bring the state up to date; and go through history once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from dirigent.domain.domain_event import DomainEvent, event_key
from dirigent.domain.event import EventPublished
from dirigent.intake.events.feed import taken_of
from dirigent.intake.events.log import EventLog, Taken
from dirigent.intake.events.upcasting import Upcasters
from dirigent.intake.triggers.matching import Foreseen
from dirigent.ports import Acknowledged, EventIndex, Journal, Recorded

PAGE_EVENTS = 2000


class State(Protocol):
    """Something that is known by folding the events of the business. Folding acts on nothing outside."""

    def reset(self) -> None:
        """Forget everything."""
        ...

    def apply(self, event: DomainEvent) -> None:
        """Take in what happened next."""
        ...


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay went through: events of the journal, events of the business among them, and from where.

    `foreseen` is what triggers would start; a replay starts nothing.
    """

    events: int
    applied: int
    position: int
    foreseen: tuple[Foreseen, ...] = ()


class EventSourcing:
    """The log of events with states that follow it, in memory, always caught up.

    `rebuild` folds the stored projections anew. No call here starts, sends or asks a model for anything.
    """

    def __init__(
        self,
        log: EventLog,
        index: EventIndex,
        journal: Journal,
        *,
        rebuild: Callable[[], None],
        foresee: Callable[[Taken], Sequence[Foreseen]],
        states: Sequence[State] = (),
        upcasters: Upcasters | None = None,
    ) -> None:
        self.position = 0
        self._log = log
        self._index = index
        self._journal = journal
        self._rebuild = rebuild
        self._foresee = foresee
        self._states = list(states)
        self._upcasters = upcasters or Upcasters()
        self._stop = log.follow(self._told)
        self._catch_up()

    async def store_event(self, event: DomainEvent) -> Acknowledged:
        """Append an event, then bring the state up to date."""
        return await self._log.publish(event)

    def holds(self, event: DomainEvent) -> bool:
        """Whether an event of this name is in the store."""
        return bool(self._index.positions([event_key(event.tenant, event.source, event.id)]))

    def get_events(self, from_timestamp: int | None = None) -> Iterator[Recorded]:
        """Everything in the journal, from the first event at or after a time (milliseconds) on."""
        begun, after = from_timestamp is None, 0
        while page := self._journal.tail(after, PAGE_EVENTS):
            after = page[-1].position
            for recorded in page:
                begun = begun or recorded.event.at >= (from_timestamp or 0)
                if begun:
                    yield recorded

    def replay_events(self, from_timestamp: int | None = None, *, shadow: bool = False) -> Replayed:
        """Go through history once more, without any effect outside.

        From the beginning the projections are folded anew and the states forgotten first; from a time on,
        the events from there are applied to the states once more. With `shadow` it tells what triggers
        would start.
        """
        if from_timestamp is None:
            self._rebuild()
            self._forget()
        events = applied = first = 0
        foreseen: list[Foreseen] = []
        for recorded in self.get_events(from_timestamp):
            events, first = events + 1, first or recorded.position
            if isinstance(recorded.event, EventPublished):
                applied += 1
                taken = taken_of(recorded)
                self.apply_event(taken)
                if shadow:
                    foreseen += self._foresee(taken)
        return Replayed(events=events, applied=applied, position=first, foreseen=tuple(foreseen))

    def apply_event(self, taken: Taken) -> None:
        """Take one event into the states."""
        event = self._upcasters.current(taken.event)
        for state in self._states:
            state.apply(event)
        self.position = max(self.position, taken.position)

    def add(self, state: State) -> None:
        """Let a state follow; it is caught up at once."""
        state.reset()
        after = 0
        while page := self._index.events(after=after, limit=PAGE_EVENTS):
            for recorded in page:
                if recorded.position <= self.position:
                    state.apply(self._upcasters.current(taken_of(recorded).event))
            after = page[-1].position
        self._states.append(state)

    def close(self) -> None:
        """Stop following."""
        self._stop()

    def _catch_up(self) -> None:
        if not self._states:
            newest = self._index.events(newest=True, limit=1)
            self.position = newest[0].position if newest else 0
        while page := self._index.events(after=self.position, limit=PAGE_EVENTS):
            for recorded in page:
                self.apply_event(taken_of(recorded))

    def _forget(self) -> None:
        self.position = 0
        for state in self._states:
            state.reset()

    def _told(self, events: Sequence[Taken]) -> None:
        if not self._states:
            self.position = events[-1].position
            return
        for taken in events:
            if taken.position > self.position:
                self.apply_event(taken)
