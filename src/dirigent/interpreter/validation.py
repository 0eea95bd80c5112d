"""The `validation` step: required fields of the input, and conditions that must hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dirigent.interpreter.graph import Node


def violations(node: Node, scope: Mapping[str, Any]) -> tuple[str, str] | None:
    """Code and sentence of what is wrong, or None.

    `parameters.required_fields` must be in the input (or in a step's output) and not empty. Each of
    `conditions` must hold; `parameters.code` and `parameters.message` say what it means if not.
    """
    required = node.step.parameters.get("required_fields", [])
    missing = [name for name in required if scope.get(name) in (None, "", [])]
    if missing:
        return "missing_fields", f"missing: {missing}"
    for text, condition in zip(node.step.conditions, node.conditions, strict=True):
        if not condition.holds(scope):
            said = node.parameters(scope)
            code = str(said.get("code", "validation_failed"))
            return code, str(said.get("message", f"{text} does not hold"))
    return None
