"""The audit store in memory: for one process, for development and tests."""

from __future__ import annotations

import threading

import msgspec

from dirigent.domain.run import RunRecord
from dirigent.ports import Clock

RUNS_KEPT = 10_000


class InMemoryAudit:
    """`AuditStore` in memory; it keeps the latest ten thousand attempts, and nothing beyond its process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, int], RunRecord] = {}

    def keep(self, record: RunRecord) -> None:
        """Put one attempt at a run on record."""
        with self._lock:
            self._kept[record.trace_id, record.attempt] = record
            while len(self._kept) > RUNS_KEPT:
                del self._kept[next(iter(self._kept))]

    def attempts(self, run_id: str) -> list[RunRecord]:
        """Every attempt at a run, in order."""
        with self._lock:
            return [record for record in self._kept.values() if record.run_id == run_id]

    def runs(self, *, tenant: str = "", flow: str = "", limit: int = 100) -> list[RunRecord]:
        """The latest attempt at each run, latest run first, without its events."""
        with self._lock:
            latest: dict[str, RunRecord] = {}
            for record in reversed(self._kept.values()):
                if tenant in ("", record.tenant) and flow in ("", record.flow):
                    latest.setdefault(record.run_id, record)
        return [msgspec.structs.replace(record, events={}) for record in latest.values()][: max(limit, 0)]

    def purge(self, older_than: float) -> int:
        """Forget runs that ended so many seconds ago."""
        before = self._clock.now_ms() - round(older_than * 1000)
        with self._lock:
            old = [key for key, record in self._kept.items() if record.ended_at <= before]
            for key in old:
                del self._kept[key]
        return len(old)

    def close(self) -> None:
        """Nothing has to be released."""
