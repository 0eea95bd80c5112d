"""Publishing: what happened in a run, told to whoever follows the tenant's events."""

from __future__ import annotations

from typing import Any

from dirigent.domain.agent import Effect, Risk
from dirigent.domain.shape import Shape
from dirigent.ports import Context
from dirigent.security.admission import action, agent


class Emitted(Shape):
    """An event that is on record: its id, its type and its position in the journal."""

    event_id: str
    type: str
    position: int


@agent("events", domain="operations")
class EventsAgent:
    """Publishes domain events."""

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def emit(self, type: str, data: Any = None, subject: str = "", *, ctx: Context) -> Emitted:
        """Publish one event; its id follows from run and step, so a repeated attempt publishes it once."""
        taken = await ctx.publish(type, data, subject=subject)
        return Emitted(event_id=taken.event_id, type=type, position=taken.position)
