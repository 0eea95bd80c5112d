"""A goal told back: plan, tasks, assessment, what leaves, what is held, cost and time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dirigent.domain.envelope import Envelope
from dirigent.domain.errors import NotFound
from dirigent.engine import Engine
from dirigent.interpreter.reading import Reading, StepReading

CURRENCY = "USD"
PLAN_FIELDS = ("plan_id", "risk", "estimate_s", "cost_max", "reasons", "cites", "dropped", "summary")


@dataclass(frozen=True, kw_only=True)
class GoalReport:
    """One goal's execution with the executions it started, folded from their events."""

    goal: Reading
    work: Reading | None
    release: Reading | None
    approvals_open: int

    @property
    def status(self) -> str:
        """The goal's status; `planning` until the work begins."""
        status = self.goal.status
        return "planning" if status == "running" and self.work is None else status

    @property
    def selection(self) -> dict[str, Any]:
        """What was chosen, by which criteria, with the model's out-of-time measure."""
        return _output(self.work, "select")

    @property
    def plan(self) -> dict[str, Any]:
        """The plan, or an empty dict while there is none."""
        return _output(self.goal, "plan")

    @property
    def assessment(self) -> dict[str, Any]:
        """The critic's assessment, or an empty dict while there is none."""
        return _output(self.goal, "assessment")

    @property
    def signals(self) -> list[dict[str, Any]]:
        """What the run taught."""
        return list(_output(self.goal, "learn").get("signals", []))

    @property
    def drafts(self) -> list[dict[str, Any]]:
        """Every draft with its verdict and what became of it."""
        return _drafts(self)

    def as_dict(self) -> dict[str, Any]:
        """The whole as JSON data."""
        goal = self.goal.started.labels.get("goal", {})
        error = self.goal.error
        return {
            "execution_id": self.goal.execution_id,
            "status": self.status,
            "reason": error.code if error else None,
            "error": {"code": error.code, "message": error.message} if error else None,
            "goal": goal,
            "autonomy": _autonomy(goal),
            "progress": self._progress(),
            "plan": _plan(self.plan),
            "tasks": self._tasks(),
            "outcomes": self._tasks(),
            "assessment": self.assessment or None,
            "signals": self.signals,
            "guardrail": self._guardrail(),
            "approvals": {"open": self.approvals_open},
            "budget": {
                "max": goal.get("max_budget"),
                "spent": round(self.goal.spent, 6),
                "currency": CURRENCY,
            },
            "result": self._envelope().as_dict(),
            "started_at": _iso(self.goal.started.at),
            "finished_at": _iso(self.goal.ended_at) if self.goal.ended_at else None,
        }

    def _tasks(self) -> list[dict[str, Any]]:
        tasks = []
        for task in self.plan.get("tasks", []):
            run = self.release if task.get("phase") == "release" else self.work
            step = run.steps.get(task["step"]) if run else None
            tasks.append(_task(task, step, run))
        return tasks

    def _progress(self) -> dict[str, int]:
        states = Counter(task["status"] for task in self._tasks())
        return {
            "total": sum(states.values()),
            "succeeded": states["succeeded"],
            "failed": states["failed"],
            "skipped": states["skipped"],
        }

    def _guardrail(self) -> dict[str, int]:
        runs = [run for run in (self.goal, self.work, self.release) if run is not None]
        steps = [step for run in runs for step in run.steps.values() if step.verdict or step.approval]
        refused = sum(len(run.refusals) for run in runs)
        held_back = len(self.assessment.get("held_back", []))
        calls = sum(len(run.calls) for run in runs)
        return {
            "checked": len(steps) + calls + refused,
            "blocked": refused + held_back,
            "approvals_open": self.approvals_open,
        }

    def _envelope(self) -> Envelope:
        created = _iso(self.goal.ended_at or self.goal.started.at)
        metadata = {
            "run_id": self.goal.execution_id,
            "tenant_id": self.goal.started.passport.tenant,
            "status": "error" if self.goal.error else "ok",
            "created_at": created,
            "flow": "goal",
        }
        return Envelope.from_records([_draft_record(self, draft) for draft in self.drafts], metadata)


