"""Forecasts: known answers, known processes, and the books of the example company held out."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirigent.agents.forecasting import Grain, Outlook, outlook_of, timeline_of
from dirigent.agents.forecasting.blend import Blend
from dirigent.agents.forecasting.intermittent import is_intermittent, tsb
from dirigent.agents.forecasting.rhythm import rhythm_of
from dirigent.agents.forecasting.season import NO_SEASON, season_of
from dirigent.agents.forecasting.smoothing import Line, damped, simple, theta
from dirigent.domain.errors import InvalidInput
from tests.agents.wholesaler import order_book

MONDAY = date(2026, 1, 5)
LAST_DAY = date(2011, 9, 30)


def noise(seed: int, count: int, sigma: float = 10.0) -> list[float]:
    """Independent normal values around nothing."""
    chance = random.Random(seed)
    return [chance.gauss(0, sigma) for _ in range(count)]


def covered(outlook: Outlook, values: Sequence[float], coverage: float = 0.8) -> float:
    """The share of values that lie in the band."""
    band = outlook.band(len(values), coverage)
    inside = (low <= value <= high for value, (low, high) in zip(values, band, strict=True))
    return sum(inside) / len(values)


def test_simple_smoothing_of_a_jump() -> None:
    """Ten times 10, then twenty times 20: the level has moved to 20, the trend of theta is half the slope."""
    values = [10.0] * 10 + [20.0] * 20
    line = simple(values)
    assert line.pull == 0.99
    assert line.ahead(3) == pytest.approx([20.0] * 3)
    mean, middle = sum(values) / 30, 14.5
    slope = sum((at - middle) * (value - mean) for at, value in enumerate(values)) / sum(
        (at - middle) ** 2 for at in range(30)
    )
    assert theta(values).trend == pytest.approx(slope / 2)
    first, second = theta(values).ahead(2)
    assert second - first == pytest.approx(slope / 2)
    assert first == pytest.approx(20.0 + slope / 2 / 0.99, abs=1e-6)


def test_a_line_is_continued_by_a_damped_trend() -> None:
    """A straight rise goes on, ever less steeply, and is never left behind."""
    ahead = damped([5.0 + 2 * step for step in range(40)]).ahead(5)
    steps = [later - earlier for earlier, later in pairwise(ahead)]
    assert ahead[0] == pytest.approx(85, abs=0.5)
    assert steps == sorted(steps, reverse=True)
    assert all(1.5 < step < 2.0 for step in steps)


@pytest.mark.parametrize("alpha", [0.1, 0.4, 1.0])
def test_the_spread_of_a_total_is_the_published_one(alpha: float) -> None:
    """For simple smoothing: sigma squared times L + a L (L-1) + a^2 L (L-1) (2L-1) / 6."""
    line = Line(name="x", level=100.0, pull=alpha, errors=(2.0, -2.0), parameters=0)
    blend = Blend(lines=((line, 1.0),), season=NO_SEASON, length=50)
    for steps in (1, 2, 7, 30):
        grown = alpha * steps * (steps - 1)
        expected = 4.0 * (steps + grown + alpha * grown * (2 * steps - 1) / 6)
        assert blend.total_spread(steps) ** 2 == pytest.approx(expected)
    assert blend.spread(3)[2] ** 2 == pytest.approx(4.0 * (1 + 2 * alpha**2))


def test_a_season_is_found_taken_out_and_put_back() -> None:
    """Factors of a week on a rising level come back; noise has no season, in one cycle none is to be seen."""
    factors = [0.5, 0.8, 1.0, 1.2, 1.5, 1.0, 1.0]
    values = [(100 + step) * factors[step % 7] for step in range(70)]
    assert season_of(values, 7).indices == pytest.approx(factors, rel=0.02)
    assert season_of(values[:14], 7).indices == pytest.approx(factors, rel=0.1)
    assert season_of(values[:13], 7) is NO_SEASON
    assert season_of([100 + value for value in noise(1, 70)], 7) is NO_SEASON
    ahead = outlook_of(values, horizon=14, period=7).expected(14)
    truth = [(170 + step) * factors[step % 7] for step in range(14)]
    assert ahead == pytest.approx(truth, rel=0.05)


def test_what_has_no_season_is_rarely_given_one() -> None:
    """Of noise in one of a hundred series, of a random walk in few."""
    noisy = [season_of([200 + value for value in noise(seed, 60)], 12) for seed in range(200)]
    walks = [season_of([500 + sum(noise(seed, 60)[:step]) for step in range(60)], 12) for seed in range(100)]
    assert sum(found is not NO_SEASON for found in noisy) <= 6
    assert sum(found is not NO_SEASON for found in walks) <= 15


@pytest.mark.parametrize(("months", "growth", "share"), [(24, 0.01, 0.85), (36, 0.0, 1.0), (36, 0.01, 0.7)])
def test_years_that_look_alike_are_foreseen(months: int, growth: float, share: float) -> None:
    """Two or three years with a season: better than last year again, and the band covers what it says."""
    ours, naive, inside = 0.0, 0.0, []
    for seed in range(30):
        chance = random.Random(seed)
        phase = 6 * chance.random()
        values = [
            1_000
            * (1 + growth) ** month
            * (1 + 0.25 * math.sin(math.tau * month / 12 + phase))
            * (1 + chance.gauss(0, 0.05))
            for month in range(months + 6)
        ]
        known, came = values[:months], values[months:]
        outlook = outlook_of(known, horizon=6, period=12, floor=0.0)
        ours += rms(came, outlook.expected(6))
        naive += rms(came, known[-12:-6])
        inside.append(covered(outlook, came))
    assert ours < share * naive
    assert 0.65 <= sum(inside) / 30 <= 0.95


def test_a_season_of_values_below_zero_adds() -> None:
    """Where values may be negative, the season is a difference."""
    values = [(step % 4) * 10.0 - 20 + error for step, error in enumerate(noise(3, 60, 0.5))]
    season = season_of(values, 4)
    assert not season.multiplies
    assert season.indices == pytest.approx([-15, -5, 5, 15], abs=0.5)
    assert outlook_of(values, horizon=4, period=4).expected(4) == pytest.approx([-20, -10, 0, 10], abs=1.5)


def test_a_shop_that_is_shut_on_sundays_sells_nothing_then() -> None:
    """Closed days stay closed and do not count as lack of demand; rare demand is no rhythm."""
    week = [20.0, 22.0, 18.0, 21.0, 19.0, 20.0, 0.0]
    values = [
        value + (abs(error) if value else 0) for value, error in zip(week * 12, noise(4, 84), strict=True)
    ]
    outlook = outlook_of(values, horizon=14, period=7, floor=0.0)
    ahead = outlook.expected(14)
    assert (ahead[6], ahead[13], outlook.band(14, 0.8)[6]) == (0.0, 0.0, (0.0, 0.0))
    assert all(20 < value < 40 for place, value in enumerate(ahead) if place % 7 != 6)
    assert outlook.total(14)[0] == pytest.approx(sum(ahead))
    assert "TSB" not in outlook.methods
    assert all(rhythm_of([0, 0, 3, 0, 0, 0, 0] + [0] * 14 + [2], 7).opened)


def test_demand_that_comes_now_and_then() -> None:
    """Four pieces every fourth day are one a day; what nobody asks for any more fades away."""
    values = [0.0, 0.0, 0.0, 4.0] * 20
    assert is_intermittent(values)
    assert not is_intermittent([0.0, 3.0, 2.0, 4.0, 1.0, 2.0])
    outlook = outlook_of(values, horizon=8, floor=0.0)
    assert set(outlook.methods) == {"recent mean", "TSB"}
    assert sum(outlook.expected(8)) == pytest.approx(8, rel=0.1)
    assert tsb(values).level > 0.9
    assert tsb([*values, *([0.0] * 40)]).level < 0.02
    faded = outlook_of([*values[:40], *([0.0] * 60)], horizon=8, floor=0.0)
    assert sum(faded.expected(8)) < 0.5


def test_nothing_sold_for_long_is_nothing_expected() -> None:
    """Zeros alone give zeros, and a band of no width."""
    outlook = outlook_of([0.0] * 30, horizon=5, period=7, floor=0.0)
    assert (outlook.expected(5), outlook.band(5, 0.9)) == ([0.0] * 5, [(0.0, 0.0)] * 5)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_of_few_values_little_is_said(count: int) -> None:
    """Their mean, with a band that is not narrow; there is nothing to be held out."""
    outlook = outlook_of([30.0, 10.0, 20.0, 28.0][:count], horizon=3, floor=0.0)
    mean = sum([30.0, 10.0, 20.0, 28.0][:count]) / count
    low, high = outlook.band(3, 0.8)[2]
    assert outlook.expected(3) == pytest.approx([mean] * 3)
    assert high - low > mean / 2
    assert outlook.accuracy is None


@pytest.mark.parametrize("kind", ["noise", "walk", "season"])
def test_the_band_covers_what_it_says(kind: str) -> None:
    """Of known processes an 80 % band holds 75 to 88 % of what comes, and a total's too."""
    shares, totals = [], []
    for seed in range(40):
        values = [200 + value for value in noise(seed, 120)]
        if kind == "walk":
            values = [200 + sum(noise(seed, 120, 3.0)[: step + 1]) for step in range(120)]
        if kind == "season":
            values = [value * (1.4 if step % 7 == 2 else 0.9) for step, value in enumerate(values)]
        outlook = outlook_of(values[:100], horizon=20, period=7)
        shares.append(covered(outlook, values[100:]))
        mean, spread = outlook.total(20)
        totals.append(abs(sum(values[100:]) - mean) <= 1.2816 * spread)
    assert 0.75 <= sum(shares) / 40 <= 0.88
    assert 0.70 <= sum(totals) / 40 <= 1.0


