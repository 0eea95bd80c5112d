"""Every queue passes the whole suite."""

from __future__ import annotations

from pathlib import Path

from dirigent.storage.in_memory.queue import InMemoryQueue
from dirigent.storage.sqlite.queue import SqliteQueue
from dirigent.testing.frozen_clock import FrozenClock
from dirigent.testing.queue_conformance import QueueConformance
from dirigent.testing.queue_walk import Queue


class TestInMemoryQueue(QueueConformance):
    """For one process."""

    def make_queue(self, folder: Path, clock: FrozenClock, *, limit: int = 100_000) -> Queue:
        return InMemoryQueue(clock, limit=limit)


class TestSqliteQueue(QueueConformance):
    """For the processes of one machine, durable."""

    def make_queue(self, folder: Path, clock: FrozenClock, *, limit: int = 100_000) -> Queue:
        return SqliteQueue(folder / "queue.db", clock, limit=limit)
