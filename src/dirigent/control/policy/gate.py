"""The policy gate: asks every rule that applies and joins their verdicts; the strictest wins.

A rule that cannot be evaluated denies, and says so. Nothing loosens: rules only restrict, whatever their
level. Counted limits are used up only by actions that are really let through.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from dirigent.control.policy.conditions import Condition
from dirigent.control.policy.detection import Safety
from dirigent.control.policy.facts import Scene
from dirigent.control.policy.inside import Inside
from dirigent.control.policy.limits import SlidingWindows, seconds_up
from dirigent.control.policy.rules import Limit, Rule
from dirigent.domain.canonical import digest_of
from dirigent.domain.errors import DirigentError, InvalidInput
from dirigent.domain.policy import Decision, Finding, Subject, Verdict, strictest
from dirigent.security.content import content_version
from dirigent.security.pii import KINDS, NATIONAL_IDS, redact_value

UNREADABLE = "policy.unreadable_facts"
VERSION_LENGTH = 12

_Counter = tuple[str, str, str]
# What facts of the wrong shape and expressions over them can raise. Anything else is a fault of ours.
_UNANSWERABLE = (
    DirigentError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


class RulePolicyGate:
    """Implements `ports.PolicyGate` over a set of rules.

    `now_ms` is the clock, for limits and for dates in records. `windows` hold the counters; hand the old
    gate's to its successor so that a change of rules forgets nothing. `vertical_of` tells a tenant's
    sector. The version names rules and patterns by content.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        now_ms: Callable[[], int],
        safety: Safety | None = None,
        windows: SlidingWindows | None = None,
        vertical_of: Callable[[str], str] = lambda _tenant: "",
    ) -> None:
        self.rules = tuple(rules)
        self.windows = windows or SlidingWindows(now_ms)
        self._now_ms = now_ms
        self._safety = safety or Safety()
        self._vertical_of = vertical_of
        self._lock = threading.Lock()
        self._asked = _compiled(self.rules)
        self._version = version_of(self.rules)
        self._inside = Inside((asked.rule, asked.condition) for asked in self._asked)

    @property
    def version(self) -> str:
        """Names the rules and patterns in force, by content."""
        return self._version

    def decide(self, subject: Subject) -> Decision:
        """The strictest verdict of all rules that apply, with every finding, in the order of the rules.

        Of an action inside the house most rules read what it declares and not its inputs; such a
        decision is taken once and remembered.
        """
        declared = self._inside.key_of(subject)
        known = self._inside.decisions.get(declared) if declared is not None else None
        if known is not None:
            return known
        try:
            scene = self._scene(subject)
            for point in scene.points:
                scene.facts(point)
        except _UNANSWERABLE as error:
            return self._unreadable(error)
        decision = self._decide(subject, scene)
        if declared is not None and not decision.counted and not scene.examined:
            self._inside.remember(declared, decision)
        return decision

    def _decide(self, subject: Subject, scene: Scene) -> Decision:
        applying = [
            asked
            for asked in self._asked
            if asked.rule.applies_to in scene.points and asked.rule.concerns(subject.tenant, scene.verticals)
        ]
        counted: list[tuple[_Counter, Limit]] = []
        with self._lock:
            found = [finding for asked in applying if (finding := self._ask(asked, scene, counted))]
            decision = strictest(tuple(found), self._version)
            if subject.facts.get("commit") is not True:
                return msgspec.structs.replace(decision, counted=True) if counted else decision
            if decision.verdict is not Verdict.DENY:
                for counter, limit in counted:
                    self.windows.count(counter, limit.max, limit.per_ms)
        return decision

    def redact(self, decision: Decision, value: Any) -> Any:
        """The value without what the decision's rules want taken out."""
        details = {
            rule.detect for rule in self.rules if rule.effect == "redact" and rule.id in decision.rules
        }
        return redact_value(value, kinds_of(details)) if details else value

    def _scene(self, subject: Subject) -> Scene:
        return Scene(
            subject,
            now_ms=self._now_ms(),
            vertical=self._vertical_of(subject.tenant),
            safety=self._safety,
        )

    def _ask(self, asked: _Asked, scene: Scene, counted: list[tuple[_Counter, Limit]]) -> Finding | None:
        rule, limit = asked.rule, asked.rule.limit
        try:
            evidence = self._evidence(asked, scene)
            if evidence is None or limit is None:
                return None if evidence is None else _finding(rule, evidence)
            counter = _counter(rule, limit, scene)
            counted.append((counter, limit))
            wait_ms = self.windows.retry_after_ms(counter, limit.max, limit.per_ms)
            return _finding(rule, evidence, wait_ms) if wait_ms else None
        except _UNANSWERABLE as error:
            return _undecidable(rule, error)

    def _evidence(self, asked: _Asked, scene: Scene) -> tuple[str, ...] | None:
        """None when the rule has nothing to say, else the patterns that make it speak."""
        rule = asked.rule
        if rule.limit and not self._safety.rate_limiting:
            return None
        if asked.condition is not None and not asked.condition.holds(scene):
            return None
        return (scene.detections(rule.applies_to).matching(rule.detect) or None) if rule.detect else ()

    def _unreadable(self, error: Exception) -> Decision:
        reason = f"The facts could not be read: {_brief(error)}"
        finding = Finding(rule=UNREADABLE, verdict=Verdict.DENY, reason=reason, severity="critical")
        return strictest((finding,), self._version)


class _Asked:
    """A rule with its compiled condition."""

    __slots__ = ("condition", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.condition = Condition(rule.when) if rule.when else None


def version_of(rules: Iterable[Rule]) -> str:
    """A short name for these rules together with the patterns they detect by."""
    return digest_of([content_version(), *(rule.model_dump(mode="json") for rule in rules)])[:VERSION_LENGTH]


def kinds_of(details: Iterable[str]) -> frozenset[str]:
    """The kinds of identifiers that `detect` names stand for: `pii.national_id`, `pii.*`, `pii.email`."""
    kinds: set[str] = set()
    for name in (detail.removeprefix("pii.") for detail in details):
        kinds |= set(KINDS) if name == "*" else NATIONAL_IDS if name == "national_id" else {name}
    return frozenset(kinds)


def _compiled(rules: tuple[Rule, ...]) -> tuple[_Asked, ...]:
    ids = [rule.id for rule in rules]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise InvalidInput(
            f"Rule {twice[0]!r} is there twice.", fix="Give every rule its own id.", field="id"
        )
    return tuple(_Asked(rule) for rule in rules)


def _counter(rule: Rule, limit: Limit, scene: Scene) -> _Counter:
    tenant = scene.subject.tenant
    value = tenant if limit.key == "org_id" else str(scene.action[limit.key])
    if not value:
        raise InvalidInput(f"The action has no {limit.key} to count by.", fix=f"State {limit.key}.")
    return rule.id, tenant, value


def _finding(rule: Rule, evidence: tuple[str, ...], wait_ms: int = 0) -> Finding:
    details = f" Found: {', '.join(evidence)}." if evidence else ""
    fix = f"Try again in {seconds_up(wait_ms)} s." if wait_ms else rule.fix
    return Finding(
        rule=rule.id,
        verdict=rule.verdict,
        reason=rule.reason + details,
        fix=fix,
        severity=rule.severity,
        deciders=rule.approval.deciders if rule.approval is not None else None,
    )


def _undecidable(rule: Rule, error: Exception) -> Finding:
    reason = f"The rule could not be evaluated, so it denies: {_brief(error)}"
    return Finding(rule=rule.id, verdict=Verdict.DENY, reason=reason, fix=rule.fix, severity=rule.severity)


def _brief(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
