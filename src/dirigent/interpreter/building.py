"""From the written parts to the steps and connections of a definition.

A part that has something wrong with it is built all the same, with stand-ins, so that everything else about
it can be checked too; the findings keep the result from being used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from dirigent.domain.approval import ANYBODY, Deciders
from dirigent.domain.errors import ExpressionError
from dirigent.domain.patterns import is_pattern
from dirigent.domain.workflow import BLOCKS, Connection, FlowType, Kind, Step
from dirigent.interpreter.approval_parts import read_deciders
from dirigent.interpreter.expression import parse_expression
from dirigent.interpreter.lowering import LOWERED, lower
from dirigent.interpreter.operators import read_condition
from dirigent.interpreter.parts import (
    AGENT_NAME,
    Body,
    Parts,
    Use,
    check_name,
    collect_holes,
    need,
    read_word,
)
from dirigent.interpreter.problems import Findings, Path, shown
from dirigent.interpreter.step_parts import (
    read_cases,
    read_compensate,
    read_fallback,
    read_join,
    read_on_error,
    read_output,
    read_retry,
    read_span,
    read_timeout,
)
from dirigent.interpreter.template import as_expression
from dirigent.interpreter.written import (
    BLOCK_DEPTH_MAX,
    DECIDERS,
    ENDS_AS,
    WAYS_OUT,
    WrittenConnection,
    WrittenStep,
    read_written,
)

FLOW_TYPES = {kind.value: kind for kind in FlowType} | dict.fromkeys(
    ("event-driven", "event"), FlowType.EVENT_DRIVEN
)

_KINDS = {kind.value: kind for kind in Kind} | {"delay": Kind.WAIT}
_STANDS_IN = frozenset({"fallback", "output"})
_ACTING = frozenset({"foreach", "max_parallel", "timeout", "retry_policy", "compensate"}) | _STANDS_IN
_BLOCK = frozenset({"steps", "connections", "timeout"}) | _STANDS_IN
_KEYS: dict[Kind, frozenset[str]] = {
    Kind.AGENT: _ACTING | {"agent_type", "agent", "action", "parameters"},
    Kind.VALIDATION: frozenset({"parameters"}),
    Kind.CONDITION: frozenset(),
    Kind.SWITCH: frozenset({"on", "cases", "default"}),
    Kind.TRANSFORM: frozenset({"parameters", "fallback"}),
    Kind.APPROVAL: frozenset({"parameters", "timeout", *DECIDERS}) | _STANDS_IN,
    Kind.WAIT: frozenset({"duration", "until"}),
    Kind.WAIT_FOR_EVENT: frozenset({"event", "filter", "timeout"}) | _STANDS_IN,
    Kind.SUBWORKFLOW: frozenset({"workflow", "parameters", "timeout", "compensate"}) | _STANDS_IN,
    Kind.EMIT: _ACTING | LOWERED[Kind.EMIT].keys(),
    Kind.HTTP: _ACTING | LOWERED[Kind.HTTP].keys() | {"effect"},
    Kind.NOTIFY: _ACTING | LOWERED[Kind.NOTIFY].keys(),
    Kind.PARALLEL: frozenset({"branches"}) | _BLOCK,
    Kind.LOOP: frozenset({"while", "until", "max_iterations"}) | _BLOCK,
    Kind.FOREACH: frozenset({"foreach", "max_parallel"}) | _BLOCK,
}
_KEYS_OF_ALL = frozenset({"id", "type", "when", "conditions", "on_error", "ends_as", "join", "cancel_rest"})
_NEEDED: dict[Kind, tuple[str, ...]] = {
    Kind.AGENT: ("agent_type", "action"),
    Kind.CONDITION: ("conditions",),
    Kind.SWITCH: ("cases",),
    Kind.WAIT: ("duration",),
    Kind.WAIT_FOR_EVENT: ("event",),
    Kind.SUBWORKFLOW: ("workflow",),
    Kind.EMIT: ("event",),
    Kind.HTTP: ("url",),
    Kind.NOTIFY: ("message",),
    Kind.PARALLEL: ("steps",),
    Kind.LOOP: ("steps", "max_iterations"),
    Kind.FOREACH: ("foreach", "steps"),
}
INSTEAD = {("agent_type", "agent"), ("duration", "until"), ("steps", "branches")}
STEP_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")


def build_body(
    steps: list[Any], connections: list[Any], path: Path, parts: Parts, *, at_once: bool = False
) -> tuple[tuple[Step, ...], tuple[Connection, ...]]:
    """Read the `steps` and `connections` that stand at a path."""
    body = Body(at_once=at_once)
    body.steps = _read_steps(steps, (*path, "steps"), parts)
    for index, data in enumerate(connections):
        here = (*path, "connections", index)
        body.connections.append((here, _build_connection(data, here, parts)))
    parts.bodies.append(body)
    return _built(body.steps), tuple(connection for _, connection in body.connections)


def _build_branches(branches: list[Any], path: Path, parts: Parts) -> tuple[tuple[Step, ...], ...]:
    built = []
    for index, branch in enumerate(branches):
        here = (*path, "branches", index)
        if not isinstance(branch, list) or not branch:
            message = f"{shown(branch)} is no branch"
            fix = "begin each step with '- '"
            parts.findings.add("WF008", here, message, expected="a list of steps", fix=fix)
            continue
        body = Body(steps=_read_steps(branch, here, parts))
        parts.bodies.append(body)
        built.append(_built(body.steps))
    return tuple(built)


def _read_steps(steps: list[Any], path: Path, parts: Parts) -> list[tuple[Path, Step]]:
    return [((*path, index), _build_step(data, (*path, index), parts)) for index, data in enumerate(steps)]


def _built(steps: list[tuple[Path, Step]]) -> tuple[Step, ...]:
    return tuple(step for _, step in steps)


def _build_step(data: Any, path: Path, parts: Parts) -> Step:
    findings = parts.findings
    written = read_written(WrittenStep, data, path, findings)
    parts.ids.append((path, written.id))
    kind = _kind(written, data, path, findings)
    if kind is not None:
        _check_keys(kind, written, data, path, findings)
    check_name(written.id, "id", STEP_ID, (*path, "id"), findings)
    for key in ("agent_type", "agent", "action"):
        check_name(getattr(written, key), key, AGENT_NAME, (*path, key), findings)
    conditions = _conditions(written, path, parts)
    own = conditions if kind in (Kind.CONDITION, Kind.VALIDATION) else ()
    agent, action, parameters = _action(kind, written, path, parts)
    on_error, fallback_step = read_on_error(written.on_error, (*path, "on_error"), findings)
    step = Step(
        id=written.id,
        kind=kind or Kind.CONDITION,
        agent=agent,
        action=action,
        parameters=parameters,
        conditions=own,
        when=_guard(written, () if own else conditions, path, parts),
        foreach=_foreach(written, path, parts),
        max_parallel=written.max_parallel,
        timeout_ms=read_timeout(written, kind, path, findings),
        retry=read_retry(written.retry_policy, (*path, "retry_policy"), findings),
        on_error=on_error,
        fallback_step=fallback_step,
        fallback=read_fallback(written, (*path, "fallback"), parts),
        join=read_join(written.join, (*path, "join"), findings),
        cancel_rest=written.cancel_rest,
        ends_as=read_word(written.ends_as, ENDS_AS, (*path, "ends_as"), findings),
        workflow=_workflow(written, path, parts),
        wait_ms=read_span(written.duration, (*path, "duration"), findings),
        event="" if kind is Kind.EMIT else read_event(written.event, (*path, "event"), parts),
        filter=_filter(written, path, parts),
        compensate=read_compensate(written, path, parts),
        deciders=_deciders(written, kind, path, parts),
        on=as_expression(written.on),
        cases=read_cases(written, path, parts),
        default=written.default,
        **_inside(written, kind, path, parts),
    )
    parts.steps.append((path, step))
    return step


def _inside(written: WrittenStep, kind: Kind | None, path: Path, parts: Parts) -> dict[str, Any]:
    """What a block holds, and what is read there: its steps see each other and what is around them."""
    since, first = len(parts.uses), len(parts.ids)
    inside: dict[str, Any] = {
        "output": read_output(written, (*path, "output"), parts),
        "until": _repetition(written.until, kind, (*path, "until"), parts),
        "repeat_while": _repetition(written.while_, kind, (*path, "while"), parts),
        "max_iterations": written.max_iterations,
    }
    if kind not in BLOCKS:
        return inside
    parts.depth += 1
    if parts.depth > BLOCK_DEPTH_MAX:
        message, expected = "a block is inside too many others", f"at most {BLOCK_DEPTH_MAX} levels"
        parts.findings.add("WF005", path, message, expected=expected, fix="make it a workflow of its own")
    else:
        at_once = kind is Kind.PARALLEL
        built = build_body(written.steps, written.connections, path, parts, at_once=at_once)
        inside["steps"], inside["connections"] = built
        inside["branches"] = _build_branches(written.branches, path, parts)
    parts.depth -= 1
    for _, step in parts.ids[first:]:
        parts.inside.setdefault(step, written.id)
    of_item, of_loop = kind is Kind.FOREACH, kind is Kind.LOOP
    parts.place_uses(since, written.id, of_item=of_item, of_loop=of_loop)
    return inside


def _repetition(text: str, kind: Kind | None, path: Path, parts: Parts) -> str:
    source = as_expression(text)
    if source:
        parts.uses.append(Use(source, path, "condition" if kind is Kind.LOOP else "value"))
    return source


def _build_connection(data: Any, path: Path, parts: Parts) -> Connection:
    findings = parts.findings
    written = read_written(WrittenConnection, data, path, findings)
    for key in ("from", "to"):
        need(key, data, path, findings)
    on = str(written.on).lower() if isinstance(written.on, bool) else written.on
    if on:
        read_word(on, WAYS_OUT, (*path, "on"), findings)
    if on in ("error", "true", "false") and written.condition:
        message = f"a connection on {on} has a condition as well"
        fix = "remove one of the two"
        findings.add("WF015", (*path, "condition"), message, expected="one of the two", fix=fix, at_key=True)
    condition = as_expression(written.condition)
    if condition:
        parts.uses.append(Use(condition, (*path, "condition"), "condition"))
    return Connection(source=written.from_, target=written.to, condition=condition, on=on)


def _kind(written: WrittenStep, data: Any, path: Path, findings: Findings) -> Kind | None:
    need("id", data, path, findings)
    need("type", data, path, findings)
    if not written.type:
        return None
    read_word(written.type, tuple(_KINDS), (*path, "type"), findings)
    return _KINDS.get(written.type)


def _check_keys(kind: Kind, written: WrittenStep, data: Any, path: Path, findings: Findings) -> None:
    for key in sorted({key.rstrip("_") for key in written.model_fields_set} - _KEYS[kind] - _KEYS_OF_ALL):
        message = f"{key} says nothing for a step of type {kind}"
        expected = ", ".join(sorted(_KEYS[kind] | _KEYS_OF_ALL))
        findings.add("WF014", (*path, key), message, expected=expected, fix="remove it", at_key=True)
    for key in _NEEDED.get(kind, ()):
        if not any((key, other) in INSTEAD and other in data for other in written.model_fields_set):
            need(key, data, path, findings)
    _check_alternatives(kind, written, path, findings)
    if (
        "max_parallel" in _ACTING & _KEYS[kind]
        and kind is not Kind.FOREACH
        and "max_parallel" in written.model_fields_set
        and not written.foreach
    ):
        message = "max_parallel says nothing without foreach"
        here = (*path, "max_parallel")
        findings.add("WF014", here, message, expected="foreach", fix="remove it, or add foreach", at_key=True)
    if kind is Kind.VALIDATION:
        _check_required_fields(written.parameters, (*path, "parameters"), findings)


def _check_alternatives(kind: Kind, written: WrittenStep, path: Path, findings: Findings) -> None:
    """Note keys that say the same thing in two ways."""
    pairs = [*INSTEAD, ("connections", "branches")] if kind is not Kind.LOOP else []
    for usual, other in sorted(pairs):
        if {usual, other} <= written.model_fields_set:
            message = f"{other} and {usual} exclude each other"
            if other == "agent":
                message = "agent and agent_type say the same thing"
            fix = f"remove {other}"
            findings.add("WF015", (*path, other), message, expected="one of the two", fix=fix, at_key=True)
    if written.cancel_rest and not read_join(written.join, (*path, "join"), Findings("")):
        message = "cancel_rest says nothing without join: any or a number of ways"
        here = (*path, "cancel_rest")
        findings.add("WF014", here, message, expected="join", fix="remove it, or add join: any", at_key=True)


def _check_required_fields(parameters: Mapping[str, Any], path: Path, findings: Findings) -> None:
    fields = parameters.get("required_fields", [])
    if not isinstance(fields, list) or not all(isinstance(name, str) for name in fields):
        message = f"required_fields is {shown(fields)}"
        fix = 'write required_fields: ["brand_id"]'
        findings.add("WF008", (*path, "required_fields"), message, expected="a list of names", fix=fix)


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


def _action(
    kind: Kind | None, written: WrittenStep, path: Path, parts: Parts
) -> tuple[str, str, dict[str, Any]]:
    """Agent, action and parameters, as they are written or as the kind of the step implies."""
    places: Iterable[tuple[Path, Any]] = [((*path, "parameters"), written.parameters)]
    asked = (written.agent_type or written.agent, written.action, written.parameters)
    if kind in LOWERED:
        lowered = lower(kind, written, path, parts.findings)
        asked, places = (lowered.agent, lowered.action, lowered.parameters), lowered.places
    for here, value in places:
        collect_holes(value, here, parts, of_item=bool(written.foreach))
    return asked


def _deciders(written: WrittenStep, kind: Kind | None, path: Path, parts: Parts) -> Deciders:
    """Who decides about an approval."""
    if kind is not Kind.APPROVAL:
        return ANYBODY
    beside = {key: value for key in DECIDERS if (value := getattr(written, key)) is not None}
    deciders = read_deciders(beside, written.parameters, path, parts.findings)
    collect_holes(list(deciders.approvers), (*path, "approvers"), parts)
    return deciders


def keys_by_type() -> dict[str, tuple[frozenset[str], tuple[str, ...]]]:
    """Per type of step the keys it takes, and those of them that it needs."""
    return {name: (_KEYS[kind] | _KEYS_OF_ALL, _NEEDED.get(kind, ())) for name, kind in _KINDS.items()}
