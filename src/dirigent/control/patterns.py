"""Patterns: which conditions went with success, and by how much.

The lift of a condition is its share of successes over the share of all that were tried (Brin, Motwani,
Ullman and Tsur 1997). A pattern is promoted when it has enough samples and its share exceeds that of
all others with 95 % confidence (pooled two-proportion test). A pattern somebody stated is taken as said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import ValidationError

from dirigent.control.assessment import Count, Share, Trial
from dirigent.control.statistics import difference_confidence
from dirigent.domain.shape import Excerpt, Shape
from dirigent.ports import MemoryItem

PATTERN: Final = "pattern"
SAMPLES_MIN: Final = 50
PROMOTED_FROM: Final = 0.95
SOURCES_MAX: Final = 20
# "referral strategy: reply rate 0.3", as a person writes it down
_SENTENCE = re.compile(
    r"^(?P<value>[\w-]+) (?P<condition>\w+): (?P<measure>[a-z][a-z _]*?) (?P<share>[01](?:\.\d+)?)$", re.I
)


class PatternEffect(Shape):
    """What goes with the conditions: a measure and its share."""

    measure: str
    value: float


class Pattern(Shape):
    """Conditions and what goes with them.

    `samples` is how often they were tried; `lift` is None where there is nothing to compare with.
    `confidence` is that the share exceeds that of all others. `basis` tells patterns recognised in
    outcomes from stated ones; `sources` are the memories behind it, at most 20.
    """

    name: str
    conditions: dict[str, str]
    effect: PatternEffect
    samples: Count
    lift: float | None
    confidence: Share
    promoted: bool
    basis: Literal["outcomes", "stated"]
    sources: list[str]


class _Stated(Excerpt):
    """The data of a memory that states a pattern."""

    goal_type: str | None = None
    conditions: dict[str, str]
    effect: PatternEffect
    samples: Count = 0
    lift: float | None = None


@dataclass
class _Tally:
    trials: int = 0
    successes: int = 0
    sources: list[str] = field(default_factory=list)


def recognize(tried: Iterable[tuple[Trial, str]], samples_min: int = SAMPLES_MIN) -> list[Pattern]:
    """Patterns in what was tried, each trial with the memory it is from; the greatest lift first.

    Conditions compete with those that name the same things and have the same measure.
    """
    groups: dict[tuple[str, tuple[str, ...]], dict[tuple[str, ...], _Tally]] = {}
    for trial, source in tried:
        names = tuple(sorted(trial.conditions))
        values = tuple(trial.conditions[name] for name in names)
        tally = groups.setdefault((trial.measure, names), {}).setdefault(values, _Tally())
        tally.trials += trial.trials
        tally.successes += trial.successes
        tally.sources += [source] if source and source not in tally.sources else []
    found = [
        _pattern(measure, dict(zip(names, values, strict=True)), tally, list(rivals.values()), samples_min)
        for (measure, names), rivals in groups.items()
        for values, tally in rivals.items()
        if tally.trials
    ]
    return sorted(found, key=lambda pattern: (-(pattern.lift or 0.0), pattern.name))


def read_stated(items: Iterable[MemoryItem], goal_type: str) -> list[Pattern]:
    """Patterns that memories of the kind `pattern` state, in their data or as a sentence.

    The sentence reads `referral strategy: reply rate 0.3`. What is stated for another goal type, or
    cannot be read, is passed over.
    """
    found = ((item, _stated(item)) for item in items)
    return [
        Pattern(
            name=_named(stated.conditions, stated.effect),
            conditions=stated.conditions,
            effect=stated.effect,
            samples=stated.samples,
            lift=stated.lift,
            confidence=1.0,
            promoted=True,
            basis="stated",
            sources=[item.id],
        )
        for item, stated in found
        if stated is not None and stated.goal_type in (None, goal_type)
    ]


def _pattern(
    measure: str, conditions: dict[str, str], tally: _Tally, rivals: Sequence[_Tally], samples_min: int
) -> Pattern:
    trials = sum(rival.trials for rival in rivals)
    successes = sum(rival.successes for rival in rivals)
    share = tally.successes / tally.trials
    others = trials - tally.trials
    confidence = difference_confidence(tally.successes, tally.trials, successes - tally.successes, others)
    effect = PatternEffect(measure=measure, value=share)
    return Pattern(
        name=_named(conditions, effect),
        conditions=conditions,
        effect=effect,
        samples=tally.trials,
        lift=share * trials / successes if others and successes else None,
        confidence=confidence,
        promoted=tally.trials >= samples_min and confidence >= PROMOTED_FROM,
        basis="outcomes",
        sources=tally.sources[:SOURCES_MAX],
    )


def _stated(item: MemoryItem) -> _Stated | None:
    data: Mapping[str, Any] = item.data if "conditions" in item.data else _read_sentence(item.text)
    try:
        return _Stated.model_validate(dict(data))
    except ValidationError:
        return None


def _read_sentence(text: str) -> dict[str, Any]:
    found = _SENTENCE.match(text.strip().rstrip("."))
    if found is None:
        return {}
    measure = found["measure"].strip().lower().replace(" ", "_")
    return {
        "conditions": {found["condition"].lower(): found["value"].lower()},
        "effect": {"measure": measure, "value": float(found["share"])},
    }


def _named(conditions: Mapping[str, str], effect: PatternEffect) -> str:
    words = ", ".join(f"{value} {name}" for name, value in sorted(conditions.items()))
    return f"{words}: {effect.measure.replace('_', ' ')} {effect.value:.2g}"
