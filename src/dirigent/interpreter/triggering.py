"""Triggers: from what is written to typed values, checked for what can be known before they fire."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from dirigent.domain.trigger import (
    SCOPES,
    TRIGGERS,
    ApiTrigger,
    EventTrigger,
    ManualTrigger,
    Overlap,
    ScheduleTrigger,
    Trigger,
    WebhookTrigger,
)
from dirigent.interpreter.parts import Parts, Use, collect_holes, need, read_word
from dirigent.interpreter.problems import Findings, Path, shown
from dirigent.interpreter.scheduling import check_times
from dirigent.interpreter.template import as_expression
from dirigent.interpreter.written import (
    WrittenEventTrigger,
    WrittenSchedule,
    WrittenTrigger,
    WrittenWebhook,
    read_written,
)

TimeZones = Collection[str]

EVENT_TYPE = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*(?:\.\*)?|\*")
WEBHOOK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def build_triggers(
    data: list[Any], path: Path, parts: Parts, timezones: TimeZones | None
) -> tuple[Trigger, ...]:
    """Read `triggers`; those that cannot be made out are left out, with what is wrong among the findings."""
    built = [_trigger(one, (*path, index), parts, timezones) for index, one in enumerate(data)]
    return tuple(trigger for trigger in built if trigger is not None)


def _trigger(data: Any, path: Path, parts: Parts, timezones: TimeZones | None) -> Trigger | None:
    findings = parts.findings
    if not isinstance(data, dict):
        message = f"{shown(data)} is not a mapping"
        fix = "write type: schedule or type: event, and what goes with it"
        findings.add("WF008", path, message, expected="a mapping", fix=fix)
        return None
    kind = data.get("type")
    need("type", data, path, findings, "type: schedule")
    if kind is None:
        return None
    if not isinstance(kind, str):
        message = f"type is {shown(kind)}"
        findings.add("WF008", (*path, "type"), message, expected="text", fix="put it in quotes")
        return None
    read_word(kind, tuple(TRIGGERS), (*path, "type"), findings)
    if kind not in TRIGGERS:
        return None
    return _BUILDERS[kind](data, path, parts, timezones)


def _schedule(data: Any, path: Path, parts: Parts, timezones: TimeZones | None) -> Trigger:
    findings = parts.findings
    written = read_written(WrittenSchedule, data, path, findings)
    check_times(written, data, path, findings)
    if timezones is not None and written.timezone not in timezones:
        _refuse_zone(written.timezone, timezones, (*path, "timezone"), findings)
    return ScheduleTrigger(
        schedule=written.schedule,
        every=written.every,
        at=written.at,
        timezone=written.timezone,
        input=_input(written, path, parts),
        catch_up=written.catch_up,
        jitter=written.jitter,
        overlap=_overlap(written.overlap, path, findings),
    )


def _event(data: Any, path: Path, parts: Parts, _: TimeZones | None) -> Trigger:
    written = read_written(WrittenEventTrigger, data, path, parts.findings)
    need("event_type", data, path, parts.findings, "event_type: order.paid")
    return EventTrigger(
        event_type=_event_type(written.event_type, path, parts.findings),
        filter=_filter(written.filter, path, parts),
        input=_input(written, path, parts),
        overlap=_overlap(written.overlap, path, parts.findings),
    )


def _webhook(data: Any, path: Path, parts: Parts, _: TimeZones | None) -> Trigger:
    written = read_written(WrittenWebhook, data, path, parts.findings)
    need("webhook", data, path, parts.findings, "webhook: shop")
    if written.webhook and not WEBHOOK.fullmatch(written.webhook):
        message = f"webhook is {shown(written.webhook)}"
        fix = "write the last part of its address, such as shop"
        expected = "letters, digits, _ and -"
        parts.findings.add("WF011", (*path, "webhook"), message, expected=expected, fix=fix)
    return WebhookTrigger(
        webhook=written.webhook,
        event_type=_event_type(written.event_type, path, parts.findings),
        filter=_filter(written.filter, path, parts),
        input=_input(written, path, parts),
        overlap=_overlap(written.overlap, path, parts.findings),
    )


def _api(data: Any, path: Path, parts: Parts, _: TimeZones | None) -> Trigger:
    return ApiTrigger(input=_input(read_written(WrittenTrigger, data, path, parts.findings), path, parts))


def _manual(data: Any, path: Path, parts: Parts, _: TimeZones | None) -> Trigger:
    return ManualTrigger(input=_input(read_written(WrittenTrigger, data, path, parts.findings), path, parts))


_BUILDERS: dict[str, Callable[[Any, Path, Parts, TimeZones | None], Trigger]] = {
    "schedule": _schedule,
    "event": _event,
    "webhook": _webhook,
    "api": _api,
    "manual": _manual,
}


def _input(written: WrittenTrigger, path: Path, parts: Parts) -> dict[str, Any]:
    collect_holes(written.input, (*path, "input"), parts, only=SCOPES[written.type])
    return written.input


def _filter(text: str, path: Path, parts: Parts) -> str:
    source = as_expression(text)
    if source:
        parts.uses.append(Use(source, (*path, "filter"), "condition", only=SCOPES["event"]))
    return source


def _overlap(word: str, path: Path, findings: Findings) -> Overlap:
    read_word(word, [known.value for known in Overlap], (*path, "overlap"), findings)
    return Overlap(word) if word in list(Overlap) else Overlap.ALLOW


def _event_type(name: str, path: Path, findings: Findings) -> str:
    if name and not EVENT_TYPE.fullmatch(name):
        message = f"event_type is {shown(name)}"
        expected = "words joined by points, at the end perhaps .*"
        fix = "write it as in order.paid, or order.* for all of them"
        findings.add("WF011", (*path, "event_type"), message, expected=expected, fix=fix)
    return name


def _refuse_zone(name: str, timezones: TimeZones, path: Path, findings: Findings) -> None:
    meant = "" if findings.full else _zone_meant(name, timezones)
    alike = (zone for zone in timezones if zone[:1] == name[:1].upper())
    near = meant or findings.near(name, alike)
    fix = f"did you mean {near}?" if near else "write it as in Europe/Berlin, or leave it out for UTC"
    message = f"there is no time zone {shown(name)}"
    findings.add("WF031", path, message, expected="a name of the IANA database", fix=fix)


def _zone_meant(name: str, timezones: TimeZones) -> str:
    """`Europe/Berlin` for `berlin` and `europe/berlin`."""
    said = "/" + name.casefold().replace(" ", "_")
    return next((zone for zone in sorted(timezones) if f"/{zone.casefold()}".endswith(said)), "")
