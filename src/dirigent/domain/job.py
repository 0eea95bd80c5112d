"""What lies in a queue: a message under a topic, how often it was tried, and who holds it."""

from __future__ import annotations

from typing import Any

import msgspec

from dirigent.domain.errors import InvalidInput

TOPIC_PREFIX = "runs."
PRIORITY = 5
PRIORITY_MAX = 9
ATTEMPTS = 3
ATTEMPTS_MAX = 100

READY, DELAYED, HELD, DEAD, DONE = "ready", "delayed", "held", "dead", "done"
JOB_STATES = (READY, DELAYED, HELD, DEAD, DONE)


class JobFailure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt that came to nothing: when (milliseconds, UTC), why, and the trace that tells how."""

    attempt: int
    at: int
    error: str
    trace_id: str = ""


class QueuedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job as its queue holds it. Times are milliseconds since the epoch, UTC.

    `attempts` counts those that failed or ran out of time; the one under way is not among them.
    `visible_at` is when a delayed job may be handed out, or a held one may be handed out again.
    `receipt` proves a holding: it is filled in on the job that `dequeue` returns and empty elsewhere.
    `replays` counts how often a person took it back from the dead. A job that is done has no message.
    """

    job_id: str
    topic: str
    message: dict[str, Any]
    state: str
    priority: int
    attempts: int
    max_attempts: int
    enqueued_at: int
    visible_at: int
    receipt: str = ""
    failures: tuple[JobFailure, ...] = ()
    replays: int = 0
    ended_at: int = 0

    @property
    def attempt(self) -> int:
        """The number of the attempt under way, from 1."""
        return self.attempts + 1


class TopicCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs of a topic are in which state. `oldest_at` is when the oldest ready one came, or 0."""

    topic: str
    ready: int = 0
    delayed: int = 0
    held: int = 0
    dead: int = 0
    done: int = 0
    oldest_at: int = 0

    @property
    def open(self) -> int:
        """Those that are still to be done; what a queue's limit counts."""
        return self.ready + self.delayed + self.held


class Arrival(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a job came to be: what triggered it, when that came in and when its flow was found (ms, UTC)."""

    source: str = "api"
    received_at: int = 0
    resolved_at: int = 0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """The order to run a flow once, as it travels in a queue. `enqueued_at` is a moment in ISO 8601, UTC.

    `allow_delivery` says whether anything of this run may leave at all; it can only narrow what the
    house allows.
    """

    job_id: str
    topic: str
    run_id: str
    flow: str
    payload: dict[str, Any] = {}
    attempts: int = 0
    max_attempts: int = ATTEMPTS
    priority: int = PRIORITY
    tenant_id: str = "default"
    correlation_id: str = ""
    allow_delivery: bool = False
    enqueued_at: str = ""
    trace: Arrival = Arrival()

    @classmethod
    def of(cls, queued: QueuedJob) -> Job:
        """The order in a queued job, standing as the queue says; raises `InvalidInput` where it is none."""
        standing = {"job_id": queued.job_id, "topic": queued.topic, "attempts": queued.attempts}
        try:
            return msgspec.convert({**queued.message, **standing}, cls)
        except msgspec.ValidationError as error:
            raise InvalidInput(
                f"The message of {queued.job_id!r} is no order to run a flow: {error}.",
                fix="Hand it in with CampaignManager.ingest_event.",
                field="message",
            ) from error

    def as_message(self) -> dict[str, Any]:
        """The plain form, with everything that is known."""
        message: dict[str, Any] = msgspec.to_builtins(self)
        return message


def topic_of(flow: str) -> str:
    """The topic on which a flow's jobs lie."""
    return TOPIC_PREFIX + flow
