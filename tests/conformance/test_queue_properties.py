"""Queues against the model of a queue, in sequences of steps that hypothesis thinks up and shortens."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dirigent.storage.in_memory.queue import InMemoryQueue
from dirigent.storage.sqlite.queue import SqliteQueue
from dirigent.testing.frozen_clock import FrozenClock
from dirigent.testing.queue_walk import Queue, Walk

TOPICS = st.sampled_from(["runs.a", "runs.b"])
NAMES = st.sampled_from([f"j{number}" for number in range(6)])
SECONDS = st.sampled_from([0.0, 0.001, 1.0, 5.0, 30.0])


class QueueMachine(RuleBasedStateMachine):
    """No job is lost, none is held twice, the order is the promised one."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FrozenClock()
        self.folder = Path(tempfile.mkdtemp(prefix="queue-"))
        self.walk = Walk(self.made(), self.clock)

    def made(self) -> Queue:
        return InMemoryQueue(self.clock)

    def teardown(self) -> None:
        self.walk.queue.close()
        shutil.rmtree(self.folder)

    @rule(
        topic=TOPICS,
        name=NAMES,
        priority=st.sampled_from([0, 5, 9]),
        attempts=st.integers(1, 3),
        delay=SECONDS,
    )
    def enqueue(self, topic: str, name: str, priority: int, attempts: int, delay: float) -> None:
        self.walk.enqueue(topic, name, priority, attempts, delay)

    @rule(topic=TOPICS, seconds=SECONDS.filter(bool))
    def dequeue(self, topic: str, seconds: float) -> None:
        self.walk.dequeue(topic, seconds)

    @rule(
        how=st.sampled_from(["ack", "requeue", "release", "extend", "bury"]),
        which=st.integers(-5, -1),
        seconds=SECONDS,
        alone=st.booleans(),
    )
    def settle(self, how: str, which: int, seconds: float, alone: bool) -> None:
        self.walk.settle(how, which, seconds, alone=alone)

    @rule(name=NAMES)
    def replay(self, name: str) -> None:
        self.walk.replay(name)

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.walk.wait(seconds)

    @invariant()
    def the_books_agree(self) -> None:
        self.walk.compare()


class SqliteQueueMachine(QueueMachine):
    """The same on SQLite, with the file closed and opened anew now and then."""

    def made(self) -> Queue:
        return SqliteQueue(self.folder / "queue.db", self.clock)

    @rule()
    def open_anew(self) -> None:
        self.walk.queue.close()
        self.walk.queue = self.made()


QueueMachine.TestCase.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, derandomize=True, database=None
)
SqliteQueueMachine.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

TestQueueInMemory = QueueMachine.TestCase
TestQueueOnSqlite = SqliteQueueMachine.TestCase
