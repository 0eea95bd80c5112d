"""Triggers made in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dirigent.workflow.expressions import Expression, plain, source_of

Input = Mapping[str, Any] | None
Trigger = dict[str, Any]


def on_schedule(
    schedule: str | None = None,
    *,
    every: str | None = None,
    at: str | None = None,
    timezone: str | None = None,
    input: Input = None,
    catch_up: bool | int | None = None,
    jitter: str | None = None,
    overlap: str | None = None,
) -> Trigger:
    """Five cron fields, `every` so much time, or `at` a moment; `scheduled_at` may stand in `input`."""
    return _trigger(
        "schedule",
        schedule=schedule,
        every=every,
        at=at,
        timezone=timezone,
        input=input,
        catch_up=catch_up,
        jitter=jitter,
        overlap=overlap,
    )


def on_event(
    event_type: str,
    *,
    filter: Expression | str | None = None,
    input: Input = None,
    overlap: str | None = None,
) -> Trigger:
    """An event of a type, or of all below it (`order.*`); `event` may stand in `filter` and `input`."""
    return _trigger("event", event_type=event_type, filter=filter, input=input, overlap=overlap)


def on_webhook(
    webhook: str,
    *,
    event_type: str | None = None,
    filter: Expression | str | None = None,
    input: Input = None,
    overlap: str | None = None,
) -> Trigger:
    """A signed call to a web hook; otherwise like `on_event`."""
    return _trigger(
        "webhook", webhook=webhook, event_type=event_type, filter=filter, input=input, overlap=overlap
    )


def on_api(input: Input = None) -> Trigger:
    """A start through the API; what the caller hands in goes over `input`."""
    return _trigger("api", input=input)


def on_demand(input: Input = None) -> Trigger:
    """A start by a person; what the person hands in goes over `input`."""
    return _trigger("manual", input=input)


def _trigger(type: str, **keys: Any) -> Trigger:
    said = {key: value for key, value in keys.items() if value is not None}
    if "filter" in said:
        said["filter"] = source_of(said["filter"])
    return {"type": type, **plain(said)}
