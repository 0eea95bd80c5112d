"""Advice on what a workflow is started with: triggers against the fields that are needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dirigent.domain.trigger import EventTrigger, ScheduleTrigger, Trigger, WebhookTrigger
from dirigent.domain.workflow import Kind
from dirigent.interpreter.inputs import KEYWORDS, misfits, required_of, with_defaults
from dirigent.interpreter.lint.subject import Subject
from dirigent.interpreter.problems import Findings, Path
from dirigent.interpreter.template import has_hole

_GIVES_NOTHING = frozenset({Kind.VALIDATION, Kind.CONDITION, Kind.APPROVAL, Kind.WAIT, Kind.SWITCH})
_SCHEMAS = ("properties", "$defs", "patternProperties", "dependentSchemas")
_SCHEMA = ("items", "additionalProperties", "contains", "not", "if", "then", "else", "propertyNames")
_SCHEMA_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")


def trigger_brings_all(subject: Subject, findings: Findings) -> None:
    """WL001: a trigger that starts the workflow without a field it cannot do without."""
    needed = _needed(subject)
    for index, trigger in enumerate(subject.definition.triggers):
        if not _is_complete(trigger):
            continue
        missing = [name for name in needed if trigger.input.get(name) in (None, "", [])]
        if missing:
            here = (*subject.path, "triggers", index)
            message = f"it starts the workflow without {', '.join(missing)}"
            said = ", ".join(f"{name}: ..." for name in missing)
            findings.add(
                "WL001", here, message, expected="every required field", fix=f"add input: {{{said}}}"
            )


def trigger_fits(subject: Subject, findings: Findings) -> None:
    """WL010: a trigger whose input the schema will refuse."""
    schema = subject.definition.input
    if not schema:
        return
    for index, trigger in enumerate(subject.definition.triggers):
        for misfit in misfits(schema, with_defaults(schema, trigger.input)):
            if misfit.missing or has_hole(misfit.value):
                continue
            here = (*subject.path, "triggers", index, "input", *misfit.path)
            fix = "mend it, or change the schema under input"
            message = f"no execution can start with it: {misfit.text}"
            findings.add("WL010", here, message, expected=misfit.expected, fix=fix)


def every_field_is_read(subject: Subject, findings: Findings) -> None:
    """WL009: a field that the input has and that no expression reads."""
    trees = [read.expression.reads for read in subject.reads]
    if any(tree.get("input") == {} for tree in trees):
        return
    read = {name for tree in trees for name in (*tree, *tree.get("input", {}))}
    for step in subject.definition.every_step():
        read.update(_required_by(step), subject.takes_by_name(step))
    declared = subject.definition.input.get("properties", {})
    places = {name: (*subject.path, "input", "properties", name) for name in declared}
    for index, trigger in enumerate(subject.definition.triggers):
        for name in trigger.input:
            places.setdefault(name, (*subject.path, "triggers", index, "input", name))
    for name, here in places.items():
        if name not in read:
            message = f"nobody reads {name}"
            fix = f"read it, as in ${{input.{name}}}, or remove it"
            findings.add("WL009", here, message, expected="a field that is read", fix=fix, at_key=True)


def schema_words(subject: Subject, findings: Findings) -> None:
    """WL017: a word in a schema that is none of JSON Schema's, but looks like one."""
    for here, word in _words(subject.definition.input, (*subject.path, "input")):
        near = "" if word in KEYWORDS else findings.near(word, KEYWORDS)
        if near:
            message, fix = f"{word} is no word of JSON Schema and says nothing", f"did you mean {near}?"
            expected = "a word of JSON Schema"
            findings.add("WL017", (*here, word), message, expected=expected, fix=fix, at_key=True)


def _is_complete(trigger: Trigger) -> bool:
    """Whether all that it starts a workflow with is known: the data of an event is not."""
    if isinstance(trigger, ScheduleTrigger):
        return True
    return isinstance(trigger, EventTrigger | WebhookTrigger) and bool(trigger.input)


def _needed(subject: Subject) -> list[str]:
    """The fields without which a run fails at once: by the schema, or by a validation at its beginning."""
    needed = dict.fromkeys(required_of(subject.definition.input))
    declared = subject.definition.input.get("properties", {})
    reach = subject.reach
    for step in subject.definition.every_step():
        unconditional = step.id in reach.certain and not reach.graph.nodes[step.id].block
        if unconditional and all(
            subject.step(one).kind in _GIVES_NOTHING for one in reach.all_before(step.id)
        ):
            needed |= dict.fromkeys(n for n in _required_by(step) if "default" not in declared.get(n, {}))
    return list(needed)


def _required_by(step: Any) -> list[str]:
    return step.parameters.get("required_fields", []) if step.kind is Kind.VALIDATION else []


def _words(schema: Any, here: Path) -> Iterator[tuple[Path, str]]:
    if not isinstance(schema, Mapping):
        return
    yield from ((here, word) for word in schema)
    for word in _SCHEMAS:
        for name, inner in schema.get(word, {}).items():
            yield from _words(inner, (*here, word, name))
    for word in _SCHEMA:
        yield from _words(schema.get(word), (*here, word))
    for word in _SCHEMA_LISTS:
        for index, inner in enumerate(schema.get(word, [])):
            yield from _words(inner, (*here, word, index))
