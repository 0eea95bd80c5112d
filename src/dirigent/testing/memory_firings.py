"""What became of every firing, in memory, for tests and simulation."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dirigent.domain.event import TERMINAL, ExecutionStarted, FiringDecided
from dirigent.ports import FiringRow, Journal, Recorded

PAGE_EVENTS = 1000


class MemoryFirings:
    """The port `Firings` over any journal: it reads on where it stopped whenever it is asked."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._seen = 0
        self._rows: dict[str, FiringRow] = {}
        self._started: dict[str, None] = {}

    def decided(self, execution_ids: Sequence[str]) -> set[str]:
        """Which of these firings have been decided before."""
        self._read_on()
        return self._rows.keys() & set(execution_ids)

    def running(self) -> list[FiringRow]:
        """Those whose execution was started and has not ended, oldest first."""
        self._read_on()
        return [self._rows[execution_id] for execution_id in self._started]

    def queued(self) -> list[FiringRow]:
        """Those that wait for their turn, oldest first."""
        self._read_on()
        return [row for row in self._rows.values() if row.decision == "queued"]

    def firings(
        self,
        tenant: str | None = None,
        *,
        trigger: str | None = None,
        decision: str | None = None,
        limit: int = 100,
    ) -> list[FiringRow]:
        """Firings, newest first."""
        self._read_on()
        found = [
            row
            for row in self._rows.values()
            if tenant in (None, row.tenant)
            and trigger in (None, row.trigger)
            and decision in (None, row.decision)
        ]
        return found[::-1][:limit]

    def _read_on(self) -> None:
        while page := self._journal.tail(self._seen, PAGE_EVENTS):
            self._seen = page[-1].position
            for recorded in page:
                self._take(recorded)

    def _take(self, recorded: Recorded) -> None:
        event, stream = recorded.event, recorded.stream
        if isinstance(event, FiringDecided):
            self._rows.setdefault(event.execution_id, FiringRow(**msgspec.structs.asdict(event)))
        elif isinstance(event, ExecutionStarted) and event.labels.get("trigger"):
            known = self._rows.get(stream) or _row(stream, event)
            self._rows[stream] = msgspec.structs.replace(known, decision="started")
            self._started[stream] = None
        elif isinstance(event, TERMINAL):
            self._started.pop(stream, None)


def _row(stream: str, event: ExecutionStarted) -> FiringRow:
    return FiringRow(
        execution_id=stream,
        tenant=event.passport.tenant,
        trigger=str(event.labels["trigger"]),
        workflow=event.workflow,
        cause=str(event.labels.get("cause", "")),
        decision="started",
        reason="",
        count=1,
        at=event.at,
        event_position=0,
        due=0,
    )
