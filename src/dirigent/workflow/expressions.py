"""Expressions made in Python: what they print is the CEL that a YAML file would hold.

`score.output.value >= 60` stands for `steps.score.value >= 60`. Nothing is evaluated here: an expression is
text, and is checked when the workflow is made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from dirigent.domain.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z_]\w*")
_SIMPLE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[[^\[\]]*\]|\([^()]*\))*")


class Expression:
    """A piece of CEL. Attributes and items lead further down; operators make larger pieces.

    In parameters it stands for its value, in text (`f"Hello {input_.name}"`) for what it prints as. `&`, `|`
    and `~` stand for and, or and not; Python's own `and`, `or`, `not` and chained comparisons cannot be
    recorded and raise.
    """

    __slots__ = ("_source",)

    def __init__(self, source: str) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Expression:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, key: str | int) -> Expression:
        if isinstance(key, str) and _NAME.fullmatch(key):
            return Expression(f"{_operand(self)}.{key}")
        return Expression(f"{_operand(self)}[{literal(key)}]")

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return _joined(self, "==", other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return _joined(self, "!=", other)

    def __lt__(self, other: object) -> Expression:
        return _joined(self, "<", other)

    def __le__(self, other: object) -> Expression:
        return _joined(self, "<=", other)

    def __gt__(self, other: object) -> Expression:
        return _joined(self, ">", other)

    def __ge__(self, other: object) -> Expression:
        return _joined(self, ">=", other)

    def __add__(self, other: object) -> Expression:
        return _joined(self, "+", other)

    def __radd__(self, other: object) -> Expression:
        return _joined(other, "+", self)

    def __sub__(self, other: object) -> Expression:
        return _joined(self, "-", other)

    def __rsub__(self, other: object) -> Expression:
        return _joined(other, "-", self)

    def __mul__(self, other: object) -> Expression:
        return _joined(self, "*", other)

    def __rmul__(self, other: object) -> Expression:
        return _joined(other, "*", self)

    def __truediv__(self, other: object) -> Expression:
        return _joined(self, "/", other)

    def __rtruediv__(self, other: object) -> Expression:
        return _joined(other, "/", self)

    def __and__(self, other: Expression) -> Expression:
        return _joined(self, "&&", other)

    def __or__(self, other: Expression) -> Expression:
        return _joined(self, "||", other)

    def __invert__(self) -> Expression:
        return Expression(f"!{_operand(self)}")

    def __hash__(self) -> int:
        return hash(self._source)

    def __iter__(self) -> NoReturn:
        raise TypeError("an expression has no items before the workflow runs; use foreach")

    def __contains__(self, part: object) -> NoReturn:
        raise TypeError("what an expression holds is not known before the workflow runs; use contains()")

    def __bool__(self) -> NoReturn:
        raise TypeError("an expression is neither true nor false before the workflow runs; use & | and ~")

    def __str__(self) -> str:
        """As it stands in parameters: `${steps.score.value}`."""
        return f"${{{self._source}}}"

    def __repr__(self) -> str:
        return f"Expression({self._source!r})"


def expr(source: str) -> Expression:
    """Any CEL, as it would stand in a file."""
    return Expression(source)


def has(path: Expression) -> Expression:
    """Whether a field is there."""
    return Expression(f"has({source_of(path)})")


def size(of: Expression) -> Expression:
    """How many items a list has, or characters a text."""
    return Expression(f"size({source_of(of)})")


def one_of(value: Expression, options: Iterable[object]) -> Expression:
    """Whether a value is one of several: `platform in ["x", "y"]`."""
    return Expression(f"{_operand(value)} in {literal(list(options))}")


def contains(text: Expression, part: str) -> Expression:
    """Whether a text contains another."""
    return Expression(f"{_operand(text)}.contains({literal(part)})")


def matches(text: Expression, pattern: str) -> Expression:
    """Whether a text matches a regular expression somewhere."""
    return Expression(f"{_operand(text)}.matches({literal(pattern)})")


def choose(condition: Expression, then: object, otherwise: object) -> Expression:
    """One value or another: `has(input.n) ? input.n : 5`."""
    return Expression(f"{source_of(condition)} ? {literal(then)} : {literal(otherwise)}")


def source_of(value: object) -> str:
    """The CEL of an expression; text is taken as CEL already."""
    if isinstance(value, Expression):
        return value._source
    if isinstance(value, str):
        return value
    raise InvalidInput(f"{value!r} is no expression.", fix="Write CEL as text, or use the steps' outputs.")


def literal(value: object) -> str:
    """A value as CEL writes it; an expression stands for itself."""
    if isinstance(value, Expression):
        return value._source
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"{value!r} cannot stand in an expression.", fix="Use text, numbers, lists and mappings."
        ) from error


def _joined(left: object, operator: str, right: object) -> Expression:
    return Expression(f"{_operand(left)} {operator} {_operand(right)}")


def _operand(value: object) -> str:
    """A part of a larger expression, in brackets unless it is a path, a call or a single value."""
    text = literal(value)
    alone = not isinstance(value, Expression) or _SIMPLE.fullmatch(text) or text.startswith("!")
    return text if alone else f"({text})"


def plain(value: Any) -> Any:
    """Parameters as data: expressions become text in `${ }`, everything inside lists and mappings too."""
    if isinstance(value, Expression):
        return str(value)
    output = getattr(value, "output", None)
    if isinstance(output, Expression):
        return str(output)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


input_ = Expression("input")
item = Expression("item")
index = Expression("index")
run = Expression("run")
event = Expression("event")
scheduled_at = Expression("schedule.at")
result = Expression("result")
previous = Expression("previous")
