"""Every queue passes the whole suite."""

from __future__ import annotations

from pathlib import Path

import yaml

from dirigent.ports.queueing import QueueInterface
from dirigent.storage.in_memory.queue import InMemoryQueue
from dirigent.storage.sqlite.queue import SqliteQueue
from dirigent.testing.frozen_clock import FrozenClock
from dirigent.testing.queue_conformance import QueueConformance
from dirigent.testing.queue_walk import Queue
from tests.crash import test_queue_crash

EXAMPLE = Path(__file__).parent.parent / "fixtures" / "examples" / "004-05-queue-contract.yaml"
# The printed cases by how they begin, and the tests of the suite that hold them.
COVERED = {
    "a dequeued job is invisible": "test_a_held_job_is_invisible_until_its_time_is_over",
    "ack after the timeout": "test_a_late_ack_is_stale_once_another_has_the_job",
    "two workers never hold": "test_two_never_hold_one_job",
    "transient error": "test_a_worker_tries_again_after_a_wait",
    "third failure": "test_after_the_last_attempt_a_job_is_dead",
    "priority 8 before priority 5": "test_priority_then_first_in_first_out",
}
# Durable backends: what a killed process held. It needs a process to kill.
KILLED = "process killed in the middle"


def test_every_printed_case_is_in_the_suite() -> None:
    """No case of the contract is left out, and the methods are the printed ones."""
    contract = yaml.safe_load(EXAMPLE.read_text())
    cases = [case for case in contract["cases"] if not case.startswith(KILLED)]
    assert len(cases) == len(COVERED) == len(contract["cases"]) - 1
    for case, (beginning, test) in zip(cases, COVERED.items(), strict=True):
        assert case.startswith(beginning)
        assert hasattr(QueueConformance, test)
    assert hasattr(test_queue_crash, "test_a_job_of_a_killed_worker_comes_back_after_its_time")
    for method in contract["QueueInterface"]:
        assert hasattr(QueueInterface, method.partition("(")[0])


class TestInMemoryQueue(QueueConformance):
    """For one process."""

    def make_queue(self, folder: Path, clock: FrozenClock, *, limit: int = 100_000) -> Queue:
        return InMemoryQueue(clock, limit=limit)


class TestSqliteQueue(QueueConformance):
    """For the processes of one machine, durable."""

    def make_queue(self, folder: Path, clock: FrozenClock, *, limit: int = 100_000) -> Queue:
        return SqliteQueue(folder / "queue.db", clock, limit=limit)
