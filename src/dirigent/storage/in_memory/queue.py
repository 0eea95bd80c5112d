"""The queue in memory: for one process, for development and tests."""

from __future__ import annotations

import heapq
import threading
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from dirigent.domain.job import DEAD, DELAYED, DONE, HELD, READY, JobFailure, QueuedJob, TopicCounts
from dirigent.ports import Clock
from dirigent.storage.job_rules import (
    DONE_KEPT_MS,
    LAPSED,
    OPEN_JOBS_MAX,
    Order,
    doubtful,
    full,
    known_state,
    milliseconds,
    not_dead,
    not_held,
    other_message,
    purgeable,
    read_order,
    stale,
    unknown_job,
    visibility_ms,
    with_failure,
)

_json = msgspec.json.Decoder()


@dataclass(kw_only=True)
class _Entry:
    """One job. `lapses` counts holders who fell silent, `handed_out` is the fencing token."""

    order: Order
    place: int
    enqueued_at: int
    visible_at: int
    state: str = READY
    attempts: int = 0
    lapses: int = 0
    handed_out: int = 0
    receipt: str = ""
    failures: tuple[JobFailure, ...] = ()
    replays: int = 0
    ended_at: int = 0

    def shown(self, receipt: str = "") -> QueuedJob:
        order = self.order
        return QueuedJob(
            job_id=order.job_id,
            topic=order.topic,
            message=_json.decode(order.encoded),
            state=self.state,
            priority=order.priority,
            attempts=self.attempts,
            max_attempts=order.max_attempts,
            enqueued_at=self.enqueued_at,
            visible_at=self.visible_at,
            receipt=receipt,
            failures=self.failures,
            replays=self.replays,
            ended_at=self.ended_at,
        )


@dataclass
class _Topic:
    """One line: what is ready, by rank; what has moved on is passed over."""

    ready: list[tuple[int, int, str]] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)


