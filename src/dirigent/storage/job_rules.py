"""What every queue asks of a job, and how it says no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from dirigent.domain.canonical import digest_of, storable
from dirigent.domain.errors import Conflict, InvalidInput, NotFound, QueueFull, StaleReceipt
from dirigent.domain.job import (
    ATTEMPTS,
    ATTEMPTS_MAX,
    DEAD,
    DONE,
    JOB_STATES,
    PRIORITY,
    PRIORITY_MAX,
    JobFailure,
    QueuedJob,
)

OPEN_JOBS_MAX = 100_000
MESSAGE_BYTES_MAX = 256 * 1024
NAME_LENGTH_MAX = 200
ERROR_LENGTH_MAX = 500
FAILURES_KEPT = 20
SECONDS_MAX = 366 * 24 * 3600
DONE_KEPT_MS = 24 * 3600 * 1000
LAPSED = "The visibility timeout passed without a word from the holder."

# Says how a job stands, not what is to be done: the same order sent twice may differ here.
_STANDING = ("attempts", "enqueued_at", "trace")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was looked over, with what the queue needs to know of it."""

    job_id: str
    topic: str
    message: dict[str, Any]
    encoded: bytes
    digest: str
    priority: int
    max_attempts: int
    delay_ms: int


def read_order(topic: str, message: Mapping[str, Any], delay: float, new_id: str) -> Order:
    """Check a message and its topic; raises `InvalidInput` naming the field."""
    kept = storable(_mapping(message), "The message")
    encoded = msgspec.json.encode(kept)
    if len(encoded) > MESSAGE_BYTES_MAX:
        raise InvalidInput(
            f"The message has {len(encoded):,} bytes.",
            fix=f"Keep it under {MESSAGE_BYTES_MAX:,} and refer to what is larger.",
            field="message",
        )
    return Order(
        job_id=_name(kept.get("job_id") or new_id, "job_id"),
        topic=_name(topic, "topic"),
        message=kept,
        encoded=encoded,
        digest=digest_of([topic, {key: kept[key] for key in kept if key not in _STANDING}]),
        priority=_whole(kept.get("priority", PRIORITY), "priority", 0, PRIORITY_MAX),
        max_attempts=_whole(kept.get("max_attempts", ATTEMPTS), "max_attempts", 1, ATTEMPTS_MAX),
        delay_ms=milliseconds(delay, "delay"),
    )


def milliseconds(seconds: Any, field: str) -> int:
    """Seconds as milliseconds; raises `InvalidInput` for what is no span of time."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= SECONDS_MAX:
        raise InvalidInput(
            f"{field} is {seconds!r}.", fix=f"Give seconds, from 0 to {SECONDS_MAX:,}.", field=field
        )
    return round(seconds * 1000)


def visibility_ms(seconds: float) -> int:
    """A visibility timeout as milliseconds; it is never nothing."""
    span = milliseconds(seconds, "visibility_timeout")
    if not span:
        raise InvalidInput(
            "visibility_timeout is 0.", fix="Give the seconds a job may take.", field="visibility_timeout"
        )
    return span


def known_state(state: str) -> str:
    """A state by which jobs are listed; raises `InvalidInput`."""
    if state and state not in JOB_STATES:
        raise InvalidInput(
            f"There is no state {state!r}.", fix=f"Use one of: {', '.join(JOB_STATES)}.", field="state"
        )
    return state


def purgeable(state: str) -> str:
    """A state whose jobs may be forgotten; raises `InvalidInput`: what is open is never thrown away."""
    if state not in (DONE, DEAD):
        raise InvalidInput(f"Jobs that are {state!r} are not purged.", fix="Use done or dead.", field="state")
    return state


def with_failure(
    failures: tuple[JobFailure, ...], attempt: int, at: int, error: str, trace_id: str
) -> tuple[JobFailure, ...]:
    """The failures with one more; only the latest are kept."""
    told = JobFailure(attempt=attempt, at=at, error=error[:ERROR_LENGTH_MAX], trace_id=trace_id)
    return (*failures, told)[-FAILURES_KEPT:]


def stale(job_id: str, state: str) -> StaleReceipt:
    """The receipt is no good any more."""
    return StaleReceipt(
        f"The job {job_id!r} is {state} and not held with this receipt.",
        fix="It ran out of time or was settled already; leave it alone.",
    )


def doubtful(job_id: str) -> StaleReceipt:
    """A holder without a receipt, where there may be two."""
    return StaleReceipt(
        f"The job {job_id!r} was handed out more than once; its id alone does not say whose it is.",
        fix="Hand in the receipt that came with the job.",
    )


def not_held(job: QueuedJob) -> StaleReceipt:
    """Nobody holds the job at all."""
    return StaleReceipt(f"The job {job.job_id!r} is {job.state}; nobody holds it.", fix="Dequeue it first.")


def other_message(job_id: str) -> Conflict:
    """The id is taken by another order."""
    return Conflict(f"There is a job {job_id!r} with another message.", fix="Give this one an id of its own.")


def full(topic: str, limit: int) -> QueueFull:
    """Backpressure."""
    return QueueFull(
        f"The topic {topic!r} holds {limit:,} open jobs, which is all it may.",
        fix="Try again when workers have caught up, or start more of them.",
    )


def unknown_job(job_id: str) -> NotFound:
    """There is no such job, or it was purged."""
    return NotFound(f"There is no job {job_id!r}.", code="job_not_found")


def not_dead(job: QueuedJob) -> Conflict:
    """Only the dead are replayed."""
    return Conflict(
        f"The job {job.job_id!r} is {job.state}, not dead.", fix="`dirigent queue dead` lists them."
    )


def _mapping(message: Any) -> dict[str, Any]:
    if not isinstance(message, Mapping):
        raise InvalidInput(f"A message is a mapping, not {type(message).__name__}.", field="message")
    return dict(message)


def _name(value: Any, field: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= NAME_LENGTH_MAX or not value.isprintable():
        raise InvalidInput(
            f"{field} is {value!r}.", fix=f"Give a name of 1 to {NAME_LENGTH_MAX} characters.", field=field
        )
    return value


def _whole(value: Any, field: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidInput(
            f"{field} is {value!r}.", fix=f"Give a whole number from {least} to {most}.", field=field
        )
    return value
