"""What only the whole definition shows: ids, connections, circles, expressions, agents."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dirigent.domain.errors import ExpressionError
from dirigent.domain.workflow import Kind, Step
from dirigent.interpreter.expression import Expression, parse_expression
from dirigent.interpreter.parts import Parts, Use
from dirigent.interpreter.problems import Findings, Path, shown
from dirigent.interpreter.way_checks import check_ways

_OF_ITEM = frozenset({"item", "index"})
_OF_LOOP = frozenset({"index"})
_AN_AGENT = "a registered agent; DIRIGENT_AGENTS=module:Class registers your own"
_EXAMPLE_FIELDS = {"event": "data.order_id", "schedule": "at"}


def check_parts(parts: Parts, actions: Mapping[str, Collection[str]] | None) -> None:
    """Note everything that is wrong between the parts of a definition."""
    steps = _check_ids(parts)
    check_ways(parts, steps)
    for use in parts.uses:
        _check_use(use, steps, parts)
    if actions is not None:
        for path, step in parts.steps:
            if step.kind is Kind.AGENT:
                _check_agent(step.agent, step.action, path, actions, parts.findings)
            for key, asked in (("fallback", step.fallback), ("compensate", step.compensate)):
                if asked is not None:
                    _check_agent(asked.agent, asked.action, (*path, key), actions, parts.findings)


def _check_ids(parts: Parts) -> dict[str, Step]:
    """The steps by id; of several with one id, the first."""
    taken: set[str] = set()
    for path, name in parts.ids:
        if name in taken:
            message, fix = f"the id {shown(name)} is taken by another step", f"call it {_free(name, taken)}"
            parts.findings.add("WF012", (*path, "id"), message, expected="an id of its own", fix=fix)
        elif name:
            taken.add(name)
    steps: dict[str, Step] = {}
    for _, step in parts.steps:
        if step.id:
            steps.setdefault(step.id, step)
    return steps


def _free(name: str, taken: Collection[str]) -> str:
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def _check_use(use: Use, steps: Mapping[str, Step], parts: Parts) -> None:
    findings = parts.findings
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
        _check_names(expression, use, steps, parts)
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


def _check_names(expression: Expression, use: Use, steps: Mapping[str, Step], parts: Parts) -> None:
    findings = parts.findings
    for name in expression.reads.get("steps", {}):
        if name not in steps:
            message = f"{shown(use.source)} reads the step {shown(name)}, which does not exist"
            fix = _meant(name, steps, findings)
            findings.add("WF019", use.path, message, expected="the id of a step", fix=fix)
        elif not parts.sees(use.block, name):
            block = parts.inside[name]
            message = f"{shown(use.source)} reads the step {shown(name)}, which is inside the block {block}"
            fix = f"read the block's own output: steps.{block}"
            findings.add("WF025", use.path, message, expected="a step here or around", fix=fix)
    bound = (_OF_ITEM if use.of_item else frozenset()) | (_OF_LOOP if use.of_loop else frozenset())
    if not expression.names.isdisjoint(_OF_ITEM - bound):
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
        findings.add("WF022", _agent_key(path, findings), message, expected=_AN_AGENT, fix=fix)
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
