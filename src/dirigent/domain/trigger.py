"""What starts a workflow by itself: a time, an event, a call from outside, or a person.

`input` is what the execution is started with. Its texts may hold `${ ... }`; which names they may read
hangs on the kind of trigger and stands in `SCOPES`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final, TypeAlias, get_args

import msgspec


class Overlap(enum.StrEnum):
    """What happens when a trigger fires while an execution that it started still runs.

    Start another beside it (`allow`), leave this one out (`skip`), start when the running one has ended
    (`queue`; of a schedule at most one waits), or cancel the running one and start (`replace`).
    """

    ALLOW = "allow"
    SKIP = "skip"
    QUEUE = "queue"
    REPLACE = "replace"


class ScheduleTrigger(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="schedule"
):
    """A time that comes again, in one of three forms.

    `schedule` has five cron fields, read in a time zone of the IANA database; `every` is a span, counted
    from the beginning of 1970 in UTC; `at` is one moment. Times that passed while nobody was there to
    see them are left out, unless `catch_up` says otherwise: with `true` one execution is started for the
    last of them, with a number one for each of the last so many. With `jitter` an execution starts up to
    that span later, always the same for the same time. `input` may read `schedule.at`, the time it
    stands for (ISO 8601, UTC), and `schedule.local`, the same in the time zone.
    """

    schedule: str = ""
    every: str = ""
    at: str = ""
    timezone: str = "UTC"
    input: dict[str, Any] = {}
    catch_up: bool | int = False
    jitter: str = ""
    overlap: Overlap = Overlap.ALLOW


class EventTrigger(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="event"
):
    """An event of a type; the last part of the type may be `*`.

    `filter` is a condition over `event`; `input` may read `event`: its id, type, source, time and data.
    Without `input` the event's data is the input.
    """

    event_type: str
    filter: str = ""
    input: dict[str, Any] = {}
    overlap: Overlap = Overlap.ALLOW


class WebhookTrigger(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="webhook"
):
    """A signed call from outside to the web hook of this name, as `event`; otherwise like `EventTrigger`.

    Without `event_type` every call counts, whatever it says it is.
    """

    webhook: str
    event_type: str = ""
    filter: str = ""
    input: dict[str, Any] = {}
    overlap: Overlap = Overlap.ALLOW


class ApiTrigger(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="api"):
    """A start through the API; what the caller hands in goes over `input`."""

    input: dict[str, Any] = {}


class ManualTrigger(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="manual"
):
    """A start by a person; what the person hands in goes over `input`."""

    input: dict[str, Any] = {}


Trigger: TypeAlias = ScheduleTrigger | EventTrigger | WebhookTrigger | ApiTrigger | ManualTrigger

TRIGGERS: Final[Mapping[str, type[Trigger]]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(Trigger)
}

SCOPES: Final[Mapping[str, frozenset[str]]] = {
    "schedule": frozenset({"schedule"}),
    "event": frozenset({"event"}),
    "webhook": frozenset({"event"}),
    "api": frozenset(),
    "manual": frozenset(),
}


def kind_of(trigger: Trigger) -> str:
    """`schedule`, `event`, `webhook`, `api` or `manual`."""
    return str(trigger.__struct_config__.tag)
