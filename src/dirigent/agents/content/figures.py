"""What posts brought: figures on record, rates with their uncertainty, and which post did best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from dirigent.agents.content.shares import interval_of, p_of_difference
from dirigent.agents.content.stored import ContentId
from dirigent.domain.shape import Excerpt, Shape
from dirigent.ports import BoundRecords

SIGNIFICANT = 0.05
MEASURED = "content.measured"

Count = Annotated[int, Field(ge=0, le=10**12)]


class Figures(Excerpt):
    """What a post has brought in all since it was published: how often seen, how often reacted to."""

    content_id: ContentId
    impressions: Count
    engagement: Count
    measured_at: datetime | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.engagement > self.impressions:
            raise ValueError("engagement is more than impressions")
        return self


class MeasuredEvent(Excerpt):
    """An event that brings the figures of one post."""

    data: Figures
    source: str = ""
    time: str = ""


class ContentFigures(Shape):
    """What one post brought. `rate` is engagement over impressions, between `low` and `high` with 95 %."""

    content_id: str
    impressions: int
    engagement: int
    rate: float
    low: float
    high: float
    measured_at: datetime


class Performance(Shape):
    """Posts by their rate, the best first. `significant` says that it is no accident which one is best.

    `best` is None where there is nothing to compare; `unmeasured` are posts without figures; `reason` says
    why there is nothing.
    """

    analytics: list[ContentFigures]
    best: str | None
    significant: bool
    insights: list[str]
    unmeasured: list[str]
    reason: str | None = None


def moment_of_event(event: MeasuredEvent, now: datetime) -> datetime:
    """When it was measured: as the figures say, else the event, else now."""
    if event.data.measured_at is not None:
        moment = event.data.measured_at
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return datetime.fromisoformat(event.time).astimezone(UTC)
    except ValueError:
        return now


def utc_second(moment: datetime) -> str:
    """A moment as records keep it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def latest_figures(
    records: BoundRecords, content_ids: Sequence[str] | None, between: tuple[datetime, datetime] | None
) -> dict[str, Mapping[str, Any]]:
    """The last figures of each post, of these or of all; those measured between two moments if given."""
    where = {"content_id": list(content_ids)} if content_ids is not None else {}
    rows = records.fetch("content_figures", where=where, order_by="measured_at")
    first, last = between or (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    inside = (row for row in rows if first <= datetime.fromisoformat(row["measured_at"]) <= last)
    return {row["content_id"]: row for row in inside}


def performance_of(figures: Mapping[str, Mapping[str, Any]], unmeasured: Sequence[str]) -> Performance:
    """Rates, the best post, and whether it is better than each of the others by more than accident."""
    ranked = sorted(
        map(figures_of, figures.values()), key=lambda one: (-one.rate, -one.impressions, one.content_id)
    )
    seen = [one for one in ranked if one.impressions]
    chances = [_chance(seen[0], other) for other in seen[1:]]
    significant = bool(chances) and max(chances) < SIGNIFICANT
    return Performance(
        analytics=ranked,
        best=seen[0].content_id if len(seen) > 1 else None,
        significant=significant,
        insights=_insights(seen, chances, significant),
        unmeasured=list(unmeasured),
        reason=None if ranked else "No figures are on record for this.",
    )


def figures_of(row: Mapping[str, Any]) -> ContentFigures:
    """A row of figures with its rate."""
    seen, reacted = row["impressions"], row["engagement"]
    low, high = interval_of(reacted, seen)
    return ContentFigures(
        content_id=row["content_id"],
        impressions=seen,
        engagement=reacted,
        rate=reacted / seen if seen else 0.0,
        low=low,
        high=high,
        measured_at=row["measured_at"],
    )


def _chance(one: ContentFigures, other: ContentFigures) -> float:
    return p_of_difference(one.engagement, one.impressions, other.engagement, other.impressions)


def _insights(seen: Sequence[ContentFigures], chances: Sequence[float], significant: bool) -> list[str]:
    if not seen:
        return []
    best = seen[0]
    said = [
        f"{best.content_id} has the highest rate: {best.rate:.2%} ({best.engagement} of {best.impressions}), "
        f"between {best.low:.2%} and {best.high:.2%} with 95 % confidence."
    ]
    if not chances:
        return said
    nearest = max(range(len(chances)), key=chances.__getitem__)
    other, chance = seen[nearest + 1], chances[nearest]
    compared = f"{other.content_id} with {other.rate:.2%} ({other.engagement} of {other.impressions})"
    if significant:
        said.append(f"It is significantly better than every other, also than {compared}: p = {chance:.2g}.")
    else:
        said.append(
            f"The difference to {compared} is not significant (p = {chance:.2g}): "
            "more impressions are needed to call one of them better."
        )
    return said
