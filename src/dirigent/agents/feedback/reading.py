"""One piece of feedback, read: how it sounds, what it is about, and how soon somebody should look."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from dirigent.agents.feedback.items import RATING_MAX, RATING_MIN, Feedback
from dirigent.agents.feedback.signs import CRITICAL, GRAVE, Sign, signs_of
from dirigent.agents.language.categories import Categoriser
from dirigent.agents.language.sentiment import NEUTRAL_MAX, Label, Tone, tone_of
from dirigent.agents.language.tongue import Tongue, tongue_of

Urgency = Literal["low", "normal", "high", "critical"]

DEFAULT_TAXONOMY = (
    "delivery",
    "price",
    "quality",
    "customer service",
    "taste",
    "returns",
    "packaging",
    "website",
    "availability",
    "atmosphere",
)
VERY_NEGATIVE = -0.7
FOREIGN_CONFIDENCE = 0.25
RATING_CONFIDENCE = 0.8
CONTRADICTION_CONFIDENCE = 0.4

_WORDS = re.compile(r"\w+")


class Mood(msgspec.Struct, frozen=True, kw_only=True):
    """How feedback sounds, -1 to 1, how sure that is, 0 to 1, and what makes it less sure."""

    sentiment: float
    confidence: float
    notes: tuple[str, ...] = ()
    contradictory: bool = False

    @property
    def label(self) -> Label:
        """The mood in a word."""
        if abs(self.sentiment) <= NEUTRAL_MAX:
            return "neutral"
        return "positive" if self.sentiment > 0 else "negative"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What was read in one item."""

    item: Feedback
    mood: Mood
    tongue: Tongue
    topics: tuple[str, ...]
    signs: tuple[Sign, ...]
    urgency: Urgency


def read_item(item: Feedback, categoriser: Categoriser) -> Reading:
    """Read one item. Takes time in proportion to the length of its text."""
    tongue = tongue_of(item.text)
    mood = mood_of(item, tongue)
    signs = signs_of(item.text)
    return Reading(
        item=item,
        mood=mood,
        tongue=tongue,
        topics=tuple(categoriser.find(item.text).topics),
        signs=signs,
        urgency=_urgency(item, mood, signs),
    )


def mood_of(item: Feedback, tongue: Tongue) -> Mood:
    """The mood of words and rating together, half each where both say something.

    The confidence is how often such a score was right among labelled reviews: a half, and more the further
    the score is from 0. Only English words are understood, of other languages only faces.
    """
    tone = tone_of(_WORDS.sub(" ", item.text) if tongue.foreign else item.text)
    notes = [_foreign_note(tongue)] if tongue.foreign else []
    if item.rating is None:
        return _by_words(item, tone, tongue, notes)
    stars = (item.rating - (RATING_MIN + RATING_MAX) / 2) / ((RATING_MAX - RATING_MIN) / 2)
    if not (tone.good or tone.bad):
        return Mood(sentiment=stars, confidence=RATING_CONFIDENCE, notes=tuple(notes))
    sentiment = round((tone.score + stars) / 2, 4)
    if tone.label != "neutral" and tone.score * stars < 0:
        notes.append("Words and rating contradict each other.")
        return Mood(
            sentiment=sentiment,
            confidence=CONTRADICTION_CONFIDENCE,
            notes=tuple(notes),
            contradictory=True,
        )
    confidence = max(RATING_CONFIDENCE, _confidence(sentiment))
    return Mood(sentiment=sentiment, confidence=confidence, notes=tuple(notes))


def _by_words(item: Feedback, tone: Tone, tongue: Tongue, notes: list[str]) -> Mood:
    if not item.text.strip():
        return Mood(sentiment=0.0, confidence=0.0, notes=("There are neither words nor a rating.",))
    if tongue.foreign:
        return Mood(sentiment=tone.score, confidence=FOREIGN_CONFIDENCE, notes=tuple(notes))
    if not (tone.good or tone.bad) and tongue.code is None:
        notes.append("No word in it is known.")
        return Mood(sentiment=0.0, confidence=FOREIGN_CONFIDENCE, notes=tuple(notes))
    return Mood(sentiment=tone.score, confidence=_confidence(tone.score), notes=tuple(notes))


def _confidence(score: float) -> float:
    return round(0.5 + 0.45 * abs(score), 2)


def _foreign_note(tongue: Tongue) -> str:
    return f"It seems to be in {tongue.name}; of its words none was understood."


def _urgency(item: Feedback, mood: Mood, signs: tuple[Sign, ...]) -> Urgency:
    # Health is also what contented customers speak of: "it settled my stomach, I had been sick for days".
    found = set(signs) - ({"health"} if mood.label == "positive" else set())
    if found & CRITICAL:
        return "critical"
    if found & GRAVE or item.rating == RATING_MIN or mood.sentiment <= VERY_NEGATIVE:
        return "high"
    if found or mood.label == "negative":
        return "normal"
    return "low"
