"""Putting a plan together: agents chosen with a reason each, estimates, risks and the two workflows."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from dirigent.control.plan import Plan, RiskOfTask, Subgoal, Task
from dirigent.control.templates import CheckTemplate, GoalTemplate, TaskTemplate
from dirigent.domain.canonical import digest_of

RISK_SCORE = {"R0": 0.0, "R1": 0.2, "R2": 0.4, "R3": 0.7, "R4": 1.0}
RISK_REASON = {
    "R0": "computes or reads own data",
    "R1": "writes inside, can be undone",
    "R2": "reads outside or costs money",
    "R3": "reaches a person outside",
    "R4": "money, deletion or law",
}
ENOUGH_RUNS = 5
UNKNOWN_ACTION = {"risk": "R4", "effect": "at_most_once", "cost": 0.0}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The agent for a task, what its action declares, and why this one."""

    item: TaskTemplate
    agent: str
    facts: dict[str, Any]
    why: str


def assemble(
    template: GoalTemplate,
    goal: dict[str, Any],
    agents: list[dict[str, Any]],
    heuristics: dict[str, Any],
    brief: dict[str, Any],
    *,
    run_id: str,
) -> Plan:
    """Fill a template from the goal, the agents at hand and what was learned."""
    limit = goal.get("limit") or template.default_limit
    goal = {**goal, "limit": limit}
    chosen, dropped = _staff(template, goal, agents, heuristics)
    kept = [choice.item for choice in chosen]
    there = {item.step for item in kept}
    tasks = [_task(number, choice, heuristics, there) for number, choice in enumerate(chosen, start=1)]
    by_step = {task.step: task for task in tasks}
    risks = [_risk(task) for task in tasks]
    estimate = _critical_path(tasks, limit)
    plan_id = "plan_" + digest_of({"goal": goal, "run": run_id})[:12]
    return Plan(
        plan_id=plan_id,
        goal_type=template.goal_type,
        limit=limit,
        segment=goal.get("segment"),
        subgoals=_subgoals(template, tasks),
        tasks=tasks,
        edges=[(by_step[need].task_id, task.task_id) for task in tasks for need in task.depends_on],
        parallel=_parallel(tasks),
        risks=risks,
        risk=max(task.risk for task in tasks),
        estimate_s=round(estimate, 2),
        cost_max=sum(_cost(task, limit) for task in tasks),
        budget=goal.get("max_budget"),
        autonomy=goal["autonomy"],
        targets=goal.get("target_metrics", {}),
        reasons=[task.reason for task in tasks] + _learned(heuristics),
        cites=list(heuristics.get("cites", [])),
        dropped=dropped,
        summary=f"{len(tasks)} tasks in {len(template.subgoals)} subgoals for up to {limit} leads",
        brief=brief,
        work=_workflow(template, kept, by_step, "work"),
        release=_workflow(template, kept, by_step, "release"),
    )


def _staff(
    template: GoalTemplate, goal: dict[str, Any], agents: list[dict[str, Any]], heuristics: dict[str, Any]
) -> tuple[list[Choice], list[str]]:
    """An agent for every task; an optional task that nobody can do within the budget is left out."""
    left = goal.get("max_budget")
    chosen: list[Choice] = []
    dropped: list[str] = []
    for item in template.tasks:
        times = goal["limit"] if item.foreach else 1
        choice = _choose(item, agents, heuristics, None if left is None else left / times)
        cost = choice.facts["cost"] * times
        if item.optional and left is not None and cost > left:
            dropped.append(f"{item.step}: may cost {cost:g}, {left:g} is left of the budget")
            continue
        left = None if left is None else left - cost
        chosen.append(choice)
    return chosen, dropped


def _choose(
    item: TaskTemplate, agents: list[dict[str, Any]], heuristics: dict[str, Any], bound: float | None
) -> Choice:
    """The agent for a task and why: the one with the best record among those able and affordable."""
    able = {
        agent["agent"]: agent["actions"][item.action] for agent in agents if item.action in agent["actions"]
    }
    fitting = {name: facts for name, facts in able.items() if bound is None or facts["cost"] <= bound}
    rates = {name: _success(heuristics, name, item.action) for name in fitting}
    proven = {name: rate for name, rate in rates.items() if rate is not None}
    best = item.prefer
    if item.prefer not in fitting and fitting:
        best = min(fitting, key=lambda name: (-(proven.get(name) or 0.0), fitting[name]["cost"], name))
    elif item.prefer in proven:
        best = max(proven, key=lambda name: (proven[name], name == item.prefer))
    why = item.why
    if len(proven) > 1:
        why += "; success so far: " + ", ".join(f"{name} {rate:.0%}" for name, rate in sorted(proven.items()))
    return Choice(item=item, agent=best, facts=able.get(best, UNKNOWN_ACTION), why=why)


