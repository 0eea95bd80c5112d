"""Decisions about actions inside the house, remembered by what the action declares."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from dirigent.control.policy.conditions import Condition
from dirigent.control.policy.rules import Rule
from dirigent.domain.policy import Decision, Subject

DECLARED = ("type", "agent", "action", "risk", "effect", "outward", "autonomy", "proposed")
# What follows from the declaration and the user for an action that carries no message.
FOLLOWING = frozenset((*DECLARED, "name", "carries_message", "recipient", "user_id"))
REMEMBERED_MAX = 10_000

_declared = itemgetter(*DECLARED)

Key = tuple[object, ...]


class Inside:
    """Tells which subjects are decided by their declaration alone, and keeps those decisions.

    It holds for actions that neither leave the house nor carry a message, and only while no rule about
    actions reads more than that. A decision that looked into a text or met a limit must not be kept.
    """

    def __init__(self, rules: Iterable[tuple[Rule, Condition | None]]) -> None:
        self.decisions: dict[Key, Decision] = {}
        self._holds = all(_reads_little(rule, condition) for rule, condition in rules)

    def key_of(self, subject: Subject) -> Key | None:
        """What the subject declares; None where more than that may decide."""
        facts = subject.facts
        if not self._holds or subject.point != "action" or len(facts) != len(DECLARED) + 1:
            return None
        inputs = facts.get("inputs")
        if not isinstance(inputs, dict) or "message" in inputs or "lead" in inputs:
            return None
        user = inputs.get("user_id", "")
        if facts.get("outward") is not False or not isinstance(user, str):
            return None
        try:
            return (subject.tenant, user, _declared(facts))
        except KeyError:
            return None

    def remember(self, key: Key, decision: Decision) -> None:
        """Keep a decision, within bounds."""
        if len(self.decisions) < REMEMBERED_MAX:
            self.decisions[key] = decision


def _reads_little(rule: Rule, condition: Condition | None) -> bool:
    if rule.applies_to != "action" or condition is None:
        return rule.applies_to != "action" or bool(rule.detect or rule.limit)
    return condition.reads_only("action", FOLLOWING) and condition.reads_only("org", frozenset({"id"}))
