"""What lies in a queue: a message under a topic, how often it was tried, and who holds it."""

from __future__ import annotations

from typing import Any

import msgspec

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
