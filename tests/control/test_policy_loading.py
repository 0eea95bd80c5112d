"""Rules are read from YAML and JSON alike, and every mistake is named with its place and a fix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dirigent.control.policy.loading import check_rules, default_rules, load_rules, merged, read_rules
from dirigent.domain.errors import InvalidDefinition
from dirigent.domain.policy import Verdict
from tests.control.examples import decide, facts, gate, rule

EXAMPLES = Path(__file__).parents[1] / "fixtures" / "examples"
GOOD = {"id": "a.b", "applies_to": "action", "when": "action.outward", "effect": "block", "reason": "because"}


def example_as_yaml() -> str:
    return (EXAMPLES / "000-12-policies.yaml").read_text(encoding="utf-8")


def example_as_json() -> str:
    return (EXAMPLES / "000-12-post-policies.http").read_text(encoding="utf-8").partition("\n\n")[2]


def problem_of(**changes: Any) -> str:
    fields = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    reading = check_rules([fields], source="rules.yaml")
    assert not reading.rules
    return "\n".join(map(str, reading.problems))


def test_both_forms_give_the_same_rules() -> None:
    """The published rules mean the same in YAML and in JSON, down to the version of the set."""
    one = load_rules(example_as_yaml(), source="policies.yaml")
    other = load_rules(example_as_json(), source="request")
    assert one == other
    assert gate(*one).version == gate(*other).version
    assert [item.id for item in one] == [
        "no-guarantee-claims",
        "finance-human-check",
        "org-daily-cap",
        "redact-card-numbers",
    ]


def test_the_published_rules_do_what_they_say() -> None:
    """Claims are blocked, finance asks a person, the 201st message is refused, cards are redacted."""
    rules = load_rules(example_as_json(), source="request")
    asked = gate(*rules, vertical_of=lambda tenant: "finance" if tenant == "org_bank" else "")
    mail: dict[str, Any] = {
        "outward": True,
        "risk": "R1",
        "message": {"channel": "email", "body": "Risk free!"},
    }
    assert decide("action", by=asked, **mail).rules == ("no-guarantee-claims",)
    assert decide("action", "org_bank", by=asked, risk="R3").verdict is Verdict.REQUIRE_APPROVAL
    assert decide("action", by=asked, risk="R3").verdict is Verdict.ALLOW
    mail["message"] = {"channel": "email", "body": "Hello"}
    verdicts = [decide("action", by=asked, **mail).verdict for _ in range(201)]
    assert verdicts == [Verdict.ALLOW] * 200 + [Verdict.DENY]
    assert decide("action", "org_456", by=asked, **mail).verdict is Verdict.ALLOW
    assert decide("result", by=asked, text="4111111111111111").verdict is Verdict.MODIFY


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"effect": "allow"}, ["effect", "'block'", "'allow'"]),
        ({"effect": None}, ["effect", "missing"]),
        ({"wen": "true"}, ["wen", "no such key"]),
        ({"when": "action.outward &&"}, ["when", "does not parse"]),
        ({"when": "action.outwrd"}, ["when", "action.outwrd", "action.outward?"]),
        ({"when": "message.commercial"}, ["when", "message"]),
        ({"when": "acton.outward"}, ["when", "acton", "action?"]),
        ({"when": "launch(action.name)"}, ["when", "does not parse"]),
        ({"when": None}, ["when", "needs when, detect or limit"]),
        ({"id": "No Spaces"}, ["id"]),
        ({"level": "organization"}, ["org_id", "needed"]),
        ({"org_id": "org_1"}, ["org_id", "only there"]),
        ({"level": "vertical"}, ["vertical", "needed"]),
        ({"limit": {"key": "org_id", "max": 0, "per": "1d"}}, ["limit.max"]),
        ({"limit": {"key": "moon", "max": 5, "per": "1d"}}, ["limit.key", "'recipient'"]),
        ({"limit": {"key": "org_id", "max": 5, "per": "1 day"}}, ["limit.per"]),
        ({"limit": {"key": "org_id", "max": 5, "per": "900d"}}, ["limit.per", "366d"]),
        (
            {"applies_to": "plan", "limit": {"key": "org_id", "max": 5, "per": "1d"}, "when": None},
            ["limit", "actions"],
        ),
        ({"detect": "pii.shoe_size"}, ["detect", "pii.shoe_size"]),
        ({"effect": "redact"}, ["detect", "pii"]),
        ({"reason": ""}, ["reason"]),
    ],
)
def test_a_mistake_is_named_with_place_and_fix(changes: dict[str, Any], told: list[str]) -> None:
    """File, rule, key, what was expected and what to do stand in the message."""
    text = problem_of(**changes)
    assert text.startswith("rules.yaml, rule ")
    assert all(word in text for word in told), text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "policies: 3",
        "{",
        "[1, 2",
        "policies:\n- id: a\n  id: b",
        '{"policies": [], "policies": []}',
        "x: &a [1]\npolicies: [*a]",
        "policies: !!python/object/apply:os.system [ls]",
        "[" * 100_000,
        "- " * 50_000,
        "#" * 1_000_001,
    ],
)
def test_a_file_that_is_no_list_of_rules_is_refused(text: str) -> None:
    """Wrong shape, keys that stand twice, aliases, tags and texts without end are problems, not crashes."""
    reading = read_rules(text, source="rules.yaml")
    assert reading.problems
    assert not reading.rules


def test_all_problems_are_told_at_once() -> None:
    """What is right is read, what is wrong is told, rule by rule; loading as a whole then fails."""
    items = [
        GOOD,
        {**GOOD, "id": "c", "effect": "allow"},
        {**GOOD, "when": "true"},
        "text",
        {**GOOD, "id": "d"},
    ]
    reading = check_rules(items, source="rules.yaml")
    assert [item.id for item in reading.rules] == ["a.b", "d"]
    assert [problem.rule for problem in reading.problems] == ["c", "a.b", "number 4"]
    with pytest.raises(InvalidDefinition) as raised:
        load_rules(json.dumps(items), source="rules.yaml")
    assert len(raised.value.problems) == 3


def test_changes_are_put_in_place_by_id() -> None:
    """A change with a known id takes the old rule's place, another is added at the end."""
    first, second = rule(id="a", when="true"), rule(id="b", when="true")
    changed_first, third = rule(id="a", when="false"), rule(id="c", when="true")
    assert merged((first, second), (changed_first, third)) == (changed_first, second, third)


@pytest.mark.parametrize(
    "change",
    [
        rule(id="gdpr.no_legal_basis", applies_to="message", when="false"),
        rule(id="own.rule", level="organization", org_id="org_123", when="false"),
    ],
)
def test_a_change_cannot_replace_what_others_decided(change: Any) -> None:
    """A shipped rule stays, and an organisation's rule cannot take the place of a global one."""
    current = (*default_rules(), rule(id="own.rule", when="true"))
    with pytest.raises(InvalidDefinition, match="another level"):
        merged(current, (change,))


def test_the_shipped_rules_load_and_have_a_version() -> None:
    """The default set is read without a problem, and its gate names it."""
    assert len(gate().version) == 12
    assert decide("action", by=gate(), **facts("action")).policy_version == gate().version
