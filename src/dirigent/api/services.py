"""What the routers need of the system; the composition root hands it over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from dirigent.engine import Engine
from dirigent.execution.registry import Registry
from dirigent.intake.connectors.polling import Connectors
from dirigent.intake.goals.report import GoalReport
from dirigent.intake.ingest import Intake
from dirigent.intake.library.starting import Starter
from dirigent.intake.library.store import WorkflowStore
from dirigent.intake.live.feed import LiveFeed
from dirigent.intake.triggers.at_work import Triggers
from dirigent.intake.webhooks.receiving import Webhooks
from dirigent.ports import EventIndex
from dirigent.ports.remote import RemoteAgent

LOOPBACK = ("127.0.0.1", "localhost", "::1")


async def _nothing() -> None:
    """Nobody else is there to be asked."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Of a WebSocket, in seconds: between two heartbeats, and for one message to be taken."""

    heartbeat_s: float = 20.0
    send_s: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything behind the HTTP interface.

    `message` returns a stored message by tenant and id as a person reads it, or None (see `messages`).
    `hosts` are the names under which the server lets itself be called (empty: any); while there is no
    authentication that is what keeps a web page in the user's browser out. `servers` are those of agents that
    do not run here, and `look` asks them whether they are there. `live` tells who follows over `/ws`.
    """

    engine: Engine
    intake: Intake
    registry: Registry
    report: Callable[[str], GoalReport]
    health: Callable[[], dict[str, Any]]
    config: Callable[[], dict[str, Any]]
    message: Callable[[str, str], dict[str, Any] | None]
    triggers: Triggers
    event_index: EventIndex
    webhooks: Webhooks
    connectors: Connectors
    library: WorkflowStore
    starter: Starter
    live: LiveFeed
    tenant: str
    actor: str
    version: str
    hosts: tuple[str, ...] = LOOPBACK
    servers: Mapping[str, RemoteAgent] = field(default_factory=dict)
    look: Callable[[], Awaitable[None]] = _nothing
    patience: Patience = Patience()


async def _services(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services), "create_app puts the services there"
    return services


Given = Annotated[Services, Depends(_services)]
