"""The guardrail: checks plans before they run and results before they are released."""

from __future__ import annotations

from typing import Any

from dirigent.control.plan import Plan
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import NotFound
from dirigent.domain.policy import Decision, Verdict
from dirigent.domain.shape import Shape
from dirigent.ports import Context
from dirigent.security.admission import action, agent
from dirigent.security.letters import body_of, content_of, read_message

PLAN_FACTS = {"plan_id", "goal_type", "risk", "limit", "budget", "autonomy"}
TASK_FACTS = {"agent", "action", "risk"}


class PlanVerdict(Shape):
    """What the policies say of a plan."""

    allow: bool
    decision: str
    requires_approval: bool
    violations: list[str]
    reason: str
    policy_version: str


class Released(Shape):
    """A message that passed its checks: its id, the hash of its bytes, for whom, and how sure."""

    message_id: str
    sha256: str
    lead_id: str
    confidence: float


class ResultVerdict(Shape):
    """Which messages may go on to delivery, and which are stopped and why."""

    allow: bool
    released: list[Released]
    stopped: list[dict[str, Any]]
    policy_version: str


@agent(
    "guardrail",
    domain="core",
    description="Decides allow, modify, require approval or deny for plans, actions and results.",
    aliases=("ARE Guardrail", "guardrail_agent", "safety_engine", "GuardrailAgent"),
)
class GuardrailAgent:
    """Asks the policies about whole plans and finished results; single actions are the dispatcher's."""

    @action(risk=Risk.R0, effect=Effect.READ)
    async def validate_plan(self, plan: Plan, ctx: Context) -> PlanVerdict:
        """Ask the policies about a plan as a whole: risks, agents, cost against the budget."""
        facts: dict[str, Any] = plan.model_dump(include=PLAN_FACTS)
        facts["max_cost"] = plan.cost_max
        facts["tasks"] = [task.model_dump(include=TASK_FACTS) for task in plan.tasks]
        decision = ctx.decide("plan", facts)
        return PlanVerdict(
            allow=decision.verdict is not Verdict.DENY,
            decision=decision.verdict.value,
            requires_approval=decision.verdict is Verdict.REQUIRE_APPROVAL,
            violations=_objecting(decision),
            reason=decision.reason,
            policy_version=decision.policy_version,
        )

    @action(risk=Risk.R0, effect=Effect.READ)
    async def validate_result(self, released: list[Released], ctx: Context) -> ResultVerdict:
        """Ask the policies about the text of every message that is to be released."""
        passed: list[Released] = []
        stopped: list[dict[str, Any]] = []
        version = ""
        for message in released:
            decision = ctx.decide("result", {"text": _text(ctx, message.message_id)})
            version = decision.policy_version
            if decision.verdict in (Verdict.ALLOW, Verdict.REQUIRE_APPROVAL):
                passed.append(message)
            else:
                why = {"violations": _objecting(decision), "reason": decision.reason}
                stopped.append(message.model_dump() | why)
        return ResultVerdict(allow=not stopped, released=passed, stopped=stopped, policy_version=version)


def _text(ctx: Context, message_id: str) -> str:
    rows = ctx.records.fetch("messages", where={"message_id": message_id}, limit=1)
    if not rows:
        raise NotFound(f"There is no message {message_id!r}.", code="message_not_found")
    letter = read_message(content_of(rows[0]))
    return f"{letter.get('Subject', '')}\n{body_of(letter)}"


def _objecting(decision: Decision) -> list[str]:
    return [finding.rule for finding in decision.objections]
