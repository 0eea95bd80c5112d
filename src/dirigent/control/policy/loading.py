"""Reading rules from YAML or JSON. Every error names file, rule, key, what was expected and a fix."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

import msgspec
import yaml
from pydantic import ValidationError

from dirigent.control.policy.conditions import Condition
from dirigent.control.policy.rules import Rule
from dirigent.domain.errors import DirigentError, InvalidDefinition

TEXT_LENGTH_MAX = 1_000_000
RULES_MAX = 2_000
DEPTH_MAX = 20


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with a file of rules: where, what was expected, and how to mend it."""

    file: str
    rule: str
    key: str
    expected: str
    fix: str

    def __str__(self) -> str:
        where = f"{self.file}, rule {self.rule}" if self.rule else self.file
        return (
            f"{where}, {self.key}: {self.expected}. {self.fix}"
            if self.key
            else f"{where}: {self.expected}. {self.fix}"
        )


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What came of reading: the rules that are right, and what is wrong with the others."""

    rules: tuple[Rule, ...] = ()
    problems: tuple[Problem, ...] = ()


@functools.cache
def default_rules() -> tuple[Rule, ...]:
    """The rules that come with Dirigent."""
    text = resources.files(__package__).joinpath("default.yaml").read_text(encoding="utf-8")
    return load_rules(text, source="default.yaml")


def load_rules(text: str, *, source: str) -> tuple[Rule, ...]:
    """All rules of a YAML or JSON text; raises `InvalidDefinition` with every problem when there is one."""
    reading = read_rules(text, source=source)
    if reading.problems:
        raise InvalidDefinition("\n".join(map(str, reading.problems)), problems=reading.problems)
    return reading.rules


def read_rules(text: str, *, source: str) -> Reading:
    """Read what can be read, and collect the rest as problems."""
    try:
        items = _items(_parsed(text))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return Reading(problems=(_problem(source, "", "", str(error).replace("\n", " "), "Mend the file."),))
    return check_rules(items, source=source)


def check_rules(items: Iterable[object], *, source: str) -> Reading:
    """Turn plain data into rules, one by one; the id of an earlier rule cannot be used again."""
    rules: dict[str, Rule] = {}
    problems: list[Problem] = []
    for number, item in enumerate(items, start=1):
        rule, found = _read_rule(item, number, source)
        if rule is not None and rule.id in rules:
            found = [_problem(source, rule.id, "id", "the id is there twice", "Give every rule its own id.")]
        elif rule is not None:
            rules[rule.id] = rule
        problems += found
    return Reading(rules=tuple(rules.values()), problems=tuple(problems))


def merged(current: Iterable[Rule], changes: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules with changes by id put in place or added at the end.

    A shipped rule stays as it is, and a rule keeps its level: a change cannot take the place of what
    somebody else decided. Raises `InvalidDefinition` for an attempt.
    """
    rules = {rule.id: rule for rule in current}
    shipped = {rule.id for rule in default_rules()}
    for change in changes:
        before = rules.get(change.id)
        if (
            before is not None
            and before != change
            and (change.id in shipped or _scope(before) != _scope(change))
        ):
            fix = "Add a rule with another id; the strictest one wins."
            problem = _problem("changes", change.id, "id", "this rule belongs to another level", fix)
            raise InvalidDefinition(str(problem), problems=(problem,))
        rules[change.id] = change
    return tuple(rules.values())


def _scope(rule: Rule) -> tuple[str, str, str]:
    return rule.level, rule.vertical, rule.org_id


def _parsed(text: str) -> object:
    if len(text) > TEXT_LENGTH_MAX:
        raise ValueError(f"the file has {len(text)} characters, {TEXT_LENGTH_MAX} at most")
    if text.lstrip()[:1] in ("{", "["):
        return json.loads(text, object_pairs_hook=_unique)
    _check_shape(yaml.parse(text, yaml.CSafeLoader))
    return _PlainLoader(text).get_single_data()


def _check_shape(events: Iterable[yaml.Event]) -> None:
    """Refuse aliases, which grow without bound, and depth, at which the C loader brings the process down."""
    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("an alias is used; write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_MAX:
            raise ValueError(f"values lie more than {DEPTH_MAX} deep")


def _items(data: object) -> list[object]:
    items = data.get("policies") if isinstance(data, Mapping) else data
    if not isinstance(items, list) or len(items) > RULES_MAX:
        raise ValueError(f"expected a list of at most {RULES_MAX} rules under `policies`")
    return items


def _read_rule(item: object, number: int, source: str) -> tuple[Rule | None, list[Problem]]:
    name = str(item.get("id") or f"number {number}") if isinstance(item, Mapping) else f"number {number}"
    try:
        rule = Rule.model_validate(item)
        condition = Condition(rule.when) if rule.when else None
    except ValidationError as error:
        return None, [_of_field(source, name, dict(detail)) for detail in error.errors()]
    except DirigentError as error:
        return None, [_problem(source, name, "when", error.message, error.fix or "Mend the expression.")]
    unknown = list(condition.unknown_names(rule.applies_to)) if condition else []
    problems = [
        _problem(
            source,
            name,
            "when",
            f"a check of a {rule.applies_to} has no {fact}",
            f"{hint.capitalize()}.".replace("?.", "?"),
        )
        for fact, hint in unknown
    ]
    return (None if problems else rule), problems


def _of_field(source: str, name: str, detail: dict[str, Any]) -> Problem:
    key = ".".join(str(part) for part in detail["loc"])
    message = str(detail["msg"]).removeprefix("Value error, ")
    if not key and ": " in message:
        key, _, message = message.partition(": ")
    if detail["type"] == "extra_forbidden":
        return _problem(
            source,
            name,
            key,
            "a rule has no such key",
            f"Leave it out, or use {', '.join(Rule.model_fields)}.",
        )
    if detail["type"] == "missing":
        return _problem(source, name, key, "the key is missing", "Add it.")
    given = detail["input"] if isinstance(detail["input"], str | int | float | None) else "another shape"
    return _problem(
        source, name, key, message, f"Given is {given!r}." if key in Rule.model_fields else "Mend the rule."
    )


def _problem(file: str, rule: str, key: str, expected: str, fix: str) -> Problem:
    return Problem(file=file, rule=rule, key=key, expected=expected.rstrip("."), fix=fix)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"the key {twice!r} is there twice")
    return dict(pairs)


class _PlainLoader(yaml.CSafeLoader):
    """YAML in which no key stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise yaml.YAMLError(f"the key {twice!r} is there twice (line {node.start_mark.line + 1})")
        return super().construct_mapping(node, deep=deep)
