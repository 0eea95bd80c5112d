"""The queue on SQLite beyond what every queue promises: files, processes, groups and failures."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from dirigent.domain.errors import InvalidInput, StorageFailure
from dirigent.domain.job import DEAD, HELD
from dirigent.storage.sqlite.queue import SqliteQueue
from dirigent.testing.frozen_clock import FrozenClock

TOPIC = "runs.lead"
CALLERS = 20
JOBS = 20

TAKER = """
import sys
from pathlib import Path
from dirigent.runtimes.clock import SystemClock
from dirigent.storage.sqlite.queue import SqliteQueue
queue = SqliteQueue(Path(sys.argv[1]), SystemClock())
job = queue.dequeue("runs.lead", 60)
print(job.job_id, flush=True)
sys.stdin.readline()
while job is not None:
    queue.ack(job.job_id, job.receipt)
    if (job := queue.dequeue("runs.lead", 60)) is not None:
        print(job.job_id, flush=True)
"""


def test_what_was_acknowledged_is_there_after_reopening(tmp_path: Path) -> None:
    """Everything a job is, its holder's receipt included, survives the process."""
    clock = FrozenClock()
    with closing(SqliteQueue(tmp_path / "q" / "queue.db", clock)) as queue:
        queue.enqueue(TOPIC, {"job_id": "a", "priority": 8})
        queue.enqueue(TOPIC, {"job_id": "b"})
        held = queue.dequeue(TOPIC, 30)
        assert held is not None
        queue.bury("a", receipt=held.receipt, error="hopeless")
        held = queue.dequeue(TOPIC, 30)
        assert held is not None
        before = queue.jobs()
    with closing(SqliteQueue(tmp_path / "q" / "queue.db", clock)) as queue:
        assert queue.jobs() == before
        assert [job.state for job in before] == [DEAD, HELD]
        queue.ack("b", held.receipt)


def test_it_writes_through_to_the_disk(tmp_path: Path) -> None:
    """WAL with every commit synced, as the journal; the file says which form it has."""
    path = tmp_path / "queue.db"
    queue = SqliteQueue(path, FrozenClock())
    connection = queue._group._connection
    assert (connection.pragma("journal_mode"), connection.pragma("synchronous")) == ("wal", 2)
    assert connection.pragma("user_version") == 1
    queue.close()
    queue.close()


def test_callers_that_arrive_together_share_a_commit(tmp_path: Path) -> None:
    """Twenty threads while another process writes: they all wait, and go out in two commits."""
    path = tmp_path / "queue.db"
    with closing(SqliteQueue(path, FrozenClock())) as queue, closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")
        gate = threading.Barrier(CALLERS + 1)

        def hand_in(number: int) -> None:
            gate.wait(30)
            queue.enqueue(TOPIC, {"job_id": f"j{number}"})

        callers = [threading.Thread(target=hand_in, args=(number,)) for number in range(CALLERS)]
        for caller in callers:
            caller.start()
        gate.wait(30)
        while queue._group.waiting < CALLERS - 1:
            threading.Event().wait(0.001)
        other.execute("ROLLBACK")
        for caller in callers:
            caller.join(30)
        assert queue.commits == 2
        assert queue.counts()[0].ready == CALLERS


def test_a_refusal_takes_nobody_else_along(tmp_path: Path) -> None:
    """A wrong receipt in the middle of a group is that caller's error; the others are stored."""
    with closing(SqliteQueue(tmp_path / "queue.db", FrozenClock())) as queue:
        queue.enqueue(TOPIC, {"job_id": "a"})
        job = queue.dequeue(TOPIC)
        assert job is not None
        outcomes: Counter[str] = Counter()
        gate = threading.Barrier(CALLERS)

        def settle(number: int) -> None:
            gate.wait(30)
            try:
                if number % 2:
                    queue.enqueue(TOPIC, {"job_id": f"j{number}"})
                else:
                    queue.ack("a", job.receipt if number == 0 else "wrong")
            except Exception as error:
                outcomes[type(error).__name__] += 1
            else:
                outcomes["done"] += 1

        callers = [threading.Thread(target=settle, args=(number,)) for number in range(CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(30)
        assert outcomes == {"done": CALLERS // 2 + 1, "StaleReceipt": CALLERS // 2 - 1}
        assert (queue.counts()[0].ready, queue.counts()[0].done) == (CALLERS // 2, 1)


def test_two_processes_share_one_queue(tmp_path: Path) -> None:
    """Twenty jobs, two workers in processes of their own: both ran some, each job was handed out once."""
    path = tmp_path / "queue.db"
    with closing(SqliteQueue(path, FrozenClock())) as queue:
        for number in range(JOBS):
            queue.enqueue(TOPIC, {"job_id": f"j{number:02}"})
        workers = [_taker(path) for _ in range(2)]
        first = [worker.stdout.readline() for worker in workers if worker.stdout is not None]
        assert sorted(first) == ["j00\n", "j01\n"]
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go on\n")
            worker.stdin.flush()
        rest = [worker.communicate(timeout=60)[0] for worker in workers]
        assert [worker.returncode for worker in workers] == [0, 0]
        assert Counter("".join(first + rest).split()) == {f"j{number:02}": 1 for number in range(JOBS)}
        assert queue.counts()[0].done == JOBS


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """Before anything is written to it."""
    path = tmp_path / "queue.db"
    SqliteQueue(path, FrozenClock()).close()
    with closing(apsw.Connection(str(path))) as connection:
        connection.pragma("user_version", 2)
    with pytest.raises(StorageFailure, match="newer Dirigent"):
        SqliteQueue(path, FrozenClock())


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    """The path stands in the message, and what to do."""
    path = tmp_path / "queue.db"
    path.write_text("not a database, but long enough to be looked at as one" * 100)
    with pytest.raises(StorageFailure, match=r"queue\.db is damaged"):
        SqliteQueue(path, FrozenClock())


def test_after_an_error_of_the_disk_nothing_is_acknowledged(tmp_path: Path) -> None:
    """The database breaks under the queue: every further call says so, until it is opened anew."""
    path = tmp_path / "queue.db"
    with closing(SqliteQueue(path, FrozenClock())) as queue:
        queue.enqueue(TOPIC, {"job_id": "a"})
        with closing(apsw.Connection(str(path))) as other:
            other.execute("DROP TABLE jobs")
        for _ in range(2):
            with pytest.raises(StorageFailure):
                queue.enqueue(TOPIC, {"job_id": "b"})


def test_a_caller_with_a_bad_order_harms_nobody(tmp_path: Path) -> None:
    """What cannot be stored is refused before it reaches the file."""
    with closing(SqliteQueue(tmp_path / "queue.db", FrozenClock())) as queue:
        with pytest.raises(InvalidInput):
            queue.enqueue(TOPIC, {"what": object()})
        assert queue.enqueue(TOPIC, {"job_id": "a"}) == "a"


def test_messages_lie_in_the_file_until_they_are_done(tmp_path: Path) -> None:
    """What a job said is not kept after its end."""
    path = tmp_path / "queue.db"
    with closing(SqliteQueue(path, FrozenClock())) as queue, closing(apsw.Connection(str(path))) as other:
        queue.enqueue(TOPIC, {"job_id": "a", "who": "ann@example.org"})
        assert b"ann@example.org" in other.execute("SELECT message FROM jobs").get
        queue.dequeue(TOPIC)
        queue.ack("a")
        assert other.execute("SELECT message FROM jobs").fetchall() == [(b"{}",)]


def _taker(path: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", TAKER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
