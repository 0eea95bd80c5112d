"""An index of the events of the business in memory, for tests and simulation."""

from __future__ import annotations

from collections.abc import Sequence

from dirigent.domain.domain_event import DomainEvent, event_key
from dirigent.domain.event import EventPublished
from dirigent.ports import Journal, Recorded

PAGE_EVENTS = 1000


class MemoryEventIndex:
    """The port `EventIndex` over any journal: it reads on where it stopped whenever it is asked."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._seen = 0
        self._events: list[Recorded] = []
        self._positions: dict[bytes, int] = {}

    def positions(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Where the durable events of these keys are; what is not there is left out."""
        self._read_on()
        return {key: self._positions[key] for key in keys if key in self._positions}

    def events(
        self,
        tenant: str | None = None,
        *,
        type: str = "",
        after: int = 0,
        limit: int = 1000,
        newest: bool = False,
    ) -> list[Recorded]:
        """Durable events after a position, oldest or newest first."""
        self._read_on()
        found = [
            recorded
            for recorded in self._events
            if recorded.position > after and _is_wanted(recorded, tenant, type)
        ]
        return (found[::-1] if newest else found)[:limit]

    def _read_on(self) -> None:
        while page := self._journal.tail(self._seen, PAGE_EVENTS):
            self._seen = page[-1].position
            for recorded in page:
                if isinstance(recorded.event, EventPublished):
                    self._take(recorded, recorded.event.event)

    def _take(self, recorded: Recorded, said: DomainEvent) -> None:
        key = event_key(said.tenant, said.source, said.id)
        if key not in self._positions:
            self._positions[key] = recorded.position
            self._events.append(recorded)


def _is_wanted(recorded: Recorded, tenant: str | None, type: str) -> bool:
    assert isinstance(recorded.event, EventPublished), "only these are kept"
    said = recorded.event.event
    matches = said.type.startswith(type[:-1]) if type.endswith(".*") else type in ("", said.type)
    return matches and tenant in (None, said.tenant)
