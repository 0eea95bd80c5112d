"""The one entrance: every goal, workflow and single action becomes an execution here."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from dirigent.domain.canonical import plain
from dirigent.domain.goal import Goal
from dirigent.domain.job import PRIORITY
from dirigent.domain.policy import Autonomy, clamp
from dirigent.domain.workflow import Definition, FlowType, Kind, Step
from dirigent.engine import Engine, Start
from dirigent.execution.registry import Registry
from dirigent.intake.goals.acceptance import accept_goal
from dirigent.interpreter.reading import Reading
from dirigent.ports import Clock

FIRST_ESTIMATE_S = 20.0
ESTIMATE_PER_LEAD_S = 0.2
LEADS_WITHOUT_LIMIT = 50


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The answer to what was handed in. It is on stable storage."""

    execution_id: str
    status: str
    estimated_completion: str
    goal: Goal | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What intake needs to know of the configuration."""

    tenant: str
    actor: str
    default_autonomy: Autonomy
    max_autonomy: Callable[[str], Autonomy]


class Intake:
    """Takes in goals, workflows and single actions."""

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        library: Callable[[str], Definition],
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._library = library
        self._clock = clock
        self._limits = limits

    def read_goal(self, payload: Mapping[str, Any] | Goal | str) -> Goal:
        """Check a goal without accepting it."""
        return accept_goal(
            payload,
            today=self._now().date(),
            default_tenant=self._limits.tenant,
            actor=self._limits.actor,
            default_autonomy=self._limits.default_autonomy,
            max_autonomy=self._limits.max_autonomy,
        )

    async def submit_goal(
        self,
        payload: Mapping[str, Any] | Goal | str,
        *,
        trigger: str = "api",
        execution_id: str = "",
        allow_delivery: bool = True,
    ) -> Accepted:
        """Accept a goal; its built-in workflow runs in the background."""
        goal = self.read_goal(payload)
        facts = plain(goal)
        accepted = await self._engine.start(
            Start(
                definition=self._library("goal"),
                tenant=goal.tenant,
                actor=goal.user,
                input={"goal": facts},
                autonomy=goal.autonomy,
                budget=goal.max_budget,
                trigger=trigger,
                labels={"goal": facts, "summary": goal.description or goal.goal_type.value},
                execution_id=execution_id or self._engine.new_goal_id(),
                allow_delivery=allow_delivery,
            )
        )
        return Accepted(
            execution_id=accepted,
            status="accepted",
            estimated_completion=self._completion(goal),
            goal=goal,
        )

    async def run_workflow(
        self,
        definition: Definition,
        input: Mapping[str, Any] | None = None,
        *,
        tenant: str | None = None,
        autonomy: Autonomy | None = None,
        budget: float | None = None,
        trigger: str = "manual",
        execution_id: str = "",
        correlation: str = "",
        allow_delivery: bool = True,
        priority: int = PRIORITY,
        version: int = 0,
        actor: str = "",
        labels: Mapping[str, Any] | None = None,
    ) -> str:
        """Start a workflow and return its execution's id.

        `version` is that of a stored one, `actor` who asks for it (else the house's), and `labels` are
        kept with it.
        """
        start = self._start(
            definition,
            input,
            tenant,
            autonomy,
            version,
            budget=budget,
            trigger=trigger,
            execution_id=execution_id,
            correlation=correlation,
            allow_delivery=allow_delivery,
            priority=priority,
            actor=actor or self._limits.actor,
        )
        known = {**start.labels, **(labels or {})}
        return await self._engine.start(msgspec.structs.replace(start, labels=known))

    async def run_to_rest(
        self,
        definition: Definition,
        input: Mapping[str, Any] | None = None,
        *,
        tenant: str | None = None,
        autonomy: Autonomy | None = None,
        trigger: str = "manual",
        version: int = 0,
    ) -> Reading:
        """Start a workflow and wait until it has ended or waits for a person; returns how it stands."""
        return await self._engine.run(
            self._start(definition, input, tenant, autonomy, version, trigger=trigger)
        )

    async def execute_action(
        self, agent: str, action: str, inputs: Mapping[str, Any], *, tenant: str | None = None
    ) -> Reading:
        """Take one action of one agent as a workflow of one step, and wait for it to come to rest.

        Raises `NotFound` for an unknown agent and `InvalidInput` for an unknown action or wrong inputs.
        """
        found = self._registry.action(agent, action)
        found.read_inputs(dict(inputs))
        step = Step(
            id="direct",
            kind=Kind.AGENT,
            agent=found.agent.key,
            action=action,
            parameters={name: f"${{input.{name}}}" for name in inputs},
        )
        name = f"{found.agent.key}.{action}"
        definition = Definition(name=name, type=FlowType.SEQUENTIAL, steps=(step,))
        return await self.run_to_rest(definition, inputs, tenant=tenant, trigger="direct")

    def _start(
        self,
        definition: Definition,
        input: Mapping[str, Any] | None,
        tenant: str | None,
        autonomy: Autonomy | None,
        version: int,
        **given: Any,
    ) -> Start:
        whose = tenant or self._limits.tenant
        labels: dict[str, Any] = {"summary": definition.description or definition.name}
        return Start(
            definition=definition,
            tenant=whose,
            input=dict(input or {}),
            autonomy=clamp(autonomy or self._limits.default_autonomy, self._limits.max_autonomy(whose)),
            labels=labels | ({"version": version} if version else {}),
            **({"actor": self._limits.actor} | given),
        )

    def _completion(self, goal: Goal) -> str:
        """When it should be done, from how long goals of this kind took before."""
        past = [
            (row.ended_at - row.started_at) / 1000
            for row in self._engine.executions(goal.tenant, limit=50)
            if row.workflow == "goal" and row.ended_at is not None
        ]
        leads = goal.limit or LEADS_WITHOUT_LIMIT
        seconds = statistics.median(past) if past else FIRST_ESTIMATE_S + ESTIMATE_PER_LEAD_S * leads
        return _iso(self._now() + timedelta(seconds=seconds + 1))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
