"""When a schedule comes: cron fields with Debian's rules for clock changes, spans, single moments.

All times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice, takewhile
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from dirigent.domain.errors import InvalidInput
from dirigent.domain.trigger import ScheduleTrigger
from dirigent.interpreter.durations import read_duration
from dirigent.interpreter.problems import Findings

# A change of the clock of this size is a correction of the calendar, not the begin or end of summer time.
CORRECTION = timedelta(hours=3)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class Times(Protocol):
    """The moments at which something comes."""

    def after(self, moment: int) -> Iterator[int]:
        """Every time after a moment, in order; ends where none will come."""
        ...

    def last(self, after: int, until: int, most: int) -> list[int]:
        """The last times, at most so many, after one moment and up to another, in order."""
        ...


class CronTimes:
    """Five cron fields in a time zone, as Debian's cron reads them.

    A specific time that a clock change leaves out comes right after the change, and comes once where the
    change repeats it. A schedule whose minute or hour begins with `*` goes by the time that passes.
    Where day of month and day of week are both restricted, either will do.
    """

    def __init__(self, fields: str, zone: ZoneInfo) -> None:
        self._fields = fields
        self._zone = zone

    def after(self, moment: int) -> Iterator[int]:
        """Every time after a moment, in order."""
        latest = moment
        for due in self._simulated(moment, backwards=False):
            # In the hour that is repeated a specific time may lie before the moment, and several times
            # that were left out come at the same one.
            if due > latest:
                latest = due
                yield due

    def last(self, after: int, until: int, most: int) -> list[int]:
        """The last times up to a moment, found by going back from a little beyond it."""
        beyond = until + int(CORRECTION.total_seconds() * 1000)
        found: dict[int, None] = {}
        for due in self._simulated(beyond, backwards=True):
            if due <= after or len(found) == most:
                break
            if due <= until:
                found[due] = None
        return list(found)[::-1]

    def _simulated(self, moment: int, *, backwards: bool) -> Iterator[int]:
        begin = datetime.fromtimestamp(moment / 1000, UTC).astimezone(self._zone)
        simulated = CronSim(self._fields, begin, reverse=backwards)
        for due in simulated:
            stamp = round(due.timestamp() * 1000)
            local = datetime.fromtimestamp(stamp / 1000, UTC).astimezone(self._zone)
            if _is_meant(simulated, local) or _is_moved(simulated, local):
                yield stamp


class SpanTimes:
    """Every so many milliseconds, counted from the epoch."""

    def __init__(self, span: int) -> None:
        self._span = span

    def after(self, moment: int) -> Iterator[int]:
        """Every time after a moment, in order."""
        return count((moment // self._span + 1) * self._span, self._span)

    def last(self, after: int, until: int, most: int) -> list[int]:
        """The last times up to a moment."""
        first = max(after // self._span, until // self._span - most) + 1
        return [number * self._span for number in range(first, until // self._span + 1)]


class OneTime:
    """A single moment."""

    def __init__(self, moment: int) -> None:
        self._moment = moment

    def after(self, moment: int) -> Iterator[int]:
        """The moment, unless it has passed."""
        return iter([self._moment] if self._moment > moment else [])

    def last(self, after: int, until: int, most: int) -> list[int]:
        """The moment, if it lies in between."""
        return [self._moment] if after < self._moment <= until else []


def times_of(trigger: ScheduleTrigger) -> Times:
    """The times of a schedule; raises `InvalidInput` where it cannot be read."""
    zone = ZoneInfo(trigger.timezone)
    if trigger.every:
        return SpanTimes(span_of(trigger.every))
    if trigger.at:
        moment = datetime.fromisoformat(trigger.at)
        return OneTime(round((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() * 1000))
    try:
        CronSim(trigger.schedule, datetime.fromtimestamp(0, UTC))
    except CronSimError as error:
        raise InvalidInput(
            f"{trigger.schedule!r} is not a schedule: {error}.",
            fix="Write minute, hour, day of month, month and day of week, such as 0 9 * * mon-fri.",
            field="schedule",
        ) from error
    return CronTimes(trigger.schedule, zone)


def span_of(text: str) -> int:
    """A span such as 15m in milliseconds; raises `InvalidInput`."""
    findings = Findings("<schedule>")
    span = read_duration(text, (), findings)
    if findings.problems:
        raise InvalidInput(f"{text!r} is not a span.", fix="Write it as 15m or 1h.", field="every")
    return span


def first(times: Times, after: int, most: int) -> list[int]:
    """The next times after a moment, at most so many."""
    return list(islice(times.after(after), most))


def up_to(times: Times, after: int, until: int) -> Iterator[int]:
    """The times after one moment and up to another, in order."""
    return takewhile(lambda due: due <= until, times.after(after))


def explained(trigger: ScheduleTrigger, due: int) -> str:
    """What is unusual about a time of a schedule, in words; empty where nothing is."""
    local = datetime.fromtimestamp(due / 1000, UTC).astimezone(ZoneInfo(trigger.timezone))
    earlier = (local.astimezone(UTC) - HOUR).astimezone(local.tzinfo)
    if trigger.schedule:
        simulated = CronSim(trigger.schedule, local)
        if not _is_meant(simulated, local):
            return f"the clock goes forward to {local:%H:%M}: the time before it is left out, so it comes now"
    if local.fold:
        return f"the clock has gone back: the second {local:%H:%M} of the day"
    change = _offset(local) - _offset(earlier)
    if change:
        return f"the clock goes {'forward' if change > timedelta(0) else 'back'} in the hour before"
    return ""


def _is_meant(simulated: CronSim, local: datetime) -> bool:
    """Whether the fields mean this minute of the local calendar."""
    return (
        local.minute in simulated.minutes
        and local.hour in simulated.hours
        and local.month in simulated.months
        and bool(simulated.match_day(local.date()))
    )


def _is_moved(simulated: CronSim, local: datetime) -> bool:
    """Whether a specific time was left out by a clock change and comes right after it."""
    if simulated.fixup_tz is None:
        return False
    before = (local.astimezone(UTC) - MINUTE).astimezone(local.tzinfo)
    return timedelta(0) < _offset(local) - _offset(before) < CORRECTION


def _offset(local: datetime) -> timedelta:
    return local.utcoffset() or timedelta(0)
