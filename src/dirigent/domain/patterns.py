"""Names of events and signals, and patterns that stand for several of them."""

from __future__ import annotations

import re

ANY = "*"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,199}")
_PART = re.compile(r"[A-Za-z0-9_:/-]+")


def is_name(text: str) -> bool:
    """Whether this can be the type of an event or the name of a signal."""
    return _NAME.fullmatch(text) is not None


def is_pattern(text: str) -> bool:
    """Whether this is a name, or a name with `*` in place of some of the parts between its dots."""
    if ANY not in text:
        return is_name(text)
    return len(text) <= 200 and all(part == ANY or _PART.fullmatch(part) for part in text.split("."))


def matches(pattern: str, name: str) -> bool:
    """Whether a name is meant by a pattern.

    `*` stands for exactly one part, at the end for one or more: `order.*` means `order.paid` and
    `order.paid.late`, and not `order`; `*` alone means everything.
    """
    if ANY not in pattern:
        return pattern == name
    wanted, parts = pattern.split("."), name.split(".")
    if wanted[-1] == ANY and len(parts) > len(wanted):
        parts = parts[: len(wanted)]
    return len(wanted) == len(parts) and all(
        want in (ANY, part) for want, part in zip(wanted, parts, strict=True)
    )
