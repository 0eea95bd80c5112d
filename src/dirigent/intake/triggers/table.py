"""Which triggers an event is for: found by its type, not by asking each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.errors import NotFound
from dirigent.domain.patterns import ANY, matches
from dirigent.domain.trigger import EventTrigger, WebhookTrigger
from dirigent.intake.triggers.armed import WEBHOOK, Armed

_Key = tuple[str, str]
_Index = dict[_Key, tuple[Armed, ...]]
_NONE: tuple[Armed, ...] = ()


class TriggerTable:
    """The triggers at work, by tenant and workflow; for events indexed by type.

    A type is looked up once as a whole and once per part of it, whatever the number of triggers.
    """

    def __init__(self) -> None:
        self._workflows: dict[_Key, tuple[Armed, ...]] = {}
        self._by_id: dict[_Key, Armed] = {}
        self._by_type: _Index = {}
        self._by_prefix: _Index = {}
        self._by_webhook: _Index = {}

    def __iter__(self) -> Iterator[Armed]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def put(self, tenant: str, workflow: str, triggers: Iterable[Armed]) -> tuple[Armed, ...]:
        """Put the triggers of a workflow in the place of those it had, which are returned."""
        key = (tenant, workflow)
        replaced = self._workflows.pop(key, ())
        for old in replaced:
            self._remove(old)
        added = self._workflows[key] = tuple(triggers)
        for armed in added:
            self._by_id[tenant, armed.id] = armed
            for index, name in self._places(armed):
                index[name] = (*index.get(name, ()), armed)
        return replaced

    def find(self, tenant: str, id: str) -> Armed:
        """A trigger by its id; raises `NotFound`."""
        found = self._by_id.get((tenant, id))
        if found is None:
            workflow = id.partition(".")[0]
            near = [name for whose, name in self._by_id if whose == tenant and name.startswith(workflow)]
            raise NotFound(f"There is no trigger {id!r}.", code="trigger_not_found", nearest=near[:3])
        return found

    def for_event(self, event: DomainEvent) -> tuple[Armed, ...]:
        """The triggers whose type the event has; whether their filters take it is not asked here."""
        tenant, type = event.tenant, event.type
        found = self._by_type.get((tenant, type), _NONE)
        if self._by_prefix:
            found += self._by_prefix.get((tenant, ""), _NONE)
            at = type.find(".")
            while at >= 0:
                found += self._by_prefix.get((tenant, type[: at + 1]), _NONE)
                at = type.find(".", at + 1)
        if self._by_webhook and WEBHOOK in event.extensions:
            found += self._called(event)
        return found

    def _called(self, event: DomainEvent) -> tuple[Armed, ...]:
        named = self._by_webhook.get((event.tenant, str(event.extensions[WEBHOOK])), _NONE)
        return tuple(
            armed
            for armed in named
            if isinstance(armed.trigger, WebhookTrigger)
            and matches(armed.trigger.event_type or ANY, event.type)
        )

    def _remove(self, armed: Armed) -> None:
        del self._by_id[armed.tenant, armed.id]
        for index, name in self._places(armed):
            left = tuple(other for other in index[name] if other is not armed)
            if left:
                index[name] = left
            else:
                del index[name]

    def _places(self, armed: Armed) -> Iterator[tuple[_Index, _Key]]:
        """The index in which a trigger is found, and under which name."""
        trigger, tenant = armed.trigger, armed.tenant
        if isinstance(trigger, WebhookTrigger):
            yield self._by_webhook, (tenant, trigger.webhook)
        elif isinstance(trigger, EventTrigger) and trigger.event_type.endswith(ANY):
            yield self._by_prefix, (tenant, trigger.event_type.removesuffix(ANY))
        elif isinstance(trigger, EventTrigger):
            yield self._by_type, (tenant, trigger.event_type)
