"""When schedules come. Expectations follow cron(8) and crontab(5) of Debian, worked out by hand.

A case is: fields, time zone, from when (local, exclusive), and the next times with their offsets.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dirigent.domain.errors import InvalidInput
from dirigent.domain.trigger import ScheduleTrigger
from dirigent.intake.schedules.times import CronTimes, OneTime, SpanTimes, first, times_of, up_to

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
PHOENIX, APIA, SAO_PAULO = "America/Phoenix", "Pacific/Apia", "America/Sao_Paulo"

PLAIN = [
    # the seed's own: workdays at nine
    ("0 9 * * 1-5", "UTC", "2024-11-22T08:59", ["2024-11-22T09:00+00:00", "2024-11-25T09:00+00:00"]),
    ("0 9 * * 1-5", BERLIN, "2024-11-22T09:00", ["2024-11-25T09:00+01:00", "2024-11-26T09:00+01:00"]),
    ("0 9 * * mon-fri", "UTC", "2024-11-22T09:00", ["2024-11-25T09:00+00:00"]),
    ("0 9 * * MON,WED", "UTC", "2024-11-25T09:00", ["2024-11-27T09:00+00:00", "2024-12-02T09:00+00:00"]),
    # lists, ranges, steps, names
    ("5,35 8 * * *", "UTC", "2024-01-01T08:05", ["2024-01-01T08:35+00:00", "2024-01-02T08:05+00:00"]),
    (
        "0 8-10 * * *",
        "UTC",
        "2024-01-01T08:30",
        ["2024-01-01T09:00+00:00", "2024-01-01T10:00+00:00", "2024-01-02T08:00+00:00"],
    ),
    ("*/15 * * * *", "UTC", "2024-01-01T00:01", ["2024-01-01T00:15+00:00", "2024-01-01T00:30+00:00"]),
    (
        "0-30/10 3 * * *",
        "UTC",
        "2024-01-01T03:05",
        [
            "2024-01-01T03:10+00:00",
            "2024-01-01T03:20+00:00",
            "2024-01-01T03:30+00:00",
            "2024-01-02T03:00+00:00",
        ],
    ),
    (
        "7-59/20 4 * * *",
        "UTC",
        "2024-01-01T04:00",
        [
            "2024-01-01T04:07+00:00",
            "2024-01-01T04:27+00:00",
            "2024-01-01T04:47+00:00",
            "2024-01-02T04:07+00:00",
        ],
    ),
    ("0 0 1 jan,jul *", "UTC", "2024-01-01T00:00", ["2024-07-01T00:00+00:00", "2025-01-01T00:00+00:00"]),
    (
        "0 0 1 */4 *",
        "UTC",
        "2024-01-01T00:00",
        ["2024-05-01T00:00+00:00", "2024-09-01T00:00+00:00", "2025-01-01T00:00+00:00"],
    ),
    ("59 23 31 12 *", "UTC", "2024-12-31T23:58", ["2024-12-31T23:59+00:00", "2025-12-31T23:59+00:00"]),
    ("0 12 * * 0", "UTC", "2024-11-24T11:00", ["2024-11-24T12:00+00:00", "2024-12-01T12:00+00:00"]),
    ("0 12 * * 7", "UTC", "2024-11-24T11:00", ["2024-11-24T12:00+00:00", "2024-12-01T12:00+00:00"]),
    ("0 12 * * sun", "UTC", "2024-11-24T13:00", ["2024-12-01T12:00+00:00"]),
    (
        "0 12 * * 5-7",
        "UTC",
        "2024-11-21T13:00",
        [
            "2024-11-22T12:00+00:00",
            "2024-11-23T12:00+00:00",
            "2024-11-24T12:00+00:00",
            "2024-11-29T12:00+00:00",
        ],
    ),
    # the moment itself does not count, the second before does
    ("0 9 * * *", "UTC", "2024-01-01T09:00:00", ["2024-01-02T09:00+00:00"]),
    ("0 9 * * *", "UTC", "2024-01-01T08:59:59", ["2024-01-01T09:00+00:00"]),
    ("0 9 * * *", "UTC", "2024-01-01T08:59:59.999", ["2024-01-01T09:00+00:00"]),
    ("0 9 * * *", "UTC", "2024-01-01T09:00:00.001", ["2024-01-02T09:00+00:00"]),
]

DAYS = [
    # both restricted: either will do
    (
        "0 0 13 * 5",
        "UTC",
        "2024-09-01T00:00",
        [
            "2024-09-06T00:00+00:00",
            "2024-09-13T00:00+00:00",
            "2024-09-20T00:00+00:00",
            "2024-09-27T00:00+00:00",
            "2024-10-04T00:00+00:00",
            "2024-10-11T00:00+00:00",
            "2024-10-13T00:00+00:00",
        ],
    ),
    (
        "30 4 1,15 * 5",
        "UTC",
        "2024-02-28T00:00",
        ["2024-03-01T04:30+00:00", "2024-03-08T04:30+00:00", "2024-03-15T04:30+00:00"],
    ),
    # one of the two begins with a star: both must hold
    ("0 0 * * 1", "UTC", "2024-09-01T00:00", ["2024-09-02T00:00+00:00", "2024-09-09T00:00+00:00"]),
    ("0 0 13 * *", "UTC", "2024-09-01T00:00", ["2024-09-13T00:00+00:00", "2024-10-13T00:00+00:00"]),
    (
        "0 0 */2 * 1",
        "UTC",
        "2024-09-01T00:00",
        ["2024-09-09T00:00+00:00", "2024-09-23T00:00+00:00", "2024-10-07T00:00+00:00"],
    ),
    ("0 0 1-7 * */7", "UTC", "2024-09-01T00:00", ["2024-10-06T00:00+00:00", "2024-11-03T00:00+00:00"]),
    # ends of months and leap days
    (
        "0 6 31 * *",
        "UTC",
        "2024-01-31T06:00",
        ["2024-03-31T06:00+00:00", "2024-05-31T06:00+00:00", "2024-07-31T06:00+00:00"],
    ),
    ("0 6 30 2,4 *", "UTC", "2024-01-01T00:00", ["2024-04-30T06:00+00:00", "2025-04-30T06:00+00:00"]),
    ("0 9 29 2 *", "UTC", "2023-01-01T00:00", ["2024-02-29T09:00+00:00", "2028-02-29T09:00+00:00"]),
    ("0 9 29 2 *", "UTC", "2096-03-01T00:00", ["2104-02-29T09:00+00:00"]),
    (
        "0 9 29 2 1",
        "UTC",
        "2023-02-20T00:00",
        ["2023-02-20T09:00+00:00", "2023-02-27T09:00+00:00", "2024-02-05T09:00+00:00"],
    ),
    (
        "0 0 28-31 2 *",
        "UTC",
        "2023-02-28T00:00",
        ["2024-02-28T00:00+00:00", "2024-02-29T00:00+00:00", "2025-02-28T00:00+00:00"],
    ),
]

SPRING = [
    # Berlin 2024-03-31: 02:00 becomes 03:00. What would have come in the gap comes right after it.
    ("30 2 * * *", BERLIN, "2024-03-30T02:30", ["2024-03-31T03:00+02:00", "2024-04-01T02:30+02:00"]),
    ("0 2 * * *", BERLIN, "2024-03-30T02:00", ["2024-03-31T03:00+02:00", "2024-04-01T02:00+02:00"]),
    ("0 3 * * *", BERLIN, "2024-03-30T03:00", ["2024-03-31T03:00+02:00", "2024-04-01T03:00+02:00"]),
    ("59 1 * * *", BERLIN, "2024-03-30T03:00", ["2024-03-31T01:59+01:00", "2024-04-01T01:59+02:00"]),
    ("0,30 2 * * *", BERLIN, "2024-03-30T12:00", ["2024-03-31T03:00+02:00", "2024-04-01T02:00+02:00"]),
    (
        "30 1-3 * * *",
        BERLIN,
        "2024-03-31T00:00",
        ["2024-03-31T01:30+01:00", "2024-03-31T03:00+02:00", "2024-03-31T03:30+02:00"],
    ),
    ("30 2 31 3 *", BERLIN, "2024-01-01T00:00", ["2024-03-31T03:00+02:00", "2025-03-31T02:30+02:00"]),
    ("30 2 * * 0", BERLIN, "2024-03-25T00:00", ["2024-03-31T03:00+02:00", "2024-04-07T02:30+02:00"]),
    # a star in minute or hour: by the time that passes, nothing is made up for
    ("*/30 2 * * *", BERLIN, "2024-03-30T12:00", ["2024-04-01T02:00+02:00", "2024-04-01T02:30+02:00"]),
    (
        "*/30 * * * *",
        BERLIN,
        "2024-03-31T01:00",
        ["2024-03-31T01:30+01:00", "2024-03-31T03:00+02:00", "2024-03-31T03:30+02:00"],
    ),
    (
        "30 * * * *",
        BERLIN,
        "2024-03-31T00:00",
        ["2024-03-31T00:30+01:00", "2024-03-31T01:30+01:00", "2024-03-31T03:30+02:00"],
    ),
    ("0 */2 * * *", BERLIN, "2024-03-31T00:00", ["2024-03-31T04:00+02:00", "2024-03-31T06:00+02:00"]),
    # New York 2024-03-10: 02:00 becomes 03:00
    ("15 2 * * *", NEW_YORK, "2024-03-09T12:00", ["2024-03-10T03:00-04:00", "2024-03-11T02:15-04:00"]),
    # São Paulo 2018-11-04: midnight itself is left out
    ("0 0 * * *", SAO_PAULO, "2018-11-03T12:00", ["2018-11-04T01:00-02:00", "2018-11-05T00:00-02:00"]),
    ("*/15 0 * * *", SAO_PAULO, "2018-11-03T12:00", ["2018-11-05T00:00-02:00", "2018-11-05T00:15-02:00"]),
    ("0 * 4 11 *", SAO_PAULO, "2018-11-03T12:00", ["2018-11-04T01:00-02:00", "2018-11-04T02:00-02:00"]),
    # Lord Howe 2024-10-06: 02:00 becomes 02:30, half an hour only
    ("15 2 * * *", LORD_HOWE, "2024-10-05T12:00", ["2024-10-06T02:30+11:00", "2024-10-07T02:15+11:00"]),
    ("30 2 * * *", LORD_HOWE, "2024-10-05T12:00", ["2024-10-06T02:30+11:00", "2024-10-07T02:30+11:00"]),
    (
        "*/10 2 6 10 *",
        LORD_HOWE,
        "2024-10-06T01:00",
        ["2024-10-06T02:30+11:00", "2024-10-06T02:40+11:00", "2024-10-06T02:50+11:00"],
    ),
]

AUTUMN = [
    # Berlin 2024-10-27: 03:00 becomes 02:00. A specific time comes once, the first time.
    ("30 2 * * *", BERLIN, "2024-10-26T12:00", ["2024-10-27T02:30+02:00", "2024-10-28T02:30+01:00"]),
    ("0 2 * * *", BERLIN, "2024-10-26T12:00", ["2024-10-27T02:00+02:00", "2024-10-28T02:00+01:00"]),
    ("0 3 * * *", BERLIN, "2024-10-26T12:00", ["2024-10-27T03:00+01:00", "2024-10-28T03:00+01:00"]),
    (
        "15,45 2 27 10 *",
        BERLIN,
        "2024-10-27T00:00",
        ["2024-10-27T02:15+02:00", "2024-10-27T02:45+02:00", "2025-10-27T02:15+01:00"],
    ),
    # a star: both hours
    (
        "*/30 2 * * *",
        BERLIN,
        "2024-10-27T00:00",
        [
            "2024-10-27T02:00+02:00",
            "2024-10-27T02:30+02:00",
            "2024-10-27T02:00+01:00",
            "2024-10-27T02:30+01:00",
            "2024-10-28T02:00+01:00",
        ],
    ),
    (
        "30 * * * *",
        BERLIN,
        "2024-10-27T01:00",
        [
            "2024-10-27T01:30+02:00",
            "2024-10-27T02:30+02:00",
            "2024-10-27T02:30+01:00",
            "2024-10-27T03:30+01:00",
        ],
    ),
    (
        "0 */2 * * *",
        BERLIN,
        "2024-10-27T00:00",
        ["2024-10-27T02:00+02:00", "2024-10-27T02:00+01:00", "2024-10-27T04:00+01:00"],
    ),
    # New York 2024-11-03: 02:00 becomes 01:00
    ("30 1 * * *", NEW_YORK, "2024-11-02T12:00", ["2024-11-03T01:30-04:00", "2024-11-04T01:30-05:00"]),
    (
        "* 1 3 11 *",
        NEW_YORK,
        "2024-11-03T01:58:30",
        ["2024-11-03T01:59-04:00", "2024-11-03T01:00-05:00", "2024-11-03T01:01-05:00"],
    ),
    # Lord Howe 2024-04-07: 02:00 becomes 01:30
    ("45 1 * * *", LORD_HOWE, "2024-04-06T12:00", ["2024-04-07T01:45+11:00", "2024-04-08T01:45+10:30"]),
    (
        "*/15 1 7 4 *",
        LORD_HOWE,
        "2024-04-07T01:00",
        [
            "2024-04-07T01:15+11:00",
            "2024-04-07T01:30+11:00",
            "2024-04-07T01:45+11:00",
            "2024-04-07T01:30+10:30",
            "2024-04-07T01:45+10:30",
        ],
    ),
]

ELSEWHERE = [
    # Arizona does not change its clocks
    ("30 2 * * *", PHOENIX, "2024-03-09T12:00", ["2024-03-10T02:30-07:00", "2024-03-11T02:30-07:00"]),
    ("30 1 * * *", PHOENIX, "2024-11-02T12:00", ["2024-11-03T01:30-07:00", "2024-11-04T01:30-07:00"]),
    # Samoa went over the date line: 2011-12-30 was not. A change of three hours and more is a correction:
    # nothing is made up for.
    ("0 9 * * *", APIA, "2011-12-28T12:00", ["2011-12-29T09:00-10:00", "2011-12-31T09:00+14:00"]),
    ("0 0 30 * *", APIA, "2011-12-28T12:00", ["2012-01-30T00:00+14:00", "2012-03-30T00:00+14:00"]),
    ("0 0 * * *", APIA, "2011-12-28T12:00", ["2011-12-29T00:00-10:00", "2011-12-31T00:00+14:00"]),
    (
        "0 */6 * * *",
        APIA,
        "2011-12-29T12:00",
        ["2011-12-29T18:00-10:00", "2011-12-31T00:00+14:00", "2011-12-31T06:00+14:00"],
    ),
    ("0 12 * * 5", APIA, "2011-12-23T12:00", ["2012-01-06T12:00+14:00"]),
    # offsets of half and quarter hours
    ("30 5 * * *", "Asia/Kolkata", "2024-06-01T05:30", ["2024-06-02T05:30+05:30"]),
    ("0 0 * * *", "Asia/Kathmandu", "2024-06-01T00:00", ["2024-06-02T00:00+05:45"]),
    ("0 9 * * *", "Etc/GMT+3", "2024-06-01T10:00", ["2024-06-02T09:00-03:00"]),
]

CASES = [*PLAIN, *DAYS, *SPRING, *AUTUMN, *ELSEWHERE]


def ms(text: str, zone: str = "UTC") -> int:
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    return round(aware.timestamp() * 1000)


def told(stamps: list[int], zone: str) -> list[str]:
    moments = [datetime.fromtimestamp(stamp / 1000, ZoneInfo(zone)) for stamp in stamps]
    return [moment.isoformat(timespec="minutes") for moment in moments]


def test_there_are_enough_cases() -> None:
    """The table does not shrink unnoticed."""
    assert len(CASES) >= 60


@pytest.mark.parametrize(("fields", "zone", "start", "expected"), CASES)
def test_times_come_by_the_rules_of_cron(fields: str, zone: str, start: str, expected: list[str]) -> None:
    """The next times are those that Debian's cron would run a job at."""
    times = times_of(ScheduleTrigger(schedule=fields, timezone=zone))
    assert told(first(times, ms(start, zone), len(expected)), zone) == expected


