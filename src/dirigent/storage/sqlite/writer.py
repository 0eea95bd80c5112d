"""Group commit: while one batch is on its way to stable storage, the next one gathers.

A batch leaves at the end of the event loop's turn in which it was begun, or when the batch before it is
stable, whichever is later; so everything that arrives together goes out together. One of a good size leaves
as soon as it can, so that the event loop works on while the disk does.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import ClassVar

import apsw

from dirigent.domain.errors import StorageFailure
from dirigent.storage.sqlite.anchor import AnchorFile
from dirigent.storage.sqlite.database import SQL
from dirigent.storage.sqlite.folding import Occurrence, fold_all

BATCH_EVENTS_MAX = 10_000
BATCH_EVENTS_GOOD = 128
CHECKPOINT_PAGES = 4_000

EventRow = tuple[int, int, int, int, bytes, bytes]
HeadRow = tuple[int, str, int, int, bytes]


class Durable(asyncio.Future[None]):
    """Completes when a batch is on stable storage. All appends in the batch share it.

    A task that is cancelled while it waits does not take the others' answer away: it is cancelled
    as soon as the answer is there.
    """

    def cancel(self, msg: object | None = None) -> bool:
        """Refuse; what was handed in cannot be taken back."""
        return False


class Batch:
    """What goes to stable storage together: events, the heads they lead to, payloads, occurrences."""

    __slots__ = ("events", "future", "heads", "loop", "occurrences", "payloads")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future = Durable(loop=loop)
        self.events: list[EventRow] = []
        self.heads: dict[int, HeadRow] = {}
        self.payloads: dict[bytes, bytes] = {}
        self.occurrences: list[Occurrence] = []

    def settle(self, failure: StorageFailure | None) -> None:
        """Answer everybody who waits. Runs on their loop."""
        if failure is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(failure)
            self.future.exception()  # a caller that does not wait is told at its next append


class Writer:
    """Commits batches in a thread of its own.

    After the first error it commits nothing more: `failure` says why, and every batch is answered
    with it. `commits` counts transactions, `durable` is the last position on stable storage.
    """

    checkpoint_pages: ClassVar[int] = CHECKPOINT_PAGES

    def __init__(
        self, path: Path, connection: apsw.Connection, anchor: AnchorFile, durable: int, streams: int
    ) -> None:
        self.failure: StorageFailure | None = None
        self.commits = 0
        self.durable = durable
        self._path = path
        self._connection = connection
        self._anchor = anchor
        self._streams = streams
        self._followers: list[Callable[[], None]] = []
        self._open: Batch | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._under_way = 0
        self._good = BATCH_EVENTS_GOOD
        self._queue: SimpleQueue[Batch | None] = SimpleQueue()
        self._wal_pages = 0
        self._checkpoint_at = self.checkpoint_pages
        connection.set_wal_hook(self._wal_grew)
        self._thread = threading.Thread(target=self._run, name="dirigent-journal", daemon=True)
        self._thread.start()

    def add(
        self,
        events: Sequence[EventRow],
        head: HeadRow,
        payloads: dict[bytes, bytes],
        occurrences: Sequence[Occurrence],
    ) -> Durable:
        """Put events into the batch that goes out next. Called on the event loop."""
        batch = self._open
        if batch is None or batch.loop.is_closed():
            batch = self._begin()
        batch.events += events
        batch.heads[head[0]] = head
        if payloads:
            batch.payloads |= payloads
        if occurrences:
            batch.occurrences += occurrences
        if len(batch.events) >= (BATCH_EVENTS_MAX if self._under_way else self._good):
            self._send()
        return batch.future

    def follow(self, follower: Callable[[], None]) -> Callable[[], None]:
        """Be told on the event loop of every commit; returns how to stop, which may be done twice."""

        def stop() -> None:
            with contextlib.suppress(ValueError):
                self._followers.remove(follower)

        self._followers.append(follower)
        return stop

    async def stop(self) -> None:
        """Commit what is waiting, end the thread and bring the anchor to stable storage."""
        self._send()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        with contextlib.suppress(OSError):  # the anchor may lag behind: opening verifies what follows it
            self._anchor.sync()

    def close(self) -> None:
        """Release database and anchor. After a failure the WAL is left as it is, for the next opening."""
        if self.failure is not None:
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        try:
            self._connection.close()
        finally:
            self._anchor.close()

    def _begin(self) -> Batch:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # nobody is told any more on the loop before; what it handed in goes first
            self._send()
            self._loop, self._under_way = loop, 0
        batch = self._open = Batch(loop)
        if not self._under_way:
            loop.call_soon(self._send_if_free)
        return batch

    def _send_if_free(self) -> None:
        if not self._under_way:
            self._send()

    def _send(self) -> None:
        if self._open is not None:
            self._under_way += 1
            self._good = max(BATCH_EVENTS_GOOD, len(self._open.events) // 2)
            self._queue.put(self._open)
            self._open = None

    def _settled(self, batch: Batch, failure: StorageFailure | None) -> None:
        self._under_way -= 1
        batch.settle(failure)
        if failure is None:
            for follower in tuple(self._followers):
                follower()
        if self._open is None:
            return
        if len(self._open.events) >= self._good:
            self._send()
        else:
            batch.loop.call_soon(self._send_soon, batch.loop)

    def _send_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Whoever the last batch woke may hand in more first: one turn for them, one for the pump."""
        loop.call_soon(self._send_if_free)

    def _run(self) -> None:
        while (batch := self._queue.get()) is not None:
            if self.failure is None:
                self.failure = self._failure_of(self._commit, batch)
            with contextlib.suppress(RuntimeError):  # the loop has ended, and so has everybody who waited
                batch.loop.call_soon_threadsafe(self._settled, batch, self.failure)
            if self.failure is None:
                self.failure = self._failure_of(self._checkpoint)

    def _failure_of(self, work: Callable[..., None], *values: object) -> StorageFailure | None:
        try:
            work(*values)
        except Exception as error:
            return _failure(self._path, error)
        return None

    def _commit(self, batch: Batch) -> None:
        connection = self._connection
        connection.execute(SQL["begin"])
        try:
            connection.executemany(SQL["append_event"], batch.events)
            connection.executemany(SQL["move_head"], batch.heads.values())
            if batch.payloads:
                connection.executemany(SQL["keep_payload"], batch.payloads.items())
            fold_all(connection, batch.occurrences)
            connection.execute(SQL["commit"])
        except BaseException:
            with contextlib.suppress(apsw.Error):  # SQLite has rolled back by itself after most errors
                connection.execute(SQL["rollback"])
            raise
        self._committed(batch)

    def _committed(self, batch: Batch) -> None:
        position, *_, digest = batch.events[-1]
        self._streams = max(self._streams, *batch.heads)
        self._anchor.write(position, digest, self._streams)
        self.commits += 1
        self.durable = position

    def _wal_grew(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        """Move the WAL into the database now and then; SQLite's own way would not tell of an error."""
        if self._wal_pages < self.checkpoint_pages:
            self._checkpoint_at = self.checkpoint_pages
        elif self._wal_pages >= self._checkpoint_at:
            self._connection.wal_checkpoint()
            self._checkpoint_at = self._wal_pages + self.checkpoint_pages


def _failure(path: Path, error: Exception) -> StorageFailure:
    if isinstance(error, apsw.FullError):
        message = f"The disk that holds {path} is full (disk full); nothing was acknowledged."
        return StorageFailure(
            message, fix="Free some space, then start again; what was acknowledged is there."
        )
    if isinstance(error, apsw.BusyError):
        message = f"Another process has held {path} for too long; nothing was acknowledged."
        return StorageFailure(message, fix="End that process, then start again.")
    return StorageFailure(
        f"Writing {path} failed ({error}); nothing was acknowledged.",
        fix="Check the disk, then start again: the journal is verified when it is opened.",
    )
