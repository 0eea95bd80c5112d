"""The control plane of flows: takes triggers, chooses the flow, makes run and job, enqueues or runs."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dirigent.domain.canonical import storable
from dirigent.domain.envelope import Envelope
from dirigent.domain.errors import Conflict, InvalidInput
from dirigent.domain.job import ATTEMPTS, PRIORITY, Arrival, Job, topic_of
from dirigent.domain.run import COMPLETED, FAILED, SETTLE
from dirigent.execution.flow_run import OFF, carry_out, trace_of
from dirigent.execution.registry import Registry
from dirigent.execution.worker_events import iso
from dirigent.ports import Clock
from dirigent.ports.queueing import AuditStore, QueueInterface

DELIVERY_FLOW = "delivery"
FIELDS: dict[str, tuple[tuple[type, ...], str]] = {
    "flow": ((str,), "the name of a flow"),
    "payload": ((Mapping,), "an object"),
    "source": ((str,), "a word such as api, schedule or webhook"),
    "id": ((str,), "a name by which the same trigger is known again"),
    "tenant_id": ((str,), "a name"),
    "correlation_id": ((str,), "a name"),
    "priority": ((int,), "a whole number from 0 to 9"),
    "max_attempts": ((int,), "a whole number from 1"),
    "delay": ((int, float), "seconds"),
    "allow_delivery": ((bool,), "true or false"),
}


@dataclass(frozen=True, kw_only=True)
class IngestedRun:
    """What became of a trigger: queued under its job, or completed at once with its envelope."""

    run_id: str
    job_id: str | None
    status: str
    envelope: Envelope | None = None


@dataclass(frozen=True, kw_only=True)
class Released:
    """How many records of an envelope went to delivery and how many are held, and why."""

    released: int
    held: int
    reason: str


class CampaignManager:
    """Makes runs out of triggers: an API call, a scheduled event, a webhook.

    With a queue it enqueues a job on the topic of the flow; without one it runs the flow at once.
    Nothing leaves the house unless `allow_delivery` is set here; a trigger can only narrow it.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        clock: Clock,
        audit: AuditStore,
        new_id: Callable[[], str],
        queue: QueueInterface | None = None,
        allow_delivery: bool = False,
    ) -> None:
        self.audit = audit
        self._registry = registry
        self._clock = clock
        self._new_id = new_id
        self._queue = queue
        self._allow_delivery = allow_delivery

    def ingest_event(self, event: Mapping[str, Any]) -> IngestedRun:
        """Take a trigger: `flow` and `payload`; may say `source`, `id`, `tenant_id`, `priority`, `delay` ...

        The same `id` of one source is one run, however often it comes. Raises `InvalidInput` naming the
        field, `NotFound` listing the flows there are, and without a queue what the flow raises.
        """
        job, delay = self._ordered(event)
        if self._queue is not None:
            return self._enqueued(job, delay)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self._run_now(job))
        raise Conflict(
            "Without a queue ingest_event runs the flow, which cannot be done on an event loop.",
            fix="Use `await manager.ingest(event)` there, or give a queue.",
        )

    async def ingest(self, event: Mapping[str, Any]) -> IngestedRun:
        """As `ingest_event`, for callers on an event loop."""
        job, delay = self._ordered(event)
        if self._queue is None:
            return await self._run_now(job)
        return await asyncio.to_thread(self._enqueued, job, delay)

    async def deliver(self, envelope: Envelope, *, tenant_id: str = "") -> Released:
        """Hand the records of an envelope to the flow `delivery`, where that is allowed; else hold them."""
        number = len(envelope.validate().records)
        if not self._allow_delivery:
            return Released(released=0, held=number, reason=OFF)
        tenant = tenant_id or str(envelope.metadata["tenant_id"])
        event = {"flow": DELIVERY_FLOW, "source": "manager", "tenant_id": tenant}
        await self.ingest({**event, "payload": {"envelope": envelope.as_dict()}})
        return Released(released=number, held=0, reason="")

    def _ordered(self, event: Mapping[str, Any]) -> tuple[Job, float]:
        received_at = self._clock.now_ms()
        _check(event)
        flow = event["flow"]
        self._registry.resolve(flow)
        payload = storable(dict(event.get("payload", {})), "The payload")
        source = event.get("source", "api")
        tenant = event.get("tenant_id") or str(payload.get("org_id") or "default")
        name = _derived(tenant, source, event["id"]) if event.get("id") else self._new_id()
        run_id = f"run_{name}"
        resolved_at = self._clock.now_ms()
        job = Job(
            job_id=f"job_{name}",
            topic=topic_of(flow),
            run_id=run_id,
            flow=flow,
            payload=payload,
            max_attempts=event.get("max_attempts", ATTEMPTS),
            priority=event.get("priority", PRIORITY),
            tenant_id=tenant,
            correlation_id=event.get("correlation_id") or run_id,
            allow_delivery=self._allow_delivery and event.get("allow_delivery") is not False,
            enqueued_at=iso(resolved_at),
            trace=Arrival(source=source, received_at=received_at, resolved_at=resolved_at),
        )
        return job, event.get("delay", 0.0)

    def _enqueued(self, job: Job, delay: float) -> IngestedRun:
        assert self._queue is not None, "a job is enqueued where there is a queue"
        job_id = self._queue.enqueue(job.topic, job.as_message(), delay=delay)
        return IngestedRun(run_id=job.run_id, job_id=job_id, status="queued")

    async def _run_now(self, job: Job) -> IngestedRun:
        trace = trace_of(job, self._clock.now_ms)
        try:
            envelope = await carry_out(self._registry.resolve(job.flow), trace)
        except Exception as error:
            trace.passed(SETTLE, outcome=FAILED)
            await asyncio.to_thread(self.audit.keep, trace.record(FAILED, error=error))
            raise
        trace.passed(SETTLE, outcome=COMPLETED)
        await asyncio.to_thread(self.audit.keep, trace.record(COMPLETED, envelope))
        return IngestedRun(run_id=job.run_id, job_id=None, status="completed", envelope=envelope)


def _check(event: Any) -> None:
    if not isinstance(event, Mapping):
        raise InvalidInput(f"A trigger is an object, not {type(event).__name__}.", field="event")
    unknown = sorted(set(event) - set(FIELDS))
    if unknown:
        raise InvalidInput(
            f"A trigger has no {unknown[0]!r}.", fix=f"It has: {', '.join(FIELDS)}.", field=unknown[0]
        )
    if "flow" not in event:
        raise InvalidInput("A trigger names its flow.", fix="Add flow.", field="flow")
    for name, (kinds, expected) in FIELDS.items():
        value = event.get(name)
        unfit = isinstance(value, bool) and bool not in kinds
        if value is not None and (unfit or not isinstance(value, kinds)):
            raise InvalidInput(f"{name} is {value!r}.", fix=f"Give {expected}.", field=name)


def _derived(tenant: str, source: str, name: str) -> str:
    """The same name for the same trigger, so that a repeated one is no second run."""
    return hashlib.sha256("\x1f".join((tenant, source, name)).encode()).hexdigest()[:24]
