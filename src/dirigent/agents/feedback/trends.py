"""How feedback changes from week to week."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Annotated, Literal

from pydantic import Field

from dirigent.agents.feedback.reading import Reading
from dirigent.domain.shape import Shape
from dirigent.domain.trend import mann_kendall

WEEKS_MAX = 260
P_MAX = 0.05

Series = dict[int, float]


class Trend(Shape):
    """A metric's course over weeks: Sen's slope a week, the p-value of Mann and Kendall, what follows at 5 %.

    Fewer than eight weeks have p 1. `weeks` is how many have a value, at most the newest 260.
    """

    metric: Literal["sentiment", "negative_share", "rating", "volume"]
    slope: float
    p_value: Annotated[float, Field(ge=0, le=1)]
    direction: Literal["rising", "falling", "none"]
    weeks: int


def weekly_trends(readings: Sequence[Reading]) -> list[Trend]:
    """The trends of what has a time, by its week (from Monday, UTC); none for less than two weeks."""
    weeks: dict[int, list[Reading]] = defaultdict(list)
    for reading in readings:
        if reading.item.at is not None:
            weeks[_week_of(reading)].append(reading)
    series: dict[Literal["sentiment", "negative_share", "rating", "volume"], Series] = {
        "sentiment": {week: fmean(one.mood.sentiment for one in said) for week, said in weeks.items()},
        "negative_share": {
            week: fmean(one.mood.label == "negative" for one in said) for week, said in weeks.items()
        },
        "rating": _ratings(weeks),
        "volume": _volumes(weeks),
    }
    return [_trend(metric, values) for metric, values in series.items() if len(values) > 1]


def _week_of(reading: Reading) -> int:
    assert reading.item.at is not None, "only what has a time has a week"
    return int((reading.item.at.timestamp() // 86_400 + 3) // 7)


def _ratings(weeks: dict[int, list[Reading]]) -> Series:
    rated = {
        week: [one.item.rating for one in said if one.item.rating is not None] for week, said in weeks.items()
    }
    return {week: fmean(ratings) for week, ratings in rated.items() if ratings}


def _volumes(weeks: dict[int, list[Reading]]) -> Series:
    """How much was said in each whole week; the first and the last may have been cut."""
    whole = range(min(weeks) + 1, max(weeks)) if weeks else range(0)
    return {week: float(len(weeks.get(week, ()))) for week in whole[-WEEKS_MAX:]}


def _trend(metric: Literal["sentiment", "negative_share", "rating", "volume"], series: Series) -> Trend:
    weeks = sorted(series)[-WEEKS_MAX:]
    found = mann_kendall([series[week] for week in weeks], [float(week) for week in weeks])
    significant = found.p_value < P_MAX and found.slope != 0
    return Trend(
        metric=metric,
        slope=round(found.slope, 6),
        p_value=round(found.p_value, 6),
        direction=("rising" if found.slope > 0 else "falling") if significant else "none",
        weeks=len(weeks),
    )
