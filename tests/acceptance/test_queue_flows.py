"""The engine's executions through the queue: workflows and goals as jobs, once each, also over crashes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dirigent import Context, Dirigent, Effect, Envelope, Risk, Workflow, action, agent
from dirigent.domain.errors import ActionFailed, TransientError
from dirigent.domain.job import DEAD, DONE
from dirigent.execution.worker import Backoff
from dirigent.interpreter.reading import read_execution
from tests.acceptance.books import DORMANT, small_books

WORKER = Path(__file__).parent.parent / "crash" / "flow_worker.py"

TWICE = """
name: twice
steps:
  - {id: each, type: agent, agent_type: doubler, action: double, foreach: "${input.numbers}",
     max_parallel: 2, parameters: {number: "${item}"}}
"""
TIMES = """
name: times
steps:
  - {id: times, type: transform, parameters: {n: "${input.n * FACTOR}"}}
"""
FAILING = """
name: failing
steps:
  - {id: ask, type: agent, agent_type: doubler, action: fail, parameters: {transient: "${input.transient}"}}
"""


@agent("doubler", domain="test")
class Doubler:
    """Does arithmetic, or not."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def double(self, number: int, ctx: Context) -> int:
        """Twice the number."""
        return number * 2

    @action(risk=Risk.R0, effect=Effect.READ)
    async def fail(self, transient: bool, ctx: Context) -> None:
        """End with an error."""
        raise TransientError("busy") if transient else ActionFailed("hopeless")


def _system(folder: Path, **options: Any) -> Dirigent:
    flows = {"twice": Workflow.parse(TWICE), "failing": Workflow.parse(FAILING)}
    return Dirigent(folder, agents=[Doubler], flows=flows, **options)


async def test_a_workflow_runs_as_a_job(tmp_path: Path) -> None:
    """An execution of the engine under the run's id, in the journal as any other; its result as envelope."""
    async with _system(tmp_path) as dirigent:
        event = {"flow": "twice", "source": "schedule", "payload": {"org_id": "t", "numbers": [1, 2, 3]}}
        run = dirigent.work.manager.ingest_event(event)
        worked = await dirigent.work.worker().work_once()
        assert worked is not None
        assert worked.envelope is not None
        assert [record.data["value"] for record in worked.envelope.validate().records] == [2, 4, 6]
        assert {record.provenance["node"] for record in worked.envelope.records} == {"twice"}
        reading = dirigent.engine.read(run.run_id)
        assert (reading.status, reading.started.trigger) == ("completed", "schedule")
        assert (reading.started.passport.tenant, reading.started.input) == ("t", {"numbers": [1, 2, 3]})
        assert [row.execution_id for row in dirigent.engine.executions("t")] == [run.run_id]
        (record,) = dirigent.work.audit.attempts(run.run_id)
        assert record.envelope == worked.envelope.as_dict()
        assert {stage.n: stage.facts for stage in record.stages}[6] == {"nodes": 4}


async def test_a_goal_runs_as_a_job(tmp_path: Path) -> None:
    """From trigger to held drafts; the job is done while the goal waits for a person."""
    async with _system(tmp_path) as dirigent:
        small_books(dirigent, "org_123")
        goal = {"goal_type": "REVIVE_PIPELINE", "org_id": "org_123", "constraints": {"autonomy_level": "L1"}}
        run = dirigent.work.manager.ingest_event({"flow": "goal", "payload": goal})
        worked = await dirigent.work.worker().work_once()
        assert worked is not None
        assert worked.outcome == "success", worked.error
        assert dirigent.report(run.run_id).status == "awaiting_approval"
        assert len(dirigent.engine.approvals("org_123")) == DORMANT
        assert worked.envelope is not None
        assert worked.envelope.validate().metadata["status"] == "held"


async def test_a_stored_workflow_runs_as_a_job(tmp_path: Path) -> None:
    """By its name, in the version in force or the one asked for; an unknown one makes the job dead."""
    async with _system(tmp_path) as dirigent:
        for factor in (2, 3):
            await dirigent.library.save(TIMES.replace("FACTOR", str(factor)), tenant="t", actor="me")
        found = []
        for version in (0, 1, 9):
            payload = {"org_id": "t", "workflow": "times", "version": version, "input": {"n": 7}}
            run = dirigent.work.manager.ingest_event({"flow": "workflow", "payload": payload, "priority": 8})
            worked = await dirigent.work.worker().work_once()
            assert worked is not None
            found.append((worked.outcome, worked.envelope and worked.envelope.records[0].data))
            if version < 9:
                assert dirigent.engine.read(run.run_id).started.passport.priority == 8
        assert found == [("success", {"n": 21}), ("success", {"n": 14}), ("dead", None)]