@cache
def demand() -> dict[str, dict[date, float]]:
    """Pieces of every article by day, as the example company sold them."""
    sold: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for line in order_book().rows["order_lines"]:
        if line["goods"] and line["kind"] == "sale" and line["quantity"] > 0:
            sold[line["sku"]][date.fromisoformat(line["order"]["ordered_at"][:10])] += line["quantity"]
    return sold


def split(sku: str, held_out: int) -> tuple[list[float], list[float]]:
    """The days of an article, and the last ones for themselves."""
    values = timeline_of(demand()[sku].items(), until=LAST_DAY).values
    return list(values[:-held_out]), list(values[-held_out:])


def rms(values: Sequence[float], guesses: Sequence[float]) -> float:
    """The root of the mean squared error."""
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(values, guesses, strict=True)) / len(values))


@pytest.mark.parametrize(("ranks", "share"), [((0, 60), 0.87), ((1000, 1060), 0.95), ((2500, 2560), 0.95)])
def test_articles_of_the_example_company_are_foreseen(ranks: tuple[int, int], share: float) -> None:
    """Four weeks by day: less error than last week again, for what sells daily, weekly and hardly ever.

    An 80 % band holds more than it says, since few large orders make most of the spread; never less.
    """
    chosen = sorted(demand(), key=lambda sku: (-len(demand()[sku]), sku))[slice(*ranks)]
    ours, naive, inside = 0.0, 0.0, []
    for sku in (sku for sku in chosen if min(demand()[sku]) < date(2011, 3, 1)):
        known, came = split(sku, 28)
        outlook = outlook_of(known, horizon=28, period=7, floor=0.0)
        ours += rms(came, outlook.expected(28))
        naive += rms(came, (known[-7:] * 4)[:28])
        inside.append(covered(outlook, came))
    assert len(inside) > 40
    assert ours < share * naive
    assert 0.78 < sum(inside) / len(inside) < 0.98


