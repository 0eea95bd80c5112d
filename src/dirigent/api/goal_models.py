"""Goals as they go over the wire."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from dirigent.domain.goal import GoalType
from dirigent.domain.policy import Autonomy

EXAMPLE_ID = "are_exec_20241126_143000_12345"


class Constraints(BaseModel):
    """What a goal must keep to."""

    autonomy_level: Autonomy | None = Field(None, description="Clamped to what the organization allows.")
    max_budget: float | None = Field(None, ge=0, description="In USD; nothing beyond it is spent.")
    deadline: str | None = Field(None, description="A day, YYYY-MM-DD.")
    limit: int | None = Field(None, ge=1, le=10_000, description="How many leads at most.")
    segment: str | None = None


class GoalRequest(BaseModel):
    """A goal: a type with targets, or a sentence in `description` from which both are read."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "goal_type": "REVIVE_PIPELINE",
                    "description": "Reactivate dormant leads",
                    "target_metrics": {"meetings": 10},
                    "constraints": {"autonomy_level": "L2"},
                    "org_id": "org_123",
                },
                {"description": "Increase meetings by 25% this quarter", "org_id": "org_123"},
            ]
        },
    )

    goal_type: GoalType | None = None
    description: str | None = Field(None, max_length=10_000)
    target_metrics: dict[str, Any] | None = Field(
        None, description='A metric with a number, or with `{"relative_change": 0.25}`.'
    )
    constraints: Constraints | None = None
    org_id: str | None = None
    tenant_id: str | None = Field(None, description="The same as `org_id`.")
    user_id: str | None = None
    inputs: dict[str, Any] | None = Field(None, description="What the work may need besides.")


class InterpretedGoal(BaseModel):
    """What was read out of a sentence, and how surely (0 to 1)."""

    goal_type: GoalType | None
    target_metrics: dict[str, Any]
    deadline: str | None
    confidence: float


class GoalAccepted(BaseModel):
    """The goal is on stable storage and is worked on."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "execution_id": EXAMPLE_ID,
                    "status": "accepted",
                    "estimated_completion": "2024-11-26T15:00:00Z",
                }
            ]
        }
    )

    execution_id: str
    status: str
    estimated_completion: str
    interpreted_goal: InterpretedGoal | None = Field(
        None, description="There only where the goal came as a sentence."
    )


class GoalLine(BaseModel):
    """One goal in a list."""

    execution_id: str
    org_id: str
    status: str
    summary: str
    started_at: str
    finished_at: str | None


class GoalList(BaseModel):
    """Goals, newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "executions": [
                        {
                            "execution_id": EXAMPLE_ID,
                            "org_id": "org_123",
                            "status": "completed",
                            "summary": "Reactivate dormant leads",
                            "started_at": "2024-11-26T14:30:00.000Z",
                            "finished_at": "2024-11-26T14:30:12.000Z",
                        }
                    ],
                    "total": 1,
                }
            ]
        }
    )

    executions: list[GoalLine]
    total: int = Field(description="How many are in this answer.")


class _Open(BaseModel):
    """A part that may carry more than is named here."""

    model_config = ConfigDict(extra="allow")


class GoalAutonomy(_Open):
    """The level asked for and the level in force."""

    requested: str
    effective: str


class Progress(_Open):
    """Tasks by what became of them."""

    total: int
    succeeded: int
    failed: int
    skipped: int


class PlanSummary(_Open):
    """The plan in short; `?expand=plan` gives the whole."""

    plan_id: str | None
    subgoals: list[Any]


class GoalTask(_Open):
    """One task of the plan and how it went."""

    task_id: str | None
    agent: str | None
    action: str | None
    status: str
    attempts: int
    duration_ms: int


class Assessment(_Open):
    """The critic's grading against the targets."""

    goal_achieved: bool | None = None
    attainment: dict[str, Any] = {}
    quality: float | None = None


class GuardrailCounts(_Open):
    """How much was checked, and how much was stopped."""

    checked: int
    blocked: int
    approvals_open: int


class Budget(_Open):
    """What may be spent and what was."""

    max: float | None
    spent: float
    currency: str


class EnvelopeModel(BaseModel):
    """The canonical result: metadata, and records with their provenance."""

    metadata: dict[str, Any]
    records: list[dict[str, Any]]


class GoalExecution(_Open):
    """How a goal stands, with its results."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "execution_id": EXAMPLE_ID,
                    "status": "completed",
                    "goal": {"goal_type": "REVIVE_PIPELINE", "target_metrics": {"meetings_booked": 10}},
                    "autonomy": {"requested": "L2", "effective": "L2"},
                    "progress": {"total": 9, "succeeded": 9, "failed": 0, "skipped": 0},
                    "plan": {"plan_id": "plan_01", "subgoals": ["select", "research", "draft", "check"]},
                    "tasks": [
                        {
                            "task_id": "t1",
                            "agent": "revival_engine",
                            "action": "find_dormant",
                            "status": "succeeded",
                            "attempts": 1,
                            "duration_ms": 41,
                        }
                    ],
                    "assessment": {
                        "goal_achieved": False,
                        "attainment": {"meetings_booked": 0.0},
                        "quality": 0.81,
                    },
                    "guardrail": {"checked": 31, "blocked": 0, "approvals_open": 0},
                    "budget": {"max": None, "spent": 0.0, "currency": "USD"},
                    "result": {"metadata": {"run_id": EXAMPLE_ID}, "records": []},
                    "started_at": "2024-11-26T14:30:00Z",
                    "finished_at": "2024-11-26T14:30:12Z",
                }
            ]
        },
    )

    execution_id: str
    status: str
    reason: str | None = None
    goal: dict[str, Any]
    autonomy: GoalAutonomy
    progress: Progress
    plan: PlanSummary | None
    tasks: list[GoalTask]
    assessment: Assessment | None
    guardrail: GuardrailCounts
    budget: Budget
    result: EnvelopeModel
    started_at: str
    finished_at: str | None
