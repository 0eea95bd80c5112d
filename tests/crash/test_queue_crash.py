"""kill -9 on a queue's users: what was acknowledged is there, what was held comes back."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from dirigent.domain.job import DONE, HELD, READY
from dirigent.storage.sqlite.queue import SqliteQueue
from dirigent.testing.frozen_clock import FrozenClock
from tests.crash.queue_worker import TOPIC

KILLS_MIN, KILLS_MAX = 12, 100
WORKER = Path(__file__).parent / "queue_worker.py"


def _killed(path: Path, run: int, lines: int) -> list[list[str]]:
    """Run the worker, kill it in the middle, and return what it had said until then."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, str(WORKER), str(path), f"r{run}"], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(1 + lines)]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.readlines()
    process.wait()
    return [line.decode().split() for line in said if line.endswith(b"\n")]


def test_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Jobs handed in are in the books, jobs done stay done, and jobs held come back after their time."""
    path, chance = tmp_path / "queue.db", random.Random(20241126)
    clock = FrozenClock(int(time.time() * 1000))
    with closing(SqliteQueue(path, clock)) as queue:
        said, kills = [], 0
        while kills < KILLS_MIN or not queue.jobs(HELD):
            assert kills < KILLS_MAX, "no kill hit a job between its hand-out and its ack"
            said += _killed(path, kills, chance.randrange(5, 60))
            kills += 1
        handed_in = {line[1] for line in said if line[0] == "in"}
        done = {line[1] for line in said if line[0] == "done"}
        books = {job.job_id: job for job in queue.jobs(limit=100_000)}
        assert handed_in <= books.keys()
        assert len(books) <= len(handed_in) + kills, "at most one hand-in a kill was not acknowledged in time"
        assert {books[name].state for name in done} == {DONE}
        held = {name for name, job in books.items() if job.state == HELD}
        clock.move_to(max(books[name].visible_at for name in held))
        back = {job.job_id: job for job in queue.jobs(limit=100_000)}
        assert {(back[name].state, back[name].attempts) for name in held} == {(READY, 1)}
        taken = []
        while (job := queue.dequeue(TOPIC, 60)) is not None:
            taken.append(job.job_id)
    assert sorted(taken) == sorted(name for name, job in books.items() if job.state != DONE)


def test_a_job_of_a_killed_worker_comes_back_after_its_time(tmp_path: Path) -> None:
    """Not a moment before: until then another worker finds nothing."""
    path = tmp_path / "queue.db"
    clock = FrozenClock(int(time.time() * 1000))
    with closing(SqliteQueue(path, clock)) as queue:
        queue.enqueue(TOPIC, {"job_id": "a"})
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert process.stdout is not None
        until = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        clock.move_to(until - 1)
        assert queue.dequeue(TOPIC) is None
        clock.move_to(until)
        job = queue.dequeue(TOPIC)
    assert job is not None
    assert (job.job_id, job.attempts) == ("a", 1)


HOLDER = """
import sys, time
from pathlib import Path
from dirigent.runtimes.clock import SystemClock
from dirigent.storage.sqlite.queue import SqliteQueue
job = SqliteQueue(Path(sys.argv[1]), SystemClock()).dequeue("runs.lead", 30)
print(job.visible_at, flush=True)
time.sleep(600)
"""
