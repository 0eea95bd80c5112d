"""What a queue promises, said as simply as it can be: a list, looked through from the front every time."""

from __future__ import annotations

from dataclasses import dataclass, field

from dirigent.domain.errors import Conflict, DirigentError, NotFound, StaleReceipt
from dirigent.domain.job import DEAD, DELAYED, DONE, HELD, READY


@dataclass(kw_only=True)
class ModelJob:
    """One job of the model. `holding` counts how often it was handed out; 0 in `receipt` is no holder."""

    job_id: str
    topic: str
    priority: int
    max_attempts: int
    place: int
    visible_at: int
    state: str = READY
    attempts: int = 0
    lapses: int = 0
    holding: int = 0
    receipt: int = 0
    replays: int = 0
    body: object = None

    def seen(self) -> tuple[str, str, int, int, int]:
        """What the books of any queue must agree on."""
        return (self.job_id, self.state, self.attempts, self.visible_at, self.replays)


@dataclass(kw_only=True)
class QueueModel:
    """A queue without storage or speed. Times are milliseconds; receipts are numbers of holdings."""

    now: int
    jobs: dict[str, ModelJob] = field(default_factory=dict)
    places: int = 0

    def enqueue(
        self, topic: str, job_id: str, priority: int, max_attempts: int, delay_ms: int, body: object = None
    ) -> None:
        """Take in a job, once."""
        known = self.jobs.get(job_id)
        what = (topic, priority, max_attempts, body)
        if known is not None:
            if what != (known.topic, known.priority, known.max_attempts, known.body):
                raise Conflict(job_id)
            return
        self.places += 1
        self.jobs[job_id] = ModelJob(
            job_id=job_id,
            topic=topic,
            priority=priority,
            max_attempts=max_attempts,
            place=self.places,
            visible_at=self.now + delay_ms,
            state=DELAYED if delay_ms else READY,
            body=body,
        )

    def dequeue(self, topic: str, span_ms: int) -> ModelJob | None:
        """Hand out the first of the highest priority."""
        self.settle()
        ready = [job for job in self.jobs.values() if job.topic == topic and job.state == READY]
        if not ready:
            return None
        first = min(ready, key=lambda job: (-job.priority, job.place))
        first.state, first.visible_at = HELD, self.now + span_ms
        first.holding += 1
        first.receipt = first.holding
        return first

    def ack(self, job_id: str, receipt: int | None) -> None:
        """The job is done."""
        job = self._of_holder(job_id, receipt)
        job.state, job.receipt = DONE, 0

    def requeue(self, job_id: str, delay_ms: int, receipt: int | None) -> None:
        """The attempt failed."""
        job = self._of_holder(job_id, receipt)
        job.attempts += job.state == HELD
        job.receipt = 0
        if job.attempts >= job.max_attempts:
            job.state = DEAD
        else:
            job.state, job.visible_at = (DELAYED if delay_ms else READY), self.now + delay_ms

    def release(self, job_id: str, delay_ms: int, receipt: int | None) -> None:
        """Give the job back."""
        job = self._of_holder(job_id, receipt)
        job.receipt = 0
        if job.state == HELD:
            job.state, job.visible_at = (DELAYED if delay_ms else READY), self.now + delay_ms

    def extend(self, job_id: str, span_ms: int, receipt: int | None) -> None:
        """Hold the job for longer."""
        job = self._of_holder(job_id, receipt)
        if job.state != HELD:
            raise StaleReceipt(job_id)
        job.visible_at = self.now + span_ms

    def bury(self, job_id: str, receipt: int | None) -> None:
        """The job is dead."""
        job = self._of_holder(job_id, receipt)
        job.attempts += job.state == HELD
        job.state, job.receipt = DEAD, 0

    def replay(self, job_id: str) -> None:
        """Back to the end of the line."""
        self.settle()
        job = self._known(job_id)
        if job.state != DEAD:
            raise Conflict(job_id)
        self.places += 1
        job.place, job.state, job.visible_at = self.places, READY, self.now
        job.attempts = job.lapses = job.receipt = 0
        job.replays += 1

    def settle(self) -> None:
        """What time alone does."""
        for job in self.jobs.values():
            if job.visible_at > self.now:
                continue
            if job.state == DELAYED:
                job.state = READY
            elif job.state == HELD:
                job.lapses += 1
                job.attempts += 1
                job.state = READY if job.attempts < job.max_attempts else DEAD

    def books(self) -> list[tuple[str, str, int, int, int]]:
        """Every job in the order in which it came."""
        self.settle()
        return [job.seen() for job in sorted(self.jobs.values(), key=lambda job: job.place)]

    def _known(self, job_id: str) -> ModelJob:
        if job_id not in self.jobs:
            raise NotFound(job_id)
        return self.jobs[job_id]

    def _of_holder(self, job_id: str, receipt: int | None) -> ModelJob:
        """`receipt` None is a caller who gives the id alone."""
        self.settle()
        job = self._known(job_id)
        refused: DirigentError | None = None
        if receipt is None:
            refused = StaleReceipt(job_id) if job.state != HELD or job.lapses else None
        elif receipt == 0 or receipt != job.receipt:
            refused = StaleReceipt(job_id)
        if refused is not None:
            raise refused
        return job
