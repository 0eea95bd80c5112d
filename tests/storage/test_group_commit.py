"""Group commit for threads: one transaction for everybody who waits, a savepoint for each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from dirigent.domain.errors import Conflict, StorageFailure, TransientError
from dirigent.storage.sqlite.group_commit import GroupCommit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with an empty table."""
    connection = apsw.Connection(str(tmp_path / "x.db"))
    connection.pragma("journal_mode", "wal")
    connection.execute("CREATE TABLE t (n INTEGER)")
    connection.close()
    return tmp_path / "x.db"


@pytest.fixture
def group(path: Path) -> Iterator[GroupCommit]:
    """Group commit over it, that does not wait for other writers."""
    opened = GroupCommit(path, apsw.Connection(str(path)))
    yield opened
    opened.close()


def insert(number: int, error: Exception | None = None) -> object:
    """Work that writes a number, and then may raise."""

    def work(connection: apsw.Connection) -> int:
        connection.execute("INSERT INTO t VALUES (?)", (number,))
        if error is not None:
            raise error
        return number

    return work


def numbers(path: Path) -> list[int]:
    """What is in the table, seen from outside."""
    connection = apsw.Connection(str(path))
    found = [row[0] for row in connection.execute("SELECT n FROM t ORDER BY n")]
    connection.close()
    return found


@pytest.mark.parametrize("error", [Conflict("no"), KeyError("a mistake of ours")], ids=repr)
def test_what_raises_takes_back_its_own_and_nothing_else(
    group: GroupCommit, path: Path, error: Exception
) -> None:
    """Also where several went in together."""
    outcomes: dict[int, object] = {}
    gate = threading.Barrier(10)

    def call(number: int) -> None:
        gate.wait(30)
        try:
            outcomes[number] = group.run(insert(number, error if number % 2 else None))  # type: ignore[arg-type]
        except (Conflict, KeyError) as raised:
            outcomes[number] = raised

    threads = [threading.Thread(target=call, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert numbers(path) == [0, 2, 4, 6, 8]
    assert outcomes == {number: error if number % 2 else number for number in range(10)}


def test_another_writer_in_the_way_is_worth_another_try(group: GroupCommit, path: Path) -> None:
    """Nothing was stored; afterwards it goes on."""
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TransientError):
        group.run(insert(1))  # type: ignore[arg-type]
    other.execute("ROLLBACK")
    other.close()
    assert group.run(insert(2)) == 2  # type: ignore[arg-type]
    assert numbers(path) == [2]


def test_after_an_error_of_the_storage_nothing_more_is_done(group: GroupCommit, path: Path) -> None:
    """Until it is opened anew, since nobody knows what is on the disk."""

    def broken(connection: apsw.Connection) -> None:
        connection.execute("SELECT * FROM no_such_table")

    for work in (broken, insert(1), insert(2)):
        with pytest.raises(StorageFailure):
            group.run(work)  # type: ignore[arg-type]
    assert numbers(path) == []


def test_an_interruption_reaches_everybody_who_waits(group: GroupCommit, path: Path) -> None:
    """Whoever does the work of the others is interrupted: nothing is stored, and nobody is left waiting."""

    def interrupted(connection: apsw.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (1)")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        group.run(interrupted)
    assert numbers(path) == []
    assert group.run(insert(2)) == 2  # type: ignore[arg-type]


def test_whoever_came_meanwhile_is_led_on(group: GroupCommit, path: Path) -> None:
    """While one commit is under way nine callers come: they go out in the next one, and nobody hangs."""
    gate = threading.Event()

    def slow(connection: apsw.Connection) -> None:
        gate.wait(30)
        connection.execute("INSERT INTO t VALUES (0)")

    callers = [threading.Thread(target=group.run, args=(slow,))]
    callers[0].start()
    callers += [threading.Thread(target=group.run, args=(insert(number),)) for number in range(1, 10)]
    for caller in callers[1:]:
        caller.start()
    while group.waiting < 9:
        threading.Event().wait(0.001)
    gate.set()
    for caller in callers:
        caller.join(30)
    assert numbers(path) == list(range(10))
    assert (group.commits, group.waiting) == (2, 0)
