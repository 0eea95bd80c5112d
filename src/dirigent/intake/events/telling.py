"""Events as they are shown outside: the JSON form of CloudEvents, and where in the journal they are."""

from __future__ import annotations

from typing import Any

from dirigent.domain.canonical import plain
from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.event import EventPublished
from dirigent.domain.moments import iso
from dirigent.ports import Recorded


def event_told(recorded: Recorded) -> dict[str, Any]:
    """An event of the journal: its position, when it was taken in, and what it says."""
    assert isinstance(recorded.event, EventPublished), "the index gives events only"
    return {
        "position": recorded.position,
        "taken_in_at": iso(recorded.event.at),
        "event": as_cloud_event(recorded.event.event),
    }


def as_cloud_event(event: DomainEvent) -> dict[str, Any]:
    """The attributes by their names in CloudEvents, extensions beside the others."""
    said: dict[str, Any] = plain(event)
    extensions = said.pop("extensions", {})
    return {"specversion": event.specversion, **said, **extensions}
