"""Dirigent: an orchestration engine for agents that do business work."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dirigent.agents.orchestrator import BaseOrchestrator
    from dirigent.agents.revenue.lead_orchestrator import LeadOrchestrator
    from dirigent.bootstrap import Dirigent
    from dirigent.bootstrap.wiring import CampaignManager, InMemoryQueue, Worker
    from dirigent.domain.agent import Effect, Risk
    from dirigent.domain.envelope import Envelope
    from dirigent.domain.goal import Goal
    from dirigent.domain.policy import Autonomy
    from dirigent.execution.registry import Registry
    from dirigent.execution.submitting import Dispatcher
    from dirigent.intake.workflows import Workflow
    from dirigent.ports import Context
    from dirigent.ports.queueing import DispatcherProtocol, OrchestrationEngineProtocol, QueueInterface
    from dirigent.runtimes.flow_engine import OrchestrationEngine, run_flow
    from dirigent.runtimes.flow_nodes import Node
    from dirigent.security.admission import action, agent

__version__ = "0.1.0"
__all__ = [
    "Autonomy",
    "BaseOrchestrator",
    "CampaignManager",
    "Context",
    "Dirigent",
    "Dispatcher",
    "DispatcherProtocol",
    "Effect",
    "Envelope",
    "Goal",
    "InMemoryQueue",
    "LeadOrchestrator",
    "Node",
    "OrchestrationEngine",
    "OrchestrationEngineProtocol",
    "QueueInterface",
    "Registry",
    "Risk",
    "Worker",
    "Workflow",
    "action",
    "agent",
    "run_flow",
]

_HOMES = {
    "Autonomy": "dirigent.domain.policy",
    "BaseOrchestrator": "dirigent.agents.orchestrator",
    "CampaignManager": "dirigent.bootstrap.wiring",
    "Context": "dirigent.ports",
    "Dirigent": "dirigent.bootstrap",
    "Dispatcher": "dirigent.execution.submitting",
    "DispatcherProtocol": "dirigent.ports.queueing",
    "Effect": "dirigent.domain.agent",
    "Envelope": "dirigent.domain.envelope",
    "Goal": "dirigent.domain.goal",
    "InMemoryQueue": "dirigent.bootstrap.wiring",
    "LeadOrchestrator": "dirigent.agents.revenue.lead_orchestrator",
    "Node": "dirigent.runtimes.flow_nodes",
    "OrchestrationEngine": "dirigent.runtimes.flow_engine",
    "OrchestrationEngineProtocol": "dirigent.ports.queueing",
    "QueueInterface": "dirigent.ports.queueing",
    "Registry": "dirigent.execution.registry",
    "Risk": "dirigent.domain.agent",
    "Worker": "dirigent.bootstrap.wiring",
    "Workflow": "dirigent.intake.workflows",
    "action": "dirigent.security.admission",
    "agent": "dirigent.security.admission",
    "run_flow": "dirigent.runtimes.flow_engine",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import dirigent` stays light."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'dirigent' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
