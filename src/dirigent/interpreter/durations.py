"""Durations as people write them: 250ms, 30s, 5m, 1h, 2d, or whole seconds."""

from __future__ import annotations

import re
from typing import Any

from dirigent.interpreter.problems import Findings, Path, shown

EXPECTED = "250ms, 30s, 5m, 1h, 2d or whole seconds"
LONGEST_MS = 366 * 24 * 3600 * 1000

_UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
WRITTEN = re.compile(r"([0-9]{1,15})(ms|s|m|h|d)")
_LONG = re.compile(
    r"([0-9]{1,15})\s*(milliseconds?|seconds?|secs?|minutes?|mins?|hours?|days?|[smhd]|ms)", re.IGNORECASE
)


def read_duration(value: Any, path: Path, findings: Findings, *, zero: bool = False) -> int:
    """Milliseconds; what is not a duration goes into the findings and gives 0."""
    found = WRITTEN.fullmatch(value) if isinstance(value, str) else None
    if found:
        span = int(found.group(1)) * _UNITS[found.group(2)]
    elif isinstance(value, int) and not isinstance(value, bool):
        span = value * 1000
    else:
        message = f"{shown(value)} is not a duration"
        findings.add("WF013", path, message, expected=EXPECTED, fix=f"use {_meant(value)}")
        return 0
    if span > LONGEST_MS or span < 0 or (span == 0 and not zero):
        message = f"{shown(value)} is not a time that can be waited for"
        findings.add("WF009", path, message, expected="more than nothing, at most 366d", fix="use 30s or 5m")
        return 0
    return span


def written_duration(span_ms: int) -> str:
    """The shortest way to write a duration."""
    unit = next((unit for unit, size in _UNITS.items() if span_ms and span_ms % size == 0), "s")
    return f"{span_ms // _UNITS[unit]}{unit}"


def _meant(value: Any) -> str:
    """`5m` for `5 minutes`."""
    found = _LONG.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return "5m"
    name = found.group(2).lower()
    return found.group(1) + ("ms" if name.startswith(("ms", "milli")) else name[0])
