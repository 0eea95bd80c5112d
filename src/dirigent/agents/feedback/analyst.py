"""The feedback analyst: how customers feel, what about, what changes, and what could be answered."""

from __future__ import annotations

from functools import cache
from statistics import fmean
from typing import Annotated

from pydantic import Field

from dirigent.agents.feedback.insights import Insight, insights_of
from dirigent.agents.feedback.items import Feedback, Items, check_ids
from dirigent.agents.feedback.reading import DEFAULT_TAXONOMY, Reading, Urgency, read_item
from dirigent.agents.feedback.replies import Reply, ReplyPolicy, ReplyTone, reply_to
from dirigent.agents.feedback.signs import Sign
from dirigent.agents.feedback.trends import Trend, weekly_trends
from dirigent.agents.language.categories import OTHER, Categoriser, checked_taxonomy
from dirigent.agents.language.sentiment import Label
from dirigent.agents.language.tongue import tongue_of
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.shape import Shape
from dirigent.security.admission import action, agent

NOTHING = "There is no feedback to look at."

Share = Annotated[float, Field(ge=0, le=1)]
Sentiment = Annotated[float, Field(ge=-1, le=1)]
Taxonomy = Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=200)]


class Analysed(Shape):
    """One item: the mood from -1 to 1, how sure that is, what it is about, who should look how soon, why.

    `language` is its code where it could be told. `notes` say what makes the mood less sure.
    """

    id: str
    sentiment: Sentiment
    label: Label
    confidence: Share
    topics: list[str]
    urgency: Urgency
    signs: list[Sign]
    language: str | None
    notes: list[str]


class Analysis(Shape):
    """Every item, and all together: the mean mood (0 where there is none), counts, trends, insights."""

    results: list[Analysed]
    sentiment: Sentiment
    labels: dict[Label, int]
    trends: list[Trend]
    insights: list[Insight]
    reason: str | None = None


class Sorted(Shape):
    """The category of one item, how sure that is, and why it has none."""

    id: str
    category: str
    confidence: Share
    note: str | None = None


class Categories(Shape):
    """The category of each item, in the taxonomy that was used."""

    categories: list[Sorted]
    taxonomy: list[str]
    reason: str | None = None


@agent(
    "feedback-analyst",
    domain="feedback",
    aliases=(
        "FeedbackAnalystAgent",
        "Feedback Analyst Agent",
        "Feedback Analyst",
        "NewFeedbackAnalystAgent",
        "feedback_analyst",
    ),
)
class FeedbackAnalystAgent:
    """Reads what customers say, finds what it is about and what changes, and suggests answers."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    def analyze_feedback(self, items: Items, taxonomy: Taxonomy | None = None) -> Analysis:
        """Say of each item how it sounds, what it is about and how urgent it is; of all, trends and insights.

        Topics come from the taxonomy, or from a general one. Raises `InvalidInput` where two items have one
        id, or the taxonomy is none.
        """
        check_ids(items)
        categoriser = _categoriser(taxonomy)
        readings = [read_item(item, categoriser) for item in items]
        trends = weekly_trends(readings)
        return Analysis(
            results=[_analysed(reading) for reading in readings],
            sentiment=round(fmean(one.mood.sentiment for one in readings), 4) if readings else 0.0,
            labels=_counts(readings),
            trends=trends,
            insights=insights_of(readings, trends),
            reason=None if readings else NOTHING,
        )

    @action(risk=Risk.R0, effect=Effect.PURE)
    def categorize_feedback(self, items: Items, taxonomy: Taxonomy | None = None) -> Categories:
        """Put each item into one category of the taxonomy, by its words; into `other` where none fits.

        Any words will do for a taxonomy; without one it is a general one. Raises `InvalidInput` where two
        items have one id, or the taxonomy is none.
        """
        check_ids(items)
        categoriser = _categoriser(taxonomy)
        return Categories(
            categories=[_sorted(item, categoriser) for item in items],
            taxonomy=list(categoriser.taxonomy),
            reason=None if items else NOTHING,
        )

    @action(risk=Risk.R1, effect=Effect.PURE)
    def generate_response(
        self, item: Feedback, tone: ReplyTone = "friendly", policy: ReplyPolicy | None = None
    ) -> Reply:
        """Suggest an answer, and say whether a person has to decide on it. Nothing is sent.

        It states nothing but what the policy allows to be stated, promises nothing, and repeats none of the
        customer's words.
        """
        rules = policy or ReplyPolicy()
        return reply_to(read_item(item, _categoriser(rules.taxonomy)), tone, rules)


def _categoriser(taxonomy: list[str] | None) -> Categoriser:
    return _general() if taxonomy is None else Categoriser(checked_taxonomy(taxonomy))


@cache
def _general() -> Categoriser:
    return Categoriser(DEFAULT_TAXONOMY)


def _counts(readings: list[Reading]) -> dict[Label, int]:
    counts: dict[Label, int] = {"positive": 0, "neutral": 0, "negative": 0}
    for reading in readings:
        counts[reading.mood.label] += 1
    return counts


def _analysed(reading: Reading) -> Analysed:
    return Analysed(
        id=reading.item.id,
        sentiment=reading.mood.sentiment,
        label=reading.mood.label,
        confidence=reading.mood.confidence,
        topics=list(reading.topics),
        urgency=reading.urgency,
        signs=list(reading.signs),
        language=reading.tongue.code,
        notes=list(reading.mood.notes),
    )


def _sorted(item: Feedback, categoriser: Categoriser) -> Sorted:
    if not item.text.strip():
        return Sorted(id=item.id, category=OTHER, confidence=0.0, note="There are no words.")
    found = categoriser.find(item.text)
    tongue = tongue_of(item.text)
    note = None
    if found.category == OTHER:
        foreign = f"; it seems to be in {tongue.name}" if tongue.foreign else ""
        note = f"No word of it speaks for a category{foreign}."
    return Sorted(id=item.id, category=found.category, confidence=found.confidence, note=note)
