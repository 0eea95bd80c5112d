"""The queue on SQLite: durable before it is acknowledged, shared by processes, committed in groups.

It is a file of its own. The journal has one writing process, which holds the data folder; a queue is
where processes meet, so that any number of workers can take jobs and anybody can hand them in.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec

from dirigent.domain.job import DEAD, DELAYED, DONE, HELD, READY, JobFailure, QueuedJob, TopicCounts
from dirigent.ports import Clock
from dirigent.security.folder_key import FolderKey
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
from dirigent.storage.sqlite.failures import storage_errors
from dirigent.storage.sqlite.group_commit import GroupCommit
from dirigent.storage.sqlite.shared_file import connect_shared, connect_shared_reader
from dirigent.storage.statements import load_statements

FORMAT = 1

_STATEMENTS = load_statements("dirigent.storage.sqlite", "queue.sql")
_SQL = {name: text.replace("{columns}", _STATEMENTS["columns"]) for name, text in _STATEMENTS.items()}
_json = msgspec.json.Decoder()
_failures = msgspec.json.Decoder(tuple[JobFailure, ...])


class _Row(msgspec.Struct, frozen=True, array_like=True):
    """One row of `jobs`, in the order of `columns`."""

    job_id: str
    topic: str
    message: bytes
    state: str
    priority: int
    attempts: int
    max_attempts: int
    enqueued_at: int
    visible_at: int
    receipt: str
    failures: bytes
    replays: int
    ended_at: int
    place: int
    lapses: int

    def shown(self, receipt: str = "") -> QueuedJob:
        return QueuedJob(
            job_id=self.job_id,
            topic=self.topic,
            message=_json.decode(self.message),
            state=self.state,
            priority=self.priority,
            attempts=self.attempts,
            max_attempts=self.max_attempts,
            enqueued_at=self.enqueued_at,
            visible_at=self.visible_at,
            receipt=receipt,
            failures=_failures.decode(self.failures),
            replays=self.replays,
            ended_at=self.ended_at,
        )


class SqliteQueue:
    """`QueueInterface` and `QueueBooks` over one SQLite file, which it makes where there is none.

    Any thread of any process may call; calls that arrive together are committed together. `limit` is
    how many open jobs a topic may hold. Deadlines are in the time of the clock of whoever calls:
    processes that share a file share a machine, and so its clock.
    """

    def __init__(
        self, path: Path, clock: Clock, *, limit: int = OPEN_JOBS_MAX, key: FolderKey | None = None
    ) -> None:
        self._path = str(path)
        self._clock = clock
        self._limit = limit
        with storage_errors(self._path):
            self._group = GroupCommit(path, connect_shared(path, _SQL["schema"], FORMAT, key))
            self._reader = connect_shared_reader(path, key)
        self._reading = threading.Lock()

    @property
    def commits(self) -> int:
        """How many transactions this process has committed."""
        return self._group.commits

    def enqueue(self, topic: str, message: Mapping[str, Any], *, delay: float = 0.0) -> str:
        """Take in a job; see `QueueInterface`."""
        order = read_order(topic, message, delay, f"job_{uuid.uuid4().hex}")
        self._group.run(lambda connection: self._add(connection, order))
        return order.job_id

    def dequeue(self, topic: str, visibility_timeout: float = 30.0) -> QueuedJob | None:
        """Hand out the next job of a topic; see `QueueInterface`."""
        span = visibility_ms(visibility_timeout)
        if not self._ask("anything", {"topic": topic, "now": self._clock.now_ms()}):
            return None

        def hand_out(connection: apsw.Connection) -> QueuedJob | None:
            now = self._clock.now_ms()
            _settle_due(connection, now)
            row = connection.execute(_SQL["hand_out"], {"topic": topic, "until": now + span}).fetchone()
            return None if row is None else (found := _read(row)).shown(found.receipt)

        return self._group.run(hand_out)

    def ack(self, job_id: str, receipt: str = "") -> None:
        """The job is done; see `QueueInterface`."""

        def settle(connection: apsw.Connection) -> None:
            row = self._of_holder(connection, job_id, receipt)
            connection.execute(_SQL["done"], (self._clock.now_ms(), row.place))

        self._group.run(settle)

    def requeue(
        self, job_id: str, delay: float = 0.0, *, receipt: str = "", error: str = "", trace_id: str = ""
    ) -> QueuedJob:
        """The attempt failed; see `QueueInterface`."""
        span = milliseconds(delay, "delay")

        def settle(connection: apsw.Connection) -> QueuedJob:
            now = self._clock.now_ms()
            row = _with_failure(self._of_holder(connection, job_id, receipt), now, error, trace_id)
            if row.attempts >= row.max_attempts:
                return _put(connection, row, DEAD, row.visible_at, row.ended_at or now)
            return _put(connection, row, DELAYED if span else READY, now + span)

        return self._group.run(settle)

    def release(self, job_id: str, receipt: str = "", *, delay: float = 0.0) -> None:
        """Give the job back; see `QueueInterface`."""
        span = milliseconds(delay, "delay")

        def settle(connection: apsw.Connection) -> None:
            row = self._of_holder(connection, job_id, receipt)
            if row.state == HELD:
                _put(connection, row, DELAYED if span else READY, self._clock.now_ms() + span)
            else:
                connection.execute(_SQL["let_go"], (row.place,))

        self._group.run(settle)

    def extend(self, job_id: str, visibility_timeout: float, receipt: str = "") -> None:
        """Hold the job for longer; see `QueueInterface`."""
        span = visibility_ms(visibility_timeout)

        def settle(connection: apsw.Connection) -> None:
            row = self._of_holder(connection, job_id, receipt)
            if row.state != HELD:
                raise stale(job_id, row.state)
            connection.execute(_SQL["extend"], (self._clock.now_ms() + span, row.place))

        self._group.run(settle)

    def bury(self, job_id: str, *, receipt: str = "", error: str = "", trace_id: str = "") -> QueuedJob:
        """The job is dead; see `QueueInterface`."""

        def settle(connection: apsw.Connection) -> QueuedJob:
            now = self._clock.now_ms()
            row = _with_failure(self._of_holder(connection, job_id, receipt), now, error, trace_id)
            return _put(connection, row, DEAD, row.visible_at, row.ended_at or now)

        return self._group.run(settle)

    def counts(self) -> list[TopicCounts]:
        """How many jobs are in which state; see `QueueBooks`."""
        found: dict[str, dict[str, int]] = {}
        for topic, state, jobs, oldest in self._rows("counts"):
            states = found.setdefault(topic, {})
            states[state] = jobs
            if oldest is not None:
                states["oldest_at"] = oldest
        return [TopicCounts(topic=topic, **states) for topic, states in found.items()]

    def jobs(self, state: str = "", *, topic: str = "", limit: int = 100) -> list[QueuedJob]:
        """Jobs as they came; see `QueueBooks`."""
        asked = {"state": known_state(state), "topic": topic, "limit": max(limit, 0)}
        return [_read(row).shown() for row in self._rows("list", asked)]

    def job(self, job_id: str) -> QueuedJob:
        """One job; see `QueueBooks`."""
        rows = self._rows("find", (job_id,))
        if not rows:
            raise unknown_job(job_id)
        return _read(rows[0]).shown()

    def replay(self, job_id: str) -> QueuedJob:
        """Take a job back from the dead; see `QueueBooks`."""

        def take_back(connection: apsw.Connection) -> QueuedJob:
            now = self._clock.now_ms()
            _settle_due(connection, now)
            row = _found(connection, job_id)
            if row.state != DEAD:
                raise not_dead(row.shown())
            connection.execute(_SQL["next_place"])
            return _read(
                connection.execute(_SQL["replay"], {"now": now, "place": row.place}).fetchone()
            ).shown()

        return self._group.run(take_back)

    def purge(self, state: str = DONE, *, older_than: float = 0.0) -> int:
        """Forget jobs that have ended; see `QueueBooks`."""
        span = milliseconds(older_than, "older_than")
        purgeable(state)

        def forget(connection: apsw.Connection) -> int:
            now = self._clock.now_ms()
            _settle_due(connection, now)
            connection.execute(_SQL["purge"], (state, now - span))
            return connection.changes()

        return self._group.run(forget)

    def close(self) -> None:
        """Release the file. Closing twice is harmless."""
        self._group.close()
        with self._reading:
            self._reader.close()

    def _add(self, connection: apsw.Connection, order: Order) -> None:
        now = self._clock.now_ms()
        connection.execute(_SQL["forget"], (now - DONE_KEPT_MS,))
        known = connection.execute(_SQL["digest"], (order.job_id,)).get
        if known is not None:
            if known != order.digest:
                raise other_message(order.job_id)
            return
        open_jobs: Any = connection.execute(_SQL["open_jobs"], (order.topic,)).get
        if open_jobs >= self._limit:
            raise full(order.topic, self._limit)
        state = DELAYED if order.delay_ms else READY
        what = (order.job_id, order.topic, order.encoded, order.digest, state, order.priority)
        connection.execute(_SQL["add"], (*what, order.max_attempts, now, now + order.delay_ms))

    def _of_holder(self, connection: apsw.Connection, job_id: str, receipt: str) -> _Row:
        """The job, where whoever asks may settle it."""
        _settle_due(connection, self._clock.now_ms())
        row = _found(connection, job_id)
        if receipt and receipt != row.receipt:
            raise stale(job_id, row.state)
        if not receipt and row.state != HELD:
            raise not_held(row.shown())
        if not receipt and row.lapses:
            raise doubtful(job_id)
        return row

    def _rows(self, statement: str, values: Any = ()) -> list[Any]:
        """What a statement finds, with nothing left that is due."""
        now = self._clock.now_ms()
        if self._ask("anything_due", (now,)):
            self._group.run(lambda connection: _settle_due(connection, now))
        with self._reading, storage_errors(self._path):
            return self._reader.execute(_SQL[statement], values).fetchall()

    def _ask(self, statement: str, values: Any) -> bool:
        with self._reading, storage_errors(self._path):
            return bool(self._reader.execute(_SQL[statement], values).get)


def _read(row: Any) -> _Row:
    return _Row(*row)


def _found(connection: apsw.Connection, job_id: str) -> _Row:
    row = connection.execute(_SQL["find"], (job_id,)).fetchone()
    if row is None:
        raise unknown_job(job_id)
    return _read(row)


def _with_failure(row: _Row, now: int, error: str, trace_id: str) -> _Row:
    """The job with one more failed attempt; one whose time ran out was counted then."""
    if row.state != HELD:
        return row
    attempts = row.attempts + 1
    failures = with_failure(_failures.decode(row.failures), attempts, now, error, trace_id)
    return msgspec.structs.replace(row, attempts=attempts, failures=msgspec.json.encode(failures))


def _put(connection: apsw.Connection, row: _Row, state: str, visible_at: int, ended_at: int = 0) -> QueuedJob:
    """Move a job that its holder lets go of."""
    connection.execute(_SQL["put"], (state, row.attempts, row.failures, visible_at, ended_at, row.place))
    return msgspec.structs.replace(row, state=state, visible_at=visible_at, ended_at=ended_at).shown()


def _settle_due(connection: apsw.Connection, now: int) -> None:
    """Delayed jobs become ready when their time has come, held ones when their holder fell silent."""
    connection.execute(_SQL["due_now"], (now,))
    rows: Sequence[Any] = connection.execute(_SQL["lapsed"], (now,)).fetchall()
    for row in map(_read, rows):
        failed = _with_failure(row, row.visible_at, LAPSED, "")
        dead = failed.attempts >= failed.max_attempts
        state, ended_at = (DEAD, row.visible_at) if dead else (READY, 0)
        connection.execute(_SQL["lapse"], (state, failed.attempts, failed.failures, ended_at, row.place))
