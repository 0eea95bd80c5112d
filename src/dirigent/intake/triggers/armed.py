"""A trigger of a workflow, compiled and ready to fire."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.trigger import (
    EventTrigger,
    Overlap,
    ScheduleTrigger,
    Trigger,
    WebhookTrigger,
    kind_of,
)
from dirigent.domain.workflow import Definition
from dirigent.intake.triggers.shortcut import passes_by
from dirigent.interpreter.expression import parse_expression
from dirigent.interpreter.template import compile_template

# The attribute that says through which web hook an event came in. Only the door for web hooks sets it.
WEBHOOK = "webhook"

Render = Callable[[Mapping[str, Any]], Any]
Accepts = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, kw_only=True, eq=False)
class Armed:
    """One trigger of one workflow of one tenant. `id` stays the same as long as it fires for the same."""

    id: str
    tenant: str
    definition: Definition
    trigger: Trigger
    overlap: Overlap
    accepts: Accepts | None
    render: Render | None

    @property
    def kind(self) -> str:
        """`schedule`, `event`, `webhook`, `api` or `manual`."""
        return kind_of(self.trigger)

    @property
    def fires_for(self) -> str:
        """The type of event or the time, as it was written."""
        return " ".join(part for part in _fires_for(self.trigger) if part)

    def input(self, scope: Mapping[str, Any], otherwise: Any = None) -> dict[str, Any]:
        """What the execution is started with; raises `ExpressionError`.

        Without an `input` of its own it is `otherwise`: as it is where that is a mapping, else as `data`.
        """
        if self.render is not None:
            rendered: dict[str, Any] = self.render(scope)
            return rendered
        if isinstance(otherwise, dict):
            return otherwise
        return {} if otherwise is None else {"data": otherwise}


def arm(definition: Definition, tenant: str) -> list[Armed]:
    """The triggers of a definition that fire by themselves; raises `ExpressionError` where one cannot."""
    found: dict[str, Armed] = {}
    for trigger in definition.triggers:
        if isinstance(trigger, ScheduleTrigger | EventTrigger | WebhookTrigger):
            id = next(name for name in _ids(definition.name, trigger) if name not in found)
            found[id] = _armed(id, definition, tenant, trigger)
    return list(found.values())


def event_scope(event: DomainEvent) -> dict[str, Any]:
    """What a filter and an input read as `event`, by the names of CloudEvents."""
    return {
        "event": {
            "id": event.id,
            "type": event.type,
            "source": event.source,
            "subject": event.subject,
            "time": event.time,
            "data": event.data,
        }
    }


def _armed(
    id: str, definition: Definition, tenant: str, trigger: ScheduleTrigger | EventTrigger | WebhookTrigger
) -> Armed:
    source = "" if isinstance(trigger, ScheduleTrigger) else trigger.filter
    return Armed(
        id=id,
        tenant=tenant,
        definition=definition,
        trigger=trigger,
        overlap=trigger.overlap,
        accepts=_filter(source) if source else None,
        render=compile_template(trigger.input) if trigger.input else None,
    )


def _filter(source: str) -> Accepts:
    holds, passes = parse_expression(source).holds, passes_by(source)
    if passes is None:
        return holds
    return lambda scope: not passes(scope) and holds(scope)


def _ids(workflow: str, trigger: ScheduleTrigger | EventTrigger | WebhookTrigger) -> Iterator[str]:
    """Names for a trigger, by what it fires for; further ones where two of a workflow fire for the same."""
    digest = hashlib.sha256("\x1f".join(_fires_for(trigger)).encode()).hexdigest()[:8]
    name = f"{workflow}.{kind_of(trigger)}.{digest}"
    yield name
    for number in range(2, 10_000):
        yield f"{name}.{number}"


def _fires_for(trigger: Trigger) -> tuple[str, ...]:
    if isinstance(trigger, ScheduleTrigger):
        return (trigger.schedule, trigger.every, trigger.at, trigger.timezone)
    if isinstance(trigger, EventTrigger):
        return (trigger.event_type, trigger.filter)
    if isinstance(trigger, WebhookTrigger):
        return (trigger.webhook, trigger.event_type, trigger.filter)
    return ()
