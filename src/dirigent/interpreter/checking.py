"""What only the whole definition shows: ids, connections, circles, expressions, agents."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from dirigent.domain.errors import ExpressionError
from dirigent.domain.workflow import Connection, Definition, Kind, Step
from dirigent.interpreter.building import Parts, Use
from dirigent.interpreter.expression import Expression, parse_expression
from dirigent.interpreter.graph import find_cycle
from dirigent.interpreter.problems import Findings, Path, shown

_CIRCLE_SHOWN = 12
_OF_ITEM = frozenset({"item", "index"})
_EXAMPLE_FIELDS = {"event": "data.order_id", "schedule": "at"}


def check_parts(parts: Parts, actions: Mapping[str, Collection[str]] | None) -> None:
    """Note everything that is wrong between the parts of a definition."""
    steps = _check_ids(parts)
    _check_connections(parts, steps)
    for use in parts.uses:
        _check_use(use, steps, parts.findings)
    if actions is not None:
        for path, step in parts.steps:
            _check_agent(step.agent, step.action, path, actions, parts.findings)
            if step.compensate is not None:
                undo = step.compensate
                _check_agent(undo.agent, undo.action, (*path, "compensate"), actions, parts.findings)


def _check_ids(parts: Parts) -> dict[str, Step]:
    """The steps by id; of several with one id, the first."""
    steps: dict[str, Step] = {}
    for path, step in parts.steps:
        if step.id in steps:
            message = f"the id {shown(step.id)} is taken by another step"
            fix = f"call it {_free(step.id, steps)}"
            parts.findings.add("WF012", (*path, "id"), message, expected="an id of its own", fix=fix)
        elif step.id:
            steps[step.id] = step
    return steps


def _free(name: str, taken: Collection[str]) -> str:
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def _check_connections(parts: Parts, steps: Mapping[str, Step]) -> None:
    sound: dict[Connection, Path] = {}
    for path, connection in parts.connections:
        known = [
            _check_end(connection.source, (*path, "from"), steps, parts.findings),
            _check_end(connection.target, (*path, "to"), steps, parts.findings),
        ]
        if all(known):
            _check_on(connection, path, steps[connection.source], parts.findings)
            sound.setdefault(connection, path)
    if sound:
        _check_circle(steps.values(), sound, parts.findings)


def _check_end(name: str, path: Path, steps: Mapping[str, Step], findings: Findings) -> bool:
    if name and name not in steps:
        near = findings.near(name, steps)
        fix = f"did you mean {near}?" if near else "name a step, or add this one"
        message = f"there is no step {shown(name)}"
        findings.add("WF016", path, message, expected="the id of a step", fix=fix)
    return name in steps


def _check_on(connection: Connection, path: Path, source: Step, findings: Findings) -> None:
    here = (*path, "on")
    if connection.on in ("true", "false") and source.kind is not Kind.CONDITION:
        message = f"on {connection.on} asks a condition, {source.id} is of type {source.kind}"
        fix = "remove on, or write a condition"
        findings.add("WF014", here, message, expected="success or error", fix=fix, at_key=True)
    if connection.on == "error" and source.on_error == "continue":
        message = f"{source.id} goes on after an error, so this way is never taken"
        fix = f"remove on_error from {source.id}, or this connection"
        findings.add("WF015", here, message, expected="one of the two", fix=fix, at_key=True)


def _check_circle(steps: Iterable[Step], sound: Mapping[Connection, Path], findings: Findings) -> None:
    circle = find_cycle(Definition(name="", steps=tuple(steps), connections=tuple(sound)))
    if not circle:
        return
    names = circle[:_CIRCLE_SHOWN] + (["..."] if len(circle) > _CIRCLE_SHOWN else []) + [circle[0]]
    closing = next(c for c in sound if c.source == circle[-1] and c.target == circle[0])
    message = f"the connections run in a circle: {' -> '.join(names)}"
    fix = f"remove the connection from {closing.source} to {closing.target}"
    findings.add("WF017", sound[closing], message, expected="no circle", fix=fix)


def _check_use(use: Use, steps: Mapping[str, Step], findings: Findings) -> None:
    try:
        expression = parse_expression(use.source)
    except ExpressionError as error:
        message, fix = error.message.rstrip("."), error.fix.rstrip(".")
        findings.add("WF018", use.path, message, expected="a CEL expression", fix=fix)
        return
    if use.need == "condition" and expression.gives not in ("BOOL", "DYN"):
        message = f"{shown(use.source)} is neither true nor false"
        fix = "compare it with something"
        findings.add("WF018", use.path, message, expected="a condition", fix=fix)
    if use.need == "list" and not expression.gives.startswith(("LIST", "DYN")):
        message = f"{shown(use.source)} is not a list"
        findings.add("WF018", use.path, message, expected="a list", fix="name a list, such as input.leads")
    if use.only is None:
        _check_names(expression, use, steps, findings)
    else:
        _check_scope(expression, use, use.only, findings)


def _check_scope(expression: Expression, use: Use, names: frozenset[str], findings: Findings) -> None:
    unknown = sorted(expression.names - names)
    if unknown:
        message = f"{shown(use.source)} reads {unknown[0]}, which is not there when a workflow is started"
        expected = " or ".join(sorted(names)) or "no names"
        fix = (
            f"read {expected}, as in {min(names)}.{_EXAMPLE_FIELDS[min(names)]}"
            if names
            else "write the value"
        )
        findings.add("WF032", use.path, message, expected=expected, fix=fix)


def _check_names(expression: Expression, use: Use, steps: Mapping[str, Step], findings: Findings) -> None:
    for name in expression.reads.get("steps", {}):
        if name not in steps:
            message = f"{shown(use.source)} reads the step {shown(name)}, which does not exist"
            fix = _meant(name, steps, findings)
            findings.add("WF019", use.path, message, expected="the id of a step", fix=fix)
    if not use.of_item and not expression.names.isdisjoint(_OF_ITEM):
        message = f"{shown(use.source)} reads an item, but there is none"
        fix = "add foreach to the step, or read something else"
        findings.add("WF020", use.path, message, expected="item only inside foreach", fix=fix)


def _meant(name: str, steps: Mapping[str, Step], findings: Findings) -> str:
    """In an expression `steps.my-step` is a subtraction; ids with a dash are written in brackets."""
    dashed = (step for step in steps if step.startswith(f"{name}-"))
    meant = "" if findings.full else next(dashed, "")
    if meant:
        return f'write steps["{meant}"]'
    near = findings.near(name, steps)
    return f"did you mean {near}?" if near else "name a step of this workflow"


def _check_agent(
    agent: str, action: str, path: Path, actions: Mapping[str, Collection[str]], findings: Findings
) -> None:
    if not agent:
        return
    if agent not in actions:
        near = findings.near(agent, actions)
        fix = f"did you mean {near}?" if near else "register the agent, or name another"
        message = f"there is no agent {shown(agent)}"
        findings.add("WF022", _agent_key(path, findings), message, expected="a registered agent", fix=fix)
    elif action and action not in actions[agent]:
        known = sorted(actions[agent])
        near = findings.near(action, known)
        message = f"{agent} has no action {shown(action)}"
        expected = f"one of {', '.join(known)}"
        fix = f"did you mean {near}?" if near else "name one of its actions"
        findings.add("WF023", (*path, "action"), message, expected=expected, fix=fix)


def _agent_key(path: Path, findings: Findings) -> Path:
    key = (*path, "agent_type")
    return key if key in findings.places else (*path, "agent")
