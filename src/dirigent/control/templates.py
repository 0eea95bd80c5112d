"""Goal templates as data: which tasks a goal type is made of, in which order, with which inputs.

A new goal type is one more file beside `revive_pipeline.yaml`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

FOLDER = Path(__file__).parent / "goal_templates"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TaskTemplate(_Part):
    """One task of a goal type.

    `action` is chosen from the agents that have it; `prefer` names the agent to take when nothing
    speaks against it. An `optional` task is left out where its cost does not fit the budget.
    """

    step: str
    subgoal: str
    prefer: str
    action: str
    needs: list[str] = []
    phase: str = "work"
    optional: bool = False
    estimate_s: float = 1.0
    foreach: str = ""
    parameters: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    why: str


class CheckTemplate(_Part):
    """A condition between tasks without which the run is blocked."""

    step: str
    after: str
    before: list[str]
    condition: str
    code: str
    message: str


class GoalTemplate(_Part):
    """How goals of one type are planned."""

    goal_type: str
    subgoals: dict[str, str]
    required_records: dict[str, str] = {}
    default_limit: int = 50
    tasks: list[TaskTemplate]
    checks: list[CheckTemplate] = []


def read_template(goal_type: str) -> GoalTemplate | None:
    """The template of a goal type, or None where there is none."""
    file = FOLDER / f"{goal_type.lower()}.yaml"
    return GoalTemplate.model_validate(yaml.safe_load(file.read_text())) if file.is_file() else None


def template_names() -> list[str]:
    """Goal types that can be planned."""
    return sorted(path.stem.upper() for path in FOLDER.glob("*.yaml"))