def test_the_whole_business_is_foreseen() -> None:
    """Pieces a day, ten weeks ahead: better than last week again, and Saturdays are known as closed."""
    total: dict[date, float] = defaultdict(float)
    for days in demand().values():
        for day, quantity in days.items():
            total[day] += quantity
    values = timeline_of(total.items(), until=LAST_DAY).values
    known, came = values[:-70], values[-70:]
    outlook = outlook_of(known, horizon=70, period=7, floor=0.0)
    ahead = outlook.expected(70)
    again = (list(known[-7:]) * 10)[:70]
    ours, naive = (
        sum(abs(a - b) for a, b in zip(came, guess, strict=True)) / sum(came) for guess in (ahead, again)
    )
    assert ours < 0.95 * naive
    saturdays = [place for place in range(70) if (LAST_DAY - timedelta(days=69 - place)).weekday() == 5]
    assert len(saturdays) == 10
    assert all(ahead[place] == came[place] == 0 for place in saturdays)
    assert 0.7 <= covered(outlook, came) <= 0.95


def test_dates_become_an_even_series() -> None:
    """In any order, several a day added up, zero where nothing is dated, up to the last known day."""
    dated = [(MONDAY + timedelta(days=4), 2.0), (MONDAY, 1.0), (MONDAY, 3.0)]
    timeline = timeline_of(dated, until=MONDAY + timedelta(days=5))
    assert (timeline.grain, timeline.start, timeline.end) == (Grain.DAY, MONDAY, MONDAY + timedelta(days=6))
    assert timeline.values == (4.0, 0.0, 0.0, 0.0, 2.0, 0.0)


