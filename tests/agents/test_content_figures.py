"""What posts brought: rates, the best one, and whether it is the best by more than accident.

`headline_tests.csv` holds impressions and clicks of 60 real headline tests with exactly one declared winner,
from the Upworthy Research Archive (Matias and others, Scientific Data 2021, osf.io/jd64p, CC BY 4.0): 30 in
which the best variant is significantly better than every other, and 30 in which it is not.
"""

from __future__ import annotations

import csv
import random
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from dirigent.agents.content.shares import interval_of, p_of_difference
from dirigent.domain.errors import InvalidInput, NotFound
from tests.agents.newsroom import Newsroom

HEADLINES = Path(__file__).parents[1] / "fixtures" / "headline_tests.csv"


@pytest.fixture
def newsroom() -> Newsroom:
    """Nothing is on record."""
    return Newsroom()


async def three_posts(newsroom: Newsroom) -> list[str]:
    """Three posts on record; their ids."""
    made = await newsroom.create(platforms=["x", "threads", "linkedin"])
    return [post.content_id for post in made.content]


async def measure(
    newsroom: Newsroom, content_id: str, seen: int, reacted: int, at: str = "2026-11-20"
) -> Any:
    """Bring the figures of a post by an event."""
    data = {"content_id": content_id, "impressions": seen, "engagement": reacted, "measured_at": at}
    event = {"id": "e", "type": "content.measured", "source": "x", "data": data}
    return await newsroom.ask("record_figures", event=event)


async def test_three_posts_with_given_numbers(newsroom: Newsroom) -> None:
    """Rates are computed, the best post is named, and that it is significantly better, with its p-value."""
    ids = await three_posts(newsroom)
    for content_id, seen, reacted in zip(ids, (1000, 2000, 4000), (50, 40, 60), strict=True):
        await measure(newsroom, content_id, seen, reacted)
    told = await newsroom.ask("analyze_content", content_ids=ids)
    assert [(one.content_id, one.rate) for one in told.analytics] == list(
        zip(ids, (0.05, 0.02, 0.015), strict=True)
    )
    assert (told.best, told.significant) == (ids[0], True)
    assert f"{ids[0]} has the highest rate: 5.00% (50 of 1000), between 3.81% and 6.53%" in told.insights[0]
    assert "significantly better than every other" in told.insights[1]
    assert f"{ids[1]} with 2.00%" in told.insights[1]


async def test_few_impressions_prove_nothing(newsroom: Newsroom) -> None:
    """The best is named, and that the difference is not significant."""
    ids = await three_posts(newsroom)
    for content_id, seen, reacted in zip(ids, (20, 20, 10), (3, 1, 0), strict=True):
        await measure(newsroom, content_id, seen, reacted)
    told = await newsroom.ask("analyze_content")
    assert (told.best, told.significant) == (ids[0], False)
    assert "is not significant (p = " in told.insights[1]


async def test_the_last_figures_count_and_those_of_the_window(newsroom: Newsroom) -> None:
    """Figures are totals: a later one takes the place of an earlier, and so does the same time again."""
    first, second, third = await three_posts(newsroom)
    await measure(newsroom, first, 100, 1, "2026-11-01T10:00:00Z")
    await measure(newsroom, first, 300, 9, "2026-11-03T10:00:00+01:00")
    await measure(newsroom, first, 300, 12, "2026-11-03T09:00:00Z")
    await measure(newsroom, second, 100, 2, "2026-11-02")
    everything = await newsroom.ask("analyze_content", content_ids=[first, second, third])
    assert [(one.impressions, one.engagement) for one in everything.analytics] == [(300, 12), (100, 2)]
    assert everything.unmeasured == [third]
    early = await newsroom.ask("analyze_content", window={"start": "2026-11-01", "end": "2026-11-02"})
    assert [(one.impressions, one.engagement) for one in early.analytics] == [(100, 2), (100, 1)]


async def test_without_figures_it_says_so(newsroom: Newsroom) -> None:
    """An empty house has nothing to tell, and says why."""
    told = await newsroom.ask("analyze_content")
    assert (told.analytics, told.best, told.insights) == ([], None, [])
    assert told.reason == "No figures are on record for this."


async def test_one_post_alone_is_not_the_best_of_any(newsroom: Newsroom) -> None:
    """Its rate is told with how far it may be off; a post that nobody saw has none."""
    first, second, _ = await three_posts(newsroom)
    await measure(newsroom, first, 100, 5)
    await measure(newsroom, second, 0, 0)
    told = await newsroom.ask("analyze_content")
    assert (told.best, told.significant, len(told.insights)) == (None, False, 1)
    assert [one.rate for one in told.analytics] == [0.05, 0.0]


@pytest.mark.parametrize(
    ("figures", "error"),
    [((10, 11), "engagement is more than impressions"), ((-1, 0), "greater than or equal to 0")],
)
async def test_figures_that_cannot_be(newsroom: Newsroom, figures: tuple[int, int], error: str) -> None:
    """They are refused, and so are those of a post that nobody knows, or a window that runs backwards."""
    [content_id, *_] = await three_posts(newsroom)
    with pytest.raises(InvalidInput, match=error):
        await measure(newsroom, content_id, *figures)
    with pytest.raises(NotFound, match="no content 'content_x'"):
        await measure(newsroom, "content_x", 1, 1)
    with pytest.raises(InvalidInput, match="ends before it begins"):
        await newsroom.ask("analyze_content", window={"start": "2026-11-02", "end": "2026-11-01"})


async def test_real_headline_tests(newsroom: Newsroom) -> None:
    """Where the difference is significant, the post named is the declared winner, in 30 of 30 tests."""
    rows = list(csv.DictReader(HEADLINES.open(encoding="utf-8")))
    named = []
    for _, variants in groupby(rows, key=lambda row: row["test"]):
        newsroom = Newsroom()
        posts: dict[str, dict[str, str]] = {}
        for row in variants:
            made = await newsroom.create(f"headline {row['variant']}", platforms=["x"])
            content_id = made.content[0].content_id
            posts[content_id] = row
            await measure(newsroom, content_id, int(row["impressions"]), int(row["clicks"]))
        told = await newsroom.ask("analyze_content", content_ids=list(posts))
        assert told.best is not None
        if told.significant:
            named.append(posts[told.best]["winner"])
    assert named == ["true"] * 30


def test_posts_that_are_alike_are_rarely_told_apart() -> None:
    """A thousand times four posts of one true rate: the best seems significant in under one of thirty."""
    chance = random.Random(1)
    wrong = 0
    for _ in range(1000):
        best, *others = sorted(
            (sum(chance.random() < 0.05 for _ in range(400)) for _ in range(4)), reverse=True
        )
        wrong += all(p_of_difference(best, 400, other, 400) < 0.05 for other in others)
    assert wrong < 30


def test_the_test_is_the_published_one() -> None:
    """Fisher's tea (3 and 1 of 4: p = 0.486), the pooled z where counts are large; nothing says nothing."""
    assert p_of_difference(3, 4, 1, 4) == pytest.approx(34 / 70)
    assert p_of_difference(4, 4, 0, 4) == pytest.approx(2 / 70)
    assert p_of_difference(100, 1000, 130, 1000) == pytest.approx(0.0355, abs=0.0002)
    assert p_of_difference(0, 0, 5, 10) == p_of_difference(0, 10, 0, 20) == 1.0
    assert interval_of(50, 1000) == pytest.approx((0.0381, 0.0653), abs=0.0001)
    assert interval_of(0, 0) == (0.0, 1.0)
