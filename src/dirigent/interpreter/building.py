"""From the written parts to the steps and connections of a definition.

A part that has something wrong with it is built all the same, with stand-ins, so that everything else about
it can be checked too; the findings keep the result from being used.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dirigent.domain.approval import ANYBODY, Deciders
from dirigent.domain.errors import ExpressionError
from dirigent.domain.patterns import is_pattern
from dirigent.domain.workflow import BLOCKS, Compensate, Connection, FlowType, Kind, Retry, Step
from dirigent.interpreter.approval_parts import read_deciders
from dirigent.interpreter.durations import read_duration
from dirigent.interpreter.expression import parse_expression
from dirigent.interpreter.operators import read_condition
from dirigent.interpreter.problems import Findings, Path, shown
from dirigent.interpreter.template import as_expression, expressions_in, has_open_hole
from dirigent.interpreter.written import (
    DECIDERS,
    WrittenCompensate,
    WrittenConnection,
    WrittenRetry,
    WrittenStep,
    read_written,
)

FLOW_TYPES = {kind.value: kind for kind in FlowType} | dict.fromkeys(
    ("event-driven", "event"), FlowType.EVENT_DRIVEN
)

_NOT_READ = BLOCKS | {Kind.SWITCH}
_KINDS = {kind.value: kind for kind in Kind if kind not in _NOT_READ}
_KEYS: dict[Kind, frozenset[str]] = {
    Kind.AGENT: frozenset(
        {"agent_type", "agent", "action", "parameters", "foreach", "max_parallel", "timeout", "retry_policy"}
    )
    | {"compensate"},
    Kind.VALIDATION: frozenset({"parameters"}),
    Kind.CONDITION: frozenset(),
    Kind.TRANSFORM: frozenset({"parameters"}),
    Kind.APPROVAL: frozenset({"parameters", "timeout", *DECIDERS}),
    Kind.WAIT: frozenset({"duration"}),
    Kind.WAIT_FOR_EVENT: frozenset({"event", "filter", "timeout"}),
    Kind.SUBWORKFLOW: frozenset({"workflow", "parameters", "compensate"}),
}
_KEYS_OF_ALL = frozenset({"id", "type", "when", "conditions", "on_error", "ends_as"})
_NEEDED: dict[Kind, tuple[str, ...]] = {
    Kind.AGENT: ("agent_type", "action"),
    Kind.CONDITION: ("conditions",),
    Kind.WAIT: ("duration",),
    Kind.WAIT_FOR_EVENT: ("event",),
    Kind.SUBWORKFLOW: ("workflow",),
}
_EXAMPLES = {
    "agent_type": "agent_type: notifier",
    "action": "action: send_notification",
    "conditions": "conditions: ['quality_score >= 75']",
    "duration": "duration: 5m",
    "event": "event: order.paid",
    "workflow": "workflow: <its name>",
    "id": "id: <a name>",
    "type": "type: agent",
    "from": "from: <the id of a step>",
    "to": "to: <the id of a step>",
}
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")
_AGENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,199}")


@dataclass(frozen=True)
class Use:
    """An expression and where it stands. `need` is condition, list or value.

    `only` are the names it may read, where those are few.
    """

    source: str
    path: Path
    need: str = "value"
    of_item: bool = False
    only: frozenset[str] | None = None


@dataclass
class Parts:
    """What has been built so far, each with its path, and every expression met on the way."""

    findings: Findings
    steps: list[tuple[Path, Step]] = field(default_factory=list)
    connections: list[tuple[Path, Connection]] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)


def build_step(data: Any, path: Path, parts: Parts) -> None:
    """Read one of `steps`."""
    findings = parts.findings
    written = read_written(WrittenStep, data, path, findings)
    kind = _kind(written, data, path, findings)
    if kind is not None:
        _check_keys(kind, written, data, path, findings)
    _check_name(written.id, "id", _ID, (*path, "id"), findings)
    for key in ("agent_type", "agent", "action"):
        _check_name(getattr(written, key), key, _AGENT, (*path, key), findings)
    conditions = _conditions(written, path, parts)
    own = conditions if kind in (Kind.CONDITION, Kind.VALIDATION) else ()
    collect_holes(written.parameters, (*path, "parameters"), parts, of_item=bool(written.foreach))
    step = Step(
        id=written.id,
        kind=kind or Kind.CONDITION,
        agent=written.agent_type or written.agent,
        action=written.action,
        parameters=written.parameters,
        conditions=own,
        when=_guard(written, () if own else conditions, path, parts),
        foreach=_foreach(written, path, parts),
        max_parallel=written.max_parallel,
        timeout_ms=_timeout(written, kind, path, findings),
        retry=_retry(written.retry_policy, (*path, "retry_policy"), findings),
        on_error=read_word(written.on_error, ("fail", "continue"), (*path, "on_error"), findings),
        ends_as=read_word(written.ends_as, ("failed", "blocked", "rejected"), (*path, "ends_as"), findings),
        workflow=_workflow(written, path, parts),
        wait_ms=_duration(written.duration, (*path, "duration"), findings),
        event=read_event(written.event, (*path, "event"), parts),
        filter=_filter(written, path, parts),
        compensate=_compensate(written, path, parts),
        deciders=_deciders(written, kind, path, parts),
    )
    parts.steps.append((path, step))


def build_connection(data: Any, path: Path, parts: Parts) -> None:
    """Read one of `connections`."""
    findings = parts.findings
    written = read_written(WrittenConnection, data, path, findings)
    for key in ("from", "to"):
        need(key, data, path, findings)
    on = str(written.on).lower() if isinstance(written.on, bool) else written.on
    if on:
        read_word(on, ("success", "error", "true", "false"), (*path, "on"), findings)
    if on in ("error", "true", "false") and written.condition:
        message = f"a connection on {on} has a condition as well"
        fix = "remove one of the two"
        findings.add("WF015", (*path, "condition"), message, expected="one of the two", fix=fix, at_key=True)
    condition = as_expression(written.condition)
    if condition:
        parts.uses.append(Use(condition, (*path, "condition"), "condition"))
    connection = Connection(source=written.from_, target=written.to, condition=condition, on=on)
    parts.connections.append((path, connection))


def need(key: str, data: Any, path: Path, findings: Findings, example: str = "") -> None:
    """Note a key that has to be there and is not."""
    if isinstance(data, Mapping) and data.get(key) is None:
        fix = f"add {example or _EXAMPLES[key]}"
        findings.add("WF007", path, f"{key} is missing", expected=key, fix=fix)


def collect_holes(
    value: Any,
    path: Path,
    parts: Parts,
    *,
    of_item: bool = False,
    only: frozenset[str] | None = None,
) -> None:
    """Gather the expressions inside parameters, inputs or outputs."""
    for here, text in _texts(value, path):
        parts.uses += [Use(source, here, of_item=of_item, only=only) for source in expressions_in(text)]
        if has_open_hole(text):
            message, expected = "${ without its }", "${ expression }"
            fix = "close it; braces inside may be nested once"
            parts.findings.add("WF018", here, message, expected=expected, fix=fix)


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        if "${" in value:
            yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _kind(written: WrittenStep, data: Any, path: Path, findings: Findings) -> Kind | None:
    need("id", data, path, findings)
    need("type", data, path, findings)
    if not written.type:
        return None
    read_word(written.type, tuple(_KINDS), (*path, "type"), findings)
    return _KINDS.get(written.type)


def _check_keys(kind: Kind, written: WrittenStep, data: Any, path: Path, findings: Findings) -> None:
    for key in sorted(written.model_fields_set - _KEYS[kind] - _KEYS_OF_ALL):
        message = f"{key} says nothing for a step of type {kind}"
        expected = ", ".join(sorted(_KEYS[kind] | _KEYS_OF_ALL))
        findings.add("WF014", (*path, key), message, expected=expected, fix="remove it", at_key=True)
    for key in _NEEDED.get(kind, ()):
        if not (key == "agent_type" and "agent" in data):
            need(key, data, path, findings)
    if written.agent and written.agent_type:
        message = "agent and agent_type say the same thing"
        findings.add(
            "WF015", (*path, "agent"), message, expected="one of the two", fix="remove agent", at_key=True
        )
    if kind is Kind.AGENT and "max_parallel" in written.model_fields_set and not written.foreach:
        message = "max_parallel says nothing without foreach"
        here = (*path, "max_parallel")
        findings.add("WF014", here, message, expected="foreach", fix="remove it, or add foreach", at_key=True)
    if kind is Kind.VALIDATION:
        _check_required_fields(written.parameters, (*path, "parameters"), findings)


def _check_required_fields(parameters: Mapping[str, Any], path: Path, findings: Findings) -> None:
    fields = parameters.get("required_fields", [])
    if not isinstance(fields, list) or not all(isinstance(name, str) for name in fields):
        message = f"required_fields is {shown(fields)}"
        fix = 'write required_fields: ["brand_id"]'
        findings.add("WF008", (*path, "required_fields"), message, expected="a list of names", fix=fix)


def _check_name(name: str, key: str, grammar: re.Pattern[str], path: Path, findings: Findings) -> None:
    if not name or grammar.fullmatch(name):
        return
    expected = (
        "letters, digits, _ and -, beginning with a letter" if key == "id" else "a name such as notifier"
    )
    meant = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:100]
    fix = f"write {meant if meant[:1].isalpha() else 'step_' + meant}" if key == "id" else "write the name"
    findings.add("WF011", path, f"{key} is {shown(name)}", expected=expected, fix=fix)


def read_word(word: str, known: Collection[str], path: Path, findings: Findings) -> str:
    """The word itself; noted where it is none of those known."""
    if word not in known:
        near = findings.near(word, known)
        fix = f"did you mean {near}?" if near else f"write {next(iter(known))} or another of these"
        message = f"{path[-1]} is {shown(word)}"
        findings.add("WF010", path, message, expected=f"one of {', '.join(known)}", fix=fix)
    return word


def read_flow_type(word: str, path: Path, findings: Findings) -> FlowType:
    """The type of a workflow; `event-driven` and `event` are other spellings of `event_driven`."""
    read_word(word, FLOW_TYPES, path, findings)
    return FLOW_TYPES.get(word, FlowType.SEQUENTIAL)


def _conditions(written: WrittenStep, path: Path, parts: Parts) -> tuple[str, ...]:
    sources = []
    for index, data in enumerate(written.conditions):
        source, here = read_condition(data, (*path, "conditions", index), parts.findings)
        if source:
            sources.append(source)
            parts.uses.append(Use(source, here, "condition", of_item=bool(written.foreach)))
    return tuple(sources)


def _guard(written: WrittenStep, conditions: tuple[str, ...], path: Path, parts: Parts) -> str:
    """`when` and those of `conditions` that guard the step, as one expression."""
    of_item, guards = bool(written.foreach), list(conditions)
    if written.when:
        guards.insert(0, as_expression(written.when))
        parts.uses.append(Use(guards[0], (*path, "when"), "condition", of_item))
    if len(guards) < 2:
        return "".join(guards)
    joined = " && ".join(f"({guard})" for guard in guards)
    if all(_parses(guard) for guard in guards):
        parts.uses.append(Use(joined, (*path, "conditions"), "condition", of_item))
    return joined


def _parses(source: str) -> bool:
    try:
        parse_expression(source)
    except ExpressionError:
        return False
    return True


def _foreach(written: WrittenStep, path: Path, parts: Parts) -> str:
    source = as_expression(written.foreach)
    if source:
        parts.uses.append(Use(source, (*path, "foreach"), "list"))
    return source


def _workflow(written: WrittenStep, path: Path, parts: Parts) -> str:
    here, text = (*path, "workflow"), written.workflow.strip()
    if "${" not in text:
        return text
    if as_expression(text) == text:
        message = f"{shown(text)} is neither a name nor an expression"
        fix = "write a name, or one ${ expression } that gives a definition"
        parts.findings.add("WF018", here, message, expected="a name or ${ expression }", fix=fix)
    else:
        parts.uses.append(Use(as_expression(text), here))
    return text


def read_event(name: str, path: Path, parts: Parts) -> str:
    """The name of an event or a signal; it may be a pattern, and hold expressions."""
    collect_holes(name, path, parts)
    if name and "${" not in name and not is_pattern(name):
        expected = "parts of letters, digits, _ and -, joined by dots; * stands for a part"
        meant = re.sub(r"[^A-Za-z0-9_*:/-]+", ".", name).strip(".") or "order.paid"
        message = f"{path[-1]} is {shown(name)}"
        fix = f"write {meant if is_pattern(meant) else 'order.paid'}"
        parts.findings.add("WF040", path, message, expected=expected, fix=fix)
    return name


def _filter(written: WrittenStep, path: Path, parts: Parts) -> str:
    source = as_expression(written.filter)
    if source:
        parts.uses.append(Use(source, (*path, "filter"), "condition"))
    return source


def _compensate(written: WrittenStep, path: Path, parts: Parts) -> Compensate | None:
    """The action that undoes the step."""
    if written.compensate is None:
        return None
    here, findings = (*path, "compensate"), parts.findings
    said = read_written(WrittenCompensate, written.compensate, here, findings)
    if isinstance(written.compensate, dict):
        if not said.agent:
            need("agent_type", written.compensate, here, findings)
        need("action", written.compensate, here, findings)
    for key in ("agent_type", "agent", "action"):
        _check_name(getattr(said, key), key, _AGENT, (*here, key), findings)
    collect_holes(said.parameters, (*here, "parameters"), parts, of_item=bool(written.foreach))
    usual = Compensate(agent="", action="")
    retry = _retry(said.retry_policy, (*here, "retry_policy"), findings)
    return Compensate(
        agent=said.agent_type or said.agent,
        action=said.action,
        parameters=said.parameters,
        timeout_ms=_duration(said.timeout, (*here, "timeout"), findings),
        retry=retry if said.retry_policy is not None else usual.retry,
    )


def _deciders(written: WrittenStep, kind: Kind | None, path: Path, parts: Parts) -> Deciders:
    """Who decides about an approval."""
    if kind is not Kind.APPROVAL:
        return ANYBODY
    beside = {key: value for key in DECIDERS if (value := getattr(written, key)) is not None}
    deciders = read_deciders(beside, written.parameters, path, parts.findings)
    collect_holes(list(deciders.approvers), (*path, "approvers"), parts)
    return deciders


def _timeout(written: WrittenStep, kind: Kind | None, path: Path, findings: Findings) -> int:
    """The timeout of the step; an approval may also have it among its parameters."""
    if kind is Kind.APPROVAL and written.timeout is None and "timeout" in written.parameters:
        return _duration(written.parameters["timeout"], (*path, "parameters", "timeout"), findings)
    return _duration(written.timeout, (*path, "timeout"), findings)


def _duration(value: Any, path: Path, findings: Findings, *, zero: bool = False) -> int:
    return 0 if value is None else read_duration(value, path, findings, zero=zero)


def _retry(data: Any, path: Path, findings: Findings) -> Retry:
    if data is None:
        return Retry()
    written = read_written(WrittenRetry, data, path, findings)
    usual = Retry()
    initial, longest = usual.initial_ms, usual.max_ms
    if written.initial is not None:
        initial = read_duration(written.initial, (*path, "initial"), findings, zero=True)
    if written.max is not None:
        longest = read_duration(written.max, (*path, "max"), findings, zero=True)
        if longest < initial:
            message = f"max {shown(written.max)} is shorter than the first wait"
            findings.add("WF009", (*path, "max"), message, expected="at least initial", fix="raise max")
    return Retry(
        max_attempts=written.max_attempts,
        initial_ms=initial,
        backoff_factor=float(written.backoff_factor),
        max_ms=max(longest, initial),
        jitter=float(written.jitter),
    )
