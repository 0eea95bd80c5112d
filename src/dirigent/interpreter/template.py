"""Parameters with expressions in them: `"${ expression }"` keeps the type, text around it makes text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dirigent.interpreter.expression import parse_expression

Render = Callable[[Mapping[str, Any]], Any]

_HOLE = re.compile(r"\$\{((?:[^{}]|\{[^{}]*\})*)\}")


def compile_template(value: Any) -> Render:
    """A function from names to the value with every expression replaced by what it gives."""
    if isinstance(value, str):
        return _compile_text(value)
    if isinstance(value, Mapping):
        fields = [(name, compile_template(item)) for name, item in value.items()]
        return lambda scope: {name: render(scope) for name, render in fields}
    if isinstance(value, list | tuple):
        items = [compile_template(item) for item in value]
        return lambda scope: [render(scope) for render in items]
    return lambda _scope: value


def expressions_in(value: Any) -> Iterator[str]:
    """Every expression source inside a value, in order."""
    if isinstance(value, str):
        yield from (match.strip() for match in _HOLE.findall(value))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from expressions_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from expressions_in(item)


def has_hole(value: Any) -> bool:
    """Whether a value, or something inside it, is known only when a run gets there."""
    return next(expressions_in(value), None) is not None


def has_open_hole(text: str) -> bool:
    """Whether a `${` has no `}` of its own; braces inside may be nested once."""
    return "${" in _HOLE.sub("", text)


def as_expression(text: str) -> str:
    """The expression source, whether or not it is written inside `${ }`."""
    whole = _HOLE.fullmatch(text.strip())
    return whole.group(1).strip() if whole else text


def _compile_text(text: str) -> Render:
    whole = _HOLE.fullmatch(text.strip())
    if whole:
        return parse_expression(whole.group(1).strip()).evaluate
    holes = list(_HOLE.finditer(text))
    if not holes:
        return lambda _scope: text
    return lambda scope: _HOLE.sub(
        lambda match: _as_text(parse_expression(match.group(1).strip()).evaluate(scope)), text
    )


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else f"{value}"
