"""One agent as a process of its own: a Dirigent that knows this agent only, for other engines to call."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

from dirigent import __version__
from dirigent.agents.catalogue import catalogue
from dirigent.bootstrap.agent_keys import keys_to_serve_with
from dirigent.bootstrap.system import Dirigent
from dirigent.domain.agent import AgentSpec
from dirigent.execution.registry import Registry
from dirigent.intake.served_calls import ServedCalls
from dirigent.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

# What belongs to the engine and not to one of its agents, though it stands in the same environment.
NOT_OURS: dict[str, Any] = {
    "workflows": None,
    "webhooks": None,
    "connectors": None,
    "stream": None,
    "agent_addresses": {},
}


class AgentServer(Dirigent):
    """A Dirigent with one agent over a data folder of its own; `own` are agents beside those that come along.

    Its journal answers a repeated call with the first outcome. Policies, delivery switch and records are
    those of its own folder and settings. `app` is what it serves: everything there asks for a key.
    """

    _planners: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, agent: str, *, settings: Settings, own: Iterable[type[Any] | object] = (), **others: Any
    ) -> None:
        self._served = agent
        super().__init__(settings=settings.model_copy(update=NOT_OURS), agents=own, **others)

    @property
    def agent(self) -> AgentSpec:
        """The agent that it serves."""
        return self.registry.specs()[0]

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys that it accepts; see `keys_to_serve_with`."""
        return keys_to_serve_with(self.settings)

    def app(self) -> FastAPI:
        """What it serves; imports the web framework only now."""
        from dirigent.api.app import create_agent_app

        return create_agent_app(self.services(), self.calls, self.keys)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.calls.settled()
        await super().__aexit__(kind, error, trace)

    async def _open(self, folder: Path) -> None:
        await super()._open(folder)
        self.calls = ServedCalls(self.engine, self.registry, self.settings.max_autonomy, __version__)

    def _registered(self, agents: Iterable[type[Any] | object]) -> Registry:
        registry = Registry(catalogue())
        for own in agents:
            registry.register(own)
        registry.keep_only(self._served)
        return registry