async def test_an_execution_that_failed_makes_its_job_dead(tmp_path: Path) -> None:
    """The engine has tried what could be tried; replayed, the run is an execution of its own."""
    async with _system(tmp_path) as dirigent:
        for transient in (True, False):
            dirigent.work.manager.ingest_event({"flow": "failing", "payload": {"transient": transient}})
            worked = await dirigent.work.worker().work_once()
            assert worked is not None
            assert worked.outcome == "dead"
        first, _ = dirigent.work.queue.jobs(DEAD)
        run_id = first.message["run_id"]
        assert "dirigent show" in str(dirigent.work.audit.attempts(run_id)[0].error)
        dirigent.work.queue.replay(first.job_id)
        await dirigent.work.worker().work_once()
        assert {dirigent.engine.read(name).status for name in (run_id, f"{run_id}~1")} == {"failed"}
        assert dirigent.health()["components"]["queue"]["detail"] == "embedded; 0 open, 2 dead"
        assert dirigent.health()["components"]["queue"]["status"] == "degraded"


async def test_a_job_handed_out_again_finds_its_execution(tmp_path: Path) -> None:
    """The worker that began it has gone: the next one waits for the same execution and acts on it once."""
    async with _system(tmp_path) as dirigent:
        run = dirigent.work.manager.ingest_event({"flow": "twice", "payload": {"numbers": [1]}})
        assert run.job_id is not None
        working = asyncio.ensure_future(dirigent.work.worker().work_once())
        while not dirigent.engine.is_known(run.run_id):
            await asyncio.sleep(0.001)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    async with _system(tmp_path) as dirigent:
        if dirigent.work.queue.job(run.job_id).state != DONE:
            worked = await dirigent.work.worker().work_once()
            assert worked is not None
            assert worked.outcome == "success"
        reading = dirigent.engine.read(run.run_id)
        assert reading.steps["each[0]"].attempts == 1
        assert dirigent.work.queue.job(run.job_id).state == DONE


@pytest.mark.parametrize("key", ["", "correct horse battery staple"], ids=["plain", "encrypted"])
def test_a_killed_worker_does_nothing_twice(tmp_path: Path, key: str) -> None:
    """kill -9 in the second step: the job comes back after its time, and the first step is not repeated."""
    first = _flow_worker(tmp_path, key)
    assert first.stdout is not None
    assert [first.stdout.readline() for _ in range(2)] == ["ready\n", "second step\n"]
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    assert (b"linger" in (tmp_path / "data" / "journal.db-wal").read_bytes()) is (not key)
    assert (b"runs.mark" in (tmp_path / "data" / "queue.db-wal").read_bytes()) is (not key)
    second = _flow_worker(tmp_path, key)
    out, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert out.splitlines() == ["ready", "second step", "success 1"]
    assert (tmp_path / "marks").read_text() == "first step\n"


async def test_a_queue_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Health says so and goes on answering; the engine needs no queue."""
    (tmp_path / "queue.db").write_text("no database, but long enough to be taken for a damaged one" * 100)
    async with _system(tmp_path) as dirigent:
        component = dirigent.health()["components"]["queue"]
        assert component["status"] == "error"
        assert "queue.db is damaged" in component["detail"]
        assert (await dirigent.run(Workflow.parse(TWICE), {"numbers": [1]})).status == "completed"


@pytest.mark.parametrize("wrong", [{"autonomy": "L9"}, {"budget": "much"}])
async def test_what_the_payload_says_of_the_run_is_checked(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """A wrong level or budget makes the job dead with the field named; nothing was started."""
    async with _system(tmp_path) as dirigent:
        dirigent.work.manager.ingest_event({"flow": "twice", "payload": {"numbers": [1], **wrong}})
        worked = await dirigent.work.worker(backoff=Backoff(initial_s=0)).work_once()
        assert worked is not None
        assert worked.outcome == "dead"
        assert f"payload.{next(iter(wrong))}" == worked.error.field  # type: ignore[union-attr]
        assert dirigent.engine.executions() == []


async def test_orchestrators_of_ones_own_stand_beside_the_engines(tmp_path: Path) -> None:
    """A flow in code runs in the same worker; its nodes are on record in the form of an execution."""

    async def greet(payload: Any) -> Envelope:
        name = await dirigent.dispatcher.submit("doubler", str.upper, payload["name"])
        metadata = {"run_id": "r", "tenant_id": "t", "status": "ok", "created_at": "now"}
        provenance = {"source": "me", "agent": "me", "run_id": "r", "node": "greet", "created_at": "now"}
        record = {"id": "1", "type": "greeting", "data": {"name": name}, "provenance": provenance}
        return Envelope.from_records([record], metadata)

    async with _system(tmp_path) as dirigent:
        dirigent.registry.register_flow("greet", greet)
        run = dirigent.work.manager.ingest_event({"flow": "greet", "payload": {"name": "ann"}})
        worked = await dirigent.work.worker().work_once()
        assert worked is not None
        assert worked.envelope is not None
        assert worked.envelope.records[0].data == {"name": "ANN"}
        (record,) = dirigent.work.audit.attempts(run.run_id)
        reading = read_execution(record.events[run.run_id])
        assert [(step.id, step.agent, step.output) for step in reading.steps.values()] == [
            ("upper", "doubler", "ANN")
        ]


def _flow_worker(folder: Path, key: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "DIRIGENT_KEY": key}
    return subprocess.Popen(
        [sys.executable, str(WORKER), str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )
