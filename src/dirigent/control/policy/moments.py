"""Reading points in time from facts, and adding months to them."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime

_MILLISECONDS_FROM = 100_000_000_000


def moment(value: object) -> datetime | None:
    """The instant that an ISO 8601 text or a number of (milli)seconds names; None where it names none.

    A date alone is its midnight; without a zone it is UTC.
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value >= _MILLISECONDS_FROM else value, UTC)
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return parsed.replace(tzinfo=UTC) if parsed and parsed.tzinfo is None else parsed


def months_later(day: date, months: int) -> date:
    """The same day so many months on, or the month's last day where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def within_months(then: datetime | None, now: datetime, months: int) -> bool:
    """Whether `then` lies in the past, and no more than so many months back."""
    return then is not None and then <= now and now.date() <= months_later(then.date(), months)
