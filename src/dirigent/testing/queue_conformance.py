"""What every queue has to pass. Subclass, say how the queue is made, and run pytest.

Tests are synchronous, as a queue is. None sleeps: time is a clock that the tests move.
"""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from dirigent.domain.errors import Conflict, InvalidInput, NotFound, QueueFull, StaleReceipt
from dirigent.domain.job import DEAD, DELAYED, DONE, HELD, READY, JobFailure, QueuedJob
from dirigent.domain.run import RunRecord
from dirigent.execution.registry import Registry
from dirigent.execution.worker import Worker
from dirigent.ports.queueing import QueueBooks, QueueInterface
from dirigent.testing.expecting import raises
from dirigent.testing.frozen_clock import FrozenClock
from dirigent.testing.queue_walk import STEPS, Queue, Walk

TOPIC = "runs.lead"
WALKS = 20
WALK_STEPS = 120
THREADS = 8
JOBS_PER_THREAD = 15


class QueueConformance(ABC):
    """The promises of `QueueInterface` and `QueueBooks`."""

    @abstractmethod
    def make_queue(self, folder: Path, clock: FrozenClock, *, limit: int = 100_000) -> Queue:
        """An empty queue, or for a durable backend the one that lies in the folder."""

    def test_it_has_both_faces(self, tmp_path: Path) -> None:
        """The backend is what the protocols say, by name."""
        with closing(self.make_queue(tmp_path, FrozenClock())) as queue:
            assert isinstance(queue, QueueInterface)
            assert isinstance(queue, QueueBooks)

    def test_what_goes_in_comes_out(self, tmp_path: Path) -> None:
        """A message comes back as it was, with its standing, and other topics see nothing of it."""
        clock = FrozenClock()
        with closing(self.make_queue(tmp_path, clock)) as queue:
            message = {"job_id": "a", "priority": 7, "payload": {"deep": [1, None, "ü"]}}
            assert queue.enqueue(TOPIC, message) == "a"
            assert queue.dequeue("runs.other") is None
            job = _taken(queue, 60)
        assert (job.job_id, job.topic, job.message, job.priority) == ("a", TOPIC, message, 7)
        assert (job.attempts, job.attempt, job.max_attempts, job.state) == (0, 1, 3, HELD)
        assert (job.enqueued_at, job.visible_at) == (clock.now_ms(), clock.now_ms() + 60_000)
        assert job.receipt

    def test_ids_are_made_where_none_is_given(self, tmp_path: Path) -> None:
        """Two messages without an id are two jobs."""
        with closing(self.make_queue(tmp_path, FrozenClock())) as queue:
            names = {queue.enqueue(TOPIC, {"n": 1}), queue.enqueue(TOPIC, {"n": 1})}
            assert {_taken(queue).job_id, _taken(queue).job_id} == names
            assert len(names) == 2

    def test_a_held_job_is_invisible_until_its_time_is_over(self, tmp_path: Path) -> None:
        """Not a millisecond before the visibility timeout, and then again, with the attempt counted."""
        clock = FrozenClock()
        with closing(self.make_queue(tmp_path, clock)) as queue:
            queue.enqueue(TOPIC, {"job_id": "a"})
            first = _taken(queue, 30)
            assert queue.dequeue(TOPIC) is None
            clock.move(29_999)
            assert queue.dequeue(TOPIC) is None
            clock.move(1)
            second = _taken(queue, 30)
        assert (second.job_id, second.attempts) == ("a", 1)
        assert second.receipt != first.receipt
        assert [failure.attempt for failure in second.failures] == [1]

    def test_a_late_ack_is_stale_once_another_has_the_job(self, tmp_path: Path) -> None:
        """Whoever fell silent has no say any more: not to ack, requeue, release, extend or bury."""
        clock = FrozenClock()
        with closing(self.make_queue(tmp_path, clock)) as queue:
            queue.enqueue(TOPIC, {"job_id": "a"})
            late = _taken(queue, 30)
            clock.move(30_000)
            holder = _taken(queue, 30)
            for settle in _every_settlement(queue, late):
                with raises(StaleReceipt):
                    settle()
            assert queue.job("a").state == HELD
            queue.ack("a", holder.receipt)
            assert queue.job("a").state == DONE

    def test_a_late_ack_counts_while_nobody_else_has_the_job(self, tmp_path: Path) -> None:
        """The work is done, and doing it twice would help nobody; but time cannot be bought back."""
        clock = FrozenClock()
        with closing(self.make_queue(tmp_path, clock)) as queue:
            queue.enqueue(TOPIC, {"job_id": "a"})
            late = _taken(queue, 30)
            clock.move(31_000)
            assert queue.job("a").state == READY
            with raises(StaleReceipt):
                queue.extend("a", 30, late.receipt)
            queue.ack("a", late.receipt)
            assert queue.dequeue(TOPIC) is None

    def test_an_id_alone_will_do_where_there_is_no_doubt(self, tmp_path: Path) -> None:
        """One holder and no lapse: the id says it. After a lapse there may be two, and it does not."""
        clock = FrozenClock()
        with closing(self.make_queue(tmp_path, clock)) as queue:
            queue.enqueue(TOPIC, {"job_id": "a"})
            queue.enqueue(TOPIC, {"job_id": "b"})
            _taken(queue)
            queue.requeue("a")
            _taken(queue)
            queue.ack("a")
            _taken(queue, 30)
            clock.move(30_000)
            holder = _taken(queue, 30)
            with raises(StaleReceipt):
                queue.ack("b")
            queue.ack("b", holder.receipt)

    def test_ack_removes(self, tmp_path: Path) -> None:
        """What is done is never handed out again, and cannot be settled twice."""
        clock = FrozenClock()
        with closing(self.make_queue(tmp_path, clock)) as queue:
            queue.enqueue(TOPIC, {"job_id": "a", "secret": "x"})
            job = _taken(queue)
            queue.ack("a", job.receipt)
            clock.move(10**8)
            assert queue.dequeue(TOPIC) is None
            for settle in _every_settlement(queue, job):
                with raises(StaleReceipt):
                    settle()
            assert (queue.job("a").state, queue.job("a").message) == (DONE, {})

    def test_requeue_counts_and_waits(self, tmp_path: Path) -> None:
        """One more attempt after the delay, with the failure on record; at once without a delay."""
        clock = FrozenClock()
        with closing(self.make_queue(tmp_path, clock)) as queue:
            queue.enqueue(TOPIC, {"job_id": "a"})
            job = _taken(queue)
            told = queue.requeue("a", 5, receipt=job.receipt, error="ConnectionError", trace_id="trace_1")
            assert (told.state, told.attempts) == (DELAYED, 1)
            failure = JobFailure(attempt=1, at=clock.now_ms(), error="ConnectionError", trace_id="trace_1")
            assert told.failures == (failure,)
            clock.move(4_999)
            assert queue.dequeue(TOPIC) is None
            clock.move(1)
            again = _taken(queue)
            assert (again.attempts, again.attempt) == (1, 2)
            assert queue.requeue("a", receipt=again.receipt).state == READY
            assert _taken(queue).attempts == 2

    def test_after_the_last_attempt_a_job_is_dead(self, tmp_path: Path) -> None:
        """The third failure of three: out of the line, in the books with all its failures."""
        with closing(self.make_queue(tmp_path, FrozenClock())) as queue:
            queue.enqueue(TOPIC, {"job_id": "a", "payload": 1})
            told = [
                queue.requeue("a", receipt=_taken(queue).receipt, error="no line", trace_id=f"trace_{number}")
                for number in (1, 2, 3)
            ]
            assert queue.dequeue(TOPIC) is None
            (dead,) = queue.jobs(DEAD)
        assert ([job.state for job in told], told[-1]) == ([READY, READY, DEAD], dead)
        assert (dead.attempts, dead.message["payload"]) == (3, 1)
        assert [failure.trace_id for failure in dead.failures] == ["trace_1", "trace_2", "trace_3"]

    def test_silence_too_is_a_failure(self, tmp_path: Path) -> None:
        """A job that ends its worker three times is dead, not handed out for ever."""
        clock = FrozenClock()
        with closing(self.make_queue(tmp_path, clock)) as queue:
            queue.enqueue(TOPIC, {"job_id": "a"})
            for _ in range(3):
                _taken(queue, 30)
                clock.move(30_000)
            assert queue.dequeue(TOPIC) is None
            assert (queue.job("a").state, queue.counts()[0].dead) == (DEAD, 1)

    def test_bury_and_replay(self, tmp_path: Path) -> None:
        """A hopeless job is dead at once; replayed, it stands at the end of its line with all attempts."""
        with closing(self.make_queue(tmp_path, FrozenClock())) as queue:
            queue.enqueue(TOPIC, {"job_id": "a"})
            dead = queue.bury("a", receipt=_taken(queue).receipt, error="wrong input", trace_id="t")
            assert (dead.state, dead.attempts, dead.failures[0].error) == (DEAD, 1, "wrong input")
            queue.enqueue(TOPIC, {"job_id": "b"})
            back = queue.replay("a")
            assert (back.state, back.attempts, back.replays) == (READY, 0, 1)
            with raises(Conflict):
                queue.replay("a")
            assert [_taken(queue).job_id, _taken(queue).job_id] == ["b", "a"]

    def test_release_counts_nothing(self, tmp_path: Path) -> None:
        """Given back, a job is there at once in its old place, with no attempt used up."""
        with closing(self.make_queue(tmp_path, FrozenClock())) as queue:
            queue.enqueue(TOPIC, {"job_id": "a"})
            queue.enqueue(TOPIC, {"job_id": "b"})
            job = _taken(queue)
            queue.release("a", job.receipt)
            again = _taken(queue)
            assert (again.job_id, again.attempts, again.failures) == ("a", 0, ())
            with raises(StaleReceipt):
                queue.ack("a", job.receipt)

    def test_release_can_wait(self, tmp_path: Path) -> None:
        """Given back for later, a job is not there before its time, and no attempt is used up either."""
        clock = FrozenClock()
        with closing(self.make_queue(tmp_path, clock)) as queue:
            queue.enqueue(TOPIC, {"job_id": "a"})
            queue.release("a", _taken(queue).receipt, delay=7)
            clock.move(6_999)
            assert queue.dequeue(TOPIC) is None
            clock.move(1)
            assert _taken(queue).attempts == 0

    def test_extend_holds_for_longer(self, tmp_path: Path) -> None:
        """A heartbeat: the time counts anew from now."""
        clock = FrozenClock()
        with closing(self.make_queue(tmp_path, clock)) as queue:
            queue.enqueue(TOPIC, {"job_id": "a"})
            job = _taken(queue, 30)
            for _ in range(10):
                clock.move(20_000)
                queue.extend("a", 30, job.receipt)
            clock.move(29_999)
            assert queue.dequeue(TOPIC) is None
            clock.move(1)
            assert _taken(queue).attempts == 1

    def test_priority_then_first_in_first_out(self, tmp_path: Path) -> None:
        """Eight before five, and within one priority the order of arrival."""
        with closing(self.make_queue(tmp_path, FrozenClock())) as queue:
            for name, priority in (("a", 5), ("b", 8), ("c", 5), ("d", 8), ("e", 0), ("f", 9)):
                queue.enqueue(TOPIC, {"job_id": name, "priority": priority})
            assert [_taken(queue).job_id for _ in range(6)] == ["f", "b", "d", "a", "c", "e"]

    def test_a_delayed_job_is_not_early(self, tmp_path: Path) -> None:
        """Not before its time, then in the place of its arrival."""
        clock = FrozenClock()
        with closing(self.make_queue(tmp_path, clock)) as queue:
            queue.enqueue(TOPIC, {"job_id": "late"}, delay=10)
            queue.enqueue(TOPIC, {"job_id": "now"})
            assert [count.delayed for count in queue.counts()] == [1]
            clock.move(9_999)
            assert [_taken(queue).job_id, queue.dequeue(TOPIC)] == ["now", None]
            clock.move(1)
            assert [count.ready for count in queue.counts()] == [1]
            assert _taken(queue).job_id == "late"

    def test_the_same_order_twice_is_one_job(self, tmp_path: Path) -> None:
        """By its id, while it waits, is held and is done; another message under the id is refused."""
        with closing(self.make_queue(tmp_path, FrozenClock())) as queue:
            order = {"job_id": "a", "payload": {"n": 1}, "attempts": 0, "enqueued_at": "2024-11-26T14:30:00Z"}
            again = {**order, "attempts": 2, "enqueued_at": "2024-11-26T14:31:00Z"}
            for step in (lambda: None, lambda: _taken(queue), lambda: queue.ack("a")):
                step()
                assert queue.enqueue(TOPIC, order) == queue.enqueue(TOPIC, again) == "a"
                with raises(Conflict):
                    queue.enqueue(TOPIC, {**order, "payload": {"n": 2}})
                with raises(Conflict):
                    queue.enqueue("runs.other", order)
            assert queue.dequeue(TOPIC) is None
            assert len(queue.jobs()) == 1

    def test_a_full_topic_takes_in_no_more(self, tmp_path: Path) -> None:
        """The refusal says so and nothing is stored; what is held counts, what has ended does not."""
        with closing(self.make_queue(tmp_path, FrozenClock(), limit=2)) as queue:
            queue.enqueue(TOPIC, {"job_id": "a"})
            queue.enqueue(TOPIC, {"job_id": "b"}, delay=10)
            held = _taken(queue)
            with raises(QueueFull) as caught:
                queue.enqueue(TOPIC, {"job_id": "c"})
            assert "2 open jobs" in str(caught.error)
            assert queue.enqueue(TOPIC, {"job_id": "a"}) == "a"
            assert queue.enqueue("runs.other", {"job_id": "d"}) == "d"
            queue.ack("a", held.receipt)
            assert queue.enqueue(TOPIC, {"job_id": "c"}) == "c"

    def test_what_cannot_be_a_job_is_refused(self, tmp_path: Path) -> None:
        """With the field at fault; and nothing of it is stored."""
        wrong: list[tuple[str, Any, str, Any]] = [
            ("", {}, "topic", 0),
            (TOPIC, ["no mapping"], "message", 0),
            (TOPIC, {"big": "x" * 300_000}, "message", 0),
            (TOPIC, {"job_id": "\ud800"}, "", 0),
            (TOPIC, {"job_id": "x" * 201}, "job_id", 0),
            (TOPIC, {"priority": 10}, "priority", 0),
            (TOPIC, {"priority": "high"}, "priority", 0),
            (TOPIC, {"max_attempts": 0}, "max_attempts", 0),
            (TOPIC, {}, "delay", -1),
            (TOPIC, {}, "delay", float("nan")),
        ]
        with closing(self.make_queue(tmp_path, FrozenClock())) as queue:
            for topic, message, field, delay in wrong:
                with raises(InvalidInput) as caught:
                    queue.enqueue(topic, message, delay=delay)
                assert isinstance(caught.error, InvalidInput)
                assert caught.error.field == field
            with raises(InvalidInput):
                queue.dequeue(TOPIC, 0)
            assert (queue.jobs(), queue.counts()) == ([], [])

    def test_the_books_count_and_list(self, tmp_path: Path) -> None:
        """Every state by topic, and the jobs of one state or topic, as they came."""
        clock = FrozenClock()
        with closing(self.make_queue(tmp_path, clock)) as queue:
            for name in ("done", "dead", "held"):
                queue.enqueue(TOPIC, {"job_id": name})
                job = _taken(queue)
                if name == "done":
                    queue.ack(name, job.receipt)
                elif name == "dead":
                    queue.bury(name, receipt=job.receipt)
            came = clock.now_ms()
            queue.enqueue(TOPIC, {"job_id": "ready"})
            clock.move(1000)
            queue.enqueue(TOPIC, {"job_id": "ready2"})
            queue.enqueue(TOPIC, {"job_id": "delayed"}, delay=60)
            queue.enqueue("runs.other", {"job_id": "other"})
            other, lead = sorted(queue.counts(), key=lambda count: count.topic == TOPIC)
            assert (other.topic, other.ready, other.open) == ("runs.other", 1, 1)
            assert (lead.ready, lead.delayed, lead.held, lead.dead, lead.done) == (2, 1, 1, 1, 1)
            assert (lead.open, lead.oldest_at) == (4, came)
            assert [job.job_id for job in queue.jobs(READY, topic=TOPIC)] == ["ready", "ready2"]
            assert [job.job_id for job in queue.jobs(topic=TOPIC, limit=3)] == ["done", "dead", "held"]
            assert all(job.receipt == "" for job in queue.jobs())
            with raises(InvalidInput):
                queue.jobs("lost")

    def test_unknown_jobs_are_named(self, tmp_path: Path) -> None:
        """Nothing can be done with what is not there."""
        with closing(self.make_queue(tmp_path, FrozenClock())) as queue:
            for call in (queue.ack, queue.requeue, queue.release, queue.bury, queue.replay, queue.job):
                with raises(NotFound) as caught:
                    call("nobody")
                assert "'nobody'" in str(caught.error)

    def test_purge_forgets_what_has_ended(self, tmp_path: Path) -> None:
        """Done or dead jobs of an age; never one that is open. A purged id can be used anew."""
        clock = FrozenClock()
        with closing(self.make_queue(tmp_path, clock)) as queue:
            for name in ("old", "new"):
                queue.enqueue(TOPIC, {"job_id": name})
                queue.ack(name, _taken(queue).receipt)
                clock.move(60_000)
            queue.enqueue(TOPIC, {"job_id": "dead"})
            queue.bury("dead", receipt=_taken(queue).receipt)
            queue.enqueue(TOPIC, {"job_id": "open"})
            assert queue.purge(older_than=61) == 1
            assert [job.job_id for job in queue.jobs()] == ["new", "dead", "open"]
            assert (queue.purge(), queue.purge("dead"), queue.purge()) == (1, 1, 0)
            for state in (READY, HELD, DELAYED, "", "all"):
                with raises(InvalidInput):
                    queue.purge(state)
            assert queue.enqueue(TOPIC, {"job_id": "old", "payload": "another"}) == "old"

    def test_done_jobs_are_forgotten_by_themselves(self, tmp_path: Path) -> None:
        """A day later, so that the books of a busy queue do not grow for ever; the dead stay."""
        clock = FrozenClock()
        with closing(self.make_queue(tmp_path, clock)) as queue:
            queue.enqueue(TOPIC, {"job_id": "a"})
            queue.ack("a", _taken(queue).receipt)
            queue.enqueue(TOPIC, {"job_id": "b"})
            queue.bury("b", receipt=_taken(queue).receipt)
            clock.move(24 * 3600 * 1000)
            queue.enqueue(TOPIC, {"job_id": "c"})
            assert [job.job_id for job in queue.jobs()] == ["b", "c"]

    def test_two_never_hold_one_job(self, tmp_path: Path) -> None:
        """Eight threads hand in and take out at once: every job is handed out once, none is left."""
        with closing(self.make_queue(tmp_path, FrozenClock())) as queue:
            taken: Counter[str] = Counter()
            failures: list[BaseException] = []
            gate = threading.Barrier(THREADS)

            def work(number: int) -> None:
                try:
                    gate.wait(30)
                    for index in range(JOBS_PER_THREAD):
                        queue.enqueue(TOPIC, {"job_id": f"{number}-{index}"})
                        job = queue.dequeue(TOPIC, 600)
                        if job is not None:
                            taken[job.job_id] += 1
                            queue.ack(job.job_id, job.receipt)
                except BaseException as error:
                    failures.append(error)

            threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            while (job := queue.dequeue(TOPIC)) is not None:
                taken[job.job_id] += 1
        assert not failures
        assert len(taken) == THREADS * JOBS_PER_THREAD
        assert set(taken.values()) == {1}

    def test_a_worker_tries_again_after_a_wait(self, tmp_path: Path) -> None:
        """A transient error requeues with backoff: attempts at 0, 1 and 3 seconds, then the job is dead."""
        clock = FrozenClock()
        with closing(self.make_queue(tmp_path, clock)) as queue:
            tried: list[int] = []

            def flow(payload: object) -> object:
                tried.append(clock.now_ms())
                raise ConnectionError("no line")

            worker, kept = _worker(queue, clock, flow)
            queue.enqueue(TOPIC, {"job_id": "a", "run_id": "r", "flow": "lead"})
            while queue.job("a").state != DEAD:
                worker.run_once()
                clock.move(250)
            worker.close()
            assert [at - tried[0] for at in tried] == [0, 1000, 3000]
            assert [record.attempt for record in kept] == [1, 2, 3]
            assert {failure.trace_id for failure in queue.job("a").failures} == {kept[0].trace_id}
            assert queue.replay("a").state == READY

    def test_it_does_what_the_model_says(self, tmp_path: Path) -> None:
        """Random walks: after every step the queue answers as the model does, refusals included."""
        for seed in range(WALKS):
            clock = FrozenClock()
            with closing(self.make_queue(tmp_path / str(seed), clock)) as queue:
                walk = Walk(queue, clock)
                chance = random.Random(seed)
                try:
                    for _ in range(WALK_STEPS):
                        chance.choice(STEPS)(chance, walk)
                        walk.compare()
                except AssertionError as error:
                    raise AssertionError(f"seed {seed}: {error}\n" + "\n".join(walk.told)) from error


