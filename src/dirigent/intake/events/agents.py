"""Agents that handle events: found by what they declare, each through the door, their state told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from dirigent.domain.domain_event import DEPTH_MAX, DomainEvent
from dirigent.domain.errors import ActionFailed, Conflict
from dirigent.domain.ids import fired_execution_id
from dirigent.domain.patterns import matches
from dirigent.domain.policy import clamp
from dirigent.domain.workflow import Definition, FlowType, Kind, Step
from dirigent.engine import Engine, Start
from dirigent.execution.registry import Registry
from dirigent.intake.events.channels import Channels
from dirigent.intake.ingest import Limits
from dirigent.interpreter.reading import Reading
from dirigent.ports import Clock

CHANNEL = "agents"
BUSY, ONLINE, ERROR = "busy", "online", "error"


class Handling(NamedTuple):
    """An action of an agent that handles events."""

    agent: str
    action: str


class AgentOrchestrator:
    """Brings events to the agents that handle them.

    Each handles an event in an execution of its own, of one step, whose id follows from agent and event:
    the same event brought again is handled once. `agents` are the states last told, by agent.
    """

    def __init__(
        self, engine: Engine, registry: Registry, channels: Channels, clock: Clock, limits: Limits
    ) -> None:
        self.agents: dict[str, str] = {}
        self.communication_bus = channels
        self._engine = engine
        self._registry = registry
        self._clock = clock
        self._limits = limits
        self._working: dict[str, int] = {}

    async def coordinate_agents(self, event: DomainEvent) -> list[str]:
        """Let every agent that handles the event process it, side by side; their executions.

        Raises `ActionFailed` where one of them failed, after all have ended.
        """
        if event.depth >= DEPTH_MAX:
            raise ActionFailed(f"{event.depth} events caused one another, the last one {event.id!r}.")
        readings = await asyncio.gather(*(self._process(found, event) for found in self.find_agents(event)))
        failed = [reading for reading in readings if reading.status in ("failed", "blocked", "rejected")]
        if failed:
            reasons = [
                f"{one.started.workflow}: {one.error.message if one.error else one.status}" for one in failed
            ]
            raise ActionFailed("; ".join(reasons))
        return [reading.execution_id for reading in readings]

    def find_agents(self, event: DomainEvent) -> list[Handling]:
        """The actions that declare that they handle an event of this type."""
        return [
            Handling(spec.key, action.name)
            for spec, action in self._registry.handlers()
            if any(matches(pattern, event.type) for pattern in action.handles)
        ]

    def broadcast_agent_state(self, agent: str) -> None:
        """Tell the channel `agents` how an agent is."""
        message = {"agent": agent, "status": self.agents[agent], "at": self._clock.now_ms()}
        self.communication_bus.publish(CHANNEL, message)

    async def _process(self, handling: Handling, event: DomainEvent) -> Reading:
        self._working[handling.agent] = self._working.get(handling.agent, 0) + 1
        self._tell(handling.agent, BUSY)
        status = ERROR
        try:
            reading = await self._run(handling, event)
            status = ONLINE if reading.status != "failed" else ERROR
        finally:
            self._working[handling.agent] -= 1
            if not self._working[handling.agent]:
                self._tell(handling.agent, status)
        return reading

    def _tell(self, agent: str, status: str) -> None:
        if self.agents.get(agent) != status:
            self.agents[agent] = status
            self.broadcast_agent_state(agent)

    async def _run(self, handling: Handling, event: DomainEvent) -> Reading:
        execution_id = fired_execution_id(
            event.tenant, f"agent:{handling.agent}.{handling.action}", f"{event.source}\x1f{event.id}"
        )
        try:
            await self._engine.start(self._start_of(handling, event, execution_id))
        except Conflict:
            if not self._engine.is_known(execution_id):
                raise
        return await self._engine.rest(execution_id)

    def _start_of(self, handling: Handling, event: DomainEvent, execution_id: str) -> Start:
        limits, name = self._limits, f"{handling.agent}.{handling.action}"
        step = Step(
            id="process",
            kind=Kind.AGENT,
            agent=handling.agent,
            action=handling.action,
            parameters={"event": "${input.event}"},
        )
        return Start(
            definition=Definition(name=name, type=FlowType.SEQUENTIAL, steps=(step,)),
            tenant=event.tenant,
            actor=f"event:{event.type}",
            input={"event": _shown(event)},
            autonomy=clamp(limits.default_autonomy, limits.max_autonomy(event.tenant)),
            trigger="event",
            labels={"summary": f"{name} handles {event.type}", "cause": event.id},
            execution_id=execution_id,
            correlation=event.correlationid or event.id,
            cause=event.id,
            cause_depth=event.depth,
        )


def _shown(event: DomainEvent) -> dict[str, Any]:
    """The event as an agent gets it, by the names of CloudEvents."""
    names: Sequence[str] = (
        "id",
        "type",
        "source",
        "subject",
        "time",
        "data",
        "correlationid",
        "schemaversion",
    )
    return {name: getattr(event, name) for name in names}
