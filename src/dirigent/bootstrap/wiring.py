"""Queue, worker and manager with what is behind their ports by default: the clock, memory, the log."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TypedDict, Unpack

from dirigent.execution.registry import Registry
from dirigent.execution.worker import Backoff
from dirigent.execution.worker import Worker as WorkerOfPorts
from dirigent.execution.worker_events import Emit
from dirigent.intake.campaign_manager import CampaignManager as ManagerOfPorts
from dirigent.observability.exporters import WorkerExporter
from dirigent.ports import Clock
from dirigent.ports.queueing import AuditStore, QueueInterface
from dirigent.runtimes.clock import SystemClock
from dirigent.storage.in_memory.audit import InMemoryAudit
from dirigent.storage.in_memory.queue import InMemoryQueue as QueueOfClock
from dirigent.storage.job_rules import OPEN_JOBS_MAX


class InMemoryQueue(QueueOfClock):
    """A queue for one process, by the real clock; see `dirigent.storage.in_memory.queue`."""

    def __init__(self, *, clock: Clock | None = None, limit: int = OPEN_JOBS_MAX) -> None:
        super().__init__(clock or SystemClock(), limit=limit)


class CampaignManager(ManagerOfPorts):
    """Makes runs out of triggers; see `dirigent.intake.campaign_manager`.

    Without a queue flows run at once. `audit` is where those are put on record, else memory.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        queue: QueueInterface | None = None,
        allow_delivery: bool = False,
        audit: AuditStore | None = None,
        clock: Clock | None = None,
    ) -> None:
        time = clock or SystemClock()
        super().__init__(
            registry=registry,
            queue=queue,
            allow_delivery=allow_delivery,
            audit=audit or InMemoryAudit(time),
            clock=time,
            new_id=lambda: uuid.uuid4().hex[:24],
        )


class Pace(TypedDict, total=False):
    """How a worker works; see `dirigent.execution.worker`."""

    topics: Sequence[str]
    visibility_timeout: float
    backoff: Backoff
    concurrency: int
    poll_s: float
    grace_s: float


class Worker(WorkerOfPorts):
    """Works on the jobs of a queue; see `dirigent.execution.worker`.

    `audit` is where runs are put on record, else memory; `emit` is told of events, else the log is.
    """

    def __init__(
        self,
        queue: QueueInterface,
        registry: Registry,
        *,
        audit: AuditStore | None = None,
        emit: Emit | None = None,
        clock: Clock | None = None,
        **pace: Unpack[Pace],
    ) -> None:
        time = clock or SystemClock()
        super().__init__(
            queue,
            registry,
            clock=time,
            audit=audit or InMemoryAudit(time),
            emit=emit or WorkerExporter(),
            **pace,
        )
