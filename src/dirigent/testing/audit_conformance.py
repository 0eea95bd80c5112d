"""What every audit store has to pass. Subclass, say how the store is made, and run pytest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from dirigent.domain.event import (
    ChildEnded,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionStarted,
    Failure,
    Passport,
    StepCompleted,
    StepStarted,
)
from dirigent.domain.run import COMPLETED, FAILED, RunRecord, Stage
from dirigent.ports.queueing import AuditStore
from dirigent.testing.frozen_clock import FrozenClock


@runtime_checkable
class Audit(AuditStore, Protocol):
    """A store, and how it is closed."""

    def close(self) -> None:
        """Release what it holds."""
        ...


def run_record(run: str = "run_1", attempt: int = 1, **changes: Any) -> RunRecord:
    """One attempt at a run, with a node, a child and every kind of value."""
    started = ExecutionStarted(
        at=1,
        execution_id=run,
        workflow="lead",
        definition="",
        input={"n": 1},
        passport=Passport(tenant="t", actor="w"),
    )
    child = ExecutionStarted(
        at=2, execution_id=f"{run}/flow", workflow="flow", definition="h", input={},
        passport=Passport(tenant="t", actor="e"), parent=run, parent_step="flow",
    )  # fmt: skip
    values: dict[str, Any] = {
        "trace_id": f"trace_{run}",
        "run_id": run,
        "job_id": "job_1",
        "flow": "lead",
        "tenant": "t",
        "correlation_id": "c",
        "attempt": attempt,
        "status": COMPLETED,
        "started_at": 1,
        "ended_at": 9,
        "stages": (Stage(n=1, at=1, ended_at=1, facts={"source": "api"}), Stage(n=5, at=2, ended_at=8)),
        "envelope": {"metadata": {"status": "ok"}, "records": [{"id": "ü", "data": {"deep": [1, None]}}]},
        "events": {
            run: (
                started,
                StepStarted(at=2, step="score", attempt=1, agent="lead_scorer", action="score"),
                StepCompleted(at=3, step="score", attempt=1, output={"score": 83.5}),
                ChildEnded(at=7, step="flow", child=f"{run}/flow", status="completed", output=[1]),
                ExecutionCompleted(at=9, status="completed"),
            ),
            f"{run}/flow": (child, ExecutionCompleted(at=7, status="completed", output=[1])),
        },
    }
    return RunRecord(**values | changes)


class AuditConformance(ABC):
    """The promises of `AuditStore`."""

    @abstractmethod
    def make_audit(self, folder: Path, clock: FrozenClock) -> Audit:
        """An empty store, or for a durable backend the one that lies in the folder."""

    def test_what_is_kept_comes_back(self, tmp_path: Path) -> None:
        """Envelope, stages and every event, as they were."""
        failed = run_record(
            "run_2",
            status=FAILED,
            envelope=None,
            error="ConnectionError",
            events={"run_2": (ExecutionFailed(at=1, status="failed", error=Failure(code="x", message="y")),)},
        )
        with closing(self.make_audit(tmp_path, FrozenClock())) as audit:
            assert isinstance(audit, AuditStore)
            audit.keep(run_record())
            audit.keep(failed)
            assert audit.attempts("run_1") == [run_record()]
            assert audit.attempts("run_2") == [failed]
            assert audit.attempts("run_3") == []

    def test_attempts_stand_beside_each_other(self, tmp_path: Path) -> None:
        """In their order; the same attempt again replaces what was said of it."""
        with closing(self.make_audit(tmp_path, FrozenClock())) as audit:
            for attempt in (1, 2):
                audit.keep(run_record(attempt=attempt, status=FAILED))
            audit.keep(run_record(attempt=2, status=COMPLETED))
            audit.keep(run_record(attempt=1, trace_id="trace_again"))
            found = [(record.attempt, record.status) for record in audit.attempts("run_1")]
            assert found == [(1, FAILED), (2, COMPLETED), (1, COMPLETED)]

    def test_the_latest_runs_come_first(self, tmp_path: Path) -> None:
        """One line a run, its latest attempt, without the events; by tenant or flow where that is asked."""
        with closing(self.make_audit(tmp_path, FrozenClock())) as audit:
            audit.keep(run_record("run_1"))
            audit.keep(run_record("run_2", tenant="other"))
            audit.keep(run_record("run_3", flow="delivery"))
            audit.keep(run_record("run_1", attempt=2))
            assert [(one.run_id, one.attempt) for one in audit.runs()] == [
                ("run_1", 2),
                ("run_3", 1),
                ("run_2", 1),
            ]
            assert [one.run_id for one in audit.runs(tenant="other")] == ["run_2"]
            assert [one.run_id for one in audit.runs(flow="lead", limit=1)] == ["run_1"]
            assert not any(one.events for one in audit.runs())

    def test_old_runs_are_forgotten_when_asked(self, tmp_path: Path) -> None:
        """Those that ended so many seconds ago, and no others."""
        clock = FrozenClock()
        with closing(self.make_audit(tmp_path, clock)) as audit:
            audit.keep(run_record("run_1", ended_at=clock.now_ms() - 10_000))
            audit.keep(run_record("run_2", ended_at=clock.now_ms()))
            assert audit.purge(5) == 1
            assert [one.run_id for one in audit.runs()] == ["run_2"]