@pytest.mark.parametrize(("fields", "zone", "start", "expected"), CASES)
def test_going_back_finds_the_same(fields: str, zone: str, start: str, expected: list[str]) -> None:
    """What is found from the end is what is found from the beginning."""
    times = times_of(ScheduleTrigger(schedule=fields, timezone=zone))
    begin, end = ms(start, zone), ms(expected[-1])
    assert told(times.last(begin, end, 50), zone) == expected
    assert told(times.last(begin, end, 2), zone) == expected[-2:]
    assert told(times.last(begin, end - 1, 50), zone) == expected[:-1]


_FIELDS = st.tuples(
    st.sampled_from(["0", "30", "*/20", "5,35", "59", "10-50/20"]),
    st.sampled_from(["*", "2", "0", "1-3", "*/3", "23"]),
    st.sampled_from(["*", "1", "13", "*/2", "28-31"]),
    st.sampled_from(["*", "3", "10,11", "4"]),
    st.sampled_from(["*", "0", "1-5", "*/2"]),
).map(" ".join)


@settings(max_examples=60)
@given(
    _FIELDS,
    st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, SAO_PAULO, "UTC"]),
    st.integers(0, 500),
    st.integers(0, 86_399_000),
)
@example("30 2 * * *", BERLIN, 300, 3_600_000)
def test_no_time_comes_twice_or_out_of_order(fields: str, zone: str, day: int, offset: int) -> None:
    """From wherever one begins, times go up, and going on from one gives those that follow it."""
    times = CronTimes(fields, ZoneInfo(zone))
    begin = ms("2017-12-20T00:00") + day * 86_400_000 + offset
    found = first(times, begin, 6)
    assert found == sorted(set(found))
    assert all(stamp > begin and stamp % 60_000 == 0 for stamp in found)
    assert first(times, found[2], 3) == found[3:]
    assert first(times, found[2] - 1, 4) == found[2:]
    assert times.last(begin, found[-1], 6) == found


