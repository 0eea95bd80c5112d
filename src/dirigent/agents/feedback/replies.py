"""A suggested answer: sentences that state nothing, and what the house's policy allows to be stated."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from importlib import resources
from typing import Annotated, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from dirigent.agents.feedback.reading import DEFAULT_TAXONOMY, Reading, Urgency
from dirigent.agents.feedback.signs import CRITICAL, WHY, Sign
from dirigent.agents.language.categories import checked_taxonomy
from dirigent.agents.language.sentiment import Label
from dirigent.domain.canonical import digest_of
from dirigent.domain.errors import InvalidInput
from dirigent.domain.shape import Shape
from dirigent.security.text import shown

ReplyTone = Literal["friendly", "formal", "empathetic", "brief"]

LABELS: tuple[Label, ...] = ("positive", "neutral", "negative")
TOPICS_MAX = 2
SURE_MIN = 0.6
STATEMENTS_MAX = 50

Statement = Annotated[str, Field(min_length=1, max_length=600)]


class ReplyPolicy(Shape):
    """What the house allows to be said, and what a person decides.

    `statements` are sentences of the house, put into an answer word for word, by what calls for them: a sign
    (`refund`), a category of the taxonomy (`delivery`) or a label (`negative`). `human_for` adds signs,
    categories and labels that a person decides on; `human_always` leaves nothing else.
    """

    sender_name: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    statements: Annotated[dict[str, Statement], Field(max_length=STATEMENTS_MAX)] = Field(
        default_factory=dict
    )
    human_for: Annotated[list[str], Field(max_length=STATEMENTS_MAX)] = Field(default_factory=list)
    human_always: bool = False
    taxonomy: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=200)] | None = None

    @field_validator("sender_name", "statements", "taxonomy")
    @classmethod
    def _visible(
        cls, given: str | dict[str, str] | list[str] | None
    ) -> str | dict[str, str] | list[str] | None:
        texts = (
            [given]
            if isinstance(given, str)
            else list(given.values() if isinstance(given, dict) else given or ())
        )
        if any(len(shown(text)) < len(text) for text in texts):
            raise ValueError("has characters that do not show")
        return given

    @model_validator(mode="after")
    def _known(self) -> ReplyPolicy:
        try:
            names = DEFAULT_TAXONOMY if self.taxonomy is None else checked_taxonomy(self.taxonomy)
        except InvalidInput as error:
            raise ValueError(f"taxonomy: {error}") from error
        unknown = sorted({*self.statements, *self.human_for} - {*WHY, *LABELS, *names})
        if unknown:
            known = ", ".join(sorted({*WHY, *LABELS, *names}))
            raise ValueError(f"{unknown[0]!r} is no sign, category or label; there are {known}")
        return self


class ReplyEvidence(Shape):
    """Why a sentence stands in the answer: the sentence, and what it comes from."""

    text: str
    source: str


class Suggestion(Shape):
    """An answer as it could be sent. It is nobody's message yet: no recipient, and nothing sends it."""

    message_id: str
    channel: Literal["reply"] = "reply"
    to: None = None
    from_name: str | None
    subject: str
    body: str
    links: list[str]
    evidence: list[ReplyEvidence]
    state: Literal["suggested"] = "suggested"


class Reply(Shape):
    """A suggested answer, or none where nothing was said; whether a person has to decide, and why."""

    id: str
    suggestion: Suggestion | None
    needs_human: bool
    reasons: list[str]
    label: Label
    urgency: Urgency
    signs: list[Sign]


def reply_to(reading: Reading, tone: ReplyTone, policy: ReplyPolicy) -> Reply:
    """The answer that fits what was read; equal feedback, tone and policy give an equal answer."""
    said = bool(reading.item.text.strip()) or reading.item.rating is not None
    reasons = list(_reasons(reading, policy)) if said else ["There are neither words nor a rating to answer."]
    return Reply(
        id=reading.item.id,
        suggestion=_suggestion(reading, tone, policy) if said else None,
        needs_human=said and bool(reasons),
        reasons=reasons,
        label=reading.mood.label,
        urgency=reading.urgency,
        signs=list(reading.signs),
    )


def _reasons(reading: Reading, policy: ReplyPolicy) -> Iterator[str]:
    """Why a person has to decide; nothing where the answer may stand as it is."""
    contented = reading.mood.label == "positive"
    yield from (WHY[sign] for sign in reading.signs if not (contented and sign in ("health", "leaving")))
    if reading.mood.label == "negative" and reading.urgency in ("high", "critical"):
        yield "It is very bad."
    if "?" in reading.item.text:
        yield "It asks something, which a prepared answer does not answer."
    if reading.mood.confidence < SURE_MIN:
        yield " ".join(("How it is meant is not sure.", *reading.mood.notes))
    yield from (
        f"The policy leaves {name} to a person." for name in policy.human_for if name in _names(reading)
    )
    if policy.human_always:
        yield "The policy leaves every answer to a person."


def _suggestion(reading: Reading, tone: ReplyTone, policy: ReplyPolicy) -> Suggestion:
    words = _sentences()[tone]
    core = list(_core(reading, words))
    core += [
        ReplyEvidence(text=policy.statements[name], source=f"policy.statements.{name}")
        for name in _names(reading)
        if name in policy.statements
    ]
    ending = "\n".join(filter(None, (words["farewell"], policy.sender_name)))
    paragraphs = (words["greeting"], " ".join(part.text for part in core), words["closing"], ending)
    body = "\n\n".join(filter(None, paragraphs)) + "\n"
    known = digest_of([reading.item.id, reading.item.text, reading.item.rating, tone, body])
    return Suggestion(
        message_id="reply_" + hashlib.sha256(known.encode()).hexdigest()[:24],
        from_name=policy.sender_name,
        subject="Thank you for your feedback" if reading.mood.label == "positive" else "Your feedback",
        body=body,
        links=[],
        evidence=core,
    )


def _core(reading: Reading, words: dict[str, str]) -> Iterator[ReplyEvidence]:
    """The sentences that follow from what was read; where law or danger may be at stake, none that admits."""
    if reading.urgency == "critical" or set(reading.signs) & CRITICAL:
        yield ReplyEvidence(text=words["received"], source=f"signs: {', '.join(reading.signs)}")
        return
    opening = {"positive": "praise", "neutral": "thanks", "negative": "regret"}[reading.mood.label]
    yield ReplyEvidence(text=words[opening], source=f"label: {reading.mood.label}")
    topics = reading.topics[:TOPICS_MAX]
    if topics and words[f"{opening}_topics"]:
        text = words[f"{opening}_topics"].format(topics=", ".join(topics))
        yield ReplyEvidence(text=text, source=f"topics: {', '.join(topics)}")
    if "refund" in reading.signs and reading.mood.label != "positive":
        yield ReplyEvidence(text=words["refund"], source="signs: refund")


def _names(reading: Reading) -> list[str]:
    """What a policy can speak of in this item: its signs, its topics, its label."""
    return [*reading.signs, *reading.topics, reading.mood.label]


@functools.cache
def _sentences() -> dict[str, dict[str, str]]:
    file = resources.files(__package__).joinpath("replies.yaml")
    sentences: dict[str, dict[str, str]] = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    return sentences
