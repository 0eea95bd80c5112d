"""The form of a rule: what it applies to, when it speaks, and what it then asks for."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dirigent.control.policy.detection import detectable
from dirigent.domain.approval import Deciders
from dirigent.domain.policy import Verdict

Level = Literal["global", "vertical", "organization"]
Point = Literal["action", "plan", "result", "message"]
RuleEffect = Literal["block", "require_approval", "redact", "modify", "warn"]
LimitKey = Literal["org_id", "user_id", "agent", "action", "channel", "recipient", "domain"]

VERDICTS: dict[str, Verdict] = {
    "block": Verdict.DENY,
    "require_approval": Verdict.REQUIRE_APPROVAL,
    "redact": Verdict.MODIFY,
    "modify": Verdict.MODIFY,
    "warn": Verdict.ALLOW,
}
_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PER = re.compile(r"([1-9]\d{0,3})([smhd])")
PER_MS_MAX = 366 * 86_400_000


class Limit(BaseModel):
    """So many per stretch of time, counted for each value of `key` within the tenant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: LimitKey
    max: Annotated[int, Field(ge=1, le=100_000)]
    per: Annotated[str, Field(pattern=r"^[1-9]\d{0,3}[smhd]$")]

    @property
    def per_ms(self) -> int:
        """The stretch in milliseconds."""
        found = _PER.fullmatch(self.per)
        assert found, "the pattern was checked when the rule was read"
        return int(found[1]) * _UNITS_MS[found[2]]


class Approval(BaseModel):
    """Who has to approve what a rule lets pass only with an approval; as in a step of type approval."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    approvers: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = ()
    roles: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = ()
    required: Annotated[int, Field(ge=1, le=100)] = 1
    not_requester: bool = False

    @property
    def deciders(self) -> Deciders:
        """As an approval carries it."""
        return Deciders(
            approvers=self.approvers,
            roles=self.roles,
            required=self.required,
            not_requester=self.not_requester,
        )


class Rule(BaseModel):
    """One rule. It speaks when `when` holds, what `detect` names is found, and `limit` is used up.

    A rule can only restrict: there is no effect that allows, so no level can loosen another. `source` cites
    what the rule rests on; `fix` tells how to satisfy it; `approval` says who has to approve.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*$", max_length=80)]
    level: Level = "global"
    vertical: Annotated[str, Field(max_length=80)] = ""
    org_id: Annotated[str, Field(max_length=200)] = ""
    applies_to: Point
    when: Annotated[str, Field(max_length=4000)] = ""
    detect: Annotated[str, Field(max_length=80)] = ""
    limit: Limit | None = None
    effect: RuleEffect
    approval: Approval | None = None
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    fix: Annotated[str, Field(max_length=500)] = ""
    severity: Literal["critical", "major", "minor"] = "major"
    source: Annotated[str, Field(max_length=300)] = ""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for wrong, expected in self._misfits():
            if wrong:
                raise ValueError(expected)
        return self

    def _misfits(self) -> tuple[tuple[bool, str], ...]:
        return (
            (
                (self.level == "vertical") != bool(self.vertical),
                "vertical: needed at level vertical, and only there",
            ),
            (
                (self.level == "organization") != bool(self.org_id),
                "org_id: needed at level organization, and only there",
            ),
            (not (self.when or self.detect or self.limit), "when: a rule needs when, detect or limit"),
            (
                bool(self.detect) and self.detect not in detectable(),
                f"detect: nothing detects {self.detect!r}",
            ),
            (self.limit is not None and self.applies_to != "action", "limit: only actions are counted"),
            (self.limit is not None and self.limit.per_ms > PER_MS_MAX, "limit.per: at most 366d"),
            (
                self.approval is not None and self.effect != "require_approval",
                "approval: only with the effect require_approval",
            ),
            (
                self.approval is not None and 0 < len(self.approval.approvers) < self.approval.required,
                "approval.required: more than there are approvers",
            ),
            (
                self.effect == "redact" and not self.detect.startswith("pii."),
                "detect: redact needs a pii.* to take out",
            ),
        )

    @property
    def verdict(self) -> Verdict:
        """What the rule asks for when it speaks."""
        return VERDICTS[self.effect]

    def concerns(self, tenant: str, verticals: frozenset[str]) -> bool:
        """Whether the rule is in force for a tenant."""
        if self.level == "organization":
            return self.org_id == tenant
        return self.level == "global" or self.vertical in verticals
