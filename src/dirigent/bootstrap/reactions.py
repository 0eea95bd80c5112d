"""What reacts to events and to time, put together: triggers, web hooks, connectors, agents, live telling."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from dirigent.domain.domain_event import DomainEvent
from dirigent.engine import Engine
from dirigent.execution.registry import Registry
from dirigent.intake.connectors.definition import load_connectors
from dirigent.intake.connectors.polling import Connectors
from dirigent.intake.events.agents import AgentOrchestrator
from dirigent.intake.events.channels import Channels
from dirigent.intake.events.consumers import EventConsumer
from dirigent.intake.events.log import EventLog
from dirigent.intake.events.loop import EventLoopManager
from dirigent.intake.events.publishing import TOLD, EventPublisher
from dirigent.intake.events.sourcing import EventSourcing
from dirigent.intake.events.upcasting import Upcasters
from dirigent.intake.ingest import Limits
from dirigent.intake.live.feed import LiveFeed
from dirigent.intake.triggers.at_work import Triggers
from dirigent.intake.triggers.matching import foresee
from dirigent.intake.webhooks.definition import load_webhooks
from dirigent.intake.webhooks.receiving import Webhooks
from dirigent.integrations.changes_file import ChangesFile
from dirigent.integrations.file_stream import FileStream
from dirigent.ports import Clock, EventIndex, EventStream
from dirigent.security.folder_key import FolderKey
from dirigent.settings import Settings
from dirigent.storage.sqlite.firings import SqliteFirings
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.storage.sqlite.projections import SqliteProjections

LOOP = "agents"

log = structlog.get_logger("dirigent.events")


@dataclass(frozen=True, kw_only=True)
class House:
    """What reactions need of the system."""

    folder: Path
    key: FolderKey | None
    settings: Settings
    journal: SqliteJournal
    index: EventIndex
    log: EventLog
    engine: Engine
    registry: Registry
    projections: SqliteProjections
    clock: Clock
    limits: Limits
    upcasters: Upcasters
    stream: EventStream | None


class Reactions:
    """Started with the system and closed before it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.firings = SqliteFirings(house.folder, house.key)
        self.triggers = Triggers(
            house.log,
            house.index,
            house.journal,
            self.firings,
            house.engine,
            house.clock,
            house.limits,
            house.upcasters,
        )
        self.webhooks = self._webhooks()
        self.connectors = Connectors(
            [
                (one, ChangesFile(one.file, id=one.id, changed=one.changed))
                for one in load_connectors(house.settings.connectors)
            ],
            house.log,
            house.journal,
            house.clock,
            house.settings.tenant,
        )
        self.channels = Channels()
        self.event_store = EventSourcing(
            house.log,
            house.index,
            house.journal,
            rebuild=house.projections.rebuild,
            foresee=partial(foresee, self.triggers.table, self.firings, house.upcasters),
            upcasters=house.upcasters,
        )
        self.agent_coordinator = AgentOrchestrator(
            house.engine, house.registry, self.channels, house.clock, house.limits
        )
        self.event_loop = EventLoopManager(
            self.consumer(LOOP, wanted=self.agent_coordinator.find_agents),
            self.event_store,
            self.agent_coordinator,
        )
        self.publisher = self._publisher()
        self.live = LiveFeed(house.journal, self._tenant_of, house.projections.begun_at)
        self._looping: asyncio.Task[None] | None = None

    def consumer(
        self,
        name: str,
        *,
        tenant: str | None = None,
        types: Sequence[str] = ("*",),
        wanted: Callable[[DomainEvent], object] = lambda _event: True,
    ) -> EventConsumer:
        """A follower of the events that keeps its place under its name; passes by what is not `wanted`."""
        house = self._house
        return EventConsumer(
            name,
            house.log,
            house.index,
            house.journal,
            house.clock,
            tenant=tenant,
            types=types,
            upcasters=house.upcasters,
            wanted=wanted,
        )

    async def start(self) -> None:
        """Begin to react. The loop over the agents runs where one of them handles events.

        Connectors begin when they are told to: a command that is over soon does not ask other systems.
        """
        await self.triggers.start()
        if self.publisher is not None:
            await self.publisher.start()
        if self._house.registry.handlers():
            self._looping = asyncio.create_task(self._loop(), name="dirigent-event-loop")

    async def close(self) -> None:
        """Stop reacting. What was not dealt with is dealt with at the next start."""
        await self.connectors.close()
        if self._looping is not None:
            self._looping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looping
        self.event_store.close()
        await self.triggers.close()
        await self.live.close()
        if self.publisher is not None:
            await self.publisher.close()
        self.firings.close()

    async def _loop(self) -> None:
        try:
            await self.event_loop.process_events()
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("event_loop.stopped")

    def _publisher(self) -> EventPublisher | None:
        """Where events are to go out, and what sends them there."""
        house = self._house
        stream = house.stream
        if stream is None and house.settings.stream is not None:
            stream = FileStream(house.settings.stream)
        if stream is None:
            return None
        publisher = EventPublisher(house.journal, house.log, stream, house.clock, self._tenant_of)
        house.engine.runtime.observe(lambda *_: publisher.rouse(), TOLD)
        return publisher

    def _tenant_of(self, execution_id: str) -> str:
        return self._house.engine.row(execution_id).tenant

    def _webhooks(self) -> Webhooks:
        house = self._house
        secrets = house.settings.webhook_secrets
        return Webhooks(
            load_webhooks(house.settings.webhooks),
            {name: tuple(one.get_secret_value() for one in given) for name, given in secrets.items()},
            house.log,
            house.journal,
            house.clock,
            house.settings.tenant,
        )
