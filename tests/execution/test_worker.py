"""The worker: takes a job, runs its flow, settles it, and tells what it does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dirigent.agents.orchestrator import BaseOrchestrator
from dirigent.bootstrap.wiring import Worker
from dirigent.domain.envelope import Envelope
from dirigent.domain.errors import (
    Conflict,
    InvalidInput,
    Overloaded,
    QueueFull,
    StorageFailure,
    TransientError,
)
from dirigent.domain.job import DEAD, DELAYED, DONE, HELD, READY
from dirigent.domain.run import COMPLETED, FAILED, LOST, RunRecord
from dirigent.execution.submitting import Dispatcher
from dirigent.execution.worker import Backoff
from dirigent.interpreter.reading import read_execution
from dirigent.runtimes.flow_engine import OrchestrationEngine
from dirigent.storage.in_memory.audit import InMemoryAudit
from tests.execution.office import METADATA, Office, empty_envelope, until

EXAMPLES = Path(__file__).parent.parent / "fixtures" / "examples"


class Scoring(BaseOrchestrator):
    """Two nodes, each called by way of the dispatcher."""

    def __init__(self) -> None:
        self.dispatcher = Dispatcher({"scorer": 2})

    async def run(self, payload: Mapping[str, Any]) -> Envelope:
        leads = await self.dispatcher.submit("finder", find, payload)
        scores = await asyncio.gather(*(self.dispatcher.submit("scorer", score, lead) for lead in leads))
        provenance = self.provenance(source="crm", agent="scorer", node="score")
        return self.envelope(
            {"id": lead, "type": "score", "data": {"score": number}, "provenance": provenance}
            for lead, number in zip(leads, scores, strict=True)
        )


def find(payload: Mapping[str, Any]) -> list[str]:
    return list(payload.get("leads", ["ann", "bob"]))


async def score(lead: str) -> float:
    return float(len(lead))


def test_a_job_becomes_an_envelope() -> None:
    """From trigger to envelope; the job is done, the run on record, and nothing is left to do."""
    office = Office()
    office.registry.register_flow("lead", Scoring())
    job = office.hand_in()
    envelope = office.worker.run_once()
    assert envelope is not None
    assert [record.data["score"] for record in envelope.validate().records] == [3.0, 3.0]
    assert (envelope.metadata["job_id"], envelope.metadata["tenant_id"]) == (job.job_id, "org_123")
    assert office.queue.job(job.job_id).state == DONE
    assert office.worker.run_once() is None


def test_the_nine_stages_in_order() -> None:
    """The trace of one run shows what is printed, with the names of the calls that do it."""
    printed = yaml.safe_load((EXAMPLES / "004-03-flow.yaml").read_text())["steps"]
    office = Office()
    office.registry.register_flow("lead", Scoring())
    office.hand_in(source="webhook")
    office.worker.run_once()
    (record,) = office.audit.attempts(office.audit.runs()[0].run_id)
    assert [(stage.n, stage.name) for stage in record.stages] == [(one["n"], one["name"]) for one in printed]
    calls = [one.get("entry") or one.get("calls") or one["gate"] for one in printed]
    assert [stage.call for stage in record.stages] == calls
    assert all(stage.at <= stage.ended_at for stage in record.stages)
    facts = {stage.n: stage.facts for stage in record.stages}
    assert (facts[1]["source"], facts[6]["nodes"]) == ("webhook", 3)
    assert facts[9] == {"allowed": False, "reason": "allow_delivery is off"}


def test_envelope_and_nodes_are_on_record() -> None:
    """One envelope a run, one trace a node, in the form in which every execution is read."""
    office = Office()
    office.registry.register_flow("lead", Scoring())
    office.hand_in()
    envelope = office.worker.run_once()
    (record,) = office.audit.attempts(office.audit.runs()[0].run_id)
    assert envelope is not None
    assert record.envelope == envelope.as_dict()
    reading = read_execution(record.events[record.run_id])
    assert (reading.status, reading.started.workflow, reading.started.trigger) == ("completed", "lead", "api")
    assert [(step.id, step.agent, step.output) for step in reading.steps.values()] == [
        ("find", "finder", ["ann", "bob"]),
        ("score", "scorer", 3.0),
        ("score[1]", "scorer", 3.0),
    ]


def test_a_flow_of_nodes_inside_a_run_is_its_child() -> None:
    """What the node engine runs is kept with the run, as an execution of its own."""

    async def flow(payload: Mapping[str, Any]) -> Envelope:
        return await OrchestrationEngine(clock=office.clock).run_flow([find, len], payload)

    office = Office()
    office.registry.register_flow("lead", flow)
    office.hand_in()
    envelope = office.worker.run_once()
    assert envelope is not None
    assert envelope.records[0].data == {"value": 2}
    (record,) = office.audit.attempts(str(envelope.metadata["run_id"]))
    parent, child = (read_execution(events) for events in record.events.values())
    assert (parent.steps["flow"].child, child.execution_id) == (f"{record.run_id}/flow",) * 2
    assert [step.id for step in child.steps.values()] == ["find", "len"]
    assert {stage.n: stage.facts for stage in record.stages}[6] == {"nodes": 2}


def test_worker_events_as_printed() -> None:
    """Start, success, requeue and dead, with these names in this order and values of these kinds."""
    printed = [
        json.loads(line) for line in (EXAMPLES / "004-04-worker-events.jsonl").read_text().splitlines()
    ]
    office = Office()
    office.registry.register_flow("lead", Scoring())
    office.registry.register_flow("broken", _lost_line)
    office.hand_in()
    office.worker.run_once()
    broken = office.hand_in("broken")
    for _ in range(3):
        office.worker.run_once()
        office.clock.move(60_000)
    assert office.names == ["start", "success"] + ["start", "requeue"] * 2 + ["start", "dead"]
    told = [office.told[0], office.told[1], office.told[3], office.told[-1]]
    for event, example in zip(told, printed, strict=True):
        assert list(event) == list(example)
        assert {name: type(value) for name, value in event.items()} == {
            name: type(value) for name, value in example.items()
        }
    requeue, dead = told[2], told[3]
    assert (requeue["attempt"], requeue["error"], requeue["delay_s"]) == (1, "ConnectionError", 1)
    assert (dead["attempts"], dead["job_id"]) == (3, broken.job_id)


def test_a_transient_error_is_tried_again_after_a_wait() -> None:
    """Attempts at 0, 1 and 3 seconds; the third one goes well, and all three are on record."""
    tried: list[int] = []

    def flow(payload: Mapping[str, Any]) -> Envelope:
        tried.append(office.clock.now_ms())
        if len(tried) < 3:
            raise TransientError("busy")
        return empty_envelope(payload)

    office = Office()
    office.registry.register_flow("lead", flow)
    job = office.hand_in()
    while office.queue.job(job.job_id).state != DONE:
        office.worker.run_once()
        office.clock.move(500)
    assert [at - tried[0] for at in tried] == [0, 1000, 3000]
    kept = office.audit.attempts(office.audit.runs()[0].run_id)
    assert [(record.attempt, record.status) for record in kept] == [(1, FAILED), (2, FAILED), (3, COMPLETED)]
    assert kept[0].error == "TransientError: busy"


def test_the_last_failure_makes_a_job_dead() -> None:
    """Out of the line, in the books with the trace of each attempt; replayed, it is a run of its own."""
    office = Office()
    works: list[bool] = []
    office.registry.register_flow(
        "lead", lambda payload: empty_envelope(payload) if works else _lost_line(payload)
    )
    job = office.hand_in()
    for _ in range(3):
        office.worker.run_once()
        office.clock.move(60_000)
    (dead,) = office.queue.jobs(DEAD)
    assert (dead.job_id, dead.attempts, office.worker.last and office.worker.last.outcome) == (
        job.job_id,
        3,
        "dead",
    )
    traces = {failure.trace_id for failure in dead.failures}
    assert traces == {record.trace_id for record in office.audit.attempts(dead.message["run_id"])}
    works.append(True)
    office.queue.replay(job.job_id)
    assert office.worker.run_once() is not None
    last = office.audit.attempts(dead.message["run_id"])[-1]
    assert (last.status, last.attempt, last.trace_id in traces) == (COMPLETED, 1, False)


@pytest.mark.parametrize("error", [ValueError("no"), InvalidInput("wrong"), StopIteration("odd")], ids=repr)
def test_what_another_try_would_not_mend_is_dead_at_once(error: Exception) -> None:
    """One attempt, with the error on record; also where the flow is not async."""

    async def flow(payload: Mapping[str, Any]) -> Envelope:
        raise error

    def sync(payload: Mapping[str, Any]) -> Envelope:
        raise error

    office = Office()
    office.registry.register_flow("sync", sync)
    office.registry.register_flow("lead", flow)
    office.hand_in()
    office.hand_in("sync")
    assert (office.worker.run_once(), office.worker.run_once()) == (None, None)
    assert [dead.attempts for dead in office.queue.jobs(DEAD)] == [1, 1]
    assert office.names == ["start", "dead"] * 2


@pytest.mark.parametrize("result", [None, {"records": []}, {"metadata": {}, "records": []}, "done"])
def test_a_flow_that_gives_no_envelope_is_dead(result: Any) -> None:
    """The result is checked at the border, and the place is named."""
    office = Office()
    office.registry.register_flow("lead", lambda payload: result)
    office.hand_in()
    office.worker.run_once()
    (dead,) = office.queue.jobs(DEAD)
    assert dead.failures[0].error.startswith("InvalidInput: ")


def test_an_orchestrator_checks_its_own_envelope() -> None:
    """`validate_envelope` of a subclass is asked; the base raises for what is no envelope."""

    class Strict(Scoring):
        def validate_envelope(self, value: Any) -> Envelope:
            if len(super().validate_envelope(value).records) < 5:
                raise InvalidInput("too few records", field="records")
            return Envelope.of(value)

    with pytest.raises(InvalidInput, match="metadata"):
        Strict().validate_envelope({"records": []})
    office = Office()
    office.registry.register_flow("lead", Strict())
    office.hand_in()
    office.worker.run_once()
    assert "too few records" in office.queue.jobs(DEAD)[0].failures[0].error


async def test_outside_of_a_run_an_orchestrator_says_so() -> None:
    """It cannot know whose envelope it makes."""
    with pytest.raises(Conflict, match="outside of any run"):
        await Scoring().run({})


async def test_a_job_is_held_for_as_long_as_it_runs() -> None:
    """A heartbeat every third of the timeout: no other worker gets the job, however long it takes."""
    office, gate = Office(), asyncio.Event()

    async def flow(payload: Mapping[str, Any]) -> Envelope:
        await gate.wait()
        return empty_envelope(payload)

    office.registry.register_flow("lead", flow)
    job = office.hand_in()
    working = asyncio.ensure_future(office.worker.work_once())
    await until(lambda: office.clock.next_due() is not None)
    for _ in range(12):
        office.clock.move(10_000)
        until_ms = office.clock.now_ms() + 30_000
        await until(lambda due=until_ms: office.queue.job(job.job_id).visible_at == due)  # type: ignore[misc]
        await until(lambda: office.clock.next_due() is not None)
        assert await office.new_worker().work_once() is None
    gate.set()
    worked = await working
    assert worked is not None
    assert (worked.outcome, office.queue.job(job.job_id).attempts) == ("success", 0)


async def test_a_worker_that_lost_its_job_stops_and_settles_nothing() -> None:
    """Its lease is over and another has the job: the flow is cancelled, the result does not count."""
    office, begun, cancelled = Office(), asyncio.Event(), []

    async def flow(payload: Mapping[str, Any]) -> Envelope:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return empty_envelope(payload)

    office.registry.register_flow("lead", flow)
    job = office.hand_in()
    working = asyncio.ensure_future(office.worker.work_once())
    await until(lambda: begun.is_set() and office.clock.next_due() is not None)
    office.clock.move(31_000)
    other = office.queue.dequeue("runs.lead")
    assert other is not None
    worked = await working
    assert worked is not None
    assert (worked.outcome, cancelled, office.names) == ("lost", [True], ["start"])
    assert office.queue.job(job.job_id).state == HELD
    (record,) = office.audit.attempts(job.message["run_id"])
    assert record.status == LOST


async def test_cancelled_a_worker_gives_its_job_back() -> None:
    """At once and with no attempt counted, so that a restart costs nothing."""
    office = Office()

    async def flow(payload: Mapping[str, Any]) -> Envelope:
        await asyncio.Event().wait()
        return empty_envelope(payload)

    office.registry.register_flow("lead", flow)
    job = office.hand_in()
    working = asyncio.ensure_future(office.worker.work_once())
    await until(lambda: office.queue.job(job.job_id).state == HELD and office.names == ["start"])
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    left = office.queue.job(job.job_id)
    assert (left.state, left.attempts, left.failures) == (READY, 0, ())


async def test_run_works_until_it_is_told_to_stop() -> None:
    """Several jobs at once; the stop waits for what is under way and begins nothing more."""
    office, stop = Office(), asyncio.Event()
    running = most = 0

    async def flow(payload: Mapping[str, Any]) -> Envelope:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await until(lambda: most == 3)
        running -= 1
        if payload["n"] == 2:
            stop.set()
        return empty_envelope(payload)

    office.registry.register_flow("lead", flow)
    for number in range(6):
        office.hand_in(payload={"n": number}, priority=9 - number)
    worker = office.new_worker(concurrency=3, poll_s=0.001)
    await worker.run(stop)
    (count,) = office.queue.counts()
    assert (most, count.held) == (3, 0)
    assert 3 <= count.done <= 5
    assert count.ready == 6 - count.done


async def test_a_stop_does_not_wait_for_ever() -> None:
    """When the grace is over, jobs are given back."""
    office, stop = Office(), asyncio.Event()

    async def flow(payload: Mapping[str, Any]) -> Envelope:
        stop.set()
        await asyncio.Event().wait()
        return empty_envelope(payload)

    office.registry.register_flow("lead", flow)
    job = office.hand_in()
    await asyncio.wait_for(office.new_worker(grace_s=0.01).run(stop), 10)
    assert (office.queue.job(job.job_id).state, office.queue.job(job.job_id).attempts) == (READY, 0)


def test_topics_take_turns() -> None:
    """A flow with many jobs does not keep the others waiting."""
    office = Office()
    ran: list[str] = []

    def flow(payload: Mapping[str, Any]) -> Envelope:
        ran.append(payload["f"])
        return empty_envelope(payload)

    for name in ("a", "b", "c"):
        office.registry.register_flow(name, flow)
    for name in ("a", "a", "a", "a", "b", "c"):
        office.hand_in(name, payload={"f": name})
    for _ in range(6):
        office.worker.run_once()
    assert sorted(ran[:3]) == ["a", "b", "c"]


def test_a_worker_may_be_given_its_topics() -> None:
    """Then it takes no others; what it finds there and cannot run is dead, and says which flows there are."""
    office = Office()
    office.registry.register_flow("lead", empty_envelope)
    office.registry.register_flow("other", empty_envelope)
    office.hand_in("other")
    office.queue.enqueue("runs.lead", {"job_id": "garbage"})
    office.queue.enqueue("runs.lead", {"job_id": "unknown", "run_id": "r", "flow": "nobody"})
    worker = office.new_worker(topics=["runs.lead"])
    for _ in range(3):
        worker.run_once()
    garbage, unknown = office.queue.jobs(DEAD)
    assert "no order to run a flow" in garbage.failures[0].error
    assert "There is no flow 'nobody'. The flows: lead, other." in unknown.failures[0].error
    assert office.queue.counts()[1].ready == 1


async def test_run_once_is_not_for_event_loops() -> None:
    """It would stand in the loop's way; the error names what to use."""
    with pytest.raises(Conflict, match=r"await worker\.work_once"):
        Office().worker.run_once()


