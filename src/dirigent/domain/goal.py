"""A goal as handed in, and the catalogue of metrics it may aim at."""

from __future__ import annotations

import difflib
import enum
from typing import Any

import msgspec

from dirigent.domain.errors import InvalidInput
from dirigent.domain.policy import Autonomy


class GoalType(enum.StrEnum):
    """The kinds of goal that can be named."""

    REVIVE_PIPELINE = "REVIVE_PIPELINE"
    INCREASE_MEETINGS = "INCREASE_MEETINGS"
    OPTIMIZE_SEQUENCE = "OPTIMIZE_SEQUENCE"
    BUILD_ICP = "BUILD_ICP"


METRIC_ALIASES: dict[str, str] = {
    "meetings_booked": "meetings_booked",
    "meetings": "meetings_booked",
    "reply_rate": "reply_rate",
    "replies": "replies",
    "open_rate": "open_rate",
    "messages_sent": "messages_sent",
    "leads_reactivated": "leads_reactivated",
    "revenue": "revenue",
    "conversion_rate": "conversion_rate",
    "confidence": "confidence",
}


def canonical_metric(name: str) -> str:
    """The catalogue name of a metric, or an error with the nearest names."""
    known = METRIC_ALIASES.get(name.strip().lower())
    if known is None:
        nearest = difflib.get_close_matches(name.lower(), METRIC_ALIASES, n=3, cutoff=0.4)
        choices = ", ".join(nearest or sorted(set(METRIC_ALIASES.values())))
        raise InvalidInput(
            f"The metric {name!r} is not known.",
            fix=f"Use one of: {choices}.",
            field=f"target_metrics.{name}",
        )
    return known


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A goal after its words were understood: metrics carry catalogue names, the level is effective.

    `target_metrics` maps a metric to a number, or to `{"relative_change": x}`. `max_budget` is in
    the tenant's currency; None means no bound was asked for. `interpreted` says what was read out of
    a sentence, and how surely.
    """

    goal_type: GoalType
    description: str = ""
    tenant: str = ""
    target_metrics: dict[str, Any] = {}
    autonomy_requested: Autonomy = Autonomy.L1
    autonomy: Autonomy = Autonomy.L1
    max_budget: float | None = None
    user: str = ""
    deadline: str | None = None
    limit: int | None = None
    segment: str | None = None
    inputs: dict[str, Any] = {}
    interpreted: dict[str, Any] | None = None
