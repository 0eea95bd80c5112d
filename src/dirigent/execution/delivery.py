"""How an action reaches the outbox and the events: only while it is admitted, and as it is declared."""

from __future__ import annotations

from pathlib import Path

from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.errors import Refused
from dirigent.ports import Acknowledged, EventSink, Outbox
from dirigent.security.admission import current_admission


def deliver_admitted(outbox: Outbox, message_id: str, content: bytes) -> Path:
    """Put a message out; refused where the running call was not admitted as outward."""
    admission = current_admission()
    if admission is None or not admission.action.outward:
        if admission is not None:
            admission.on_refusal("outbox", "deliver")
        raise Refused("Only an action declared outward may deliver.", rules=("dispatcher.only_way",))
    if admission.held:
        admission.on_refusal("outbox", "deliver")
        raise Refused(f"Nothing may leave: {admission.held}.", rules=("dispatcher.held",))
    return outbox.deliver(message_id, content)


async def publish_admitted(events: EventSink, event: DomainEvent) -> Acknowledged:
    """Put an event on record; refused where the running call is not admitted as changing anything."""
    admission = current_admission()
    if admission is None or not admission.action.effect.needs_intent:
        if admission is not None:
            admission.on_refusal("events", "publish")
        raise Refused(
            "Only an action declared to change something may publish.", rules=("dispatcher.only_way",)
        )
    return await events.publish(event)
