"""Feedback as it is handed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, field_validator

from dirigent.domain.errors import InvalidInput
from dirigent.domain.shape import Shape

ITEMS_MAX = 100_000
TEXT_LENGTH_MAX = 200_000
RATING_MIN, RATING_MAX = 1, 5

Note = Annotated[str, Field(max_length=500)]


class Feedback(Shape):
    """What a customer said: words (no text is an empty one), a rating from 1, very bad, to 5, or both.

    `at` is when; a time without an offset is UTC. `source`, `author` and `about` are the house's own notes
    (a channel, who, which product); nothing is read into them.
    """

    id: Annotated[str, Field(min_length=1, max_length=200)]
    text: Annotated[str, Field(max_length=TEXT_LENGTH_MAX)] = ""
    rating: Annotated[float, Field(ge=RATING_MIN, le=RATING_MAX, allow_inf_nan=False)] | None = None
    at: datetime | None = None
    source: Note | None = None
    author: Note | None = None
    about: Note | None = None

    @field_validator("text", mode="before")
    @classmethod
    def _or_none(cls, text: object) -> object:
        return "" if text is None else text

    @field_validator("at")
    @classmethod
    def _with_offset(cls, at: datetime | None) -> datetime | None:
        return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


Items = Annotated[list[Feedback], Field(max_length=ITEMS_MAX)]


def check_ids(items: Sequence[Feedback]) -> None:
    """Raise `InvalidInput` where two items have one id, since results are told apart by it."""
    repeated = [known for known, times in Counter(item.id for item in items).items() if times > 1]
    if repeated:
        named = ", ".join(repr(known) for known in repeated[:5])
        raise InvalidInput(
            f"{len(repeated)} ids stand there more than once: {named}.",
            fix="Give every item an id of its own.",
            field="items",
        )
