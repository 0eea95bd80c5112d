"""What is known of a lead, each fact with its records, and what is not known, with the reason."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from dirigent.domain.shape import Shape

Reason = Literal["season", "reorder"]

RECORD_IDS_MAX = 20
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


class Evidence(Shape):
    """One fact with its source.

    `value` is the fact as a message may word it; `text` is the whole sentence and contains it.
    `record_ids` names at most 20 of the `records` that the fact rests on. `at` is the day of the
    latest of them. `confidence` is 1 for what the books state.
    """

    kind: str
    text: str
    value: str
    source: str
    record_ids: list[str]
    records: int
    at: str
    confidence: Annotated[float, Field(ge=0, le=1)] = 1.0


class ProductFit(Shape):
    """A product to talk about now, with its support; `evidence` is the place of its fact in the dossier.

    `season`: ordered in the coming weeks of last year. `reorder`: ordered on several days.
    """

    sku: str
    name: str
    reason: Reason
    order_days: int
    quantity: float
    last_at: str
    evidence: int


class Gap(Shape):
    """Something one would like to know and does not, and why."""

    about: str
    why: str


class Dossier(Shape):
    """Everything the records say of one customer that a message may use, as of a day of the books."""

    lead_id: str | None
    customer_id: str
    as_of: str | None
    depth: Literal["quick", "deep"]
    facts: list[Evidence]
    fits: list[ProductFit]
    gaps: list[Gap]


def day_in_words(day: date) -> str:
    """A day as a message words it: 14 March 2011. Independent of the machine's locale."""
    return f"{day.day} {month_in_words(day)}"


def month_in_words(day: date) -> str:
    """A month as a message words it: March 2011."""
    return f"{MONTHS[day.month - 1]} {day.year}"