def test_an_audit_store_that_fails_keeps_the_job() -> None:
    """What is not on record is not done: the job is not acknowledged."""

    class Full(InMemoryAudit):
        def keep(self, record: RunRecord) -> None:
            raise StorageFailure("disk full")

    office = Office()
    office.registry.register_flow("lead", empty_envelope)
    job = office.hand_in()
    worker = Worker(office.queue, office.registry, audit=Full(office.clock), clock=office.clock, emit=_nobody)
    assert worker.run_once() is None
    assert office.queue.job(job.job_id).state == DEAD


def test_an_exporter_that_fails_stops_nobody() -> None:
    """The job is done all the same."""
    office = Office()
    office.registry.register_flow("lead", empty_envelope)
    job = office.hand_in()
    worker = Worker(office.queue, office.registry, clock=office.clock, emit=_broken)
    assert worker.run_once() is not None
    assert office.queue.job(job.job_id).state == DONE


@pytest.mark.parametrize("error", [Overloaded("busy", retry_after_s=7), QueueFull("full")], ids=repr)
def test_a_job_is_put_off_where_nothing_more_is_taken_in(error: Exception) -> None:
    """That is no failure of the job: it waits as long as it was asked to, and no attempt is used up."""
    office, tried = Office(), 0

    def flow(payload: Mapping[str, Any]) -> Envelope:
        nonlocal tried
        tried += 1
        if tried < 6:
            raise error
        return empty_envelope(payload)

    office.registry.register_flow("lead", flow)
    job = office.hand_in()
    for _ in range(6):
        office.worker.run_once()
        office.clock.move(7_000)
    assert (office.queue.job(job.job_id).state, office.queue.job(job.job_id).attempts) == (DONE, 0)
    assert {event["delay_s"] for event in office.told if "delay_s" in event} <= {5, 7}


