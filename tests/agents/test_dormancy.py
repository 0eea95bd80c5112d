"""Dormancy: silence in units of the customer's own rhythm."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirigent.agents.revenue.dormancy import DormancyRule, Standing, explain, population_rhythm, survey
from dirigent.agents.revenue.order_book import History, known_on, read_histories
from tests.agents.fakes import FakeRecords, orders_of

DAY = date(2011, 9, 30)
LOOSE = DormancyRule(days_silent_min=1, enterprise_quantile=0.0)


def history(customer_id: str, *days: str, value: float = 100.0) -> History:
    ordered = [date.fromisoformat(day) for day in days]
    return History(customer_id=customer_id, days=tuple(ordered), flows=tuple((day, value) for day in ordered))


def dormant_ids(histories: list[History], rule: DormancyRule = LOOSE) -> list[str]:
    return [standing.customer_id for standing in survey(histories, DAY, rule).dormant()]


MONTHLY = ("2011-04-01", "2011-05-01", "2011-06-01", "2011-07-01")
YEARLY = ("2009-07-01", "2010-07-01", "2011-07-01")


def test_the_same_silence_is_long_for_one_customer_and_usual_for_another() -> None:
    """Three months are dormancy for who ordered monthly, and nothing for who orders once a year."""
    others = [history(str(n), *MONTHLY) for n in range(3)]
    found = dormant_ids([*others, history("yearly", *YEARLY)])
    assert found == ["0", "1", "2"]


def test_who_ordered_once_has_the_rhythm_of_the_population() -> None:
    """Without gaps of its own a customer is measured by the median gap of the others."""
    once, others = history("once", "2011-01-15"), [history("a", *MONTHLY), history("b", *MONTHLY)]
    found = survey([once, *others], DAY, LOOSE)
    assert found.standings[0].rhythm_days == found.population_rhythm_days == pytest.approx(91 / 3)
    assert "once" in [standing.customer_id for standing in found.dormant()]


def test_the_rhythm_becomes_the_customer_s_own_with_every_order() -> None:
    """One gap of the population is mixed in: with many orders it hardly counts any more."""
    often = history("often", *(f"2011-0{month}-{day:02}" for month in (5, 6, 7) for day in range(1, 29)))
    found = survey([history("m", *MONTHLY), history("n", *MONTHLY), often], DAY, LOOSE)
    assert found.standings[2].rhythm_days == pytest.approx((88 + 91 / 3) / 84)


def test_a_short_absence_is_no_dormancy_however_quick_the_rhythm() -> None:
    """A weekly buyer on holiday is not written to: the calendar floor holds besides the rhythm."""
    weekly = history("weekly", "2011-07-22", "2011-07-29", "2011-08-05", "2011-08-12")
    assert dormant_ids([weekly]) == ["weekly"]
    assert dormant_ids([weekly], DormancyRule(days_silent_min=60)) == []


def test_the_threshold_is_the_chance_of_such_a_silence() -> None:
    """Dormant is a silence that an active customer shows with at most the chance given: exp(-t / rhythm)."""
    standing = Standing(
        customer_id="c",
        last_order=DAY,
        days_silent=70,
        rhythm_days=30.0,
        orders=5,
        tenure_days=200,
        spend=1.0,
    )
    assert standing.silence_chance == pytest.approx(0.0970, abs=5e-5)
    assert DormancyRule(silence_chance_max=0.10).silence_multiple == pytest.approx(2.302585)


@given(st.floats(0.01, 0.5), st.floats(0.01, 0.5))
def test_a_stricter_chance_never_finds_more(one: float, other: float) -> None:
    """Lowering the chance can only take customers off the list."""
    histories = [history(str(n), "2011-01-01", f"2011-0{n}-10") for n in range(1, 9)]
    strict, lax = (
        set(dormant_ids(histories, DormancyRule(silence_chance_max=chance, days_silent_min=1)))
        for chance in sorted((one, other))
    )
    assert strict <= lax


def test_enterprise_is_the_top_quarter_by_net_spend_or_an_amount() -> None:
    """The quantile is taken over all customers known; an absolute threshold takes its place."""
    histories = [history(str(n), *MONTHLY, value=100.0 * n) for n in range(1, 9)]
    found = survey(histories, DAY, DormancyRule())
    assert found.enterprise_spend_min == 2800.0
    assert [s.customer_id for s in found.dormant(enterprise_only=True)] == ["7", "8"]
    fixed = survey(histories, DAY, DormancyRule(enterprise_spend_min=2000.0))
    assert len(fixed.dormant(enterprise_only=True)) == 4


def test_what_was_cancelled_is_no_spend() -> None:
    """Net spend is sales less cancellations and returns of the last year; the older money does not count."""
    rows = [
        *orders_of("c", "2011-05-01", "2011-06-01", value=500.0),
        *orders_of("c", "2011-06-02", value=450.0, kind="cancellation"),
        *orders_of("c", "2009-01-01", value=9000.0),
    ]
    (known,) = read_histories(FakeRecords(orders=rows))
    assert known.net_spend(DAY, 365) == 550.0
    assert known.days == (date(2009, 1, 1), date(2011, 5, 1), date(2011, 6, 1))


def test_orders_without_a_customer_or_without_value_are_no_rhythm() -> None:
    """Counter sales and free samples say nothing about a customer's rhythm."""
    rows = [
        *orders_of("", "2011-05-01"),
        *orders_of("free", "2011-05-01", value=0.0),
        *orders_of("c", "2011-05-01", "2011-05-01"),
    ]
    assert [item.customer_id for item in read_histories(FakeRecords(orders=rows))] == ["c"]


def test_nothing_later_than_the_day_is_known() -> None:
    """A survey of a past day sees the book as it stood then."""
    cut = known_on([history("a", *MONTHLY), history("late", "2011-08-01")], date(2011, 5, 15))
    assert [(item.customer_id, len(item.days), len(item.flows)) for item in cut] == [("a", 2, 2)]


def test_without_repeat_buyers_nobody_is_called_dormant() -> None:
    """There is then no rhythm to measure silence by, and none is invented."""
    singles = [history("a", "2010-01-01"), history("b", "2010-02-01")]
    assert population_rhythm(singles) is None
    assert survey(singles, DAY, LOOSE).dormant() == []


def test_the_reasons_carry_the_numbers() -> None:
    """Every lead says how long it is silent, its own rhythm, its spend and where the lines are drawn."""
    found = survey([history("a", *MONTHLY, value=250.5), history("b", *YEARLY)], DAY, DormancyRule())
    silence, rhythm, spend = explain(found.standings[0], found)
    assert silence == "Silent for 91 days, since the order of 2011-07-01."
    assert "4 order days" in rhythm
    assert "dormant begins at 2.3" in rhythm
    assert "1,002.00" in spend
