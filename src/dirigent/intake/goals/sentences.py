"""What a sentence asks for: goal type, metrics, numbers and deadline. A grammar of words, no model."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from dirigent.domain.goal import GoalType

TYPE_PATTERNS: tuple[tuple[GoalType, re.Pattern[str]], ...] = (
    (GoalType.BUILD_ICP, re.compile(r"\bicp\b|ideal customer profile", re.I)),
    (
        GoalType.OPTIMIZE_SEQUENCE,
        re.compile(r"\b(a/b|ab) test|\b(optimi[sz]e|improve)\b.*\b(sequence|outreach|subject)", re.I),
    ),
    (
        GoalType.REVIVE_PIPELINE,
        re.compile(r"\b(re-?activate|revive|re-?engage|win back|wake)\b|\bdormant\b|\blapsed\b", re.I),
    ),
    (GoalType.INCREASE_MEETINGS, re.compile(r"\bmeetings?\b|\bdemos?\b", re.I)),
)
METRIC_WORDS: tuple[tuple[str, str], ...] = (
    ("meetings_booked", r"meetings?|demos?"),
    ("reply_rate", r"reply rate|response rate"),
    ("open_rate", r"open rate"),
    ("conversion_rate", r"conversion(?: rate)?"),
    ("revenue", r"revenue|sales"),
)
DEFAULT_METRIC = {GoalType.INCREASE_MEETINGS: "meetings_booked"}
LIMIT = re.compile(r"\b(\d{1,6})\s+(?:[a-z-]+\s+){0,3}?(?:leads?|customers?|accounts?|clients?)\b", re.I)
SEGMENT = re.compile(r"\b(enterprise|mid-market|smb|small)\b", re.I)


@dataclass(frozen=True)
class Understanding:
    """What was read out of a sentence. `confidence` is 0.9 with a number or metric, else 0.7."""

    goal_type: GoalType | None
    target_metrics: dict[str, Any] = field(default_factory=dict)
    limit: int | None = None
    segment: str | None = None
    deadline: date | None = None
    confidence: float = 0.0


def understand(sentence: str, today: date) -> Understanding:
    """Read a sentence; `goal_type` is None where it names no goal that is known."""
    goal_type = next((kind for kind, pattern in TYPE_PATTERNS if pattern.search(sentence)), None)
    metrics = _metrics(sentence, goal_type)
    limit = LIMIT.search(sentence)
    segment = SEGMENT.search(sentence)
    known = bool(metrics or limit)
    return Understanding(
        goal_type=goal_type,
        target_metrics=metrics,
        limit=int(limit.group(1)) if limit else None,
        segment=segment.group(1).lower() if segment else None,
        deadline=_deadline(sentence, today),
        confidence=0.0 if goal_type is None else 0.9 if known else 0.7,
    )


def _metrics(sentence: str, goal_type: GoalType | None) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for name, words in METRIC_WORDS:
        value = _metric_value(sentence, words, rate=name.endswith("_rate"))
        if value is not None:
            metrics[name] = value
    change = re.search(r"\bby\s+(\d+(?:\.\d+)?)\s*(?:%|percent)", sentence, re.I)
    if change and not metrics:
        default = DEFAULT_METRIC.get(goal_type) if goal_type else None
        named = next((name for name, words in METRIC_WORDS if re.search(words, sentence, re.I)), default)
        if named:
            metrics[named] = {"relative_change": _share(change.group(1))}
    return metrics


def _metric_value(sentence: str, words: str, *, rate: bool) -> float | None:
    if rate:
        found = re.search(rf"(?:{words})\s+(?:of|to|at)\s+(\d+(?:\.\d+)?)\s*(%|percent)?", sentence, re.I)
        if not found:
            return None
        return _share(found.group(1)) if found.group(2) else float(found.group(1))
    counted = re.search(rf"\b(\d+)\s+(?:[a-z-]+\s+)?(?:{words})\b", sentence, re.I)
    return float(counted.group(1)) if counted else None


def _share(percent: str) -> float:
    return round(float(percent) / 100, 6)


def _deadline(sentence: str, today: date) -> date | None:
    named = re.search(r"\b(?:by|until)\s+(\d{4}-\d{2}-\d{2})\b", sentence)
    if named:
        return date.fromisoformat(named.group(1))
    days = re.search(r"\b(?:within|in)\s+(\d{1,4})\s+(day|week)s?\b", sentence, re.I)
    if days:
        return today + timedelta(days=int(days.group(1)) * (7 if days.group(2).lower() == "week" else 1))
    period = re.search(r"\bthis\s+(week|month|quarter|year)\b", sentence, re.I)
    return _end_of(period.group(1).lower(), today) if period else None


def _end_of(period: str, today: date) -> date:
    if period == "week":
        return today + timedelta(days=6 - today.weekday())
    last_month = {"month": today.month, "quarter": (today.month + 2) // 3 * 3, "year": 12}[period]
    following = date(today.year + last_month // 12, last_month % 12 + 1, 1)
    return following - timedelta(days=1)
