"""The circuits' changes in the journal, so that the next process knows whom to leave alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import structlog

from dirigent.domain.circuit_event import CIRCUITS, CircuitEvent
from dirigent.domain.errors import StorageFailure
from dirigent.domain.event_base import Event
from dirigent.ports import Journal

READ_BACK_MAX = 1_000

log = structlog.get_logger("dirigent.circuits")


class CircuitLog:
    """Appends what happens to circuits, and reads back the last of it.

    Nobody waits for it: a change that a crash takes away costs an agent a few calls more, nothing else.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def last(self) -> Sequence[Event]:
        """The latest changes, oldest first. A circuit that opened longer ago would be probed anyway."""
        return self._journal.read(CIRCUITS, max(0, self._journal.head(CIRCUITS) - READ_BACK_MAX))

    def keep(self, event: CircuitEvent) -> None:
        """Append a change and say it in the log."""
        log.warning("circuit", change=type(event).__name__, tenant=event.tenant, agent=event.agent)
        with contextlib.suppress(StorageFailure):  # whoever acts next is told of the storage
            durable = asyncio.ensure_future(
                self._journal.append(CIRCUITS, self._journal.head(CIRCUITS), [event])
            )
            durable.add_done_callback(lambda done: done.cancelled() or done.exception())
