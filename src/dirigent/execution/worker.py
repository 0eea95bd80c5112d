"""The worker: takes jobs out of a queue, runs their flows, settles them, and tells what it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from dirigent.domain.envelope import Envelope
from dirigent.domain.errors import Conflict, DirigentError, InvalidInput, StaleReceipt
from dirigent.domain.job import DEAD, Job, QueuedJob, topic_of
from dirigent.domain.run import COMPLETED, DEQUEUE, FAILED, LOST, SETTLE
from dirigent.execution.flow_run import carry_out, trace_of
from dirigent.execution.registry import Registry
from dirigent.execution.transience import asked_patience_s, is_transient_error
from dirigent.execution.worker_events import Emit, WorkerEvents
from dirigent.observability.run_trace import RunTrace, error_told
from dirigent.ports import Clock
from dirigent.ports.queueing import AuditStore, QueueInterface

log = structlog.get_logger("dirigent.worker")

SUCCEEDED, REQUEUED, DIED, LOST_JOB = "success", "requeue", "dead", "lost"
HEARTBEATS = 3

T = TypeVar("T")


class _Lapsed(Exception):
    """The job is held no longer; another worker may have it."""


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """How long a job waits after a failed attempt: `initial_s * factor ** (attempt - 1)`, at most `max_s`."""

    initial_s: float = 1.0
    factor: float = 2.0
    max_s: float = 60.0

    def delay_s(self, attempt: int) -> float:
        """The wait after an attempt, counted from 1."""
        return float(min(self.initial_s * self.factor ** min(attempt - 1, 64), self.max_s))


@dataclass(frozen=True, kw_only=True)
class Worked:
    """What became of one job: success with its envelope; requeue or dead with the error; lost to another."""

    job_id: str
    run_id: str
    outcome: str
    envelope: Envelope | None = None
    error: BaseException | None = None


class Worker:
    """Works on the jobs of the flows it knows, of all topics in turn, or of the topics given.

    A job is held for `visibility_timeout` seconds and for as long as it runs. An attempt that fails in
    a way that another may mend is requeued after a wait; any other failure, and the last attempt, makes
    the job dead. Where the engine or a queue takes in nothing more the job is put off, uncounted.

    What a run did is on record before its job is settled. `concurrency` is how many jobs it works on at
    once, `grace_s` how long a stop waits for them before it gives them back; it has then `abandoned`
    flows, of which those that are not async may still run in their threads.
    """

    def __init__(
        self,
        queue: QueueInterface,
        registry: Registry,
        *,
        clock: Clock,
        audit: AuditStore,
        emit: Emit,
        topics: Sequence[str] = (),
        visibility_timeout: float = 30.0,
        backoff: Backoff = Backoff(),
        concurrency: int = 1,
        poll_s: float = 0.2,
        grace_s: float = 30.0,
    ) -> None:
        if concurrency < 1:
            raise InvalidInput(f"concurrency is {concurrency}.", fix="Give at least 1.", field="concurrency")
        self.audit = audit
        self.last: Worked | None = None
        self.abandoned = False
        self._queue = queue
        self._registry = registry
        self._clock = clock
        self._events = WorkerEvents(emit, clock.now_ms)
        self._topics = tuple(topics)
        self._visibility = visibility_timeout
        self._backoff = backoff
        self._concurrency = concurrency
        self._poll_s = poll_s
        self._grace_s = grace_s
        self._turn = 0
        # Its own, so that no flow that fills the loop's threads keeps a heartbeat from going out.
        self._threads = ThreadPoolExecutor(concurrency + 1, thread_name_prefix="dirigent-worker")

    def run_once(self) -> Envelope | None:
        """Work on one job where no event loop runs: its envelope, or None. `last` tells what became of it."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            worked = asyncio.run(self.work_once())
            return worked.envelope if worked is not None else None
        raise Conflict("run_once was called on an event loop.", fix="Use `await worker.work_once()` there.")

    async def work_once(self) -> Worked | None:
        """Work on one job and tell what became of it; None where no topic has one.

        Cancelled, it gives the job back to the queue, with no attempt counted.
        """
        queued = await self._next()
        self.last = None
        if queued is not None:
            self.last = await self._work(queued)
        return self.last

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; then finish what is under way, or give it back when the grace is over."""
        lanes = [asyncio.ensure_future(self._lane(stop)) for _ in range(self._concurrency)]
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait([stopped, *lanes], return_when=asyncio.FIRST_COMPLETED)
            _, late = await asyncio.wait(lanes, timeout=self._grace_s)
            self.abandoned = bool(late)
        finally:
            for task in (stopped, *lanes):
                task.cancel()
            results = await asyncio.gather(*lanes, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    def close(self) -> None:
        """Let the threads go. Closing twice is harmless."""
        self._threads.shutdown(wait=False)

    async def _lane(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                worked = await self.work_once()
            except DirigentError as error:
                if not is_transient_error(error):
                    stop.set()
                    raise
                log.warning("worker.queue.unavailable", error=error_told(error))
                worked = None
            if worked is None:
                await _either(stop, self._poll_s)

    async def _next(self) -> QueuedJob | None:
        """The next job, of one topic after the other, so that no topic starves."""
        topics = self._topics or tuple(map(topic_of, self._registry.flows.names()))
        for _ in topics:
            topic = topics[self._turn % len(topics)]
            self._turn += 1
            queued = await self._take(topic)
            if queued is not None:
                return queued
        return None

    async def _take(self, topic: str) -> QueuedJob | None:
        """A job, which is given back where whoever waits for it has gone meanwhile."""
        taking = asyncio.ensure_future(self._apart(self._queue.dequeue, topic, self._visibility))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            queued = await taking
            if queued is not None:
                await self._give_back(queued)
            raise

    async def _work(self, queued: QueuedJob) -> Worked:
        try:
            job = Job.of(queued)
        except InvalidInput as error:
            blank = Job(
                job_id=queued.job_id, topic=queued.topic, run_id="", flow="", attempts=queued.attempts
            )
            self._events.started(blank)
            return await self._failed(blank, queued, None, error)
        trace = trace_of(job, self._clock.now_ms, replays=queued.replays, enqueued_at=queued.enqueued_at)
        trace.passed(DEQUEUE, job_id=job.job_id, attempt=queued.attempt)
        self._events.started(job)
        try:
            envelope = await self._held(queued, self._carried_out(job, trace))
        except _Lapsed as error:
            return await self._lost(job, trace, error)
        except asyncio.CancelledError:
            await self._give_back(queued)
            raise
        except Exception as error:
            return await self._failed(job, queued, trace, error)
        return await self._succeeded(job, queued, trace, envelope)

    async def _carried_out(self, job: Job, trace: RunTrace) -> Envelope:
        return await carry_out(self._registry.resolve(job.flow), trace)

    async def _held(self, queued: QueuedJob, work: Any) -> Any:
        """Do some work while the job is held; raises `_Lapsed` as soon as another may have it."""
        working = asyncio.ensure_future(work)
        beating = asyncio.ensure_future(self._heartbeats(queued))
        try:
            await asyncio.wait([working, beating], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                working.cancel()
                await asyncio.wait([working])
                beating.result()
            return working.result()
        finally:
            for task in (working, beating):
                task.cancel()
            await asyncio.gather(working, beating, return_exceptions=True)

    async def _heartbeats(self, queued: QueuedJob) -> None:
        while True:
            await self._passed(self._visibility / HEARTBEATS)
            try:
                await self._apart(self._queue.extend, queued.job_id, self._visibility, queued.receipt)
            except StaleReceipt as stale:
                raise _Lapsed(stale.message) from stale
            except DirigentError as error:
                log.warning("worker.heartbeat.failed", job_id=queued.job_id, error=error_told(error))

    async def _passed(self, seconds: float) -> None:
        """Wait on the worker's own clock."""
        woken = asyncio.Event()
        due = self._clock.now_ms() + round(seconds * 1000)
        cancel = self._clock.call_at(due, woken.set)
        try:
            await woken.wait()
        finally:
            cancel()

    async def _succeeded(self, job: Job, queued: QueuedJob, trace: RunTrace, envelope: Envelope) -> Worked:
        trace.passed(SETTLE, job_id=job.job_id, outcome=SUCCEEDED)
        record = trace.record(COMPLETED, envelope)
        try:
            await self._apart(self.audit.keep, record)
            await self._apart(self._queue.ack, job.job_id, queued.receipt)
        except StaleReceipt as error:
            return await self._lost(job, trace, error)
        except DirigentError as error:
            return await self._failed(job, queued, trace, error)
        self._events.succeeded(job, envelope, record)
        return Worked(job_id=job.job_id, run_id=job.run_id, outcome=SUCCEEDED, envelope=envelope)

    async def _failed(self, job: Job, queued: QueuedJob, trace: RunTrace | None, error: Exception) -> Worked:
        """Settle a failed attempt: once more after a wait, or dead; what it did is on record first."""
        trace_id = trace.trace_id if trace is not None else ""
        if trace is not None:
            trace.passed(SETTLE, job_id=job.job_id, error=error_told(error))
            await self._kept(trace, FAILED, error)
        told, receipt = error_told(error), queued.receipt
        patience = asked_patience_s(error)
        if patience is not None:
            return await self._put_off(job, queued, error, patience)
        delay = self._backoff.delay_s(queued.attempt)
        try:
            if is_transient_error(error):
                left = await self._apart(
                    lambda: self._queue.requeue(
                        job.job_id, delay, receipt=receipt, error=told, trace_id=trace_id
                    )
                )
            else:
                left = await self._apart(
                    lambda: self._queue.bury(job.job_id, receipt=receipt, error=told, trace_id=trace_id)
                )
        except StaleReceipt as stale:
            return await self._lost(job, trace, stale)
        if left.state == DEAD:
            self._events.died(job, left.attempts, trace_id)
        else:
            self._events.requeued(job, error, delay)
        outcome = DIED if left.state == DEAD else REQUEUED
        return Worked(job_id=job.job_id, run_id=job.run_id, outcome=outcome, error=error)

    async def _put_off(self, job: Job, queued: QueuedJob, error: Exception, delay: float) -> Worked:
        """What the job needs takes in nothing more for now: that is no failure of the job's."""
        await self._give_back(queued, delay)
        self._events.requeued(job, error, delay)
        return Worked(job_id=job.job_id, run_id=job.run_id, outcome=REQUEUED, error=error)

    async def _lost(self, job: Job, trace: RunTrace | None, error: Exception) -> Worked:
        """Another worker has the job, or may have it: whatever was done here does not count."""
        log.warning("worker.job.lost", job_id=job.job_id, run_id=job.run_id, flow=job.flow)
        if trace is not None:
            await self._kept(trace, LOST, error)
        return Worked(job_id=job.job_id, run_id=job.run_id, outcome=LOST_JOB, error=error)

    async def _kept(self, trace: RunTrace, status: str, error: Exception) -> None:
        """Put an attempt that came to nothing on record; the job has to be settled even without it."""
        try:
            await self._apart(self.audit.keep, trace.record(status, error=error))
        except DirigentError as failure:
            log.error("worker.audit.failed", run_id=trace.run_id, error=error_told(failure))

    async def _give_back(self, queued: QueuedJob, delay: float = 0.0) -> None:
        try:
            await self._apart(lambda: self._queue.release(queued.job_id, queued.receipt, delay=delay))
        except DirigentError as error:  # its time will run out instead
            log.warning("worker.release.failed", job_id=queued.job_id, error=error_told(error))

    async def _apart(self, call: Callable[..., T], *values: Any) -> T:
        """Call the queue or the audit store in a thread; they wait for the disk."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *values)


async def _either(stop: asyncio.Event, seconds: float) -> None:
    """Wait for a stop, or so long."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
