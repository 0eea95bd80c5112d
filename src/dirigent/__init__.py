"""Dirigent: an orchestration engine for agents that do business work."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dirigent.bootstrap import Dirigent
    from dirigent.domain.agent import Effect, Risk
    from dirigent.domain.goal import Goal
    from dirigent.domain.policy import Autonomy
    from dirigent.intake.workflows import Workflow
    from dirigent.ports import Context
    from dirigent.security.admission import action, agent

__version__ = "0.1.0"
__all__ = ["Autonomy", "Context", "Dirigent", "Effect", "Goal", "Risk", "Workflow", "action", "agent"]

_HOMES = {
    "Autonomy": "dirigent.domain.policy",
    "Context": "dirigent.ports",
    "Dirigent": "dirigent.bootstrap",
    "Effect": "dirigent.domain.agent",
    "Goal": "dirigent.domain.goal",
    "Risk": "dirigent.domain.agent",
    "Workflow": "dirigent.intake.workflows",
    "action": "dirigent.security.admission",
    "agent": "dirigent.security.admission",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import dirigent` stays light."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'dirigent' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
