"""Workflows written in Python: the very same definitions that YAML files make.

>>> from dirigent.workflow import agent, condition, approval, input_, workflow
>>> score = agent("score", "lead_scorer", "score_lead", {"lead": input_.lead})
>>> good = condition("good", score.output.value >= 60)
>>> ask = approval("ask", {"reason": f"Write to {input_.lead.name}?"}, timeout="1d")
>>> workflow("ask about a lead", score >> good, good.true >> ask).name
'ask about a lead'
"""

from __future__ import annotations

from dirigent.workflow.assembling import workflow
from dirigent.workflow.expressions import (
    Expression,
    choose,
    contains,
    event,
    expr,
    has,
    index,
    input_,
    item,
    matches,
    one_of,
    run,
    scheduled_at,
    size,
)
from dirigent.workflow.starting import on_api, on_demand, on_event, on_schedule, on_webhook
from dirigent.workflow.steps import (
    Step,
    agent,
    approval,
    condition,
    emit,
    http,
    notify,
    retry,
    step,
    subworkflow,
    transform,
    undo,
    validation,
    wait,
    wait_for_event,
)

__all__ = [
    "Expression",
    "Step",
    "agent",
    "approval",
    "choose",
    "condition",
    "contains",
    "emit",
    "event",
    "expr",
    "has",
    "http",
    "index",
    "input_",
    "item",
    "matches",
    "notify",
    "on_api",
    "on_demand",
    "on_event",
    "on_schedule",
    "on_webhook",
    "one_of",
    "retry",
    "run",
    "scheduled_at",
    "size",
    "step",
    "subworkflow",
    "transform",
    "undo",
    "validation",
    "wait",
    "wait_for_event",
    "workflow",
]
