"""The planner: takes a goal apart into subgoals, tasks and calls, from a template and the data at hand."""

from __future__ import annotations

import json
from typing import Any

from dirigent.control.assembly import assemble
from dirigent.control.plan import Analysis, GoalFacts, Plan
from dirigent.control.templates import read_template, template_names
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import ActionFailed
from dirigent.ports import Context
from dirigent.security.admission import action, agent

INTENTS = {
    "REVIVE_PIPELINE": "bring silent customers back",
    "INCREASE_MEETINGS": "book more meetings",
    "OPTIMIZE_SEQUENCE": "improve an outreach sequence",
    "BUILD_ICP": "describe the ideal customer",
}


@agent(
    "planner",
    domain="core",
    description="Turns a goal into subgoals, tasks and calls with dependencies, agents, estimates and risk.",
    aliases=("ARE Planner", "planner_agent", "PlannerAgent"),
)
class PlannerAgent:
    """Plans by template; a model may propose, and what it proposes is checked like anything else."""

    @action(risk=Risk.R0, effect=Effect.READ)
    async def analyze_goal(self, goal: GoalFacts, context: Any = None, *, ctx: Context) -> Analysis:
        """What the goal asks for, which inputs are missing, and whether it can begin."""
        _ = context
        template = read_template(goal.goal_type)
        if template is None:
            explanation = (
                f"There is no plan for {goal.goal_type} yet; there is one for {', '.join(template_names())}."
            )
            return _analysis(goal, missing=[], reason="no_goal_template", explanation=explanation)
        missing = [entity for entity in template.required_records if ctx.records.count(entity) == 0]
        if missing:
            explanation = f"There are no {' and no '.join(missing)} on record; import them first."
            return _analysis(
                goal, missing=missing, reason=template.required_records[missing[0]], explanation=explanation
            )
        return _analysis(goal, missing=[], reason="", explanation="")

    @action(risk=Risk.R0, effect=Effect.READ)
    async def create_plan(
        self,
        goal: GoalFacts,
        analysis: Analysis,
        context: Any = None,
        heuristics: dict[str, Any] | None = None,
        *,
        ctx: Context,
    ) -> Plan:
        """A plan from the goal type's template, the agents there are, the budget and what was learned.

        A model's proposals are kept only as reasons of their rejection or as calls that went through
        the dispatcher; the template's plan stands either way.
        """
        template = read_template(goal.goal_type)
        if template is None:
            raise ActionFailed(f"There is no plan template for {goal.goal_type}.")
        brief = _brief(goal, ctx)
        facts = goal.model_dump()
        plan = assemble(template, facts, ctx.agents(), heuristics or {}, brief, run_id=ctx.execution_id)
        added = {
            "cites": plan.cites + _cited(context),
            "reasons": plan.reasons + await _proposals(goal, analysis, plan, ctx),
        }
        return plan.model_copy(update=added)


def _analysis(goal: GoalFacts, *, missing: list[str], reason: str, explanation: str) -> Analysis:
    return Analysis(
        intent=INTENTS[goal.goal_type],
        goal_type=goal.goal_type,
        target_metrics=goal.target_metrics,
        missing_inputs=missing,
        feasibility=0.0 if reason else 1.0,
        blocked=bool(reason),
        reason=reason,
        explanation=explanation,
    )


def _brief(goal: GoalFacts, ctx: Context) -> dict[str, Any]:
    """Who writes and from where: the organization on record, or what the goal says instead."""
    names = ("sender_name", "sender_email", "postal_address", "unsubscribe_base")
    rows = ctx.records.fetch("organizations", columns=names, limit=1)
    return (rows[0] if rows else {}) | dict(goal.inputs.get("brief", {}))


def _cited(context: Any) -> list[str]:
    items = context.get("items", []) if isinstance(context, dict) else []
    return [item["item"]["id"] for item in items if "item" in item]


async def _proposals(goal: GoalFacts, analysis: Analysis, plan: Plan, ctx: Context) -> list[str]:
    """Ask the model for additions; each is judged by the dispatcher, none changes the plan's numbers."""
    prompt = json.dumps({"goal": goal.description, "intent": analysis.intent, "plan": plan.summary})
    tools = [f"{task.agent}.{task.action}" for task in plan.tasks]
    reply = await ctx.model.ask("plan_actions", prompt, tools=tools)
    outputs = await ctx.act_on(reply)
    return [
        f"the model proposed {call.agent}.{call.action}: {_fate(output)}"
        for call, output in zip(reply.tool_calls, outputs, strict=True)
    ]


def _fate(output: Any) -> str:
    refused = output.get("refused") if isinstance(output, dict) else None
    return f"rejected ({refused})" if refused else "looked up, and noted"
