"""Filters that certainly let an event go by, recognised without evaluating them.

Most events are for no filter of their type. Where a filter joins plain comparisons of a field with a
constant, one comparison that does not hold makes the whole false, whatever the others say: that is so in
CEL, too. Everything else is left to CEL: what is not there, of another type, or not understood here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from dirigent.interpreter.tokens import Token, tokenize

Passes = Callable[[Mapping[str, Any]], bool]

# Beyond it whole numbers and fractions do not compare exactly.
EXACT_MAX = 2**53

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_AND, _OR = frozenset({"&&", "and"}), frozenset({"||", "or", "?"})


class _Comparison(NamedTuple):
    """A field by its path, an operator, and the constant on its right."""

    path: tuple[str, ...]
    holds: Callable[[Any, Any], bool]
    constant: Any
    kinds: tuple[type, ...]


def passes_by(source: str) -> Passes | None:
    """A function that tells whether a filter is certainly false; None where it can never tell."""
    comparisons = [found for part in _conjuncts(tokenize(source)) if (found := _comparison(part))]
    if not comparisons:
        return None
    return lambda scope: any(_fails(one, scope) for one in comparisons)


def _fails(comparison: _Comparison, scope: Mapping[str, Any]) -> bool:
    value: Any = scope
    for name in comparison.path:
        if type(value) is not dict or name not in value:
            return False
        value = value[name]
    if type(value) not in comparison.kinds:
        return False
    if type(value) is int and not -EXACT_MAX <= value <= EXACT_MAX:
        return False
    return not comparison.holds(value, comparison.constant)


def _conjuncts(tokens: Sequence[Token]) -> list[list[Token]]:
    """What is joined by `&&` at the top; nothing where something else stands there."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth == 0 and token.kind != "string" and token.text in _OR:
            return []
        if depth == 0 and token.kind != "string" and token.text in _AND:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _comparison(tokens: Sequence[Token]) -> _Comparison | None:
    """`event.data.total > 100` as a comparison; None for whatever looks otherwise."""
    at = next((at for at, token in enumerate(tokens) if token.text in _OPERATORS), 0)
    path, constant = _path(tokens[:at]), _constant(tokens[at + 1 :])
    if not path or constant is None:
        return None
    holds = _OPERATORS[tokens[at].text]
    if type(constant) in (int, float):
        return _Comparison(path, holds, constant, (int, float))
    if tokens[at].text not in ("==", "!="):
        return None
    return _Comparison(path, holds, constant, (type(constant),))


def _path(tokens: Sequence[Token]) -> tuple[str, ...]:
    names, dots = tokens[::2], tokens[1::2]
    if len(names) != len(dots) + 1 or any(dot.text != "." for dot in dots):
        return ()
    return tuple(name.text for name in names) if all(name.kind == "name" for name in names) else ()


def _constant(tokens: Sequence[Token]) -> Any:
    """The value of a constant; None for what is none, or not a simple one."""
    sign = -1 if tokens and tokens[0].text == "-" else 1
    rest = tokens[1:] if sign < 0 else tokens
    if len(rest) != 1:
        return None
    kind, text, _ = rest[0]
    if kind == "number":
        return _number(text, sign)
    if sign < 0:
        return None
    if kind == "string" and text[0] in "\"'" and text[:3] not in ('"""', "'''") and "\\" not in text:
        return text[1:-1]
    return {"true": True, "false": False}.get(text) if kind == "name" else None


def _number(text: str, sign: int) -> int | float | None:
    if text.isdecimal() and int(text) <= EXACT_MAX:
        return sign * int(text)
    try:
        return sign * float(text) if not text.isdecimal() else None
    except ValueError:  # hexadecimal, or unsigned
        return None
