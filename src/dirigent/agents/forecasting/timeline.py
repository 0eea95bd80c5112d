"""Even series of dated quantities: one value for each day, week or month, nothing where nothing is dated."""

from __future__ import annotations

import enum
import math
from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from dirigent.domain.errors import InvalidInput

STEPS_KEPT = 1_100  # what is older says nothing of tomorrow
DATES_MIN = 3
WEEK = 7


class Grain(enum.StrEnum):
    """How far apart the values of a series are."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    @property
    def period(self) -> int:
        """How many of them make a cycle: a week of days, a year of weeks or months."""
        return {Grain.DAY: WEEK, Grain.WEEK: 52, Grain.MONTH: 12}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Values of equal spans of time, oldest first; `start` is the first day of the first."""

    grain: Grain
    start: date
    values: tuple[float, ...]

    @property
    def end(self) -> date:
        """The day after the last span."""
        return self.first_day(len(self.values))

    def first_day(self, step: int) -> date:
        """The first day of a span, counted from the start of the series."""
        if self.grain is Grain.MONTH:
            months = self.start.year * 12 + self.start.month - 1 + step
            return date(months // 12, months % 12 + 1, 1)
        return self.start + timedelta(days=step * (WEEK if self.grain is Grain.WEEK else 1))

    def days_ahead(self, days: int) -> list[tuple[date, int, int]]:
        """Each of the next days, the step ahead it belongs to, from 0, and how many days share that."""
        found: list[tuple[date, int, int]] = []
        step = 0
        while len(found) < days:
            first, after = (self.first_day(len(self.values) + step + more) for more in (0, 1))
            span = (after - first).days
            found.extend((first + timedelta(days=place), step, span) for place in range(span))
            step += 1
        return found[:days]

    def steps_ahead(self, days: int) -> float:
        """How many steps the next days make; a part of a week or a month counts in proportion."""
        shares = (1 / span for _, _, span in self.days_ahead(days))
        return float(days) if self.grain is Grain.DAY else round(math.fsum(shares), 9)


def timeline_of(
    dated: Iterable[tuple[date, float]], *, until: date | None = None, grain: Grain | None = None
) -> Timeline:
    """An even series of quantities in any order; several of one day are added up, in one pass.

    It ends with `until`, else with the last date. A `grain` that is not given follows from the dates:
    weeks where all lie whole weeks apart, months where there is one on the same day of each, or on the
    last; else days. A date of a week is taken as its first day. Only the last 1,100 steps are kept.
    Raises `InvalidInput` for nothing, for what is no number, and for a date after `until`.
    """
    sums: dict[date, float] = {}
    for place, (day, quantity) in enumerate(dated):
        if not math.isfinite(quantity):
            raise InvalidInput(f"Quantity {place} is {quantity}, not a number.", field=f"{place}")
        sums[day] = sums.get(day, 0.0) + quantity
    if not sums:
        raise InvalidInput("Nothing is dated, so there is no series.")
    days = sorted(sums)
    if until is not None and days[-1] > until:
        raise InvalidInput(f"{days[-1]} lies after {until}, the last day that is known.")
    return _laid_out(sums, days, until, grain or (Grain.DAY if until else _grain_of(days)))


def _grain_of(days: Sequence[date]) -> Grain:
    if len(days) < DATES_MIN:
        return Grain.DAY
    if all((day - days[0]).days % WEEK == 0 for day in days):
        return Grain.WEEK
    one_a_month = len({(day.year, day.month) for day in days}) == len(days)
    same_day = len({day.day for day in days}) == 1 or all(_is_last_of_month(day) for day in days)
    return Grain.MONTH if one_a_month and same_day else Grain.DAY


def _is_last_of_month(day: date) -> bool:
    return day.day == monthrange(day.year, day.month)[1]


def _laid_out(sums: dict[date, float], days: Sequence[date], until: date | None, grain: Grain) -> Timeline:
    first, last = days[0], until or days[-1]
    length = _steps_between(first, last, grain) + 1
    skipped = max(0, length - STEPS_KEPT)
    whole = Timeline(grain=grain, start=first.replace(day=1) if grain is Grain.MONTH else first, values=())
    values = [0.0] * (length - skipped)
    for day in days:
        place = _steps_between(first, day, grain) - skipped
        if place >= 0:
            values[place] += sums[day]
    return Timeline(grain=grain, start=whole.first_day(skipped), values=tuple(values))


def _steps_between(first: date, day: date, grain: Grain) -> int:
    if grain is Grain.MONTH:
        return (day.year - first.year) * 12 + day.month - first.month
    return (day - first).days // (WEEK if grain is Grain.WEEK else 1)
