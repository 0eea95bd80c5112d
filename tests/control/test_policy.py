"""The gate: the strictest rule decides, nothing loosens, and what cannot be told is denied."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from dirigent.control.policy.conditions import in_cel
from dirigent.control.policy.detection import Safety
from dirigent.control.policy.gate import UNREADABLE
from dirigent.control.policy.limits import KEYS_MAX, SlidingWindows
from dirigent.control.policy.loading import default_rules
from dirigent.domain.policy import Subject, Verdict
from dirigent.ports import PolicyGate
from tests.control.examples import TENANT, ManualClock, decide, facts, gate, rule, shipped_gate

E000_10 = {
    "message": {
        "channel": "email",
        "subject": "Re: your account",
        "body": "Hi Ann, act now!!! 100% free.",
        "from_name": "",
        "postal_address": None,
        "unsubscribe_url": None,
    },
    "lead": {"email": "ann@example.com", "country": "DE", "consent": None},
    "org": {"org_id": "org_123"},
}
NESTED: list[Any] = []
for _ in range(5000):
    NESTED = [NESTED]
OUTWARD = {"outward": True, "risk": "R3", "type": "delivery.send", "agent": "delivery", "action": "send"}


def ask(point: str, facts_: dict[str, Any], *rules: Any, tenant: str = TENANT) -> Any:
    return (gate(*rules) if rules else shipped_gate()).decide(
        Subject(point=point, tenant=tenant, facts=facts_)
    )


def test_the_gate_is_a_policy_gate() -> None:
    """The gate implements the port."""
    assert isinstance(shipped_gate(), PolicyGate)


def test_the_message_of_the_example_has_exactly_its_four_violations() -> None:
    """No address, no way out, no basis, spam wording, in this order; a doubtful "Re:" is only a warning."""
    decision = ask("message", E000_10)
    objections = [finding for finding in decision.findings if finding.verdict is not Verdict.ALLOW]
    assert [finding.rule for finding in objections] == [
        "can_spam.no_postal_address",
        "can_spam.no_opt_out",
        "gdpr.no_legal_basis",
        "content.spam_phrase",
    ]
    assert [finding.fix for finding in objections if finding.verdict is Verdict.DENY] == [
        "add a postal address",
        "add an opt-out link",
        "record a legal basis for this contact",
    ]
    assert decision.verdict is Verdict.DENY
    assert "can_spam.unproven_reply" in decision.rules


def test_an_outward_action_is_checked_as_a_message_too() -> None:
    """What a message may not say, an action may not carry; an action that stays inside may."""
    outward = ask("action", {**facts("action", **OUTWARD), **E000_10})
    assert {"can_spam.no_opt_out", "gdpr.no_legal_basis"} <= set(outward.rules)
    in_inputs = ask("action", facts("action", **OUTWARD, inputs=E000_10))
    assert in_inputs.rules == outward.rules
    inside = ask("action", facts("action", inputs=E000_10))
    assert inside.verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("effects", "verdict"),
    [
        (("warn",), Verdict.ALLOW),
        (("warn", "modify"), Verdict.MODIFY),
        (("modify", "require_approval"), Verdict.REQUIRE_APPROVAL),
        (("block", "require_approval", "warn"), Verdict.DENY),
    ],
)
def test_the_strictest_effect_wins(effects: tuple[str, ...], verdict: Verdict) -> None:
    """Of several rules that speak, the strictest decides and all are named in their order."""
    rules = [rule(id=f"r.{effect}", effect=effect, when="true") for effect in effects]
    decision = ask("action", facts("action"), *rules)
    assert decision.verdict is verdict
    assert decision.rules == tuple(f"r.{effect}" for effect in effects)


def test_levels_add_up() -> None:
    """A global block stands whatever the organisation writes; sector and organisation can only tighten."""
    rules = [
        rule(id="all.note", effect="warn", when="true"),
        rule(id="sector.ask", effect="require_approval", when="true", level="vertical", vertical="finance"),
        rule(id="org.block", when="true", level="organization", org_id="org_strict"),
    ]
    asked = gate(*rules, vertical_of={"org_bank": "finance", "org_strict": "finance"}.get)
    verdicts = {
        tenant: decide("action", tenant, by=asked).verdict for tenant in ("org_a", "org_bank", "org_strict")
    }
    assert verdicts == {
        "org_a": Verdict.ALLOW,
        "org_bank": Verdict.REQUIRE_APPROVAL,
        "org_strict": Verdict.DENY,
    }


def test_an_organisation_cannot_pass_for_another() -> None:
    """Whose rules apply follows from the tenant of the check, not from what the facts say."""
    own = rule(when="true", level="organization", org_id="org_strict")
    assert (
        ask("action", facts("action", org={"org_id": "org_a"}), own, tenant="org_strict").verdict
        is Verdict.DENY
    )
    assert (
        ask("action", facts("action", org={"org_id": "org_strict"}), own, tenant="org_a").verdict
        is Verdict.ALLOW
    )


@pytest.mark.parametrize(
    "when",
    [
        "action.nowhere == 1",
        "nothing == 1",
        "message.body == 'x'",
        "action.risk > 3",
        "action.inputs.amount > 100",
        "action.risk",
        "1 / 0 == 1",
        "contains_any(action.inputs, ['x'])",
    ],
)
def test_a_rule_that_cannot_be_evaluated_denies(when: str) -> None:
    """Unknown facts, wrong types and errors deny and say so, also where the rule would only warn."""
    decision = ask("action", facts("action"), rule(effect="warn", when=when))
    assert decision.verdict is Verdict.DENY
    assert "could not be evaluated" in decision.findings[0].reason


@pytest.mark.parametrize(
    ("point", "raw"),
    [
        ("nowhere", {}),
        ("message", {"message": {"attachments": 7}}),
        ("plan", {"tasks": 3}),
        ("message", {"message": {"body": "x" * 500_001}}),
        ("message", {"message": {"meta": NESTED}}),
    ],
)
def test_facts_that_cannot_be_read_deny(point: str, raw: dict[str, Any]) -> None:
    """An unknown point, a shape that makes no sense and a text without end are refused."""
    decision = ask(point, raw)
    assert (decision.verdict, decision.rules) == (Verdict.DENY, (UNREADABLE,))


def test_an_unknown_point_is_named() -> None:
    """The refusal says which facts could not be read."""
    assert ask("nowhere", {}).rules == (UNREADABLE,)


@pytest.mark.parametrize("point", ["message", "action", "plan"])
def test_nothing_known_is_not_allowed(point: str) -> None:
    """What says nothing of itself counts as the worst case: outward, of the highest risk, without consent."""
    rules = [rule(applies_to="action", when="action.outward && action.risk >= 'R4'"), *default_rules()]
    assert ask(point, {}, *rules).verdict is not Verdict.ALLOW


def test_the_sixth_of_five_a_minute_is_refused() -> None:
    """A limit counts what was let through; it tells how long to wait, and time frees it again."""
    clock = ManualClock()
    asked = gate(rule(limit={"key": "org_id", "max": 5, "per": "1m"}), clock=clock)
    for _ in range(5):
        assert decide("action", by=asked).verdict is Verdict.ALLOW
        clock.ms += 1000
    sixth = decide("action", by=asked)
    assert sixth.verdict is Verdict.DENY
    assert sixth.findings[0].fix == "Try again in 55 s."
    assert decide("action", "org_other", by=asked).verdict is Verdict.ALLOW
    clock.ms += 55_000
    assert decide("action", by=asked).verdict is Verdict.ALLOW
    assert decide("action", by=asked).verdict is Verdict.DENY


def test_only_what_is_really_let_through_is_counted() -> None:
    """Asking without commitment, and actions that are refused anyway, use nothing up."""
    limited = rule(id="r.limit", limit={"key": "org_id", "max": 1, "per": "1m"})
    refused = rule(id="r.refuse", when="action.risk == 'R3'")
    asked = gate(limited, refused)
    for _ in range(3):
        assert decide("action", by=asked, commit=False).verdict is Verdict.ALLOW
        assert decide("action", by=asked, risk="R3").rules == ("r.refuse",)
    assert decide("action", by=asked).verdict is Verdict.ALLOW
    assert decide("action", by=asked).rules == ("r.limit",)


def test_limits_are_kept_by_key_and_survive_new_rules() -> None:
    """Each value of the key has its own count, and a gate with other rules takes the counters over."""
    limited = rule(limit={"key": "agent", "max": 1, "per": "1h"})
    first = gate(limited)
    assert decide("action", by=first, agent="a").verdict is Verdict.ALLOW
    assert decide("action", by=first, agent="b").verdict is Verdict.ALLOW
    second = gate(limited, rule(id="r.other", when="false"), windows=first.windows)
    assert decide("action", by=second, agent="a").verdict is Verdict.DENY


def test_a_limit_without_its_key_denies() -> None:
    """Where there is nothing to count by, the rule cannot be kept."""
    decision = decide("action", by=gate(rule(limit={"key": "user_id", "max": 5, "per": "1m"})))
    assert decision.verdict is Verdict.DENY


def test_counters_are_bounded() -> None:
    """Keys that nobody uses any more make room; when all are in use, new ones are refused."""
    clock = ManualClock()
    windows = SlidingWindows(clock.now_ms)
    for key in range(KEYS_MAX):
        windows.count(key, 1, 1000)
    assert windows.retry_after_ms("new", 1, 1000) == 1000
    clock.ms += 1000
    assert windows.retry_after_ms("new", 1, 1000) == 0


@pytest.mark.parametrize(
    ("switch", "silenced"),
    [
        ("content_filtering", {"content.spam_phrase", "content.prohibited_claim", "content.prohibited_term"}),
        ("pii_detection", {"pii.card_in_message", "pii.secret_in_message"}),
        ("rate_limiting", {"limits.outward_per_minute"}),
    ],
)
def test_each_switch_works_alone(switch: str, silenced: set[str]) -> None:
    """A switch that is off silences its rules and no others."""
    body = "Act now! Guaranteed results, you idiot. 4111111111111111, AKIAIOSFODNN7EXAMPLE {{ slot }}"
    everything = facts("message", message={"body": body})
    subject = Subject(point="action", tenant=TENANT, facts=facts("action", **OUTWARD) | everything)

    def rules_of(safety: Safety) -> set[str]:
        asked = gate(
            rule(id="limits.outward_per_minute", limit={"key": "org_id", "max": 1, "per": "1m"}),
            safety=safety,
        )
        quick = asked.decide(Subject(point="action", tenant=TENANT, facts=facts("action"))).rules
        again = asked.decide(Subject(point="action", tenant=TENANT, facts=facts("action"))).rules
        return {*quick, *again, *gate(safety=safety).decide(subject).rules}

    on, off = rules_of(Safety()), rules_of(Safety(**{switch: False}))
    assert on - off == silenced
    assert not off - on


def test_a_message_goes_by_two_names() -> None:
    """A rule may speak of `send_message` or of the action's own name; both hold for an outgoing message."""
    outgoing = facts("action", **OUTWARD, message=facts("message")["message"])
    for name in ("send_message", "delivery.send"):
        assert ask("action", outgoing, rule(when=f"action.type == '{name}'")).verdict is Verdict.DENY
    assert ask("action", outgoing, rule(when="action.type == 'delivery.draft'")).verdict is Verdict.ALLOW
    inside = facts("action", type="writer.write")
    assert ask("action", inside, rule(when="action.type == 'send_message'")).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    "body", ["Guaranteed results for you", "guar\u200banteed results", "guarаnteеd results", "RISK FREE"]
)
def test_a_rule_of_ones_own_reads_text_without_disguise(body: str) -> None:
    """`action.body` has its disguise taken off before a rule compares it."""
    own = rule(
        when="action.channel == 'email' and contains_any(action.body, ['guaranteed results','risk free'])"
    )
    outgoing = facts("action", **OUTWARD, message={"channel": "email", "body": body})
    assert ask("action", outgoing, own).verdict is Verdict.DENY


