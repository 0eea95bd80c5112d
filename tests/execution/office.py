"""A queue, a registry, a manager and a worker in one process, on a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dirigent.bootstrap.wiring import CampaignManager, InMemoryQueue, Worker
from dirigent.domain.envelope import Envelope
from dirigent.domain.job import QueuedJob
from dirigent.execution.registry import Registry
from dirigent.storage.in_memory.audit import InMemoryAudit
from dirigent.testing.frozen_clock import FrozenClock

METADATA = {"run_id": "r", "tenant_id": "t", "status": "ok", "created_at": "now"}


def empty_envelope(payload: Any) -> Envelope:
    """The least that a flow can give."""
    return Envelope.from_records([], METADATA)


@dataclass
class Office:
    """Everything that works on a job, and everything that was told of it."""

    clock: FrozenClock = field(default_factory=FrozenClock)
    told: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue = InMemoryQueue(clock=self.clock)
        self.audit = InMemoryAudit(self.clock)
        self.registry = Registry()
        self.manager = CampaignManager(
            queue=self.queue, registry=self.registry, audit=self.audit, clock=self.clock
        )
        self.worker = self.new_worker()

    def new_worker(self, **pace: Any) -> Worker:
        """One more worker on the same queue."""
        return Worker(
            self.queue,
            self.registry,
            audit=self.audit,
            clock=self.clock,
            emit=lambda event: self.told.append(dict(event)),
            **pace,
        )

    def hand_in(self, flow: str = "lead", **event: Any) -> QueuedJob:
        """Ingest a trigger; the job as the queue has it."""
        run = self.manager.ingest_event({"flow": flow, "payload": {"org_id": "org_123"}, **event})
        assert run.job_id is not None
        return self.queue.job(run.job_id)

    @property
    def names(self) -> list[str]:
        """What was told, by the last word."""
        return [event["event"].rpartition(".")[2] for event in self.told]


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop and its threads go on until something is so."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)