class InMemoryQueue:
    """`QueueInterface` and `QueueBooks` in memory; it keeps nothing beyond its process.

    `limit` is how many open jobs a topic may hold. Any thread may call.
    """

    def __init__(self, clock: Clock, *, limit: int = OPEN_JOBS_MAX) -> None:
        self._clock = clock
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._ended: dict[str, None] = {}
        self._topics: dict[str, _Topic] = defaultdict(_Topic)
        self._due: list[tuple[int, int, str]] = []
        self._places = 0

    def enqueue(self, topic: str, message: Mapping[str, Any], *, delay: float = 0.0) -> str:
        """Take in a job; see `QueueInterface`."""
        order = read_order(topic, message, delay, f"job_{uuid.uuid4().hex}")
        with self._lock:
            now = self._clock.now_ms()
            self._forget_old(now)
            known = self._entries.get(order.job_id)
            if known is not None:
                if known.order.digest != order.digest:
                    raise other_message(order.job_id)
                return order.job_id
            states = self._topics[topic].states
            if states[READY] + states[DELAYED] + states[HELD] >= self._limit:
                raise full(topic, self._limit)
            entry = _Entry(
                order=order, place=self._next_place(), enqueued_at=now, visible_at=now + order.delay_ms
            )
            self._entries[order.job_id] = entry
            states[READY] += 1
            self._put(entry, DELAYED if order.delay_ms else READY)
            return order.job_id

    def dequeue(self, topic: str, visibility_timeout: float = 30.0) -> QueuedJob | None:
        """Hand out the next job of a topic; see `QueueInterface`."""
        span = visibility_ms(visibility_timeout)
        with self._lock:
            now = self._clock.now_ms()
            self._settle_due(now)
            ready = self._topics[topic].ready if topic in self._topics else []
            while ready:
                _, place, job_id = heapq.heappop(ready)
                entry = self._entries.get(job_id)
                if entry is not None and entry.place == place and entry.state == READY:
                    entry.handed_out += 1
                    entry.receipt = f"{entry.place}.{entry.handed_out}"
                    entry.visible_at = now + span
                    self._put(entry, HELD)
                    return entry.shown(entry.receipt)
        return None

    def ack(self, job_id: str, receipt: str = "") -> None:
        """The job is done; see `QueueInterface`."""
        with self._lock:
            self._end(self._of_holder(job_id, receipt), DONE)

    def requeue(
        self, job_id: str, delay: float = 0.0, *, receipt: str = "", error: str = "", trace_id: str = ""
    ) -> QueuedJob:
        """The attempt failed; see `QueueInterface`."""
        span = milliseconds(delay, "delay")
        with self._lock:
            entry = self._of_holder(job_id, receipt)
            now = self._clock.now_ms()
            if entry.state == HELD:
                self._failed(entry, now, error, trace_id)
            entry.receipt = ""
            if entry.attempts >= entry.order.max_attempts:
                self._end(entry, DEAD)
            else:
                entry.visible_at = now + span
                self._put(entry, DELAYED if span else READY)
            return entry.shown()

    def release(self, job_id: str, receipt: str = "", *, delay: float = 0.0) -> None:
        """Give the job back; see `QueueInterface`."""
        span = milliseconds(delay, "delay")
        with self._lock:
            entry = self._of_holder(job_id, receipt)
            entry.receipt = ""
            if entry.state == HELD:
                entry.visible_at = self._clock.now_ms() + span
                self._put(entry, DELAYED if span else READY)

    def extend(self, job_id: str, visibility_timeout: float, receipt: str = "") -> None:
        """Hold the job for longer; see `QueueInterface`."""
        span = visibility_ms(visibility_timeout)
        with self._lock:
            entry = self._of_holder(job_id, receipt)
            if entry.state != HELD:
                raise stale(job_id, entry.state)
            entry.visible_at = self._clock.now_ms() + span
            self._put(entry, HELD)

    def bury(self, job_id: str, *, receipt: str = "", error: str = "", trace_id: str = "") -> QueuedJob:
        """The job is dead; see `QueueInterface`."""
        with self._lock:
            entry = self._of_holder(job_id, receipt)
            if entry.state == HELD:
                self._failed(entry, self._clock.now_ms(), error, trace_id)
            self._end(entry, DEAD)
            return entry.shown()

    def counts(self) -> list[TopicCounts]:
        """How many jobs are in which state; see `QueueBooks`."""
        with self._lock:
            self._settle_due(self._clock.now_ms())
            oldest: dict[str, int] = {}
            for entry in self._entries.values():
                if entry.state == READY:
                    topic = entry.order.topic
                    oldest[topic] = min(oldest.get(topic, entry.enqueued_at), entry.enqueued_at)
            return [
                TopicCounts(topic=name, oldest_at=oldest.get(name, 0), **_some(topic.states))
                for name, topic in sorted(self._topics.items())
                if _some(topic.states)
            ]

    def jobs(self, state: str = "", *, topic: str = "", limit: int = 100) -> list[QueuedJob]:
        """Jobs as they came; see `QueueBooks`."""
        known_state(state)
        with self._lock:
            self._settle_due(self._clock.now_ms())
            found = [
                entry
                for entry in self._entries.values()
                if state in ("", entry.state) and topic in ("", entry.order.topic)
            ]
        found.sort(key=lambda entry: entry.place)
        return [entry.shown() for entry in found[: max(limit, 0)]]

    def job(self, job_id: str) -> QueuedJob:
        """One job; see `QueueBooks`."""
        with self._lock:
            self._settle_due(self._clock.now_ms())
            return self._known(job_id).shown()

    def replay(self, job_id: str) -> QueuedJob:
        """Take a job back from the dead; see `QueueBooks`."""
        with self._lock:
            self._settle_due(self._clock.now_ms())
            entry = self._known(job_id)
            if entry.state != DEAD:
                raise not_dead(entry.shown())
            entry.place = self._next_place()
            entry.attempts = entry.lapses = entry.ended_at = 0
            entry.receipt = ""
            entry.replays += 1
            entry.visible_at = self._clock.now_ms()
            self._put(entry, READY)
            return entry.shown()

    def purge(self, state: str = DONE, *, older_than: float = 0.0) -> int:
        """Forget jobs that have ended; see `QueueBooks`."""
        purgeable(state)
        span = milliseconds(older_than, "older_than")
        with self._lock:
            self._settle_due(self._clock.now_ms())
            before = self._clock.now_ms() - span
            found = [
                job_id
                for job_id, entry in self._entries.items()
                if entry.state == state and entry.ended_at <= before
            ]
            for job_id in found:
                self._forget(job_id)
            return len(found)

    def close(self) -> None:
        """Nothing has to be released."""

    def _of_holder(self, job_id: str, receipt: str) -> _Entry:
        """The job, where whoever asks may settle it."""
        self._settle_due(self._clock.now_ms())
        entry = self._known(job_id)
        if receipt and receipt != entry.receipt:
            raise stale(job_id, entry.state)
        if not receipt and entry.state != HELD:
            raise not_held(entry.shown())
        if not receipt and entry.lapses:
            raise doubtful(job_id)
        return entry

    def _known(self, job_id: str) -> _Entry:
        entry = self._entries.get(job_id)
        if entry is None:
            raise unknown_job(job_id)
        return entry

    def _put(self, entry: _Entry, state: str) -> None:
        """Move a job that is open, or becomes so, to its place in its line."""
        order = entry.order
        self._move(entry, state)
        if state == READY:
            heapq.heappush(self._topics[order.topic].ready, (-order.priority, entry.place, order.job_id))
        else:
            heapq.heappush(self._due, (entry.visible_at, entry.place, order.job_id))

    def _end(self, entry: _Entry, state: str) -> None:
        self._move(entry, state)
        entry.receipt = ""
        if state == DEAD:
            entry.ended_at = entry.ended_at or self._clock.now_ms()
            return
        entry.ended_at = self._clock.now_ms()
        entry.order = msgspec.structs.replace(entry.order, message={}, encoded=b"{}")
        self._ended[entry.order.job_id] = None

    def _move(self, entry: _Entry, state: str) -> None:
        states = self._topics[entry.order.topic].states
        states[entry.state] -= 1
        states[state] += 1
        entry.state = state

    def _failed(self, entry: _Entry, now: int, error: str, trace_id: str) -> None:
        entry.attempts += 1
        entry.failures = with_failure(entry.failures, entry.attempts, now, error, trace_id)

    def _settle_due(self, now: int) -> None:
        """Delayed jobs become ready when their time has come, held ones when their holder fell silent."""
        for entry in self._take_due(now):
            if entry.state == DELAYED:
                self._put(entry, READY)
                continue
            entry.lapses += 1
            self._failed(entry, entry.visible_at, LAPSED, "")
            if entry.attempts < entry.order.max_attempts:
                self._put(entry, READY)
            else:
                self._move(entry, DEAD)
                entry.ended_at = entry.visible_at

    def _take_due(self, now: int) -> Iterator[_Entry]:
        while self._due and self._due[0][0] <= now:
            visible_at, place, job_id = heapq.heappop(self._due)
            entry = self._entries.get(job_id)
            if entry is None or entry.state not in (DELAYED, HELD):
                continue
            if (entry.place, entry.visible_at) == (place, visible_at):
                yield entry

    def _forget_old(self, now: int) -> None:
        while self._ended:
            job_id = next(iter(self._ended))
            if self._entries[job_id].ended_at > now - DONE_KEPT_MS:
                return
            self._forget(job_id)

    def _forget(self, job_id: str) -> None:
        entry = self._entries.pop(job_id)
        self._topics[entry.order.topic].states[entry.state] -= 1
        self._ended.pop(job_id, None)

    def _next_place(self) -> int:
        self._places += 1
        return self._places


def _some(states: Counter[str]) -> dict[str, int]:
    return {state: number for state, number in states.items() if number}
