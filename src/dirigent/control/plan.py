"""The shape of a plan: goal, subgoals, tasks and the two workflows that carry it out."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from dirigent.domain.goal import GoalType
from dirigent.domain.policy import Autonomy
from dirigent.domain.shape import Shape


class GoalFacts(Shape):
    """A goal as its workflow hands it on; the fields are those of `domain.goal.Goal`."""

    goal_type: GoalType
    description: str = ""
    tenant: str = ""
    target_metrics: dict[str, Any] = Field(default_factory=dict)
    autonomy_requested: Autonomy = Autonomy.L1
    autonomy: Autonomy = Autonomy.L1
    max_budget: float | None = None
    user: str = ""
    deadline: str | None = None
    limit: int | None = None
    segment: str | None = None
    inputs: dict[str, Any] = Field(default_factory=dict)
    interpreted: dict[str, Any] | None = None


class Task(Shape):
    """One piece of work, given to one action of one agent.

    `step` is the step of the workflow that carries it out, `phase` which of the two workflows.
    `estimate_s` is what it is expected to take, `cost` the most it may cost.
    """

    task_id: str
    subgoal_id: str
    step: str
    phase: str
    agent: str
    action: str
    depends_on: list[str]
    risk: str
    estimate_s: float
    cost: float
    per_lead: bool
    reason: str


class Subgoal(Shape):
    """A part of the goal with its tasks."""

    id: str
    title: str
    tasks: list[str]


class RiskOfTask(Shape):
    """The risk class of a task with a score from 0 to 1 and the reason."""

    task_id: str
    risk: str
    score: float
    reason: str


class Plan(Shape):
    """A goal taken apart.

    `edges` are pairs of task ids, `parallel` groups of tasks that may run at the same time. `work` runs
    up to the checked drafts; `release` runs on what the grading and the guardrail let through.
    `cites` are the memories that the plan rests on, `brief` says for whom is written.
    """

    plan_id: str
    goal_type: str
    limit: int
    segment: str | None
    subgoals: list[Subgoal]
    tasks: list[Task]
    edges: list[tuple[str, str]]
    parallel: list[list[str]]
    risks: list[RiskOfTask]
    risk: str
    estimate_s: float
    cost_max: float
    budget: float | None
    autonomy: str
    targets: dict[str, Any]
    reasons: list[str]
    cites: list[str]
    dropped: list[str]
    summary: str
    brief: dict[str, Any]
    work: dict[str, Any]
    release: dict[str, Any]


class Analysis(Shape):
    """What a goal asks for and whether it can be done with what is at hand.

    `feasibility` is 0 to 1. `blocked` with `reason` (a code) and `explanation` where it cannot begin.
    """

    intent: str
    goal_type: str
    target_metrics: dict[str, Any]
    missing_inputs: list[str]
    feasibility: float
    blocked: bool
    reason: str
    explanation: str
