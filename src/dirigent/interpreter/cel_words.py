"""What the CEL library says of a failure, in the words of the guide."""

from __future__ import annotations

import re
from typing import Any

_TYPES = {
    "int64": "a whole number",
    "uint64": "a whole number",
    "double": "a fractional number",
    "string": "a text",
    "bool": "true or false",
    "list": "a list",
    "map": "a mapping",
    "null_type": "null",
    "null": "null",
    "bytes": "bytes",
    "timestamp": "a time",
    "duration": "a span of time",
}
_KINDS: dict[type, str] = {
    int: _TYPES["int64"],
    float: _TYPES["double"],
    str: _TYPES["string"],
    bool: _TYPES["bool"],
    list: _TYPES["list"],
    dict: _TYPES["map"],
    type(None): _TYPES["null"],
}
_WITHOUT_TYPES = {
    "_&&_": "'&&' and 'and' take what is true or false",
    "_||_": "'||' and 'or' take what is true or false",
    "!_": "'!' takes what is true or false",
    "<jump_condition>": "what stands before '?' is not true or false",
    "@in": "'in' takes a list or a mapping on its right",
}
_ONE_TYPE = "Both sides must be of one type; double(x) and string(x) convert."
_KEY = re.compile(r'Key not found in map : "?(.*?)"?$')
_OVERLOAD = re.compile(r"No matching overloads found : (?:\((\w+)\)\.)?(\S+?)(?:\((.*)\))?$")
_INDEX = re.compile(r"Index error: index=(-?\d+) size=(\d+)")


def in_words(reason: str) -> tuple[str, str]:
    """Why an expression failed and what to do; a reason that is not known stays as it is, without a fix."""
    if found := _KEY.match(reason):
        return f"there is no {found[1]!r} in it", "Where it may be missing, write has(a.b) ? a.b : 0."
    if found := _INDEX.match(reason):
        return f"item {found[1]}, counted from 0, of a list of {found[2]}", "Ask size(list) first."
    if "SELECT to non-message type" in reason:
        fix = "It is null, a text, a number or a list."
        return "a field is read of what is no mapping", fix
    if found := _OVERLOAD.match(reason):
        return _overload(found[1] or "", found[2], found[3] or "")
    return reason, ""


def kind_in_words(value: Any) -> str:
    """What kind of JSON value it is."""
    return _KINDS[type(value)]


def _overload(receiver: str, function: str, arguments: str) -> tuple[str, str]:
    if function in _WITHOUT_TYPES:
        return _WITHOUT_TYPES[function], "" if function == "@in" else "Compare it, as in x > 0 or x == 'yes'."
    given = [name.strip() for name in (receiver, *arguments.split(",")) if name.strip()]
    named = " and ".join(_TYPES.get(name, name) for name in given)
    name = function.replace("_", "") if "_" in (function[0], function[-1]) else function
    fix = _ONE_TYPE if len(given) > 1 and function.startswith("_") else ""
    return f"{name!r} does not take {named or 'this'}", fix
