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
    previous,
    result,
    run,
    scheduled_at,
    size,
)
from dirigent.workflow.kinds import (
    agent,
    approval,
    condition,
    emit,
    foreach,
    http,
    loop,
    notify,
    parallel,
    subworkflow,
    switch,
    transform,
    validation,
    wait,
    wait_for_event,
)
from dirigent.workflow.starting import on_api, on_demand, on_event, on_schedule, on_webhook
from dirigent.workflow.steps import Step, case, instead, retry, step, undo

__all__ = [
    "Expression",
    "Step",
    "agent",
    "approval",
    "case",
    "choose",
    "condition",
    "contains",
    "emit",
    "event",
    "expr",
    "foreach",
    "has",
    "http",
    "index",
    "input_",
    "instead",
    "item",
    "loop",
    "matches",
    "notify",
    "on_api",
    "on_demand",
    "on_event",
    "on_schedule",
    "on_webhook",
    "one_of",
    "parallel",
    "previous",
    "result",
    "retry",
    "run",
    "scheduled_at",
    "size",
    "step",
    "subworkflow",
    "switch",
    "transform",
    "undo",
    "validation",
    "wait",
    "wait_for_event",
    "workflow",
]
