"""What a worker tells of its jobs: `worker.job.start`, `success`, `requeue` and `dead`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from dirigent.domain.envelope import Envelope
from dirigent.domain.job import Job
from dirigent.domain.run import RunRecord

log = structlog.get_logger("dirigent.worker")

Emit = Callable[[Mapping[str, Any]], None]


class WorkerEvents:
    """Makes the events of one worker and hands them to whoever exports them."""

    def __init__(self, emit: Emit, now_ms: Callable[[], int]) -> None:
        self._emit = emit
        self._now_ms = now_ms

    def started(self, job: Job) -> None:
        """A job was taken out of its queue and its flow begins."""
        self._tell("start", job, attempt=job.attempts + 1)

    def succeeded(self, job: Job, envelope: Envelope, record: RunRecord) -> None:
        """A job is done: its envelope is on record and the queue has forgotten it."""
        duration = record.ended_at - record.started_at
        self._tell("success", job, duration_ms=duration, records=len(envelope.records))

    def requeued(self, job: Job, error: BaseException, delay_s: float) -> None:
        """An attempt failed in a way that another may mend; it follows after the delay."""
        delay = int(delay_s) if delay_s == int(delay_s) else delay_s
        self._tell("requeue", job, attempt=job.attempts + 1, error=type(error).__name__, delay_s=delay)

    def died(self, job: Job, attempts: int, trace_id: str) -> None:
        """A job has used up its attempts, or failed in a way that no other would mend."""
        self._tell("dead", job, attempts=attempts, trace_id=trace_id)

    def _tell(self, what: str, job: Job, **facts: Any) -> None:
        """Hand an event on; an exporter that fails is left out of account, the job goes on."""
        event = {"event": f"worker.job.{what}", "job_id": job.job_id, "run_id": job.run_id, "flow": job.flow}
        try:
            self._emit({**event, **facts, "at": iso(self._now_ms())})
        except Exception:
            log.exception("worker.exporter.failed", told=event["event"], job_id=job.job_id)


def iso(ms: int) -> str:
    """A moment in ISO 8601, UTC, to the second."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