def test_backoff_grows_up_to_its_bound() -> None:
    """1, 2, 4 ... 60 seconds, also after very many attempts."""
    backoff = Backoff()
    assert [backoff.delay_s(number) for number in (1, 2, 3, 7, 1000)] == [1.0, 2.0, 4.0, 60.0, 60.0]


def test_a_worker_works_on_something() -> None:
    """No concurrency is refused with its field."""
    with pytest.raises(InvalidInput, match="concurrency is 0"):
        Office().new_worker(concurrency=0)


def test_metadata_of_a_plain_envelope_is_kept() -> None:
    """A flow that makes its envelope itself says what it wants of itself."""
    office = Office()
    office.registry.register_flow(
        "lead", lambda payload: {"metadata": {**METADATA, "schema_version": "1"}, "records": []}
    )
    job = office.hand_in()
    envelope = office.worker.run_once()
    assert envelope is not None
    assert envelope.metadata["run_id"] == "r"
    assert office.queue.job(job.job_id).state == DONE
    assert office.queue.jobs(DELAYED) == []


def _lost_line(payload: Mapping[str, Any]) -> Envelope:
    raise ConnectionError("no line")


def _broken(event: Mapping[str, Any]) -> None:
    raise ValueError("no")


def _nobody(event: Mapping[str, Any]) -> None:
    """Take no notice."""
