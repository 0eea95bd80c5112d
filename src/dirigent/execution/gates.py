"""The questions the dispatcher asks before anything runs, in their fixed order.

Is the caller allowed, does it lie inside the approved plan, does policy permit it, does autonomy
demand a person, may it leave the house. Budget, capacity and circuit follow in the dispatcher,
because they are taken and given back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from dirigent.domain.errors import DirigentError
from dirigent.domain.policy import (
    Autonomy,
    Course,
    Decision,
    Finding,
    Subject,
    Verdict,
    course_of,
    strictest,
)
from dirigent.execution.context import TenantRecords
from dirigent.execution.registry import Action
from dirigent.execution.request import Request
from dirigent.ports import PolicyGate, Records
from dirigent.security.outgoing import outgoing_facts

DEPTH_MAX = 8


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What may become of a request: `run`, `ask`, `hold`, `simulate` or `deny`, and why.

    `held` says why nothing of it may leave, where it runs all the same to tell so.
    """

    course: str
    decision: Decision
    reason: str = ""
    held: str = ""


class Gates:
    """Judges requests. Without a policy gate everything is denied."""

    def __init__(
        self, policy: PolicyGate | None, records: Records, allow_delivery: Callable[[str], bool]
    ) -> None:
        self._policy = policy
        self._records = records
        self._allow_delivery = allow_delivery

    def judge(self, request: Request, action: Action) -> Judgement:
        """Ask every question; the first no decides."""
        outside = _outside(request, action)
        if outside is not None:
            return _denied(strictest((outside,), ""))
        facts = _facts(request, action)
        if action.spec.outward and (message_id := request.inputs.get("message_id")) is not None:
            rows = self._records.fetch(request.passport.tenant, "messages", where={"message_id": message_id})
            if not rows:
                return _denied(_no("message.unknown", f"There is no message {message_id!r}."))
            facts |= outgoing_facts(TenantRecords(self._records, request.passport.tenant), rows[0])
        return self._ask(request, action, facts)

    def _ask(self, request: Request, action: Action, facts: dict[str, Any]) -> Judgement:
        """Policies, person and house; only a call that runs counts against limits."""
        subject = Subject(point="action", tenant=request.passport.tenant, facts=facts)
        decision = self.decide(subject)
        if decision.verdict is Verdict.DENY:
            return _denied(decision)
        judgement = self._person_and_house(request, action, decision)
        if judgement.course != "run" or judgement.held or not decision.counted:
            return judgement
        counted = self.decide(msgspec.structs.replace(subject, facts=facts | {"commit": True}))
        return _denied(counted) if counted.verdict is Verdict.DENY else judgement

    def decide(self, subject: Subject) -> Decision:
        """Ask the policies; a gate that is missing or fails denies."""
        if self._policy is None:
            return _no("policy.missing", "No policy gate is configured.")
        try:
            return self._policy.decide(subject)
        except DirigentError as error:
            return _no("policy.failed", f"The policies could not be evaluated: {error}")

    def _person_and_house(self, request: Request, action: Action, decision: Decision) -> Judgement:
        level = Autonomy(request.passport.autonomy)
        course = course_of(level, action.spec.risk, _confidence(request.inputs))
        if course is Course.SIMULATE:
            return Judgement(course="simulate", decision=decision, reason=f"{level} only simulates")
        if action.spec.outward and (reason := self._kept_in(request)):
            if action.spec.tells_held and not request.started:  # else it may have left before
                return Judgement(course="run", decision=decision, reason=reason, held=reason)
            return Judgement(course="hold", decision=decision, reason=reason)
        origin = request.passport.origin
        asked = origin is not None and origin.approved and not request.call
        if asked or (request.approved and request.approved == request.payload):
            return Judgement(course="run", decision=decision, reason="approved by a person")
        if decision.verdict is Verdict.REQUIRE_APPROVAL:
            return Judgement(course="ask", decision=decision, reason=decision.reason)
        if course is Course.ASK:
            reason = f"{action.spec.risk} asks a person at {level}"
            return Judgement(course="ask", decision=decision, reason=reason)
        return Judgement(course="run", decision=decision)

    def _kept_in(self, request: Request) -> str:
        """Why nothing may leave now; empty where it may."""
        if not self._allow_delivery(request.passport.tenant):
            return "allow_delivery is off"
        return "" if request.passport.delivery else "allow_delivery is off for this run"


def held_back(request: Request, judgement: Judgement) -> Request:
    """The request as it is let through: where nothing of it may leave, it says so."""
    return msgspec.structs.replace(request, held=judgement.held) if judgement.held else request


def _outside(request: Request, action: Action) -> Finding | None:
    """Caller and plan: a finding when the request lies outside what was granted."""
    if not request.passport.tenant or not request.passport.actor:
        return Finding(
            rule="caller.unknown", verdict=Verdict.DENY, reason="The call names no tenant or actor."
        )
    if request.call.count("/") >= DEPTH_MAX or request.passport.depth >= DEPTH_MAX:
        return Finding(
            rule="caller.depth", verdict=Verdict.DENY, reason=f"Calls nest {DEPTH_MAX} deep at most."
        )
    if request.passport.plan and not _planned(request.passport.plan, action):
        fix = "Plan it, so that it is checked and approved with the plan."
        return _no_to("plan.outside", f"{action.name} is not in the approved plan.", fix)
    return None


def _planned(plan: tuple[str, ...], action: Action) -> bool:
    """Whether a plan names an action, or an effect that the action only reads back."""
    if action.name in plan or action.announced:
        return action.name in plan
    looked_up = [spec for spec in action.agent.actions.values() if spec.lookup == action.spec.name]
    return any(f"{action.agent.key}.{spec.name}" in plan for spec in looked_up)


def _facts(request: Request, action: Action) -> dict[str, Any]:
    return {
        **action.facts,
        "type": action.name,
        "outward": action.spec.outward,
        "inputs": request.inputs,
        "autonomy": request.passport.autonomy,
        "proposed": request.proposed,
    }


def _confidence(inputs: dict[str, Any]) -> float | None:
    value = inputs.get("confidence")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _denied(decision: Decision) -> Judgement:
    return Judgement(course="deny", decision=decision, reason=decision.reason)


def _no(rule: str, reason: str) -> Decision:
    return strictest((_no_to(rule, reason),), "")


def _no_to(rule: str, reason: str, fix: str = "") -> Finding:
    return Finding(rule=rule, verdict=Verdict.DENY, reason=reason, fix=fix)
