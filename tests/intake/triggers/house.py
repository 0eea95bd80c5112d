"""A Dirigent whose triggers are put to the test: an agent, workflows, and a clock in the test's hands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from dirigent import Context, Dirigent, Effect, Risk, action, agent
from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import definition_from
from dirigent.ports import Clock
from dirigent.settings import read_settings
from dirigent.testing.frozen_clock import FrozenClock


@agent("clerk", domain="test", max_concurrency=1000)
class Clerk:
    """Notes what it is told, and can be made to wait."""

    def __init__(self) -> None:
        self.noted: list[Any] = []
        self.gate = asyncio.Event()
        self.gate.set()

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def note(self, what: Any = None) -> Any:
        """Note something at once."""
        self.noted.append(what)
        return what

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def wait(self, ctx: Context) -> str:
        """Wait until the test opens the gate."""
        await self.gate.wait()
        return ctx.execution_id


def workflow(name: str = "react", *triggers: dict[str, Any], action: str = "note", **more: Any) -> Definition:
    """A workflow of one step with triggers."""
    parameters = {"what": "${input}"} if action == "note" else {}
    step = {"id": "s", "type": "agent", "agent_type": "clerk", "action": action, "parameters": parameters}
    return definition_from({"name": name, "steps": [step], "triggers": list(triggers), **more})


def on(event_type: str, **more: Any) -> dict[str, Any]:
    """A trigger for events of a type."""
    return {"type": "event", "event_type": event_type, **more}


def event(id: str, type: str = "order.paid", **more: Any) -> DomainEvent:
    """An event of the shop."""
    return DomainEvent(**{"id": id, "source": "shop", "type": type, "tenant": "default", **more})


class House:
    """A Dirigent and what the test needs of it."""

    def __init__(self, dirigent: Dirigent, clerk: Clerk, clock: Clock) -> None:
        self.dirigent = dirigent
        self.clerk = clerk
        self.clock = clock

    async def rest(self) -> None:
        """Return when nothing moves any more."""
        while self.dirigent.runtime.running() and self.clerk.gate.is_set():
            for execution_id in self.dirigent.runtime.running():
                await self.dirigent.engine.rest(execution_id)

    def statuses(self) -> list[str]:
        """How the executions stand, oldest first."""
        return [row.status for row in self.dirigent.engine.executions()[::-1]]

    def decisions(self, trigger: str | None = None) -> list[str]:
        """What became of the firings, oldest first."""
        rows = self.dirigent.triggers.firings.firings(trigger=trigger, limit=10_000)
        return [row.decision for row in rows[::-1]]


async def settle(turns: int = 50) -> None:
    """Let everything that is ready have its turn, the disk included."""
    for _ in range(turns):
        await asyncio.sleep(0.001)


@asynccontextmanager
async def house(
    folder: Path,
    *workflows: Definition,
    clock: Clock | None = None,
    clerk: Clerk | None = None,
    environment: dict[str, str] | None = None,
) -> AsyncIterator[House]:
    """Open a Dirigent over a folder with these workflows at work."""
    settings = read_settings(environment=environment or {}, folder=folder, data_folder=folder / "data")
    own, time = clerk or Clerk(), clock or FrozenClock()
    async with Dirigent(settings=settings, agents=[own], workflows=workflows, clock=time) as dirigent:
        yield House(dirigent, own, time)
