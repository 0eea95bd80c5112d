"""The events by which the dispatcher says what it let through, what came of it and what it refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dirigent.domain.agent import Effect
from dirigent.domain.event import (
    ActionRefused,
    ApprovalRequested,
    CallEnded,
    CallStarted,
    EffectAcknowledged,
    Failure,
    OutcomeObserved,
    StepCompleted,
    StepFailed,
    StepOutcomeUnknown,
    StepSkipped,
    StepStarted,
)
from dirigent.domain.ids import approval_id
from dirigent.execution.gates import Judgement
from dirigent.execution.registry import Action
from dirigent.execution.request import Request, key_of

HOLD = "hold"  # it runs without a way out
APPROVAL_LIFE_MS = 24 * 3600 * 1000


class Recorder:
    """Makes events about requests, stamped with the clock it was given."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now = now_ms

    def started(
        self, request: Request, action: Action, judgement: Judgement, *, simulated: bool = False
    ) -> StepStarted:
        """A step's attempt was let through; for effects, its intent."""
        facts = _admission(request, action, judgement)
        if simulated:
            facts["verdict"] = "simulate"
        return StepStarted(at=self.now(), step=request.step, attempt=request.attempt, **facts)

    def call_started(self, request: Request, action: Action, judgement: Judgement) -> CallStarted:
        """A running action's call was let through."""
        facts = _admission(request, action, judgement)
        return CallStarted(
            at=self.now(), call=request.call, step=request.step, attempt=request.attempt, **facts
        )

    def call_ended(
        self, request: Request, output: Any, failure: Failure | None, cost: float, sent_at: int
    ) -> CallEnded:
        """A running action's call ended."""
        return CallEnded(
            at=self.now(),
            call=request.call,
            payload=request.payload,
            output=output,
            error=failure,
            cost=cost,
            sent_at=sent_at,
        )

    def completed(
        self, request: Request, output: Any, *, cost: float = 0.0, mode: str = "", sent_at: int = 0
    ) -> StepCompleted:
        """A step's attempt has its result."""
        return StepCompleted(
            at=self.now(),
            step=request.step,
            attempt=request.attempt,
            output=output,
            cost=cost,
            mode=mode,
            sent_at=sent_at,
        )

    def failed(self, request: Request, failure: Failure, *, sent_at: int = 0) -> StepFailed:
        """A step's attempt ended without a result."""
        return StepFailed(
            at=self.now(), step=request.step, attempt=request.attempt, error=failure, sent_at=sent_at
        )

    def unknown(self, request: Request, action: Action) -> StepOutcomeUnknown:
        """Nobody knows what became of the effect."""
        return StepOutcomeUnknown(
            at=self.now(),
            step=request.step,
            attempt=request.attempt,
            key=key_of(request, action.name),
            payload=request.payload,
            agent=action.agent.key,
            action=action.spec.name,
            inputs=request.inputs,
            sent_at=request.sent_at,
            reference=request.reference,
            lookup=can_be_read_back(action),
        )

    def unknown_call(
        self, request: Request, action: Action, call: CallStarted, sent: Request | None
    ) -> StepOutcomeUnknown:
        """Nobody knows what became of a call of the step's action; `sent` is what was asked for, if known.

        An action that may not be run twice is unclear as a whole.
        """
        if not action.repeatable:
            return self.unknown(request, action)
        return StepOutcomeUnknown(
            at=self.now(),
            step=request.step,
            attempt=request.attempt,
            key=call.key,
            payload=call.payload,
            agent=call.agent,
            action=call.action,
            inputs=sent.inputs if sent is not None else {},
            sent_at=sent.sent_at if sent is not None and sent.sent_at else call.at,
            reference=sent.reference if sent is not None else "",
            call=call.call,
        )

    def acknowledged(self, request: Request, reference: str) -> EffectAcknowledged:
        """The receiver has the effect."""
        return EffectAcknowledged(
            at=self.now(),
            step=request.step,
            attempt=request.attempt,
            reference=reference,
            call=request.call,
        )

    def observed(self, request: Request, output: Any, failure: Failure | None) -> OutcomeObserved:
        """It was read back whether an effect happened; nothing found is no output."""
        return OutcomeObserved(
            at=self.now(),
            step=request.step,
            attempt=request.attempt,
            found=output is not None,
            output=output,
            error=failure,
        )

    def out_of_budget(self, request: Request, reason: str) -> StepSkipped:
        """The cost does not fit any more; the run goes on without the step."""
        return StepSkipped(at=self.now(), step=request.step, reason=f"budget: {reason}", degrades=True)

    def ask(self, request: Request, action: Action, judgement: Judgement) -> ApprovalRequested:
        """A person has to decide about exactly this."""
        now = self.now()
        return ApprovalRequested(
            at=now,
            step=request.step,
            attempt=request.attempt,
            approval_id=approval_id(request.execution_id, request.step, now),
            reason=judgement.reason,
            kind="hold" if judgement.course == "hold" else "approval",
            expires_at=now + APPROVAL_LIFE_MS,
            agent=action.agent.key,
            action=action.spec.name,
            risk=action.spec.risk.value,
            payload=request.payload,
            rules=judgement.decision.rules,
            preview=request.inputs,
            deciders=judgement.decision.deciders,
        )

    def refused(self, request: Request, action: Action, judgement: Judgement) -> ActionRefused:
        """The gates said no."""
        return ActionRefused(
            at=self.now(),
            step=request.step,
            agent=action.agent.key,
            action=action.spec.name,
            rules=judgement.decision.rules or (f"autonomy.{judgement.course}",),
            reason=judgement.reason,
            findings=judgement.decision.findings,
        )

    def turned_away(self, step: str, agent: str, action: str, rule: str, reason: str) -> ActionRefused:
        """Something tried to act in a way that never reached the gates."""
        return ActionRefused(
            at=self.now(), step=step, agent=agent, action=action, rules=(rule,), reason=reason
        )


def can_be_read_back(action: Action) -> bool:
    """Whether it can be asked if the effect happened."""
    return action.spec.effect is Effect.QUERYABLE and bool(action.spec.lookup)


def _admission(request: Request, action: Action, judgement: Judgement) -> dict[str, Any]:
    decision = judgement.decision
    return {
        **action.facts,
        "verdict": HOLD if judgement.held else decision.verdict.value,
        "rules": decision.rules,
        "policy": decision.policy_version,
        "key": key_of(request, action.name) if action.announced else "",
        "payload": request.payload if action.announced else "",
        "reserved": action.spec.cost,
    }