def test_spans_are_counted_from_the_epoch() -> None:
    """Every process finds the same times, whenever it was started."""
    times = SpanTimes(15 * 60_000)
    assert told(first(times, ms("2024-01-01T08:01"), 3), "UTC") == [
        "2024-01-01T08:15+00:00",
        "2024-01-01T08:30+00:00",
        "2024-01-01T08:45+00:00",
    ]
    assert first(times, ms("2024-01-01T08:15"), 1) == [ms("2024-01-01T08:30")]
    assert times.last(ms("2024-01-01T08:00"), ms("2024-01-01T09:00"), 2) == [
        ms("2024-01-01T08:45"),
        ms("2024-01-01T09:00"),
    ]
    assert times.last(ms("2024-01-01T08:50"), ms("2024-01-01T09:00"), 5) == [ms("2024-01-01T09:00")]
    assert times.last(ms("2024-01-01T08:50"), ms("2024-01-01T08:59"), 5) == []


def test_a_single_moment_comes_once() -> None:
    """With an offset it means itself, without one it is read in the time zone."""
    times = times_of(ScheduleTrigger(at="2026-12-24T18:00:00", timezone=BERLIN))
    assert first(times, 0, 5) == [ms("2026-12-24T17:00:00")]
    assert first(times, ms("2026-12-24T17:00:00"), 5) == []
    other = times_of(ScheduleTrigger(at="2026-12-24T18:00:00-05:00", timezone=BERLIN))
    assert first(other, 0, 5) == [ms("2026-12-24T23:00:00")]
    assert OneTime(5).last(0, 9, 3) == [5]
    assert OneTime(5).last(5, 9, 3) == []


def test_a_year_of_minutes_is_not_counted_out() -> None:
    """The last times of a long absence are found without walking through it."""
    times = CronTimes("* * * * *", ZoneInfo(BERLIN))
    begin = ms("2020-01-01T00:00")
    found = times.last(begin, begin + int(timedelta(days=3000).total_seconds() * 1000), 10)
    assert len(found) == 10
    assert found[-1] - found[0] == 9 * 60_000


def test_times_between_two_moments() -> None:
    """Both ends are as elsewhere: the first does not count, the last does."""
    times = SpanTimes(1000)
    assert list(up_to(times, 1000, 3000)) == [2000, 3000]


@pytest.mark.parametrize("trigger", [ScheduleTrigger(schedule="9 25 * * *"), ScheduleTrigger(every="often")])
def test_what_cannot_be_read_is_refused(trigger: ScheduleTrigger) -> None:
    """A schedule made in Python is checked when it is put to work."""
    with pytest.raises(InvalidInput):
        times_of(trigger)
