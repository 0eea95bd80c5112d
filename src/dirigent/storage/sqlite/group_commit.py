"""Group commit for callers in threads: while one transaction is under way, the next one gathers.

There is no thread of its own: one of the callers does the work of everybody who waits, in one transaction
with a savepoint for each, and brings it to stable storage; then all of them have their answer.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import apsw

from dirigent.domain.errors import DirigentError, StorageFailure
from dirigent.storage.sqlite.failures import storage_errors

T = TypeVar("T")

CALLS_MAX = 1000


class _Call(Generic[T]):
    """One caller's work, and what came of it. `turn` is set when it is answered, or is to lead."""

    __slots__ = ("answered", "error", "result", "turn", "work")

    def __init__(self, work: Callable[[apsw.Connection], T]) -> None:
        self.work = work
        self.turn = threading.Event()
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

    def settle(self, error: BaseException | None) -> None:
        """The transaction has ended, for everybody in it."""
        self.error = error or self.error
        self.answered = True
        self.turn.set()

    def answer(self) -> T:
        if self.error is not None:
            raise self.error
        return self.result


class GroupCommit:
    """Runs work in transactions on one connection; what was answered is committed.

    One caller leads: it does the work of all who wait, and then hands the lead to the first of those who
    came meanwhile. Other processes may write to the file too: they take turns, each waiting as long as
    the connection's busy time-out says. After an error that leaves it open what is on the disk, nothing
    more is done.
    """

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self.commits = 0
        self._path = str(path)
        self._connection = connection
        self._mutex = threading.Lock()
        self._busy = threading.Lock()
        self._waiting: deque[_Call[Any]] = deque()
        self._led = False
        self._failure: StorageFailure | None = None

    @property
    def waiting(self) -> int:
        """How many callers wait for the transaction after the one under way."""
        return len(self._waiting)

    def run(self, work: Callable[[apsw.Connection], T]) -> T:
        """Do some work and return its result once it is on stable storage; raises what the work raises."""
        call = _Call(work)
        with self._mutex:
            self._waiting.append(call)
            leads, self._led = not self._led, True
        if not leads:
            self._wait(call)
        if not call.answered:
            self._lead()
        return call.answer()

    def close(self) -> None:
        """Release the connection. Closing twice is harmless."""
        with self._busy:
            self._connection.close()

    def _wait(self, call: _Call[Any]) -> None:
        try:
            call.turn.wait()
        except BaseException:  # interrupted: nobody is to wait for one who has gone
            with self._mutex:
                if call in self._waiting:
                    self._waiting.remove(call)
                if call.turn.is_set() and not call.answered:
                    self._hand_on()
            raise

    def _lead(self) -> None:
        """Commit for those who wait, oneself the first of them; then another leads."""
        with self._mutex:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), CALLS_MAX))]
        try:
            with self._busy:
                self._commit(batch)
        finally:
            with self._mutex:
                self._hand_on()

    def _hand_on(self) -> None:
        self._led = bool(self._waiting)
        if self._led:
            self._waiting[0].turn.set()

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
                call.settle(error)

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
