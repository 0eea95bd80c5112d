"""When posts go out: evenly over a window, in the time of a place, never in the past, always the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from dirigent.domain.errors import InvalidInput, NotFound
from tests.agents.newsroom import Newsroom

MORNING = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)


@pytest.fixture
def newsroom() -> Newsroom:
    """Nothing is on record."""
    return Newsroom()


async def posts(newsroom: Newsroom, *platforms: str) -> list[str]:
    """Drafts for some platforms; their ids."""
    made = await newsroom.create(platforms=list(platforms))
    return [post.content_id for post in made.content]


async def times(newsroom: Newsroom, ids: list[str], now: datetime = MORNING, **said: Any) -> list[str]:
    """When posts go out, asked at some time."""
    ctx = newsroom.context(now=now)
    told = await newsroom.ask("schedule_content", ctx, content_ids=ids, **said)
    assert [one.content_id for one in told.confirmations] == ids
    return [f"{one.at:%Y-%m-%dT%H:%M:%SZ}" for one in told.confirmations]


async def test_three_posts_over_a_working_day(newsroom: Newsroom) -> None:
    """09:00 to 17:00: at the start, in the middle and at the end; and it is on record."""
    ids = await posts(newsroom, "x", "threads", "linkedin")
    at = await times(newsroom, ids, window={"start": "09:00", "end": "17:00"})
    assert at == ["2026-11-20T09:00:00Z", "2026-11-20T13:00:00Z", "2026-11-20T17:00:00Z"]
    rows = newsroom.rows()
    assert [(rows[one]["state"], rows[one]["scheduled_at"]) for one in ids] == [
        ("scheduled", one) for one in at
    ]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"window": {"start": "09:00", "end": "17:00"}, "timezone": "America/New_York"},
         ["2026-11-20T14:00:00Z", "2026-11-20T22:00:00Z"]),
        ({"window": "9:00 to 17:00"}, ["2026-11-20T09:00:00Z", "2026-11-20T17:00:00Z"]),
        ({"window": "09:00-17:00"}, ["2026-11-20T09:00:00Z", "2026-11-20T17:00:00Z"]),
        ({"window": {"start": "07:00", "end": "08:00"}}, ["2026-11-21T07:00:00Z", "2026-11-21T08:00:00Z"]),
        ({"window": {"start": "09:00", "end": "10:00", "date": "2026-12-24"}},
         ["2026-12-24T09:00:00Z", "2026-12-24T10:00:00Z"]),
        ({"window": {"start": "2026-12-31T22:00", "end": "2027-01-01T02:00"}, "timezone": "Europe/Rome"},
         ["2026-12-31T21:00:00Z", "2027-01-01T01:00:00Z"]),
        # On 28 March 2027 Rome goes from 02:00 to 03:00: two hours by the wall are one.
        ({"window": {"start": "01:30", "end": "03:30", "date": "2027-03-28"}, "timezone": "Europe/Rome"},
         ["2027-03-28T00:30:00Z", "2027-03-28T01:30:00Z"]),
        ({"at": "2026-11-20T18:00:00+02:00"}, ["2026-11-20T16:00:00Z"] * 2),
        ({"at": "2026-11-20 18:00", "timezone": "Asia/Tokyo"}, ["2026-11-20T09:00:00Z"] * 2),
    ],
)  # fmt: skip
async def test_times_are_those_of_a_place(
    newsroom: Newsroom, said: dict[str, Any], expected: list[str]
) -> None:
    """Local to the zone; times of a day that have passed are those of the next day."""
    assert await times(newsroom, await posts(newsroom, "x", "threads"), **said) == expected


@pytest.mark.parametrize(
    ("said", "field", "error"),
    [
        ({"at": "2026-11-20T07:30:00Z"}, "at", "is past"),
        ({"at": "tomorrow"}, "at", "no moment"),
        ({"at": "2027-03-28T02:30", "timezone": "Europe/Rome"}, "at", "does not exist in Europe/Rome"),
        ({"at": "2026-12-01T09:00", "timezone": "Europe/Roma"}, "timezone", "no time zone 'Europe/Roma'"),
        ({}, "at", "either by at or by window"),
        (
            {"at": "2026-12-01T09:00", "window": {"start": "09:00", "end": "17:00"}},
            "at",
            "either by at or by",
        ),
        ({"window": {"start": "2026-11-19T09:00", "end": "2026-12-01T09:00"}}, "window.start", "is past"),
        ({"window": {"start": "17:00", "end": "09:00"}}, "window.end", "ends before it begins"),
        ({"window": {"start": "09:00", "end": "2026-12-01T09:00"}}, "window", "mixes"),
        ({"window": {"start": "09:00", "end": "09:00:30"}}, "window", "no room for 2 posts"),
        ({"window": "in the morning"}, "window", "valid dictionary"),
        ({"window": {"start": "09:00", "end": "10:00", "date": "1 May"}}, "window.date", "no date"),
        ({"at": "2026-12-01T09:00", "platform": "linkedin"}, "platform", "was written for x"),
    ],
)
async def test_what_cannot_be_is_refused(
    newsroom: Newsroom, said: dict[str, Any], field: str, error: str
) -> None:
    """With the field and what to do; nothing is scheduled."""
    with pytest.raises(InvalidInput, match=error) as caught:
        await times(newsroom, await posts(newsroom, "x", "threads"), **said)
    assert caught.value.field == field
    assert {row["state"] for row in newsroom.rows().values()} == {"draft"}


async def test_an_unknown_post_is_named_with_the_nearest(newsroom: Newsroom) -> None:
    """And none of the others is scheduled."""
    [known] = await posts(newsroom, "x")
    with pytest.raises(NotFound, match=f"no content '{known}0' on record. Did you mean '{known}'"):
        await times(newsroom, [known, f"{known}0"], at="2026-12-01T09:00")
    assert newsroom.rows()[known]["state"] == "draft"


async def test_a_repeated_attempt_keeps_its_times(newsroom: Newsroom) -> None:
    """Also when it comes after the window has begun; another call sets others."""
    ids = await posts(newsroom, "x", "threads")
    ctx = newsroom.context(now=MORNING)
    said = {"content_ids": ids, "window": {"start": "09:00", "end": "17:00"}}
    first = await newsroom.ask("schedule_content", ctx, **said)
    late = replace(ctx, attempt=2, now=MORNING.replace(hour=12))
    assert await newsroom.ask("schedule_content", late, **said) == first
    assert await times(
        newsroom, ids, MORNING.replace(hour=12), **{k: v for k, v in said.items() if k == "window"}
    ) == [
        "2026-11-21T09:00:00Z",
        "2026-11-21T17:00:00Z",
    ]


async def test_what_is_published_is_not_scheduled_again(newsroom: Newsroom) -> None:
    """It has left."""
    [known] = await posts(newsroom, "x")
    newsroom.save("contents", {**newsroom.rows()[known], "state": "published"})
    with pytest.raises(InvalidInput, match="has been published"):
        await times(newsroom, [known], at="2026-12-01T09:00")
