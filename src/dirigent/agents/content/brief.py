"""What a text is made of: a topic, and what guidelines and the brand's records say; nothing else is said."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from dirigent.agents.language.readability import words_of
from dirigent.domain.shape import Shape
from dirigent.ports import BoundRecords

UNKNOWN_BRAND = "There is no brand {brand!r} on record: this is written from the input alone."
NO_MESSAGES = (
    "Neither the guidelines nor the brand's records hold a message: the texts ask, and claim nothing."
)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _with_words(text: str) -> str:
    line = _one_line(text)
    if not words_of(line):
        raise ValueError("there must be a word in it")
    return line


Line = Annotated[str, AfterValidator(_one_line), Field(max_length=300)]
Words = Annotated[str, AfterValidator(_with_words), Field(max_length=300)]
Topic = Annotated[str, AfterValidator(_with_words), Field(max_length=200)]
Link = Annotated[str, Field(pattern=r"^(https://[^\s]{1,500})?$")]
Several = Annotated[tuple[Words, ...], Field(max_length=30)]


class BrandGuidelines(Shape):
    """What holds for the texts of a brand, beside its records.

    `terms` are to be said in every text, `banned_terms` in none. `key_messages` are the facts that may be
    told, one sentence each, the most important first. What is left out is taken from the brand's records.
    """

    brand_name: Line = ""
    terms: Several = ()
    banned_terms: Several = ()
    key_messages: Several = ()
    hashtags: Several = ()
    call_to_action: Line = ""
    link: Link = ""


class Brief(BrandGuidelines):
    """Everything that a text may say, and must: guidelines and records, joined, for one topic."""

    brand_id: str = ""
    topic: str = ""


def brief_of(
    records: BoundRecords, brand_id: str, topic: str, guidelines: BrandGuidelines | None
) -> tuple[Brief, list[str]]:
    """The brief, and what has to be said about it: whether the brand is unknown, or nothing may be told."""
    rows = records.fetch("brands", where={"brand_id": brand_id}, limit=1)
    own = _of_record(rows[0]) if rows else BrandGuidelines()
    said = guidelines or BrandGuidelines()
    brief = Brief(
        brand_id=brand_id,
        topic=topic,
        brand_name=said.brand_name or own.brand_name,
        terms=_joined(said.terms, own.terms),
        banned_terms=_joined(said.banned_terms, own.banned_terms),
        key_messages=_joined(said.key_messages, own.key_messages),
        hashtags=_joined(said.hashtags, own.hashtags),
        call_to_action=said.call_to_action or own.call_to_action,
        link=said.link or own.link,
    )
    notes = [] if rows else [UNKNOWN_BRAND.format(brand=brand_id)]
    return brief, notes if brief.key_messages else [*notes, NO_MESSAGES]


def _of_record(row: dict[str, Any]) -> BrandGuidelines:
    """A row of `brands`; its lists are texts with semicolons between the items."""
    return BrandGuidelines(
        brand_name=row["name"] or "",
        terms=_items(row["terms"]),
        banned_terms=_items(row["banned_terms"]),
        key_messages=_items(row["key_messages"]),
        hashtags=_items(row["hashtags"]),
        call_to_action=row["call_to_action"] or "",
        link=row["link"] or "",
    )


def _items(text: str | None) -> tuple[str, ...]:
    return tuple(item for item in map(str.strip, (text or "").split(";")) if item)


def _joined(first: tuple[str, ...], then: tuple[str, ...]) -> tuple[str, ...]:
    """Both, each item once whatever its case."""
    once: dict[str, str] = {}
    for item in (*first, *then):
        once.setdefault(item.casefold(), item)
    return tuple(once.values())
