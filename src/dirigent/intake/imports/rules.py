"""The rules of a mapping, compiled to closures over a row: conditions, and what becomes of the row."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dirigent.intake.imports.fields import CONSENTS, KINDS, CellValues, Field, FieldType, Notation
from dirigent.intake.imports.mapping import Condition, Outcome, Rule

Row = list[Any]
Test = Callable[[Row], Any]  # what it returns is read as true or false

KIND = "kind"


class UnfitRule(ValueError):
    """A rule that does not fit its field: `where` inside the rule, what was `expected` there."""

    def __init__(self, where: tuple[str, ...], expected: str) -> None:
        super().__init__(expected)
        self.where = where
        self.expected = expected


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRule:
    """One rule ready to run: `test` decides, `changes` are (slot, value) pairs.

    `action` is refuse, mend (it changes what the file says), classify or note.
    """

    name: str
    reason: str
    action: str
    test: Test
    changes: tuple[tuple[int, Any], ...]


def compile_rule(rule: Rule, fields: Sequence[Field], in_file: Container[str]) -> CompiledRule:
    """Compile a rule for rows that hold these fields in this order; `UnfitRule` when it cannot be.

    `in_file` are the fields that the file itself fills.
    """
    slots = {field.name: slot for slot, field in enumerate(fields)}
    conditions = [(slots[name], condition) for name, condition in rule.when.items()]
    tests = [test for slot, condition in conditions for test in _tests(slot, fields[slot], condition)]
    changes = [
        (slots[name], _constant(fields[slots[name]], value, ("then", "set", name)))
        for name, value in rule.then.set.items()
    ]
    if rule.then.kind is not None:
        slot = _kind_slot(slots)
        changes.append((slot, _constant(fields[slot], rule.then.kind, ("then", KIND))))
        tests.append(_is_blank(slot))
    return CompiledRule(
        name=rule.name,
        reason=rule.reason,
        action=_action(rule.then, in_file),
        test=_all_of(tests),
        changes=tuple(changes),
    )


def _action(outcome: Outcome, in_file: Container[str]) -> str:
    if outcome.refuse:
        return "refuse"
    if outcome.note:
        return "note"
    return "mend" if any(name in in_file for name in outcome.set) else "classify"


def _kind_slot(slots: Mapping[str, int]) -> int:
    if KIND not in slots:
        raise UnfitRule(("then", KIND), "no kind: only order lines have one")
    return slots[KIND]


def _tests(slot: int, field: Field, condition: Condition) -> list[Test]:
    given = condition.model_dump(by_alias=True, exclude_unset=True)
    return [_OPERATORS[name](slot, field, value) for name, value in given.items()]


def _all_of(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    first, rest = tests[0], _all_of(tests[1:])
    return lambda row: first(row) and rest(row)


def _is_blank(slot: int) -> Test:
    return lambda row: row[slot] is None


def _blank(slot: int, _: Field, wanted: bool) -> Test:
    return _is_blank(slot) if wanted else lambda row: row[slot] is not None


def _equals(slot: int, field: Field, value: Any) -> Test:
    wanted = _constant(field, value, ("when", field.name))
    return lambda row: row[slot] == wanted


def _not_equals(slot: int, field: Field, value: Any) -> Test:
    unwanted = _constant(field, value, ("when", field.name))
    return lambda row: row[slot] != unwanted


def _in(slot: int, field: Field, values: list[Any]) -> Test:
    wanted = frozenset(_constant(field, value, ("when", field.name)) for value in values)
    return lambda row: row[slot] in wanted


def _not_in(slot: int, field: Field, values: list[Any]) -> Test:
    unwanted = frozenset(_constant(field, value, ("when", field.name)) for value in values)
    return lambda row: row[slot] not in unwanted


def _starts_with(slot: int, field: Field, values: list[str]) -> Test:
    _require_type(field, ("text", "address"), "starts_with only for text")
    beginnings = tuple(values)
    return lambda row: row[slot] is not None and row[slot].startswith(beginnings)


def _matches(slot: int, field: Field, pattern: str) -> Test:
    _require_type(field, ("text", "address"), "matches only for text")
    try:
        fullmatch = re.compile(pattern).fullmatch
    except re.error as error:
        raise UnfitRule(("when", field.name, "matches"), f"a regular expression ({error})") from error
    return lambda row: row[slot] is not None and fullmatch(row[slot])


def _less_than(slot: int, field: Field, value: Any) -> Test:
    bound = _bound(field, value)
    return lambda row: row[slot] is not None and row[slot] < bound


def _greater_than(slot: int, field: Field, value: Any) -> Test:
    bound = _bound(field, value)
    return lambda row: row[slot] is not None and row[slot] > bound


def _bound(field: Field, value: Any) -> Any:
    _require_type(field, ("number", "time"), "a comparison only for numbers and times")
    if value is None:
        raise UnfitRule(("when", field.name), "a bound, not null")
    return _constant(field, value, ("when", field.name))


def _require_type(field: Field, types: tuple[FieldType, ...], expected: str) -> None:
    if field.type not in types:
        raise UnfitRule(("when", field.name), expected)


def _constant(field: Field, value: Any, where: tuple[str, ...]) -> Any:
    if value is None:
        return None
    expected, fits = _CONSTANTS[field.type]
    if not fits(value):
        raise UnfitRule(where, f"{expected}, not {value!r}")
    if field.type != "time":
        return value
    try:
        return CellValues(field, Notation(), {})[value]
    except ValueError as error:
        raise UnfitRule(where, f"{expected}, not {value!r}") from error


_CONSTANTS: Mapping[FieldType, tuple[str, Callable[[Any], bool]]] = {
    "text": ("a text in quotes", lambda value: isinstance(value, str)),
    "address": ("an address in quotes", lambda value: isinstance(value, str)),
    "number": ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "time": ("an ISO date in quotes", lambda value: isinstance(value, str)),
    "flag": ("true or false", lambda value: isinstance(value, bool)),
    "consent": (f"one of {', '.join(CONSENTS)}", lambda value: value in CONSENTS),
    "kind": (f"one of {', '.join(KINDS)}", lambda value: value in KINDS),
}

_OPERATORS: Mapping[str, Callable[[int, Field, Any], Test]] = {
    "blank": _blank,
    "equals": _equals,
    "not_equals": _not_equals,
    "in": _in,
    "not_in": _not_in,
    "starts_with": _starts_with,
    "matches": _matches,
    "less_than": _less_than,
    "greater_than": _greater_than,
}
