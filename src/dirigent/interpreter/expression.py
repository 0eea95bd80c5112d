"""Expressions in CEL (Common Expression Language), behind one class that fails closed.

The library returns errors as values that read as true; `Expression.evaluate` raises instead. Names
are checked when the expression is compiled: an unknown function does not compile.
"""

from __future__ import annotations

import ctypes
import functools
import math
import re
import sys
from collections.abc import Mapping
from typing import Any

from cel_expr_python import cel

from dirigent.domain.errors import ExpressionError
from dirigent.interpreter.cel_words import in_words
from dirigent.interpreter.tokens import (
    bound_names,
    narrowed,
    paths_read,
    tokenize,
    with_marks_for_words,
    with_ordered_ranges,
)

MAX_LENGTH = 4096
MAX_DEPTH = 100  # of the value that an expression gives
NULLS_MAX = 1 << 60  # a null in each nanosecond of 36 years
_SHOWN = 80
_POSITION = re.compile(r"^(-?\d+):(-?\d+): (?:Syntax error: )?")
_CUT_OFF = "something is missing at the end,"
_HINTS = {
    "undeclared reference": "Known are size, has, contains, contains_any, startsWith, matches, filter, map.",
    "recognition error at: '=": "Compare with ==.",
    "recursion": "Split it: it may be 32 levels deep.",
    "no matching overload": "Both sides must be of one type; double(x) and string(x) convert.",
}


def _contains_any(text: Any, phrases: Any) -> bool:
    folded = str(text).casefold()
    return any(str(phrase).casefold() in folded for phrase in phrases)


def _ordered(values: Any) -> list[Any]:
    """What a macro walks over: a list as it is, of a map the keys in their order."""
    if isinstance(values, Mapping):
        return sorted(values, key=lambda key: (type(key).__name__, key))
    return list(values)


def _spare_none() -> None:
    """Give None references to lose: the library loses one with each null that an expression gives.

    Before Python 3.12, where None cannot die, the loss of the last one ended the process.
    """
    if sys.version_info < (3, 12):
        ctypes.c_ssize_t.from_address(id(None)).value += NULLS_MAX


_spare_none()
_ANY_LIST = cel.Type.List(cel.Type.DYN)
_ANY_MAP = cel.Type.Map(cel.Type.DYN, cel.Type.DYN)
_FUNCTIONS = [
    cel.FunctionDecl(
        "contains_any",
        [
            cel.Overload(
                "contains_any_text_list",
                return_type=cel.Type.BOOL,
                parameters=[cel.Type.STRING, _ANY_LIST],
                impl=_contains_any,
            )
        ],
    ),
    cel.FunctionDecl(
        "_ordered",
        [
            cel.Overload(f"_ordered_{name}", return_type=_ANY_LIST, parameters=[accepted], impl=_ordered)
            for name, accepted in (("list", _ANY_LIST), ("map", _ANY_MAP))
        ],
    ),
]


class Expression:
    """A compiled expression.

    `names` are the free names it reads, `reads` the fields it reads below them, `gives` the type of
    its value where that is known (`DYN` where not). `evaluate` gives a plain JSON value and raises
    `ExpressionError` where CEL has an error: a missing name or key, types that do not compare,
    whole and fractional numbers mixed in arithmetic (write `2.0 * double(x)`). `and` and `or` may be
    written for `&&` and `||`. Maps are walked over in the order of their keys.
    """

    __slots__ = ("_program", "gives", "names", "reads", "source")

    def __init__(self, source: str) -> None:
        if len(source) > MAX_LENGTH:
            raise ExpressionError(
                f"The expression has {len(source)} characters.", fix=f"At most {MAX_LENGTH}."
            )
        self.source = source
        tokens = tokenize(source)
        self.reads = paths_read(tokens)
        self.names = frozenset(self.reads)
        declared = self.names | bound_names(tokens)
        written = with_marks_for_words(source, tokens)
        self._program = _compile(source, written, declared)
        ordered = with_ordered_ranges(written, tokens, "_ordered")
        if ordered != written:
            self._program = _compile(source, ordered, declared)
        self.gives: str = self._program.return_type().name()

    def evaluate(self, data: Mapping[str, Any]) -> Any:
        """The value for these names, as plain JSON data."""
        missing = self.names - data.keys()
        if missing:
            needs = f"needs {', '.join(sorted(missing))}, which has no value."
            raise ExpressionError(
                f"The expression {_shown(self.source)} {needs}",
                fix="Name an input, a step that has run, or item inside foreach.",
            )
        try:
            value = self._program.eval(
                data={name: narrowed(data[name], self.reads[name]) for name in self.names}
            )
            result = value.plain_value()
        except Exception as error:
            raise self._failed(_reason(error)) from error
        if value.type().name() == "ERROR":
            raise self._failed(_reason(result))
        return self._as_json(result, 0)

    def holds(self, data: Mapping[str, Any]) -> bool:
        """Whether a condition is true; a value that is not true or false is an error."""
        result = self.evaluate(data)
        if not isinstance(result, bool):
            raise ExpressionError(
                f"The condition {_shown(self.source)} gave {_shown(result)}.",
                fix="A condition must be true or false.",
            )
        return result

    def _as_json(self, value: Any, depth: int) -> Any:
        """The same value with keys in order: the library gives them in an order of its own."""
        if depth > MAX_DEPTH:
            raise self._failed(f"its value is nested more than {MAX_DEPTH} deep")
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return {key: self._as_json(value[key], depth + 1) for key in sorted(value)}
        if isinstance(value, list):
            return [self._as_json(item, depth + 1) for item in value]
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        raise self._failed(f"{_shown(value)} is not JSON data; string(...) or int(...) may convert it")

    def _failed(self, reason: str) -> ExpressionError:
        said, fix = in_words(reason)
        return ExpressionError(f"The expression {_shown(self.source)} failed: {said}.", fix=fix)


@functools.lru_cache(maxsize=4096)
def parse_expression(source: str) -> Expression:
    """Compile once per source text."""
    return Expression(source)


def _compile(source: str, written: str, names: frozenset[str]) -> Any:
    try:
        return _environment(names).compile(written)
    except Exception as error:
        reason = _reason(error)
        hint = next((hint for sign, hint in _HINTS.items() if sign in reason), "")
        message = f"The expression {_shown(source)} does not parse: {_place(reason)}."
        raise ExpressionError(message, fix=hint or "Write it as in quality_score >= 75.") from error


@functools.lru_cache(maxsize=1024)
def _environment(names: frozenset[str]) -> Any:
    return cel.NewEnv(variables=dict.fromkeys(sorted(names), cel.Type.DYN), functions=_FUNCTIONS)


def _reason(error: object) -> str:
    """The first line of what the library says, without its own decoration."""
    text = re.sub(r"^(?:[A-Z_]+: )+", "", str(error))
    lines = text.removeprefix("ERROR: <input>:").removeprefix("<input>:").splitlines()
    first = re.sub(r" \[[A-Z_]+\]$", "", lines[0].strip()) if lines else "no reason given"
    return re.sub(r" expecting \{.*", "", first).replace("mismatched input '<EOF>'", _CUT_OFF).rstrip(".")


def _place(reason: str) -> str:
    """`1:21: Syntax error: x` as `x at character 21`."""
    found = _POSITION.match(reason)
    if found is None:
        return reason
    line, character = found.groups()
    said = reason[found.end() :]
    if int(line) < 1:
        return said
    return f"{said} at character {character}" + (f" of line {line}" if line != "1" else "")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
