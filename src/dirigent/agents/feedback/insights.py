"""What all feedback together says, each point with items that show it; no customer's words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from dirigent.agents.feedback.reading import Reading
from dirigent.agents.feedback.signs import CRITICAL
from dirigent.agents.feedback.trends import Trend
from dirigent.domain.shape import Shape

EXAMPLES_MAX = 5
TOPICS_MAX = 3
MENTIONS_MIN = 2

Kind = Literal["mood", "complaint", "praise", "trend", "critical", "contradiction", "language", "undated"]

_WHAT = {
    "sentiment": "The mood",
    "negative_share": "The share of bad feedback",
    "rating": "The rating",
    "volume": "The number of items a week",
}


class Insight(Shape):
    """One point: its kind, a sentence, and up to five items that show it, by id."""

    kind: Kind
    text: str
    ids: list[str]


def insights_of(readings: Sequence[Reading], trends: Sequence[Trend]) -> list[Insight]:
    """What stands out, the whole first."""
    return [
        *_critical(readings),
        *_mood(readings),
        *_topics(readings, "negative", "complaint", "Complaints are about"),
        *_topics(readings, "positive", "praise", "Praise is for"),
        *(_changing(trend) for trend in trends if trend.direction != "none"),
        *_doubts(readings),
    ]


def _critical(readings: Sequence[Reading]) -> Iterator[Insight]:
    found = [reading for reading in readings if reading.urgency == "critical"]
    if found:
        signs = sorted({sign for reading in found for sign in reading.signs if sign in CRITICAL})
        text = f"{_count(len(found))} a person's attention now: {', '.join(signs).replace('_', ' ')}."
        yield Insight(kind="critical", text=text, ids=_ids(found))


def _mood(readings: Sequence[Reading]) -> Iterator[Insight]:
    labels = [reading.mood.label for reading in readings]
    if labels:
        counts = {label: labels.count(label) for label in ("positive", "neutral", "negative")}
        told = ", ".join(f"{count} {label}" for label, count in counts.items())
        yield Insight(kind="mood", text=f"Of {len(labels)}: {told}.", ids=[])


def _topics(readings: Sequence[Reading], label: str, kind: Kind, words: str) -> Iterator[Insight]:
    by_topic: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        if reading.mood.label == label:
            for topic in reading.topics:
                by_topic[topic].append(reading)
    ranked = sorted(by_topic.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    total = sum(reading.mood.label == label for reading in readings)
    for topic, found in ranked[:TOPICS_MAX]:
        if len(found) >= MENTIONS_MIN:
            text = f"{words} {topic} in {len(found)} of {total} {label} items."
            yield Insight(kind=kind, text=text, ids=_ids(found))


def _changing(trend: Trend) -> Insight:
    text = (
        f"{_WHAT[trend.metric]} is {trend.direction} over {trend.weeks} weeks, by {trend.slope:+.3g} a week "
        f"(p = {trend.p_value:.2g})."
    )
    return Insight(kind="trend", text=text, ids=[])


def _doubts(readings: Sequence[Reading]) -> Iterator[Insight]:
    contradictory = [reading for reading in readings if reading.mood.contradictory]
    if contradictory:
        text = f"In {len(contradictory)}, words and rating contradict each other."
        yield Insight(kind="contradiction", text=text, ids=_ids(contradictory))
    foreign = [reading for reading in readings if reading.tongue.foreign]
    if foreign:
        names = ", ".join(sorted({reading.tongue.name for reading in foreign}))
        text = f"{len(foreign)} are not in English ({names}), and their words were not understood."
        yield Insight(kind="language", text=text, ids=_ids(foreign))
    undated = sum(reading.item.at is None for reading in readings)
    if 0 < undated < len(readings):
        text = f"{undated} have no time and count in no trend."
        yield Insight(kind="undated", text=text, ids=[])


def _count(number: int) -> str:
    return "1 item needs" if number == 1 else f"{number} items need"


def _ids(readings: Iterable[Reading]) -> list[str]:
    return [reading.item.id for reading in readings][:EXAMPLES_MAX]
