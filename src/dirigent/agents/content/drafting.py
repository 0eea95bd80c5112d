"""First drafts: templates filled with a brief and nothing else; the same brief gives the same draft."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dirigent.agents.content.brief import Brief
from dirigent.agents.content.platforms import Platform
from dirigent.agents.content.quality import banned_in
from dirigent.agents.content.sentences import has_term, text_of
from dirigent.agents.language.readability import words_of
from dirigent.domain.canonical import digest_of

_OPENINGS = (
    "Let's talk about {topic}.",
    "On our mind: {topic}.",
    "A word on {topic}.",
    "{Topic}. Where to begin?",
    "Our subject: {topic}.",
    "{Topic}: let's talk about it.",
)
_OPENINGS_OF_A_BRAND = (
    "{brand} on {topic}.",
    "A word from {brand} on {topic}.",
    "On our mind at {brand}: {topic}.",
    "{brand}: let's talk about {topic}.",
    "Our subject at {brand}: {topic}.",
)
_QUESTIONS = (
    "What would you like to know about it?",
    "Which question comes to your mind first?",
    "What do you think of it?",
    "What would help you most?",
    "What should we tell you first?",
)
_CALLS = (
    "Tell us in a reply.",
    "Share your view with us.",
    "Ask us, and we will answer.",
    "Write to us what you think.",
    "Leave us your question here.",
)
_MORE = "More: {link}"
_HASHTAG = re.compile(r"#[^\W\d_][\w]{1,49}|#\w*[^\W\d_]\w{0,49}")
HASHTAG_WORDS_MAX = 4


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A post on its way: its text and hashtags."""

    text: str
    hashtags: tuple[str, ...]


def draft_for(platform: Platform, brief: Brief) -> Draft:
    """The first draft: an opening with the topic, what may be told, a call, the link; as much as fits in.

    It tells messages as they are written, those first that say a term of the brand. What of that is hard to
    read or banned is for the review to find and for a repair to weigh.
    """
    hashtags = hashtags_for(platform, brief)
    opening, call = opening_for(platform, brief), [call_for(platform, brief)]
    link = [_MORE.format(link=brief.link)] if brief.link else []

    def fits(told: list[str], ending: list[str], hashtags: tuple[str, ...]) -> bool:
        return platform.fits(_arranged(platform, opening, told, ending), list(hashtags))

    told: list[str] = []
    for message in messages_of(brief):
        if len(told) < platform.messages and fits([*told, message], [*call, *link], hashtags):
            told.append(message)
    asked = told or [question_for(platform, brief)]
    for body, ending, tags in (
        (asked, [*call, *link], hashtags),
        (told, [*call, *link], hashtags),
        (told, call, hashtags),
        (told, call, ()),
    ):
        if fits(body, ending, tags):
            return Draft(text=_arranged(platform, opening, body, ending), hashtags=tags)
    return Draft(text=_cut(platform, brief.topic), hashtags=())


def _arranged(platform: Platform, opening: str, told: list[str], ending: list[str]) -> str:
    return text_of([[opening], told, ending] if platform.lines else [[opening, *told, *ending]])


def _cut(platform: Platform, topic: str) -> str:
    """As much of the topic as there is room for, where there is none for a sentence about it."""
    while platform.size(topic) > platform.limit:
        topic = topic[:-2].rstrip() + "\u2026"
    return topic


def opening_for(platform: Platform, brief: Brief) -> str:
    """The sentence that says the topic, and the brand where it is known."""
    templates = _OPENINGS_OF_A_BRAND if brief.brand_name else _OPENINGS
    said = {"topic": brief.topic, "Topic": capital(brief.topic), "brand": brief.brand_name}
    return _chosen(templates, "opening", platform, brief).format_map(said)


def question_for(platform: Platform, brief: Brief) -> str:
    """A question to the reader: what is said where nothing may be claimed."""
    return _chosen(_QUESTIONS, "question", platform, brief)


def call_for(platform: Platform, brief: Brief) -> str:
    """What the reader is called upon to do: the brand's own call, else to answer."""
    return ended(brief.call_to_action) or _chosen(_CALLS, "call", platform, brief)


def messages_of(brief: Brief) -> list[str]:
    """What may be told; that first which says a term of the brand."""
    by_terms = sorted(brief.key_messages, key=lambda message: not _says_a_term(message, brief))
    return [ended(message) for message in by_terms]


def hashtags_for(platform: Platform, brief: Brief) -> tuple[str, ...]:
    """Those of the brand, then one of the topic; each once, none of a banned term, as many as fit in."""
    found: dict[str, str] = {}
    for words in (*brief.hashtags, brief.topic):
        hashtag = hashtag_of(words)
        if hashtag and not banned_in(f"{words} {hashtag[1:]}", brief):
            found.setdefault(hashtag.casefold(), hashtag)
    return tuple(found.values())[: platform.hashtags]


def hashtag_of(words: str) -> str:
    """A hashtag of some words, each with a capital: #NewProductLaunch. Empty where they make none."""
    if words.startswith("#") and _HASHTAG.fullmatch(words):
        return words
    parts = [re.sub(r"[\W_]", "", word) for word in words_of(words)]
    if len(parts) > HASHTAG_WORDS_MAX:
        return ""
    made = "#" + "".join(capital(part) for part in parts)
    return made if _HASHTAG.fullmatch(made) else ""


def ended(sentence: str) -> str:
    """The sentence with a mark at its end; an empty one stays so."""
    return sentence if not sentence or sentence[-1] in ".?!" or "https://" in sentence else f"{sentence}."


def _says_a_term(message: str, brief: Brief) -> bool:
    return any(has_term(message, term) for term in brief.terms)


def _chosen(templates: Sequence[str], what: str, platform: Platform, brief: Brief) -> str:
    """One of the templates, by brand, topic and platform: different topics get different ones."""
    number = int(digest_of([what, platform.name, brief.brand_id, brief.topic])[:12], 16)
    return templates[number % len(templates)]


def capital(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]
