"""Definitions from YAML, from JSON and from data, and back to data.

Everything that is wrong with a definition is told at once, each with its code, its place, what was
expected and a fix.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dirigent.domain.workflow import Compensate, Connection, Definition, Kind, Retry, Step, said
from dirigent.interpreter.approval_parts import written_deciders
from dirigent.interpreter.building import (
    Parts,
    build_connection,
    build_step,
    collect_holes,
    need,
    read_flow_type,
)
from dirigent.interpreter.checking import check_parts
from dirigent.interpreter.durations import written_duration
from dirigent.interpreter.inputs import read_input_schema
from dirigent.interpreter.lint import FactsOf, lint, subject_of
from dirigent.interpreter.positions import read_data, read_yaml
from dirigent.interpreter.problems import Findings, Path, Problem, shown
from dirigent.interpreter.triggering import TimeZones, build_triggers
from dirigent.interpreter.written import WrittenWorkflow, read_written

Actions = Mapping[str, Collection[str]]

ROOT_KEY = "workflow"


@dataclass(frozen=True)
class Known:
    """What there is around a definition; None where nobody says, and then it is not asked after."""

    actions: Actions | None = None
    timezones: TimeZones | None = None


@dataclass(frozen=True)
class Inspected:
    """A sound definition, and what there is to say about it all the same, in the order of the file."""

    definition: Definition
    warnings: tuple[Problem, ...]


@dataclass(frozen=True)
class _Sound:
    """A checked definition, the parts it was built from, and where its mapping stands."""

    definition: Definition
    parts: Parts
    path: Path


def load_definition(
    text: str,
    *,
    source: str = "<workflow>",
    actions: Actions | None = None,
    timezones: TimeZones | None = None,
) -> Definition:
    """The definition that a YAML or JSON text holds, checked.

    `source` is the file's name in messages. With `actions`, the actions of every registered agent, steps
    may only name those; with `timezones`, triggers may only name these. Raises `InvalidDefinition` with
    every problem.
    """
    findings = Findings(source)
    data = read_yaml(text, findings)
    return _checked(data, findings, Known(actions, timezones)).definition


def definition_from(
    data: Mapping[str, Any],
    *,
    source: str = "<definition>",
    actions: Actions | None = None,
    timezones: TimeZones | None = None,
) -> Definition:
    """The definition that plain data holds, as a plan does; checked in the same way."""
    findings = Findings(source)
    return _checked(read_data(data, findings), findings, Known(actions, timezones)).definition


def inspect_definition(
    written: str | Mapping[str, Any],
    *,
    source: str = "<workflow>",
    actions: Actions | None = None,
    timezones: TimeZones | None = None,
    facts: FactsOf | None = None,
) -> Inspected:
    """The definition of a text or of data, checked as ever, and advice on it.

    `facts` tells what is known of an action. Raises `InvalidDefinition` with every problem; advice keeps
    nothing from being loaded.
    """
    findings = Findings(source)
    data = read_yaml(written, findings) if isinstance(written, str) else read_data(written, findings)
    sound = _checked(data, findings, Known(actions, timezones))
    advice = Findings(source, findings.places)
    lint(subject_of(sound.definition, sound.parts, sound.path, facts), advice)
    return Inspected(sound.definition, tuple(advice.in_order()))


def stored_definition(data: Mapping[str, Any]) -> Definition:
    """A definition as a journal gives it back; it was checked by the rules of its time.

    Triggers say when a workflow starts, and this one has started: what is wrong with them by the rules
    of today is let pass.
    """
    findings = Findings("<journal>")
    return _checked(read_data(data, findings), findings, Known(), let_pass="triggers").definition


def definition_to_dict(definition: Definition) -> dict[str, Any]:
    """The data from which `definition_from` makes an equal definition."""
    written = {
        "name": definition.name,
        "type": definition.type.value,
        "description": definition.description,
        "triggers": [said(trigger) for trigger in definition.triggers],
        "input": definition.input,
        "steps": [_written_step(step) for step in definition.steps],
        "connections": [_written_connection(connection) for connection in definition.connections],
        "output": definition.output,
    }
    return {ROOT_KEY: {key: value for key, value in written.items() if value}}


def _checked(data: Any, findings: Findings, known: Known, *, let_pass: str = "") -> _Sound:
    if data is None:
        findings.raise_if_any()
    root, path = _root(data, findings)
    if not isinstance(root, dict):
        findings.raise_if_any()
    parts = Parts(findings)
    definition = _definition(root, path, parts, known)
    if let_pass:
        findings.drop((*path, let_pass))
    findings.raise_if_any()
    return _Sound(definition, parts, path)


def _root(data: Any, findings: Findings) -> tuple[Any, Path]:
    """The mapping of the workflow, with or without its root key."""
    path: Path = ()
    if isinstance(data, dict) and ROOT_KEY in data:
        for key in data:
            if key != ROOT_KEY:
                message = f"the key {shown(key)} is not known here"
                fix = f"indent it below {ROOT_KEY}, or remove it"
                findings.add("WF006", (key,), message, expected=ROOT_KEY, fix=fix, at_key=True)
        data, path = data[ROOT_KEY], (ROOT_KEY,)
    if not isinstance(data, dict):
        message = "there is nothing in it" if data is None else f"{shown(data)} is not a mapping"
        fix = "begin with workflow: and write name and steps below it"
        findings.add("WF008", path, message, expected="a mapping", fix=fix)
    return data, path


def _definition(data: dict[str, Any], path: Path, parts: Parts, known: Known) -> Definition:
    findings = parts.findings
    written = read_written(WrittenWorkflow, data, path, findings)
    need("name", data, path, findings, "name: <what it is called>")
    need("steps", data, path, findings, "steps: and at least one step")
    for index, step in enumerate(written.steps):
        build_step(step, (*path, "steps", index), parts)
    for index, connection in enumerate(written.connections):
        build_connection(connection, (*path, "connections", index), parts)
    collect_holes(written.output, (*path, "output"), parts)
    triggers = build_triggers(written.triggers, (*path, "triggers"), parts, known.timezones)
    if parts.steps:
        check_parts(parts, known.actions)
    return Definition(
        name=written.name,
        type=read_flow_type(written.type, (*path, "type"), findings),
        description=written.description,
        steps=tuple(step for _, step in parts.steps),
        connections=tuple(connection for _, connection in parts.connections),
        triggers=triggers,
        output=written.output,
        input=read_input_schema(written.input, (*path, "input"), findings),
    )


def _written_step(step: Step) -> dict[str, Any]:
    usual = Step(id="", kind=Kind.TRANSFORM)
    timed_by_parameters = step.kind is Kind.APPROVAL and "timeout" in step.parameters
    written: dict[str, Any] = {
        "id": step.id,
        "type": step.kind.value,
        "agent_type": step.agent,
        "action": step.action,
        "parameters": step.parameters,
        "conditions": list(step.conditions),
        "when": step.when,
        "foreach": step.foreach,
        "max_parallel": step.max_parallel if step.max_parallel != usual.max_parallel else None,
        "timeout": written_duration(step.timeout_ms) if step.timeout_ms and not timed_by_parameters else None,
        "retry_policy": _written_retry(step.retry) if step.retry != usual.retry else None,
        "on_error": step.on_error if step.on_error != usual.on_error else None,
        "ends_as": step.ends_as if step.ends_as != usual.ends_as else None,
        "workflow": step.workflow,
        "duration": written_duration(step.wait_ms) if step.wait_ms else None,
        "event": step.event,
        "filter": step.filter,
        "compensate": _written_compensate(step.compensate) if step.compensate else None,
        **written_deciders(step.deciders, step.parameters),
    }
    return {key: value for key, value in written.items() if value}


def _written_compensate(compensate: Compensate) -> dict[str, Any]:
    usual = Compensate(agent="", action="")
    written = {
        "agent_type": compensate.agent,
        "action": compensate.action,
        "parameters": compensate.parameters,
        "timeout": written_duration(compensate.timeout_ms) if compensate.timeout_ms else None,
        "retry_policy": _written_retry(compensate.retry) if compensate.retry != usual.retry else None,
    }
    return {key: value for key, value in written.items() if value}


def _written_retry(retry: Retry) -> dict[str, Any]:
    return {
        "max_attempts": retry.max_attempts,
        "initial": written_duration(retry.initial_ms),
        "backoff_factor": retry.backoff_factor,
        "max": written_duration(retry.max_ms),
        "jitter": retry.jitter,
    }


def _written_connection(connection: Connection) -> dict[str, Any]:
    written = {
        "from": connection.source,
        "to": connection.target,
        "condition": connection.condition,
        "on": connection.on,
    }
    return {key: value for key, value in written.items() if value}
