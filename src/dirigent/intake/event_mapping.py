"""What of an event may be worked out from something else, checked before it is used."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from dirigent.domain.errors import ExpressionError
from dirigent.interpreter.expression import parse_expression
from dirigent.interpreter.problems import Findings, shown
from dirigent.interpreter.problems import Path as Place
from dirigent.interpreter.template import expressions_in, has_open_hole

ATTRIBUTES = ("id", "type", "source", "subject", "time", "data")


def check_mapping(event: Mapping[str, Any], scope: Collection[str], place: Place, findings: Findings) -> None:
    """Find attributes that an event does not have, and expressions that read anything but `scope`."""
    for name, value in event.items():
        here = (*place, name)
        if name not in ATTRIBUTES:
            message, expected = f"an event has no {shown(name)} that may be set here", ", ".join(ATTRIBUTES)
            findings.add("WF006", here, message, expected=expected, fix="put it under data", at_key=True)
        _check_template(value, scope, here, findings)


def check_expression(source: str, scope: Collection[str], place: Place, findings: Findings) -> None:
    """Find what is no expression, or reads anything but `scope`."""
    try:
        unknown = sorted(parse_expression(source).names - set(scope))
    except ExpressionError as error:
        findings.add("WF018", place, error.message, expected="an expression", fix=error.fix)
        return
    if unknown:
        message, expected = f"{shown(source)} reads {unknown[0]}, which is not there", " or ".join(scope)
        fix = f"read it as in {next(iter(scope))}.number"
        findings.add("WF032", place, message, expected=expected, fix=fix)


def _check_template(value: Any, scope: Collection[str], place: Place, findings: Findings) -> None:
    if isinstance(value, str) and has_open_hole(value):
        findings.add("WF018", place, "${ without its }", expected="${ expression }", fix="close it")
    for source in expressions_in(value):
        check_expression(source, scope, place, findings)
