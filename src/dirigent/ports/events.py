"""The ports of what happens in the business: where it is handed in, and where it is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec

from dirigent.domain.domain_event import DomainEvent
from dirigent.ports.journal import Recorded


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an event that was handed in: it is on stable storage at this position of the journal.

    `duplicate` says that it was there before and nothing follows from handing it in again.
    """

    event_id: str
    position: int
    duplicate: bool = False


@runtime_checkable
class EventIndex(Protocol):
    """Finds the events of the business in the journal; a reading of it that can be rebuilt."""

    def positions(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Where the durable events of these keys (`event_key`) are; what is not there is left out."""
        ...

    def events(
        self,
        tenant: str | None = None,
        *,
        type: str = "",
        after: int = 0,
        limit: int = 1000,
        newest: bool = False,
    ) -> list[Recorded]:
        """Durable events (`EventPublished`) after a position, oldest or newest first.

        `type` may end in `.*` for all types below a name.
        """
        ...


@runtime_checkable
class EventSink(Protocol):
    """Takes in what happens in the business. Appended first, then matched to what waits for it.

    An event is named by tenant, source and id. Handing in the same one again is acknowledged and
    changes nothing; one of the same names with other content raises `Conflict`.
    """

    async def publish(self, event: DomainEvent) -> Acknowledged:
        """Take in one event; returns when it is on stable storage."""
        ...

    async def publish_all(self, events: Sequence[DomainEvent]) -> list[Acknowledged]:
        """Take in many of one tenant, in order, all or none; returns when they are on stable storage."""
        ...