def test_words_for_signs_are_taken_outside_of_texts_only() -> None:
    """`and`, `or` and `not` become CEL signs; inside a text they stay words."""
    assert in_cel("a and not b or c == 'x and y'") == "a && ! b || c == 'x and y'"
    assert in_cel('brand == "this or that" and ok') == 'brand == "this or that" && ok'


def test_a_result_is_redacted_as_its_rules_ask() -> None:
    """A rule with the effect redact makes the verdict modify, and the gate takes out what it detects."""
    asked = gate()
    value = {"note": "ann@example.com paid with 4111 1111 1111 1111"}
    decision = asked.decide(Subject(point="result", tenant=TENANT, facts={"records": [value]}))
    assert (decision.verdict, decision.rules) == (Verdict.MODIFY, ("pii.card_in_result",))
    assert asked.redact(decision, value) == {"note": "ann@example.com paid with [card_number]"}
    assert asked.redact(decide("result"), value) is value


def test_reasons_name_patterns_and_no_text() -> None:
    """A finding says which patterns matched, so that a writer can mend it, and repeats no text."""
    finding = next(f for f in ask("message", E000_10).findings if f.rule == "content.spam_phrase")
    assert "spam.act_now" in finding.reason
    assert "Ann" not in finding.reason


def test_the_version_follows_from_the_rules() -> None:
    """Equal rules have equal versions; any change has another."""
    one, other = rule(when="true"), rule(when="false")
    assert gate(one).version == gate(rule(when="true")).version != gate(other).version
    assert ask("action", facts("action"), one).policy_version == gate(one).version


def test_rules_are_asked_quickly() -> None:
    """A message is judged within 20 ms and an inner action within 2 ms, at the median of a hundred."""
    for point, limit in (("message", 0.020), ("action", 0.002)):
        costs = []
        for _ in range(100):
            before = time.process_time()
            decide(point)
            costs.append(time.process_time() - before)
        assert sorted(costs)[50] < limit


def test_decisions_do_not_depend_on_the_order_of_facts() -> None:
    """The same facts in another order give the same decision."""
    turned = json.loads(json.dumps(E000_10), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert ask("message", turned) == ask("message", E000_10)
