"""One run of a flow, from the call of its orchestrator to a checked envelope."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable

from dirigent.domain.envelope import Envelope
from dirigent.domain.job import Job
from dirigent.domain.run import AGGREGATE, CHOOSE, DELIVER, ENQUEUE, RUN, TRIGGER
from dirigent.execution import threads
from dirigent.observability.run_trace import RunTrace, running
from dirigent.ports.queueing import Orchestrator

OFF = "allow_delivery is off"


def trace_of(job: Job, now_ms: Callable[[], int], *, replays: int = 0, enqueued_at: int = 0) -> RunTrace:
    """The trace of a new attempt at a job, with what happened before it was taken out of its queue.

    A run that a person took back from the dead is an execution of its own, with an id of its own.
    """
    again = f"~{replays}" if replays else ""
    trace = RunTrace(
        now_ms,
        run_id=job.run_id,
        execution_id=job.run_id + again,
        flow=job.flow,
        tenant=job.tenant_id,
        trace_id=trace_id_of(job.run_id + again),
        job_id=job.job_id,
        correlation_id=job.correlation_id,
        attempt=job.attempts + 1,
        trigger=job.trace.source,
        payload=job.payload,
        allow_delivery=job.allow_delivery,
        priority=job.priority,
    )
    if job.trace.received_at:
        trace.passed(TRIGGER, job.trace.received_at, source=job.trace.source)
        trace.passed(CHOOSE, job.trace.resolved_at, flow=job.flow, run_id=job.run_id)
    if enqueued_at:
        trace.passed(ENQUEUE, enqueued_at, topic=job.topic, job_id=job.job_id)
    return trace


def trace_id_of(run_id: str) -> str:
    """The trace under which all attempts at a run are found."""
    return "trace_" + hashlib.sha256(run_id.encode()).hexdigest()[:16]


async def carry_out(orchestrator: Orchestrator, trace: RunTrace) -> Envelope:
    """Call the orchestrator inside its run and check what it gives; raises what it raises.

    An orchestrator that is not async runs in a thread. Where it has a `validate_envelope` of its own,
    that is asked.
    """
    with running(trace), trace.stage(RUN, flow=trace.flow, attempt=trace.attempt):
        if inspect.iscoroutinefunction(orchestrator.run):
            result = await orchestrator.run(dict(trace.payload))
        else:
            result = await threads.call(orchestrator.run, dict(trace.payload))
            if inspect.isawaitable(result):
                result = await result
    with trace.stage(AGGREGATE):
        envelope: Envelope = getattr(orchestrator, "validate_envelope", Envelope.of)(result)
    allowed = trace.allow_delivery
    trace.passed(DELIVER, allowed=allowed, reason="" if allowed else OFF)
    return envelope
