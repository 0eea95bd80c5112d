"""Those who are told of durable events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import structlog

from dirigent.domain.event import Event

log = structlog.get_logger("dirigent.runtime")

Observer = Callable[[str, Event], None]


class Observers:
    """Tells observers of events of the kinds that they asked for; one that fails is left out of account."""

    def __init__(self) -> None:
        self._entries: list[tuple[Observer, frozenset[type[Event]]]] = []

    def add(self, observer: Observer, kinds: Collection[type[Event]]) -> Callable[[], None]:
        """Tell one more of events of these kinds, of all where none is named; returns how to stop."""
        entry = (observer, frozenset(kinds))
        self._entries.append(entry)
        return lambda: self._entries.remove(entry)

    def tell(self, execution_id: str, events: Sequence[Event]) -> None:
        """Events of an execution are on stable storage."""
        for observer, kinds in list(self._entries):
            for event in events:
                if not kinds or type(event) in kinds:
                    _tell(observer, execution_id, event)


def _tell(observer: Observer, execution_id: str, event: Event) -> None:
    try:
        observer(execution_id, event)
    except Exception:
        log.exception("observer.failed", execution=execution_id)
