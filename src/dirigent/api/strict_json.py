"""JSON as it is taken at the edge: what another parser could read differently is refused."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from dirigent.api.failures import MalformedRequest

DEPTH_MAX = 64
INTEGER_DIGITS_MAX = 20
INTEGER_BITS = 63


def read_json(raw: bytes) -> Any:
    """The value of a body; raises `MalformedRequest` saying what is wrong and where.

    Refused besides broken syntax: text that is not UTF-8, NaN and infinities, integers beyond 64
    bits, a name twice in one object, lone surrogates, NUL, and nesting deeper than 64.
    """
    value = _parse(_decoded(raw))
    _check_nesting_and_text(value)
    return value


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"Byte {error.start} of the body is not UTF-8.", fix="Send UTF-8.") from error


def _parse(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_bounded,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise MalformedRequest(f"The body is not JSON: {error.msg} at {place}.", fix="Send JSON.") from error
    except RecursionError as error:
        raise _too_deep() from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedRequest(f"The name {twice!r} stands twice in one object.", fix="Send it once.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise MalformedRequest(f"{name} is no JSON number.", fix="Send a number or null.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise MalformedRequest("A number is too large.", fix="Send numbers that a double can hold.")
    return number


def _bounded(text: str) -> int:
    if len(text) > INTEGER_DIGITS_MAX or not -(2**INTEGER_BITS) <= int(text) < 2**INTEGER_BITS:
        raise MalformedRequest("An integer is too large.", fix="Send integers of 64 bits at most.")
    return int(text)


def _check_nesting_and_text(value: Any) -> None:
    level, depth = [value], 0
    while level:
        containers = [item for item in level if isinstance(item, dict | list)]
        for text in (item for item in level if isinstance(item, str)):
            _check_text(text)
        depth += 1
        if containers and depth > DEPTH_MAX:
            raise _too_deep()
        level = [child for container in containers for child in _children(container)]


def _children(container: dict[str, Any] | list[Any]) -> list[Any]:
    return [*container, *container.values()] if isinstance(container, dict) else container


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise MalformedRequest("A text holds the character NUL.", fix="Leave it out.")
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise MalformedRequest("A text holds half of a surrogate pair.", fix="Send whole characters.")


def _too_deep() -> MalformedRequest:
    return MalformedRequest(f"The body nests deeper than {DEPTH_MAX}.", fix="Send a flatter value.")
