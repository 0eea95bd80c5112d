"""The agents that plan, check, grade, remember and learn."""

from __future__ import annotations

from typing import Any

from dirigent.control.critic import CriticAgent
from dirigent.control.guardrail import GuardrailAgent
from dirigent.control.learning import LearnerAgent
from dirigent.control.memory import RagServiceAgent
from dirigent.control.planner import PlannerAgent


def control_agents() -> tuple[type[Any], ...]:
    """Their classes, to be registered by the composition root."""
    return (PlannerAgent, GuardrailAgent, CriticAgent, RagServiceAgent, LearnerAgent)