def _success(heuristics: dict[str, Any], agent: str, action: str) -> float | None:
    found = heuristics.get("success", {}).get(f"{agent}.{action}")
    return float(found["rate"]) if found and found["runs"] >= ENOUGH_RUNS else None


def _task(number: int, choice: Choice, heuristics: dict[str, Any], there: Collection[str]) -> Task:
    item, agent = choice.item, choice.agent
    learned = heuristics.get("durations", {}).get(f"{agent}.{item.action}")
    return Task(
        task_id=f"t{number}",
        subgoal_id=item.subgoal,
        step=item.step,
        phase=item.phase,
        agent=agent,
        action=item.action,
        depends_on=[need for need in item.needs if need in there],
        risk=choice.facts["risk"],
        estimate_s=float(learned if learned is not None else item.estimate_s),
        cost=choice.facts["cost"],
        per_lead=bool(item.foreach),
        reason=f"{item.step}: {agent}.{item.action}, {choice.why}",
    )


def _risk(task: Task) -> RiskOfTask:
    return RiskOfTask(
        task_id=task.task_id, risk=task.risk, score=RISK_SCORE[task.risk], reason=RISK_REASON[task.risk]
    )


def _cost(task: Task, limit: int) -> float:
    return task.cost * (limit if task.per_lead else 1)


def _critical_path(tasks: list[Task], limit: int) -> float:
    """Seconds from the first task to the last along the longest chain of dependencies."""
    done: dict[str, float] = {}
    for task in tasks:
        begins = max((done[need] for need in task.depends_on), default=0.0)
        done[task.step] = begins + task.estimate_s * (limit if task.per_lead else 1)
    return sum(
        max((done[task.step] for task in tasks if task.phase == phase), default=0.0)
        for phase in ("work", "release")
    )


def _parallel(tasks: list[Task]) -> list[list[str]]:
    """Tasks that wait for the same tasks run at the same time."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for task in tasks:
        groups.setdefault((task.phase, *task.depends_on), []).append(task.task_id)
    return [group for group in groups.values() if len(group) > 1]


def _subgoals(template: GoalTemplate, tasks: list[Task]) -> list[Subgoal]:
    return [
        Subgoal(id=name, title=title, tasks=[task.task_id for task in tasks if task.subgoal_id == name])
        for name, title in template.subgoals.items()
    ]


def _learned(heuristics: dict[str, Any]) -> list[str]:
    return [f"learned: {signal['key']} {signal['effect']}" for signal in heuristics.get("signals", [])]


def _workflow(
    template: GoalTemplate,
    kept: list[TaskTemplate],
    tasks: dict[str, Task],
    phase: str,
) -> dict[str, Any]:
    """The definition that carries out one phase, as data."""
    items = [item for item in kept if item.phase == phase]
    there = {item.step for item in items}
    checks = [check for check in template.checks if check.after in there]
    steps = [_step(item, tasks[item.step], tasks.keys()) for item in items]
    return {
        "name": f"{template.goal_type.lower()}_{phase}",
        "type": "hybrid",
        "steps": steps + [_check_step(check) for check in checks],
        "connections": _connections(items, checks, there),
        "output": {item.step: f"${{has(steps.{item.step}) ? steps.{item.step} : null}}" for item in items}
        | {"timings": "${run.timings}"},
    }


def _step(item: TaskTemplate, task: Task, steps: Collection[str]) -> dict[str, Any]:
    step: dict[str, Any] = {
        "id": item.step,
        "type": "agent",
        "agent_type": task.agent,
        "action": task.action,
        "parameters": {name: _without_left_out(value, steps) for name, value in item.parameters.items()},
        **item.settings,
    }
    return step | ({"foreach": item.foreach} if item.foreach else {})


def _without_left_out(value: Any, steps: Collection[str]) -> Any:
    """A parameter that rests on a task which was left out is empty."""
    left_out = isinstance(value, str) and (found := re.match(r"\$\{steps\.(\w+)", value))
    return None if left_out and found and found.group(1) not in steps else value


def _check_step(check: CheckTemplate) -> dict[str, Any]:
    return {
        "id": check.step,
        "type": "validation",
        "conditions": [check.condition],
        "parameters": {"code": check.code, "message": check.message},
        "ends_as": "blocked",
    }


def _connections(
    items: list[TaskTemplate], checks: list[CheckTemplate], there: set[str]
) -> list[dict[str, str]]:
    edges = [(need, item.step) for item in items for need in item.needs if need in there]
    for check in checks:
        guarded = {(check.after, target) for target in check.before}
        edges = [edge for edge in edges if edge not in guarded]
        edges.append((check.after, check.step))
        edges += [(check.step, target) for target in check.before if target in there]
    return [{"from": source, "to": target} for source, target in edges]
