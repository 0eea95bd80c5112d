"""Steps that publish, ask elsewhere and tell: a written form of their own for actions of built-in agents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dirigent.domain.patterns import is_name
from dirigent.domain.workflow import Kind, Step
from dirigent.interpreter.problems import Findings, Path, shown
from dirigent.interpreter.written import WrittenStep

LOWERED: dict[Kind, dict[str, str]] = {
    Kind.EMIT: {"event": "type", "data": "data", "subject": "subject"},
    Kind.HTTP: {"url": "url", "method": "method", "headers": "headers", "query": "query", "body": "body"},
    Kind.NOTIFY: {
        "message": "content",
        "subject": "subject",
        "level": "level",
        "to": "recipients",
        "channels": "channels",
    },
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
READING = frozenset({"GET", "HEAD"})
EFFECTS = {"read": "read", "keyed": "send", "at_most_once": "send_once"}
LEVELS = ("info", "warning", "error", "critical")
INSIDE = ("in_app", "log")
OUTSIDE = ("email", "webhook")

_AGENTS = {Kind.EMIT: "events", Kind.HTTP: "http", Kind.NOTIFY: "notifier"}
_KINDS: dict[str, tuple[type, str]] = {
    "event": (str, "text"),
    "subject": (str, "text"),
    "url": (str, "text"),
    "method": (str, "text"),
    "message": (str, "text"),
    "level": (str, "text"),
    "effect": (str, "text"),
    "headers": (dict, "a mapping"),
    "query": (dict, "a mapping"),
    "to": (list, "a list"),
    "channels": (list, "a list"),
}


@dataclass(frozen=True)
class Lowered:
    """What such a step asks for: an action of a built-in agent, with these parameters, and their places."""

    agent: str
    action: str
    parameters: dict[str, Any]
    places: tuple[tuple[Path, Any], ...]


def lower(kind: Kind, written: WrittenStep, path: Path, findings: Findings) -> Lowered:
    """The action that a step of such a kind stands for; what is wrong with it goes into the findings."""
    keys = [*LOWERED[kind], "effect"]
    for key in ("url", "message"):
        if getattr(written, key) == "":
            fix = "make it some text"
            findings.add("WF009", (*path, key), f"{key} is ''", expected="some text", fix=fix)
    given = {key: value for key in keys if (value := getattr(written, key)) not in (None, "")}
    sound = {key: value for key, value in given.items() if _is_sound(key, value, path, findings)}
    if kind is Kind.EMIT:
        action = _emit(sound, path, findings)
    elif kind is Kind.HTTP:
        action = _http(sound, path, findings)
    else:
        action = _notify(sound, path, findings)
    said = {key: value for key, value in sound.items() if key != "effect"}
    return Lowered(
        agent=_AGENTS[kind],
        action=action,
        parameters={LOWERED[kind][key]: value for key, value in said.items()},
        places=tuple(((*path, key), value) for key, value in said.items()),
    )


def raised(step: Step) -> dict[str, Any]:
    """The keys under which such a step is written; empty for every other kind."""
    names = LOWERED.get(step.kind)
    if names is None:
        return {}
    written = {key: step.parameters[name] for key, name in names.items() if name in step.parameters}
    if step.kind is Kind.HTTP:
        effect = next(effect for effect, action in EFFECTS.items() if action == step.action)
        usual = "read" if step.parameters.get("method", "GET") in READING else "keyed"
        return written | ({"effect": effect} if effect != usual else {})
    return written


def _is_sound(key: str, value: Any, path: Path, findings: Findings) -> bool:
    wanted, expected = _KINDS.get(key, (object, ""))
    if isinstance(value, wanted) or (isinstance(value, str) and value.strip().startswith("${")):
        return True
    fix = {"text": "put it in quotes", "a list": "put the items in [ ]"}.get(
        expected, "write key: value lines"
    )
    findings.add("WF008", (*path, key), f"{key} is {shown(value)}", expected=expected, fix=fix)
    return False


def _emit(said: Mapping[str, Any], path: Path, findings: Findings) -> str:
    name = said.get("event", "")
    if name and "${" not in name and not is_name(name):
        expected, fix = "a name such as order.paid", "write the name of one event, without * and spaces"
        findings.add("WF040", (*path, "event"), f"event is {shown(name)}", expected=expected, fix=fix)
    return "emit"


def _http(said: dict[str, Any], path: Path, findings: Findings) -> str:
    url, method = said.get("url", ""), said.get("method", "GET")
    if url and not url.startswith(("http://", "https://", "${")):
        fix = "begin with https://"
        findings.add("WF042", (*path, "url"), f"url is {shown(url)}", expected="the url of a host", fix=fix)
    if method not in METHODS:
        meant = str(method).upper()
        fix = f"write {meant}" if meant in METHODS else "write GET or another of these"
        message = f"method is {shown(method)}"
        findings.add("WF010", (*path, "method"), message, expected=f"one of {', '.join(METHODS)}", fix=fix)
    effect = said.get("effect") or ("read" if method in READING else "keyed")
    if effect not in EFFECTS:
        near = findings.near(str(effect), EFFECTS)
        fix = f"did you mean {near}?" if near else "write keyed or another of these"
        message = f"effect is {shown(effect)}"
        findings.add("WF010", (*path, "effect"), message, expected=f"one of {', '.join(EFFECTS)}", fix=fix)
    elif method in READING and effect != "read":
        message = f"{method} changes nothing, and effect is {effect}"
        fix = "remove effect, or write another method"
        findings.add("WF042", (*path, "effect"), message, expected="read", fix=fix)
    if method in READING and "body" in said:
        message, fix = f"a request with {method} has no body", "put it into query, or write another method"
        findings.add("WF042", (*path, "body"), message, expected="no body", fix=fix, at_key=True)
    return EFFECTS.get(effect, "send")


def _notify(said: Mapping[str, Any], path: Path, findings: Findings) -> str:
    level = said.get("level", "info")
    if level not in LEVELS:
        near = findings.near(level, LEVELS)
        fix = f"did you mean {near}?" if near else "write info or another of these"
        message = f"level is {shown(level)}"
        findings.add("WF010", (*path, "level"), message, expected=f"one of {', '.join(LEVELS)}", fix=fix)
    channels = said.get("channels", ["in_app"])
    known = (*INSIDE, *OUTSIDE)
    for number, channel in enumerate(channels if isinstance(channels, list) else ()):
        if channel not in known:
            near = findings.near(str(channel), known)
            fix = f"did you mean {near}?" if near else "write in_app or another of these"
            here, message = (*path, "channels", number), f"{shown(channel)} is no channel"
            findings.add("WF010", here, message, expected=f"one of {', '.join(known)}", fix=fix)
    leaves = not isinstance(channels, list) or any(channel in OUTSIDE for channel in channels)
    return "send_outside" if leaves else "send_notification"
