"""A queue and the model of a queue, taken through the same steps, with every difference told."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from dirigent.domain.errors import DirigentError
from dirigent.domain.job import DELAYED, HELD, READY
from dirigent.ports.queueing import QueueBooks, QueueInterface
from dirigent.testing.frozen_clock import FrozenClock
from dirigent.testing.queue_model import QueueModel


@runtime_checkable
class Queue(QueueInterface, QueueBooks, Protocol):
    """Both faces of a queue, and how it is closed."""

    def close(self) -> None:
        """Release what it holds."""
        ...


class Walk:
    """A queue and the model of a queue, taken through the same steps."""

    def __init__(self, queue: Queue, clock: FrozenClock) -> None:
        self.queue = queue
        self.clock = clock
        self.model = QueueModel(now=clock.now_ms())
        self.receipts: list[tuple[str, str, int]] = []
        self.told: list[str] = []

    def enqueue(
        self, topic: str, name: str, priority: int, attempts: int, delay: float, body: int = 0
    ) -> None:
        """Hand in a job."""
        message = {"job_id": name, "priority": priority, "max_attempts": attempts, "body": body}
        self._both(
            f"enqueue {topic} {message} delay {delay}",
            lambda: self.queue.enqueue(topic, message, delay=delay),
            lambda: self.model.enqueue(topic, name, priority, attempts, round(delay * 1000), body),
        )

    def dequeue(self, topic: str, seconds: float) -> None:
        """Take the next job, and keep its receipt."""
        job = self.queue.dequeue(topic, seconds)
        expected = self.model.dequeue(topic, round(seconds * 1000))
        self.told.append(f"dequeue {topic}: {job and job.job_id}")
        assert (job and job.job_id) == (expected and expected.job_id), "another job than the model's"
        if job is not None and expected is not None:
            assert (job.attempts, job.visible_at) == (expected.attempts, expected.visible_at)
            self.receipts.append((job.job_id, job.receipt, expected.receipt))

    def settle(self, how: str, which: int, seconds: float, *, alone: bool) -> None:
        """Use one of the receipts handed out so far, or its job's id alone."""
        if not self.receipts:
            return
        name, receipt, number = self.receipts[which % len(self.receipts)]
        told, held = ("", None) if alone else (receipt, number)
        span = round(seconds * 1000)
        queue, model = self.queue, self.model
        pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "ack": (lambda: queue.ack(name, told), lambda: model.ack(name, held)),
            "release": (
                lambda: queue.release(name, told, delay=seconds),
                lambda: model.release(name, span, held),
            ),
            "bury": (lambda: queue.bury(name, receipt=told), lambda: model.bury(name, held)),
            "requeue": (
                lambda: queue.requeue(name, seconds, receipt=told),
                lambda: model.requeue(name, span, held),
            ),
            "extend": (
                lambda: queue.extend(name, seconds or 1, told),
                lambda: model.extend(name, span or 1000, held),
            ),
        }
        self._both(f"{how} {name} {'' if alone else receipt} {seconds}", *pairs[how])

    def replay(self, name: str) -> None:
        """Take a job back from the dead."""
        self._both(f"replay {name}", lambda: self.queue.replay(name), lambda: self.model.replay(name))

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.told.append(f"wait {seconds}")
        self.clock.move(round(seconds * 1000))
        self.model.now = self.clock.now_ms()

    def compare(self) -> None:
        """The books agree: no job is lost, none is there twice, each stands as the model says."""
        books = [
            (job.job_id, job.state, job.attempts, job.visible_at, job.replays)
            for job in self.queue.jobs(limit=10_000)
        ]
        assert books == self.model.books(), "the books differ from the model's"
        open_jobs = sum(count.open for count in self.queue.counts())
        assert open_jobs == sum(state in (READY, DELAYED, HELD) for _, state, *_ in books)

    def _both(self, what: str, real: Callable[[], object], model: Callable[[], object]) -> None:
        outcomes = [_outcome(real), _outcome(model)]
        self.told.append(f"{what}: {outcomes[0] or 'done'}")
        assert outcomes[0] == outcomes[1], f"the model says {outcomes[1] or 'done'}"


def _outcome(step: Callable[[], object]) -> str:
    try:
        step()
    except DirigentError as error:
        return type(error).__name__
    return ""


def _enqueue(chance: random.Random, walk: Walk) -> None:
    walk.enqueue(
        chance.choice(("runs.a", "runs.b")),
        f"j{chance.randrange(25)}",
        chance.choice((0, 5, 5, 5, 8)),
        chance.choice((1, 2, 3)),
        chance.choice((0, 0, 0, 5)),
    )


def _dequeue(chance: random.Random, walk: Walk) -> None:
    walk.dequeue(chance.choice(("runs.a", "runs.b")), chance.choice((1, 10, 30)))


def _settle(chance: random.Random, walk: Walk) -> None:
    how = chance.choice(("ack", "ack", "requeue", "requeue", "release", "extend", "bury"))
    which = -1 - chance.randrange(6)
    walk.settle(how, which, chance.choice((0, 0.5, 5)), alone=chance.random() < 0.3)


def _wait(chance: random.Random, walk: Walk) -> None:
    walk.wait(chance.choice((0.001, 1, 5, 40)))


def _replay(chance: random.Random, walk: Walk) -> None:
    walk.replay(f"j{chance.randrange(25)}")


STEPS: tuple[Callable[[random.Random, Walk], None], ...] = (
    _enqueue,
    _enqueue,
    _dequeue,
    _dequeue,
    _settle,
    _settle,
    _settle,
    _wait,
    _replay,
)
