"""The event loop: take the next event, have the agents handle it, note that it was dealt with, for ever."""

from __future__ import annotations

from dirigent.domain.domain_event import DomainEvent
from dirigent.intake.events.agents import AgentOrchestrator
from dirigent.intake.events.consumers import EventConsumer
from dirigent.intake.events.sourcing import EventSourcing


class EventLoopManager:
    """Follows the log with a consumer of its own and brings every event to the agents that handle it.

    Events are appended before they are handled, whoever hands them in. A handler that fails is tried
    again, then its event is dead-lettered, and the loop goes on.
    """

    def __init__(
        self, consumer: EventConsumer, event_store: EventSourcing, agent_coordinator: AgentOrchestrator
    ) -> None:
        self.kafka_consumer = consumer
        self.event_store = event_store
        self.agent_coordinator = agent_coordinator
        self.cycles = 0

    async def process_events(self) -> None:
        """Deal with one event after the other, those of different subjects side by side; never returns."""
        await self.kafka_consumer.run(self._process)

    async def handle_event(self, event: DomainEvent) -> None:
        """Let the agents that handle the event process it."""
        await self.agent_coordinator.coordinate_agents(event)

    async def update_event_store(self, event: DomainEvent) -> None:
        """Have the event in the store; it is there already, unless it came from elsewhere."""
        if not self.event_store.holds(event):
            await self.event_store.store_event(event)

    async def _process(self, event: DomainEvent) -> None:
        await self.update_event_store(event)
        await self.handle_event(event)
        self.cycles += 1
