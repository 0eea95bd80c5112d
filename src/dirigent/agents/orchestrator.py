"""The base of orchestrators: a flow in code, its nodes called within a dispatcher's bounds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from dirigent.domain.envelope import Envelope, Record
from dirigent.domain.errors import Conflict
from dirigent.observability.run_trace import RunTrace, current_run


class BaseOrchestrator(ABC):
    """Subclass it, write `run`, and register it under the name of its flow.

    Nodes are functions handed to `Dispatcher.submit`; the run notes each of them. `run` ends with
    `self.envelope(records)`, or with anything else that `validate_envelope` takes.
    """

    @abstractmethod
    async def run(self, payload: Mapping[str, Any]) -> Envelope:
        """Carry the flow out and aggregate what its nodes gave into one envelope."""

    def validate_envelope(self, value: Any) -> Envelope:
        """The envelope, or what has the form of one; raises `InvalidInput` naming what is wrong."""
        return Envelope.of(value)

    def envelope(self, records: Iterable[Mapping[str, Any] | Record], **metadata: Any) -> Envelope:
        """An envelope of the current run; `metadata` adds to what is known of it, or stands for it."""
        run = self.current_run()
        known = {
            "run_id": run.run_id,
            "job_id": run.job_id,
            "flow": run.flow,
            "agent": type(self).__name__,
            "tenant_id": run.tenant,
            "correlation_id": run.correlation_id,
            "status": "ok",
            "created_at": self.now(),
            "duration_ms": run.now_ms() - run.started_at,
            "errors": [],
        }
        return Envelope.from_records(records, {**known, **metadata})

    def provenance(self, *, source: str, agent: str, node: str, **more: Any) -> dict[str, Any]:
        """Where a record of the current run comes from; `more` are inputs, method, confidence."""
        run_id = self.current_run().run_id
        facts = {"source": source, "agent": agent, "run_id": run_id, "node": node, "created_at": self.now()}
        return {**facts, **more}

    def now(self) -> str:
        """The present moment of the current run in ISO 8601, UTC."""
        moment = datetime.fromtimestamp(self.current_run().now_ms() / 1000, UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def current_run(self) -> RunTrace:
        """The run that this belongs to; raises `Conflict` where there is none."""
        run = current_run()
        if run is None:
            raise Conflict(
                f"{type(self).__name__} runs outside of any run.",
                fix="Register it as a flow and hand a trigger to CampaignManager.ingest_event.",
            )
        return run