class _Kept(list[RunRecord]):
    """An audit store that is a list."""

    def keep(self, record: RunRecord) -> None:
        self.append(record)

    def attempts(self, run_id: str) -> list[RunRecord]:
        return [record for record in self if record.run_id == run_id]

    def runs(self, *, tenant: str = "", flow: str = "", limit: int = 100) -> list[RunRecord]:
        return list(reversed(self))[:limit]

    def purge(self, older_than: float) -> int:
        return 0


def _worker(queue: Queue, clock: FrozenClock, flow: Callable[[Any], Any]) -> tuple[Worker, _Kept]:
    """A worker on the queue that knows the flow `lead`, and what it puts on record."""
    registry, kept = Registry(), _Kept()
    registry.register_flow("lead", flow)
    return Worker(queue, registry, clock=clock, audit=kept, emit=lambda event: None), kept


def _taken(queue: Queue, visibility_timeout: float = 30.0) -> QueuedJob:
    job = queue.dequeue(TOPIC, visibility_timeout)
    assert job is not None, "a job was expected"
    return job


def _every_settlement(queue: Queue, job: QueuedJob) -> list[Callable[[], object]]:
    name, receipt = job.job_id, job.receipt
    return [
        lambda: queue.ack(name, receipt),
        lambda: queue.requeue(name, receipt=receipt),
        lambda: queue.release(name, receipt),
        lambda: queue.extend(name, 30, receipt),
        lambda: queue.bury(name, receipt=receipt),
    ]
