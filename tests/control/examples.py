"""Faultless facts for each point of a check, and changes to them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from dirigent.control.policy.gate import RulePolicyGate
from dirigent.control.policy.loading import default_rules
from dirigent.control.policy.rules import Rule
from dirigent.domain.policy import Decision, Subject

TENANT = "org_123"
START_MS = 1_795_176_000_000  # 2026-11-20T12:00:00Z


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms


@cache
def rule_examples() -> dict[str, Any]:
    """The file of examples."""
    text = (Path(__file__).parent / "rule_examples.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def facts(point: str, **changes: Any) -> dict[str, Any]:
    """The faultless facts of a point with changes; None takes a fact away."""
    return changed(copy.deepcopy(rule_examples()["bases"][point]), changes)


def changed(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in changes.items():
        if value is None:
            base.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(base.get(name), dict):
            changed(base[name], value)
        else:
            base[name] = copy.deepcopy(value)
    return base


def gate(*rules: Rule, clock: ManualClock | None = None, **options: Any) -> RulePolicyGate:
    """A gate over these rules, or over the shipped ones."""
    return RulePolicyGate(rules or default_rules(), now_ms=(clock or ManualClock()).now_ms, **options)


@cache
def shipped_gate() -> RulePolicyGate:
    """A gate over the shipped rules, for checks that count nothing."""
    return gate()


def decide(point: str, tenant: str = TENANT, by: RulePolicyGate | None = None, **changes: Any) -> Decision:
    """Ask about the faultless facts with changes."""
    return (by or shipped_gate()).decide(Subject(point=point, tenant=tenant, facts=facts(point, **changes)))


def rule(**fields: Any) -> Rule:
    """A rule that blocks actions, with other fields as given."""
    return Rule.model_validate(
        {"id": "test.rule", "applies_to": "action", "effect": "block", "reason": "because", **fields}
    )