def test_weeks_and_months_are_known_by_their_dates() -> None:
    """Whole weeks apart are weeks, one a month on the same day or the last are months, else they are days."""
    weekly = timeline_of([(MONDAY + timedelta(weeks=step), 7.0) for step in (0, 1, 3)])
    assert (weekly.grain, weekly.values) == (Grain.WEEK, (7.0, 7.0, 0.0, 7.0))
    assert weekly.days_ahead(8)[-1] == (MONDAY + timedelta(weeks=5), 1, 7)
    assert weekly.steps_ahead(10) == pytest.approx(10 / 7)
    for days in ((15, 15, 15), (31, 28, 31)):
        dated = [(date(2026, month, day), 1.0) for month, day in enumerate(days, 1)]
        monthly = timeline_of(dated)
        assert (monthly.grain, monthly.start, monthly.end) == (
            Grain.MONTH,
            date(2026, 1, 1),
            date(2026, 4, 1),
        )
        assert monthly.steps_ahead(30 + 31) == 2.0
    assert timeline_of([(MONDAY, 1.0), (MONDAY + timedelta(days=8), 1.0)]).grain is Grain.DAY


def test_only_what_is_recent_is_kept() -> None:
    """A sale a thousand years ago makes no series of a thousand years."""
    timeline = timeline_of([(date(1026, 1, 1), 5.0), (date(2026, 1, 1), 1.0), (date(2026, 1, 2), 2.0)])
    assert (len(timeline.values), timeline.values[-2:]) == (1_100, (1.0, 2.0))
    assert timeline.end == date(2026, 1, 3)


def test_a_million_sales_are_one_pass() -> None:
    """They may come from anywhere that can be gone through once."""
    sales = ((MONDAY + timedelta(days=number % 200), 1.0) for number in range(1_000_000))
    assert timeline_of(sales).values == (5_000.0,) * 200


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(bad: float) -> None:
    """With its place."""
    with pytest.raises(InvalidInput, match="Quantity 1 is"):
        timeline_of([(MONDAY, 1.0), (MONDAY, bad)])
    with pytest.raises(InvalidInput, match=r"Value 1 is"):
        outlook_of([1.0, bad], horizon=1)


def test_what_makes_no_sense_is_refused() -> None:
    """No dates, no values, a date in the future, a horizon or a cycle that is none."""
    for call in (
        lambda: timeline_of([]),
        lambda: timeline_of([(MONDAY, 1.0)], until=MONDAY - timedelta(days=1)),
        lambda: outlook_of([], horizon=1),
        lambda: outlook_of([1.0], horizon=-3),
        lambda: outlook_of([1.0], horizon=5_000),
        lambda: outlook_of([1.0], horizon=1, period=0),
    ):
        with pytest.raises(InvalidInput):
            call()


@given(
    st.lists(st.floats(0, 1e6) | st.just(0.0), min_size=1, max_size=60),
    st.integers(1, 20),
    st.sampled_from([1, 4, 7]),
)
def test_any_series_gives_a_band_around_what_is_expected(
    values: list[float], horizon: int, period: int
) -> None:
    """Finite, not below the floor, low before high, wider for more coverage, the same every time."""
    outlook = outlook_of(values, horizon=horizon, period=period, floor=0.0)
    ahead, narrow, wide = outlook.expected(horizon), outlook.band(horizon, 0.5), outlook.band(horizon, 0.95)
    for value, (low, high), (lower, higher) in zip(ahead, narrow, wide, strict=True):
        assert 0 <= lower <= low <= value <= high <= higher < math.inf
    assert sum(outlook.methods.values()) == pytest.approx(1)
    assert outlook.total(horizon)[0] == pytest.approx(sum(ahead))
    assert outlook_of(values, horizon=horizon, period=period, floor=0.0) == outlook
