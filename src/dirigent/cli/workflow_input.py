"""What a workflow is given, from the command line: `key=value`, `key=@file.json`, `@file.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dirigent.cli.goal_input import read_data
from dirigent.domain.errors import InvalidInput

FORMS = "Write -i key=value, -i key=@file.json, or -i @file.json."


def read_input(given: Sequence[str]) -> dict[str, Any]:
    """All of it in one; what comes later wins. Raises `InvalidInput` or `NotFound`."""
    gathered: dict[str, Any] = {}
    for item in given:
        gathered |= _from_file(item[1:]) if item.startswith("@") else _pair(item)
    return gathered


def read_value(text: str) -> Any:
    """One value: JSON where it is JSON, else the text itself, or `@file.json`. Raises as `read_input`."""
    return _from_file(text[1:]) if text.startswith("@") else _value(text)


def _pair(item: str) -> dict[str, Any]:
    key, equals, value = item.partition("=")
    if not equals or not key:
        raise InvalidInput(f"The input {item!r} is no key=value.", fix=FORMS, field="input")
    return {key: read_value(value)}


def _from_file(name: str) -> dict[str, Any]:
    return read_data(Path(name), "An input file")


def _value(text: str) -> Any:
    """JSON where it is JSON, else the text itself: `3` is a number, `Ada` a word, `"3"` a text."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
