"""Group commit for callers in threads: while one transaction is under way, the next one gathers.

There is no thread of its own. Whoever comes to the front does the work of everybody who waits, in one
transaction with a savepoint for each, and brings it to stable storage; then all of them have their answer.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import apsw

from dirigent.domain.errors import DirigentError, StorageFailure
from dirigent.storage.sqlite.failures import storage_errors

T = TypeVar("T")

CALLS_MAX = 1000


class _Call(Generic[T]):
    """One caller's work, and what came of it."""

    __slots__ = ("answered", "error", "result", "work")

    def __init__(self, work: Callable[[apsw.Connection], T]) -> None:
        self.work = work
        self.answered = False
        self.result: T
        self.error: BaseException | None = None

    def do(self, connection: apsw.Connection) -> None:
        """Do the work inside a savepoint: a refusal takes back this caller's changes and nobody else's."""
        try:
            with connection:
                self.result = self.work(connection)
        except apsw.Error:
            raise
        except Exception as refusal:
            self.error = refusal

    def answer(self) -> T:
        if self.error is not None:
            raise self.error
        return self.result


class GroupCommit:
    """Runs work in transactions on one connection; what was answered is committed.

    Other processes may write to the file too: they take turns, each waiting as long as the connection's
    busy time-out says. After an error that leaves it open what is on the disk, nothing more is done.
    """

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self.commits = 0
        self._path = str(path)
        self._connection = connection
        self._front = threading.Lock()
        self._mutex = threading.Lock()
        self._waiting: list[_Call[Any]] = []
        self._failure: StorageFailure | None = None

    def run(self, work: Callable[[apsw.Connection], T]) -> T:
        """Do some work and return its result once it is on stable storage; raises what the work raises."""
        call = _Call(work)
        with self._mutex:
            self._waiting.append(call)
        with self._front:
            while not call.answered:
                self._commit(self._next())
        return call.answer()

    def close(self) -> None:
        """Release the connection. Closing twice is harmless."""
        with self._front:
            self._connection.close()

    def _next(self) -> list[_Call[Any]]:
        with self._mutex:
            batch, self._waiting = self._waiting[:CALLS_MAX], self._waiting[CALLS_MAX:]
        return batch

    def _commit(self, batch: list[_Call[Any]]) -> None:
        error: BaseException | None = self._failure
        try:
            if error is None:
                with storage_errors(self._path):
                    self._transaction(batch)
        except DirigentError as failure:
            error = failure
            if isinstance(failure, StorageFailure) and not isinstance(failure.__cause__, apsw.FullError):
                self._failure = failure
        except BaseException as interruption:
            error = interruption
            raise
        finally:
            for call in batch:
                call.error = error or call.error
                call.answered = True

    def _transaction(self, batch: list[_Call[Any]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for call in batch:
                call.do(self._connection)
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(apsw.Error):  # SQLite has rolled back by itself after most errors
                self._connection.execute("ROLLBACK")
            raise
        self.commits += 1
