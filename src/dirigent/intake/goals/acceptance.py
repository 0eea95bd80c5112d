"""From what was handed in to a goal: checked field by field, every error with its field and its fix."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from dirigent.domain.errors import GoalNotUnderstood, InvalidInput
from dirigent.domain.goal import Goal, GoalType, canonical_metric
from dirigent.domain.policy import Autonomy, clamp
from dirigent.intake.goals.sentences import Understanding, understand

FIELDS = (
    "goal_type",
    "description",
    "target_metrics",
    "constraints",
    "org_id",
    "tenant_id",
    "user_id",
    "inputs",
)
CONSTRAINTS = ("autonomy_level", "max_budget", "deadline", "limit", "segment")
DESCRIPTION_MAX = 10_000
WORD_MAX = 200
LIMIT_MAX = 10_000
NUMBER_MAX = 1e15
QUESTION = (
    "Which goal is it: reactivate dormant leads, increase meetings, optimize a sequence, or build an ICP?"
)


def accept_goal(
    payload: Mapping[str, Any] | Goal | str,
    *,
    today: date,
    default_tenant: str,
    actor: str,
    default_autonomy: Autonomy,
    max_autonomy: Callable[[str], Autonomy],
) -> Goal:
    """Check and complete what was handed in; raises `InvalidInput` or `GoalNotUnderstood`."""
    given = _given(payload)
    _known(given, FIELDS, "")
    constraints = _mapping(given, "constraints")
    _known(constraints, CONSTRAINTS, "constraints.")
    description = _description(given)
    read = understand(description, today)
    tenant = _word(given, "org_id") or _word(given, "tenant_id") or default_tenant
    requested = _autonomy(constraints, default_autonomy)
    return Goal(
        goal_type=_goal_type(given, read),
        description=description,
        tenant=tenant,
        target_metrics=_metrics(given, read),
        autonomy_requested=requested,
        autonomy=clamp(requested, max_autonomy(tenant)),
        max_budget=_budget(constraints),
        user=_word(given, "user_id") or actor,
        deadline=_deadline(constraints, read),
        limit=_limit(constraints, read),
        segment=_word(constraints, "segment", "constraints.") or read.segment,
        inputs=_mapping(given, "inputs"),
        interpreted=None if given.get("goal_type") else _interpreted(read),
    )


def _given(payload: Mapping[str, Any] | Goal | str) -> dict[str, Any]:
    if isinstance(payload, str):
        return {"description": payload}
    return _written(payload) if isinstance(payload, Goal) else dict(payload)


def _written(goal: Goal) -> dict[str, Any]:
    """A goal made in Python, as it would be written in a file."""
    constraints = {
        "autonomy_level": goal.autonomy_requested.value,
        "max_budget": goal.max_budget,
        "deadline": goal.deadline,
        "limit": goal.limit,
        "segment": goal.segment,
    }
    return {
        "goal_type": goal.goal_type.value,
        "description": goal.description,
        "target_metrics": goal.target_metrics,
        "constraints": {name: value for name, value in constraints.items() if value is not None},
        "org_id": goal.tenant or None,
        "user_id": goal.user or None,
        "inputs": goal.inputs,
    }


def _known(given: Mapping[str, Any], names: tuple[str, ...], prefix: str) -> None:
    for name in given:
        if name not in names:
            nearest = difflib.get_close_matches(str(name), names, n=1)
            fix = f"Did you mean {nearest[0]!r}?" if nearest else f"Known fields: {', '.join(names)}."
            raise InvalidInput(f"The goal has no field {prefix}{name}.", fix=fix, field=f"{prefix}{name}")


def _mapping(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = given.get(name) or {}
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{name} is {value!r}.", fix="It must be an object with named values.", field=name)
    return dict(value)


def _word(given: Mapping[str, Any], name: str, prefix: str = "") -> str:
    """A short text, or nothing."""
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > WORD_MAX or not value.isprintable():
        fix = f"It must be a text of at most {WORD_MAX} characters."
        raise InvalidInput(f"{prefix}{name} is {value!r}.", fix=fix, field=f"{prefix}{name}")
    return value.strip()


def _description(given: Mapping[str, Any]) -> str:
    value = given.get("description") or ""
    if not isinstance(value, str) or len(value) > DESCRIPTION_MAX:
        fix = f"Write a sentence of at most {DESCRIPTION_MAX} characters."
        raise InvalidInput("description is not a sentence.", fix=fix, field="description")
    return value.strip()


def _goal_type(given: Mapping[str, Any], read: Understanding) -> GoalType:
    named = given.get("goal_type")
    if named is None:
        if read.goal_type is None:
            said = given.get("description") or ""
            message = f"The goal {said!r} was not understood." if said else "The goal has no goal_type."
            raise GoalNotUnderstood(message, fix=QUESTION, field="description" if said else "goal_type")
        return read.goal_type
    try:
        return GoalType(str(named).upper())
    except ValueError:
        choices = ", ".join(GoalType)
        raise InvalidInput(
            f"The goal type {named!r} is not known.", fix=f"Use one of: {choices}.", field="goal_type"
        ) from None


def _metrics(given: Mapping[str, Any], read: Understanding) -> dict[str, Any]:
    metrics = _mapping(given, "target_metrics") or read.target_metrics
    return {canonical_metric(str(name)): _target(str(name), value) for name, value in metrics.items()}


def _target(name: str, value: Any) -> Any:
    if isinstance(value, Mapping) and set(value) == {"relative_change"}:
        return {
            "relative_change": _number(value["relative_change"], f"target_metrics.{name}.relative_change")
        }
    number = _number(value, f"target_metrics.{name}")
    if number < 0:
        raise InvalidInput(
            f"target_metrics.{name} is {number:g}.",
            fix="A target is zero or more.",
            field=f"target_metrics.{name}",
        )
    return value


def _number(value: Any, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= NUMBER_MAX:
        raise InvalidInput(f"{field} is {value!r}.", fix="It must be a number.", field=field)
    return float(value)


def _autonomy(constraints: Mapping[str, Any], default: Autonomy) -> Autonomy:
    named = constraints.get("autonomy_level")
    if named is None:
        return default
    try:
        return Autonomy(str(named).upper())
    except ValueError:
        raise InvalidInput(
            f"The autonomy level {named!r} is not known.",
            fix="Use L0 (simulate), L1 (ask), L2 (act inside policy, ask above) or L3 (act inside policy).",
            field="constraints.autonomy_level",
        ) from None


def _budget(constraints: Mapping[str, Any]) -> float | None:
    value = constraints.get("max_budget")
    if value is None:
        return None
    budget = _number(value, "constraints.max_budget")
    if budget < 0:
        raise InvalidInput(
            f"constraints.max_budget is {budget:g}.",
            fix="A budget is zero or more.",
            field="constraints.max_budget",
        )
    return budget


def _limit(constraints: Mapping[str, Any], read: Understanding) -> int | None:
    value = constraints.get("limit", read.limit)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LIMIT_MAX:
        raise InvalidInput(
            f"The number of leads is {value!r}.",
            fix=f"Ask for 1 to {LIMIT_MAX}.",
            field="constraints.limit" if "limit" in constraints else "description",
        )
    return value


def _deadline(constraints: Mapping[str, Any], read: Understanding) -> str | None:
    value = constraints.get("deadline")
    if value is None:
        return read.deadline.isoformat() if read.deadline else None
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise InvalidInput(
            f"constraints.deadline is {value!r}.", fix="Write it as YYYY-MM-DD.", field="constraints.deadline"
        ) from None


def _interpreted(read: Understanding) -> dict[str, Any]:
    return {
        "goal_type": read.goal_type.value if read.goal_type else None,
        "target_metrics": read.target_metrics,
        "deadline": read.deadline.isoformat() if read.deadline else None,
        "confidence": read.confidence,
    }
