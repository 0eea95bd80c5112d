"""Verdicts, autonomy levels and the table that joins them to risk."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from dirigent.domain.agent import Risk
from dirigent.domain.approval import Deciders, strictest_deciders


class Verdict(enum.StrEnum):
    """What a policy says of an action, a plan or a result. The strictest of several wins."""

    ALLOW = "allow"
    MODIFY = "modify"
    REQUIRE_APPROVAL = "require_approval"
    DENY = "deny"


STRICTNESS = {Verdict.ALLOW: 0, Verdict.MODIFY: 1, Verdict.REQUIRE_APPROVAL: 2, Verdict.DENY: 3}


class Autonomy(enum.StrEnum):
    """L0 simulate, L1 ask, L2 act inside policy and ask above it, L3 act inside policy."""

    L0 = "L0"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"


class Course(enum.StrEnum):
    """What autonomy makes of an action: run it, ask a person, or only simulate it."""

    RUN = "run"
    ASK = "await_approval"
    SIMULATE = "simulate"


ASSURED_CONFIDENCE = 0.8


def course_of(level: Autonomy, risk: Risk, confidence: float | None = None) -> Course:
    """The autonomy table (requirements, "Risk classes").

    `confidence` is what the action's input claims, 0 to 1; at L2 an R3 action without a claim of at
    least 0.8 asks. R4 always asks, except at L0 where nothing above R0 acts.
    """
    if risk is Risk.R0:
        return Course.RUN
    if level is Autonomy.L0:
        return Course.SIMULATE
    if risk in (Risk.R1, Risk.R2):
        return Course.RUN
    if risk is Risk.R4 or level is Autonomy.L1:
        return Course.ASK
    if level is Autonomy.L2 and (confidence is None or confidence < ASSURED_CONFIDENCE):
        return Course.ASK
    return Course.RUN


def clamp(requested: Autonomy, maximum: Autonomy) -> Autonomy:
    """The lower of what was asked for and what the tenant allows."""
    return min(requested, maximum)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that spoke: its id, what it asks for, why, and how to satisfy it.

    `deciders` says who has to approve, where a rule that asks for an approval names them.
    """

    rule: str
    verdict: Verdict
    reason: str = ""
    fix: str = ""
    severity: str = "major"
    deciders: Deciders | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of asking the policies: the strictest verdict with every finding behind it.

    `counted` says that a limit applies which a call that is really made has still to be counted against.
    """

    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    policy_version: str = ""
    counted: bool = False

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules that spoke, in their order."""
        return tuple([finding.rule for finding in self.findings]) if self.findings else ()

    @property
    def objections(self) -> tuple[Finding, ...]:
        """The findings that ask for something; those that only note are left out."""
        return tuple(finding for finding in self.findings if finding.verdict is not Verdict.ALLOW)

    @property
    def deciders(self) -> Deciders:
        """Who has to approve; of several demands the one for most people."""
        return strictest_deciders([found.deciders for found in self.findings if found.deciders is not None])

    @property
    def reason(self) -> str:
        """Why, in words; empty where nothing objects."""
        return "; ".join(finding.reason or finding.rule for finding in self.objections)


def strictest(findings: tuple[Finding, ...], policy_version: str) -> Decision:
    """Join findings into one decision; no finding allows."""
    verdict = max(
        (finding.verdict for finding in findings), key=STRICTNESS.__getitem__, default=Verdict.ALLOW
    )
    return Decision(verdict=verdict, findings=findings, policy_version=policy_version)


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What policies look at: the point of the check and the facts known there.

    `point` is `plan`, `action`, `message` or `result`. `facts` is JSON; rules read it by name.
    """

    point: str
    tenant: str
    facts: dict[str, Any]
