"""Every shipped rule has an example that breaks it and one that keeps it, and says what it rests on."""

from __future__ import annotations

from typing import Any

import pytest

from dirigent.control.policy.loading import default_rules
from dirigent.domain.policy import Subject, Verdict
from tests.control.examples import TENANT, ManualClock, changed, decide, facts, gate, rule_examples

RULES = {rule.id: rule for rule in default_rules()}
EXAMPLES = rule_examples()["examples"]


def speaks(rule_id: str, example: dict[str, Any]) -> bool:
    """Whether the shipped rules find this rule's fault in an example."""
    point = RULES[rule_id].applies_to
    own = facts(point, **example)
    times, every_ms = own.pop("after", 0), own.pop("every_ms", 0)
    if own.pop("like", None) == "message":
        own["inputs"] = changed(facts("message"), own["inputs"])
    own = {**own, **_large(own)}
    clock = ManualClock()
    asked = gate(RULES[rule_id], clock=clock)
    for _ in range(times):
        asked.decide(Subject(point=point, tenant=TENANT, facts=own))
        clock.ms += every_ms
    return rule_id in asked.decide(Subject(point=point, tenant=TENANT, facts=own)).rules


def _large(own: dict[str, Any]) -> dict[str, Any]:
    if "many_tasks" in own:
        task = {"agent": "compliance", "action": "check_draft", "risk": "R0"}
        return {"tasks": [task] * own.pop("many_tasks")}
    return {"text": "x" * own.pop("long_text")} if "long_text" in own else {}


def test_every_rule_has_both_examples() -> None:
    """A rule without an example on either side, or an example without a rule, fails."""
    assert set(EXAMPLES) == set(RULES)
    assert all(set(example) == {"breaks", "keeps"} for example in EXAMPLES.values())


@pytest.mark.parametrize("rule_id", EXAMPLES)
def test_an_example_breaks_the_rule(rule_id: str) -> None:
    """The rule speaks of the example that breaks it."""
    assert speaks(rule_id, EXAMPLES[rule_id]["breaks"])


@pytest.mark.parametrize("rule_id", EXAMPLES)
def test_an_example_keeps_the_rule(rule_id: str) -> None:
    """The rule is silent about the example that keeps it."""
    assert not speaks(rule_id, EXAMPLES[rule_id]["keeps"])


@pytest.mark.parametrize("point", ["message", "action", "plan", "result"])
def test_faultless_facts_are_allowed(point: str) -> None:
    """No shipped rule has anything to say about what is in order."""
    decision = decide(point)
    assert (decision.verdict, decision.rules) == (Verdict.ALLOW, ())


def test_the_default_set_is_complete() -> None:
    """At least thirty rules; each has a reason, a fix, a source and a place in a group."""
    assert len(RULES) >= 30
    for rule in RULES.values():
        assert all((rule.reason, rule.fix, rule.source, "." in rule.id)), rule.id
    assert {"can_spam", "casl", "content", "gdpr", "limits", "pii", "plan", "result"} <= {
        rule_id.partition(".")[0] for rule_id in RULES
    }
