"""One run of a flow: who asked for it, what it did from trigger to delivery, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from dirigent.domain.event import AnyEvent

# From trigger to delivery, in this order: what happens, and the call that does it.
STAGES: tuple[tuple[str, str], ...] = (
    ("trigger arrives", "CampaignManager.ingest_event(event)"),
    ("choose orchestrator", "registry.resolve(flow)"),
    ("enqueue", "QueueInterface.enqueue(topic, message)"),
    ("dequeue", "Worker.run_once -> queue.dequeue"),
    ("run", "orch.run(payload)"),
    ("nodes", "Dispatcher.submit(agent_name, func, ...)"),
    ("aggregate", "BaseOrchestrator.validate_envelope or Envelope.validate()"),
    ("persist, audit, acknowledge", "queue.ack(job_id)"),
    ("deliver", "allow_delivery"),
)
TRIGGER, CHOOSE, ENQUEUE, DEQUEUE, RUN, NODES, AGGREGATE, SETTLE, DELIVER = range(1, 10)

COMPLETED, FAILED, LOST = "completed", "failed", "lost"


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One of the nine stages: its number, from when to when (milliseconds, UTC), and the facts of it."""

    n: int
    at: int
    ended_at: int
    facts: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """What happens in it."""
        return STAGES[self.n - 1][0]

    @property
    def call(self) -> str:
        """The call that does it."""
        return STAGES[self.n - 1][1]


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a run, as the audit store keeps it.

    `status` is completed, failed, or lost where another worker had the job meanwhile. `events` are
    those of executions, by execution id, the run's own first: the form in which every run is read.
    """

    trace_id: str
    run_id: str
    job_id: str
    flow: str
    tenant: str
    correlation_id: str
    attempt: int
    status: str
    started_at: int
    ended_at: int
    stages: tuple[Stage, ...] = ()
    envelope: dict[str, Any] | None = None
    error: str = ""
    events: Mapping[str, tuple[AnyEvent, ...]] = {}
