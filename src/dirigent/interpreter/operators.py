"""Conditions with an operator: `{expression: quality_score, operator: greater_or_equal, value: 75}`.

The printed form carries both a whole comparison and an operator. Then the comparison counts, and the
operator has to agree with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from dirigent.interpreter.problems import Findings, Path, shown
from dirigent.interpreter.template import as_expression
from dirigent.interpreter.tokens import Token, tokenize
from dirigent.interpreter.written import WrittenCondition, read_written

_COMPARISONS = {
    "equal": "==",
    "not_equal": "!=",
    "greater_than": ">",
    "greater_or_equal": ">=",
    "less_than": "<",
    "less_or_equal": "<=",
    "in": "in",
}
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_METHODS = ("contains", "matches")
OPERATORS = (*_COMPARISONS, *_METHODS, "exists")

_SEVERAL = "something else"
_NAMES = {mark: name for name, mark in _COMPARISONS.items()}


def read_condition(data: Any, path: Path, findings: Findings) -> tuple[str, Path]:
    """The condition as one CEL expression, and where it stands; empty when something is wrong with it."""
    if isinstance(data, str):
        return as_expression(data), path
    written = read_written(WrittenCondition, data, path, findings)
    here = (*path, "expression")
    if not written.expression:
        if isinstance(data, dict) and data.get("expression") is None:
            message = "the condition has no expression"
            findings.add(
                "WF007", path, message, expected="expression", fix="add expression: quality_score >= 75"
            )
        return "", here
    return _with_operator(as_expression(written.expression), written, path, findings), here


def _with_operator(source: str, written: WrittenCondition, path: Path, findings: Findings) -> str:
    has_value = "value" in written.model_fields_set
    if not written.operator:
        if has_value:
            fix = "add operator: equal, or write the comparison into the expression"
            findings.add(
                "WF021", path, "the condition has a value but no operator", expected="operator", fix=fix
            )
        return source
    if written.operator not in OPERATORS:
        near = findings.near(written.operator, OPERATORS)
        fix = f"did you mean {near}?" if near else "use equal or another of these"
        message = f"{shown(written.operator)} is not an operator"
        expected = f"one of {', '.join(OPERATORS)}"
        findings.add("WF010", (*path, "operator"), message, expected=expected, fix=fix)
        return source
    said = operator_said(tokenize(source))
    if said:
        _check_agreement(said, written.operator, has_value, path, findings)
        return source
    return _compiled(source, written.operator, written.value, has_value, path, findings)


def _check_agreement(said: str, operator: str, has_value: bool, path: Path, findings: Findings) -> None:
    if said != operator:
        message = f"operator says {operator}, the expression says {said}"
        fix = "remove operator; the expression is complete"
        expected = "no operator" if said == _SEVERAL else said
        findings.add("WF021", (*path, "operator"), message, expected=expected, fix=fix)
    elif has_value:
        message = "the expression is a whole comparison and there is a value as well"
        findings.add("WF021", (*path, "value"), message, expected="one of the two", fix="remove value")


def _compiled(source: str, operator: str, value: Any, has_value: bool, path: Path, findings: Findings) -> str:
    if operator == "exists":
        if has_value:
            message = "exists compares with nothing"
            findings.add("WF021", (*path, "value"), message, expected="no value", fix="remove value")
        if "." not in source:
            message = f"{shown(source)} is not a path"
            fix = f"write input.{source}, or steps.<id>.{source}"
            findings.add("WF021", (*path, "expression"), message, expected="a path", fix=fix)
            return ""
        return f"has({source})"
    if not has_value:
        message = f"{operator} needs something to compare with"
        fix = "add value, or write the comparison into the expression"
        findings.add("WF021", path, message, expected="value", fix=fix)
        return source
    return _comparison(source, operator, json.dumps(value, ensure_ascii=False))


def _comparison(source: str, operator: str, literal: str) -> str:
    left = source if _PATH.fullmatch(source) else f"({source})"
    if operator == "contains" and not literal.startswith('"'):
        return f"{literal} in {left}"
    if operator == "contains":
        return f"type({left}) == list ? {literal} in {left} : {left}.contains({literal})"
    if operator in _METHODS:
        return f"{left}.{operator}({literal})"
    return f"{left} {_COMPARISONS[operator]} {literal}"


def operator_said(tokens: Sequence[Token]) -> str:
    """The operator that the expression itself is; empty for a plain value."""
    depth, found = 0, []
    for at, token in enumerate(tokens):
        text = "" if token.kind == "string" else token.text
        if text in ("(", "[", "{"):
            depth += 1
            if depth == 1 and text == "(" and at > 0:
                found += _call_said(tokens, at)
        elif text in (")", "]", "}"):
            depth -= 1
        elif depth == 0 and (text in _NAMES or text in ("&&", "||", "and", "or", "?", "!")):
            found.append(_NAMES.get(text, _SEVERAL))
    return found[0] if len(found) == 1 else (_SEVERAL if found else "")


def _call_said(tokens: Sequence[Token], opening: int) -> list[str]:
    name = tokens[opening - 1].text
    if name == "has" and opening == 1:
        return ["exists"]
    is_method = opening > 1 and tokens[opening - 2].text == "."
    return [name] if is_method and name in _METHODS else []
