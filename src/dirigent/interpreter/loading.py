"""Definitions from YAML, from JSON and from data, and back to data.

Everything that is wrong with a definition is told at once, each with its code, its place, what was
expected and a fix.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from dirigent.domain.canonical import plain
from dirigent.domain.workflow import Definition, FlowType, said
from dirigent.interpreter.building import build_body, read_flow_type
from dirigent.interpreter.checking import check_parts
from dirigent.interpreter.durations import written_duration
from dirigent.interpreter.inputs import read_input_schema
from dirigent.interpreter.lint import FactsOf, lint, subject_of
from dirigent.interpreter.naming import check_names
from dirigent.interpreter.parts import Parts, collect_holes, need
from dirigent.interpreter.positions import read_data, read_yaml
from dirigent.interpreter.problems import Findings, Path, Problem, shown
from dirigent.interpreter.step_parts import read_span
from dirigent.interpreter.triggering import TimeZones, build_triggers
from dirigent.interpreter.writing import write_connection, write_step
from dirigent.interpreter.written import STEPS_MAX, WrittenWorkflow, read_written

Actions = Mapping[str, Collection[str]]

ROOT_KEY = "workflow"
KEPT_MAX, KEPT_BYTES = 256, 16_384  # of stored definitions that were read: how many, and how large at most


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
    advice = Findings(source, findings.places, data)
    lint(subject_of(sound.definition, sound.parts, sound.path, facts), advice)
    return Inspected(sound.definition, tuple(advice.in_order()))


def stored_definition(data: Mapping[str, Any]) -> Definition:
    """A definition as a journal gives it back; it was checked by the rules of its time.

    Triggers say when a workflow starts, and this one has started: what is wrong with them by the rules
    of today is let pass. One that is asked for often is read once, unless it is very large.
    """
    written = msgspec.json.encode(data)
    return _kept(written) if len(written) <= KEPT_BYTES else _read_stored(data)


def definition_to_dict(definition: Definition) -> dict[str, Any]:
    """The data from which `definition_from` makes an equal definition."""
    written = {
        "name": definition.name,
        "type": definition.type.value,
        "description": definition.description,
        "triggers": plain([said(trigger) for trigger in definition.triggers]),
        "input": definition.input,
        "steps": [write_step(step) for step in definition.steps],
        "connections": [write_connection(connection) for connection in definition.connections],
        "output": definition.output,
        "timeout": written_duration(definition.timeout_ms) if definition.timeout_ms else None,
    }
    return {ROOT_KEY: {key: value for key, value in written.items() if value}}


@lru_cache(maxsize=KEPT_MAX)
def _kept(written: bytes) -> Definition:
    return _read_stored(msgspec.json.decode(written))


def _read_stored(data: Mapping[str, Any]) -> Definition:
    findings = Findings("<journal>")
    return _checked(read_data(data, findings), findings, Known(), let_pass="triggers").definition


def _checked(data: Any, findings: Findings, known: Known, *, let_pass: str = "") -> _Sound:
    if data is None:
        findings.raise_if_any()
    findings.data = data
    root, path = _root(data, findings)
    if not isinstance(root, dict):
        findings.raise_if_any()
    parts = Parts(findings)
    definition = _definition(root, path, parts, known)
    if let_pass:
        findings.drop((*path, let_pass))
    else:
        check_names(definition, parts)
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
    flow_type = read_flow_type(written.type, (*path, "type"), findings)
    at_once = flow_type is FlowType.PARALLEL
    steps, connections = build_body(written.steps, written.connections, path, parts, at_once=at_once)
    collect_holes(written.output, (*path, "output"), parts)
    if len(parts.ids) > STEPS_MAX:
        message, fix = f"there are {len(parts.ids)} steps in all", "split it into subworkflows"
        findings.add("WF009", (*path, "steps"), message, expected=f"at most {STEPS_MAX}", fix=fix)
    triggers = build_triggers(written.triggers, (*path, "triggers"), parts, known.timezones)
    if parts.steps:
        check_parts(parts, known.actions)
    return Definition(
        name=written.name,
        type=flow_type,
        description=written.description,
        steps=steps,
        connections=connections,
        triggers=triggers,
        output=written.output,
        input=read_input_schema(written.input, (*path, "input"), findings),
        timeout_ms=read_span(written.timeout, (*path, "timeout"), findings),
    )
