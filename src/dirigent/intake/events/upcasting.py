"""Events of older schemas, read as those of today; what is stored stays as it was said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.errors import InvalidInput

Upcast = Callable[[Any], Any]

VERSIONS_MAX = 1000


class Upcasters:
    """How the data of each type of event is brought from one schema version to the next."""

    def __init__(self) -> None:
        self._steps: dict[tuple[str, int], Upcast] = {}

    def register(self, type: str, version: int, upcast: Upcast) -> None:
        """Say how data of a version becomes data of the next; raises `InvalidInput` where that is known."""
        if (type, version) in self._steps:
            raise InvalidInput(f"Version {version} of {type!r} has an upcaster already.")
        self._steps[type, version] = upcast

    def current(self, event: DomainEvent) -> DomainEvent:
        """The event as it would be said today; raises `InvalidInput` where an upcaster fails."""
        if (event.type, event.schemaversion) not in self._steps:
            return event
        data, version = event.data, event.schemaversion
        for _ in range(VERSIONS_MAX):
            step = self._steps.get((event.type, version))
            if step is None:
                break
            data, version = _cast(step, event, version, data), version + 1
        return msgspec.structs.replace(event, data=data, schemaversion=version)


def _cast(step: Upcast, event: DomainEvent, version: int, data: Any) -> Any:
    try:
        # What is stored is shared: an upcaster that changes its argument must not change it.
        return step(msgspec.json.decode(msgspec.json.encode(data)))
    except Exception as error:
        raise InvalidInput(
            f"The event {event.id!r} of type {event.type} cannot be read as version {version + 1}: {error}.",
            fix="Mend the upcaster.",
        ) from error