def report_goal(engine: Engine, execution_id: str) -> GoalReport:
    """Fold a goal's journal and those of its children; raises `NotFound` where it is no goal."""
    goal = engine.read(execution_id)
    if goal.started.workflow != "goal":
        raise NotFound(f"{execution_id!r} is no goal.", code="execution_not_found")
    children = {row.execution_id for row in engine.children(execution_id)}
    work, release = f"{execution_id}/work", f"{execution_id}/release"
    return GoalReport(
        goal=goal,
        work=engine.read(work) if work in children else None,
        release=engine.read(release) if release in children else None,
        approvals_open=len(engine.approvals(state="open", execution=execution_id)),
    )


def _output(reading: Reading | None, step: str) -> dict[str, Any]:
    found = reading.steps.get(step) if reading else None
    return found.output if found and isinstance(found.output, dict) else {}


def _autonomy(goal: dict[str, Any]) -> dict[str, Any]:
    requested, effective = goal.get("autonomy_requested", "L1"), goal.get("autonomy", "L1")
    facts: dict[str, Any] = {"requested": requested, "effective": effective}
    return facts | ({"note": "autonomy_clamped"} if requested != effective else {})


def _plan(plan: dict[str, Any]) -> dict[str, Any] | None:
    if not plan:
        return None
    shown = {name: plan.get(name) for name in PLAN_FIELDS}
    return shown | {"subgoals": [subgoal["id"] for subgoal in plan.get("subgoals", [])]}


def _task(task: dict[str, Any], step: StepReading | None, run: Reading | None) -> dict[str, Any]:
    facts = {name: task.get(name) for name in ("task_id", "subgoal_id", "agent", "action", "risk", "reason")}
    if step is None or run is None:
        return facts | {"status": "pending", "attempts": 0, "duration_ms": 0, "tool_calls": 0}
    items = [item for name, item in run.steps.items() if name.startswith(f"{step.id}[")]
    waiting = any(item.status in ("waiting", "held") for item in items)
    return facts | {
        "status": "waiting" if waiting else step.status,
        "attempts": max([step.attempts, *(item.attempts for item in items)]),
        "duration_ms": _busy_ms(step, items),
        "tool_calls": len(items) or 1,
        "error": step.error.code if step.error else None,
    }


def _busy_ms(step: StepReading, items: list[StepReading]) -> int:
    ends = [item.ended_at for item in items if item.ended_at] + [step.ended_at]
    return max(0, max(ends) - step.started_at)


def _drafts(report: GoalReport) -> list[dict[str, Any]]:
    draft = _output(report.work, "draft").get("results", [])
    checks = _by_message(_output(report.work, "check").get("results", []))
    reviews = _by_message(_output(report.work, "quality").get("results", []))
    fates = _fates(report.release)
    leads = {lead["lead_id"]: lead for lead in report.selection.get("leads", [])}
    return [
        {
            **item,
            "lead": leads.get(item["lead_id"], {}),
            "check": checks.get(item["message_id"]),
            "review": reviews.get(item["message_id"]),
            **fates.get(item["message_id"], {"state": "draft", "approval": ""}),
        }
        for item in draft
        if item and "message_id" in item
    ]


def _by_message(results: list[Any]) -> dict[str, dict[str, Any]]:
    return {item["message_id"]: item for item in results if item and "message_id" in item}


def _fates(release: Reading | None) -> dict[str, dict[str, Any]]:
    """What became of each released message: held, waiting, sent, rejected ..."""
    if release is None:
        return {}
    messages = release.started.input.get("released", [])
    fates = {}
    for number, message in enumerate(messages):
        step = release.steps.get(f"deliver[{number}]")
        fates[message["message_id"]] = {
            "state": _state(step),
            "approval": step.approval if step else "",
            "reason": step.reason if step else "",
        }
    return fates


def _state(step: StepReading | None) -> str:
    if step is None:
        return "released"
    if step.status == "succeeded":
        return str((step.output or {}).get("state", "sent"))
    return {"failed": step.error.code if step.error else "failed"}.get(step.status, step.status)


def _draft_record(report: GoalReport, draft: dict[str, Any]) -> dict[str, Any]:
    data = {name: draft.get(name) for name in ("message_id", "lead_id", "subject", "sha256", "state")}
    return {
        "id": draft["message_id"],
        "type": "message",
        "data": data,
        "provenance": {
            "source": "records",
            "agent": "writer",
            "run_id": report.goal.execution_id,
            "node": "draft",
            "created_at": _iso(report.goal.started.at),
            "inputs": [draft["lead_id"]],
            "method": draft.get("template", ""),
            "confidence": draft.get("confidence"),
        },
    }


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
