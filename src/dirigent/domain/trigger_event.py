"""What can happen around triggers: events of the business taken in, firings, schedules, web hooks."""

from __future__ import annotations

import msgspec

from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.event_base import Event


class EventPublished(Event, frozen=True, kw_only=True, tag=True):
    """Something happened in the business and was taken in; the stream holds all of one tenant."""

    event: DomainEvent


class ConsumerAdvanced(Event, frozen=True, kw_only=True, tag=True):
    """Somebody who follows the events of the business has dealt with all up to a position of the journal."""

    consumer: str
    position: int


class EventDeadLettered(Event, frozen=True, kw_only=True, tag=True):
    """A consumer could not deal with an event, however often it tried; it goes on with the next ones."""

    consumer: str
    position: int
    event_id: str
    attempts: int
    error: str


class DeadLetterReplayed(Event, frozen=True, kw_only=True, tag=True):
    """A consumer dealt with an event that it had given up."""

    consumer: str
    position: int
    actor: str


class FiringDecided(Event, frozen=True, kw_only=True, tag=True):
    """A trigger fired, or would have, and no execution was started, or none yet.

    `decision` is queued, skipped, paused, failed (filter or input) or cut (a circle of causes);
    `execution_id` the execution that was or would have been started. `cause` names the event or the
    time; `event_position` is where the event is, `due` the time. `count` is more than one where many
    failed in the same way at once.
    """

    execution_id: str
    tenant: str
    trigger: str
    workflow: str
    cause: str
    decision: str
    reason: str = ""
    event_position: int = 0
    due: int = 0
    count: int = 1


class TriggerPaused(Event, frozen=True, kw_only=True, tag=True):
    """A person asked that a trigger start nothing until it is resumed."""

    tenant: str
    trigger: str
    actor: str
    reason: str = ""


class TriggerResumed(Event, frozen=True, kw_only=True, tag=True):
    """A person let a trigger start executions again."""

    tenant: str
    trigger: str
    actor: str


class ScheduleAdvanced(Event, frozen=True, kw_only=True, tag=True):
    """A schedule has been dealt with up to a time; `due` is the last time it fired for, 0 if it did not.

    `missed` counts the times that were left out.
    """

    tenant: str
    trigger: str
    through: int
    due: int = 0
    missed: int = 0


class WebhookRefused(Event, frozen=True, kw_only=True, tag=True):
    """Calls of a web hook were refused, so many since the last that was noted. What they said is not kept."""

    tenant: str
    webhook: str
    reason: str
    count: int = 1


class WebhookKept(Event, frozen=True, kw_only=True, tag=True):
    """A genuine call did not fit the mapping of its web hook; it is kept until somebody mends one of them."""

    tenant: str
    webhook: str
    call: str
    body: str
    error: str
    headers: dict[str, str] = msgspec.field(default_factory=dict)


class WebhookMended(Event, frozen=True, kw_only=True, tag=True):
    """A call that had been kept was taken in as an event, or given up."""

    tenant: str
    webhook: str
    call: str
    actor: str
    event_id: str = ""


class ConnectorAdvanced(Event, frozen=True, kw_only=True, tag=True):
    """Another system was asked what has changed, and all up to the mark `through` was dealt with.

    `taken` counts the rows that became events, `refused` those that could not; `reason` is why the first
    of them could not.
    """

    tenant: str
    connector: str
    through: int
    taken: int = 0
    refused: int = 0
    reason: str = ""
