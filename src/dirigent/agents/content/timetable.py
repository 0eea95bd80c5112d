"""When posts go out: at a time, or spaced evenly over a window of a day or between two moments."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from dirigent.domain.errors import InvalidInput
from dirigent.domain.shape import Shape

APART_LEAST = timedelta(minutes=1)

_TIMES = re.compile(r"\s*(?P<start>\d?\d:\d\d)\s*(?:to|-|\u2013)\s*(?P<end>\d?\d:\d\d)\s*")

Written = Annotated[str, Field(max_length=40)]


class Window(Shape):
    """From when to when: two moments (`2026-12-01T09:00`), or two times of a day (`09:00`).

    Times of a day are those of `date`, else of the next day on which the first of them is still to come.
    Both may be written as one text, `09:00 to 17:00`.
    """

    start: Written
    end: Written
    date: Written | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_a_text(cls, given: Any) -> Any:
        found = _TIMES.fullmatch(given) if isinstance(given, str) else None
        return {"start": found["start"].zfill(5), "end": found["end"].zfill(5)} if found else given


class Period(Shape):
    """From which moment to which (`2026-12-01`, `2026-12-01T09:00`), both included."""

    start: Written
    end: Written


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name; raises `InvalidInput` for one that nobody knows."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise InvalidInput(
            f"There is no time zone {name!r}.", fix="For instance Europe/Rome.", field="timezone"
        ) from None


def moment_of(written: str, zone: ZoneInfo, field: str) -> datetime:
    """A moment in UTC; without an offset it is local to the zone. Raises `InvalidInput` for what is none."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        fix = "Write 2026-12-01T09:00, or with an offset 2026-12-01T09:00+01:00."
        raise InvalidInput(f"{field} is {written!r}, and no moment.", fix=fix, field=field) from None
    return moment.astimezone(UTC) if moment.tzinfo else _local(moment, zone, field)


def period_of(period: Period, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Its moments in UTC; raises `InvalidInput` for one that ends before it begins."""
    start, end = moment_of(period.start, zone, "window.start"), moment_of(period.end, zone, "window.end")
    if end < start:
        raise InvalidInput("The window ends before it begins.", fix="Let it end later.", field="window.end")
    return start, end


def one_time(written: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The moment at which to publish; one that is past is refused."""
    return _to_come(moment_of(written, zone, "at"), now, "at")


def times_within(window: Window, count: int, zone: ZoneInfo, now: datetime) -> list[datetime]:
    """As many moments as asked for, the first at the start, the last at the end, all as far apart.

    Raises `InvalidInput` for a window that is past, ends before it begins, or is too narrow.
    """
    start, end = _bounds(window, zone, now)
    _to_come(start, now, "window.start")
    if end <= start:
        fix = "Let it end later; for one over midnight write both moments with their dates."
        raise InvalidInput("The window ends before it begins.", fix=fix, field="window.end")
    if count == 1:
        return [start]
    apart = (end - start) / (count - 1)
    if apart < APART_LEAST:
        raise InvalidInput(
            f"The window has no room for {count} posts.", fix="Let it end later.", field="window"
        )
    return [(start + apart * number).replace(microsecond=0) for number in range(count)]


def _bounds(window: Window, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    start, end = _time_of_day(window.start), _time_of_day(window.end)
    if start is None or end is None:
        if window.date is not None or start is not end:
            fix = "Write two moments without date, or two times of a day."
            raise InvalidInput("The window mixes moments and times of a day.", fix=fix, field="window")
        return moment_of(window.start, zone, "window.start"), moment_of(window.end, zone, "window.end")
    day = _day(window.date) if window.date is not None else now.astimezone(zone).date()
    first = _local(datetime.combine(day, start), zone, "window.start")
    if window.date is None and first <= now:
        day += timedelta(days=1)
        first = _local(datetime.combine(day, start), zone, "window.start")
    return first, _local(datetime.combine(day, end), zone, "window.end")


def _time_of_day(written: str) -> time | None:
    try:
        return time.fromisoformat(written) if "T" not in written and ":" in written[:3] else None
    except ValueError:
        return None


def _day(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        fix = "Write 2026-12-01."
        raise InvalidInput(f"{written!r} is no date.", fix=fix, field="window.date") from None


def _local(moment: datetime, zone: ZoneInfo, field: str) -> datetime:
    """A local time in UTC: of two that are called the same the first, and none that the clocks leave out."""
    utc = moment.replace(tzinfo=zone).astimezone(UTC)
    if utc.astimezone(zone).replace(tzinfo=None) != moment:
        raise InvalidInput(
            f"{moment.isoformat()} does not exist in {zone.key}: the clocks are put forward over it.",
            fix="Write another time.",
            field=field,
        )
    return utc


def _to_come(moment: datetime, now: datetime, field: str) -> datetime:
    if moment <= now:
        raise InvalidInput(
            f"{moment.isoformat()} is past: it is {now.isoformat(timespec='seconds')}.",
            fix="Write a time to come.",
            field=field,
        )
    return moment
