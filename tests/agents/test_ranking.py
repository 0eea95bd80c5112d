"""The ranking: measured out of time on the real order book, and honest where it cannot be."""

from datetime import date, timedelta

import pytest

from dirigent.agents.revenue.backtest import backtest, honest_sentences
from dirigent.agents.revenue.dormancy import DormancyRule, Standing, Survey
from dirigent.agents.revenue.order_book import History, known_on, read_histories
from dirigent.agents.revenue.ranking import (
    OUTCOMES_MIN,
    Predict,
    Ranking,
    Sample,
    nbd_chance,
    rank,
)
from tests.agents.wholesaler import order_book

AS_OF = date(2011, 9, 30)
RULE = DormancyRule()


@pytest.fixture(scope="module")
def book() -> list[History]:
    return read_histories(order_book())


@pytest.fixture(scope="module")
def ranking(book: list[History]) -> Ranking:
    return rank(book, AS_OF, RULE)


def not_installed(sample: Sample, horizon_days: int) -> Predict:
    raise ImportError("no module named sklearn")


def blind(sample: Sample, horizon_days: int) -> Predict:
    return lambda found: [0.5] * len(found.standings)


def test_origins_follow_from_the_span_of_the_book(ranking: Ranking) -> None:
    """The test lies one horizon back, the training two; the final fit stands on the latest outcomes."""
    report = ranking.report
    assert report.kind == "logistic_regression"
    assert (report.train_origin, report.test_origin) == ("2011-05-14", "2011-07-23")
    assert (report.customers_train, report.customers_test) == (2580, 3093)
    assert report.fitted_origin == report.test_origin
    assert report.base_rate == pytest.approx(0.447, abs=0.0005)


def test_the_ranking_beats_the_measured_baseline_out_of_time(ranking: Ranking) -> None:
    """On the real order book the AUC is at least that of regression on log RFM alone, 0.757."""
    assert ranking.report.auc is not None
    assert ranking.report.auc >= 0.757


def test_the_probabilities_mean_what_they_say(ranking: Ranking) -> None:
    """Predicted and observed shares of the ten bins lie two points apart on average, and Brier is low."""
    report = ranking.report
    assert report.ece is not None
    assert report.brier is not None
    assert report.ece <= 0.025
    assert report.brier <= 0.197
    assert [part.observed for part in report.calibration] == pytest.approx(
        [part.predicted for part in report.calibration], abs=0.06
    )


def test_the_probabilities_hold_for_the_dormant_too(ranking: Ranking) -> None:
    """Of the dormant enterprise customers of the test origin about as many returned as was predicted."""
    found, rows = ranking.test.found, zip(ranking.test.found.standings, ranking.tested, strict=True)
    predicted = sum(chance for item, chance in rows if found.is_dormant(item) and found.is_enterprise(item))
    picks = backtest(ranking, 50, dormant_only=True, enterprise_only=True)
    assert picks is not None
    assert predicted == pytest.approx(picks.returned_all, abs=0.1 * picks.customers)


def test_the_result_is_said_in_one_sentence_with_the_base_rate(ranking: Ranking) -> None:
    """Who was picked, how many came back, what would have come without picking, and what it does not show."""
    everyone, dormant, unasked, season = honest_sentences(ranking, 50, enterprise_only=True)
    assert everyone.startswith("Ranked so on 2011-07-23, 50 picked of 3,093 customers:")
    assert "50 picked of 65 dormant enterprise customers" in dormant
    assert "against a base rate of 44.6 % (29 of 65)" in dormant
    assert "unasked" in unasked
    assert "304 days" in season


def test_the_same_book_gives_the_same_ranking(book: list[History], ranking: Ranking) -> None:
    """Two runs over the same records agree in every figure."""
    again = rank(book, AS_OF, RULE)
    assert again.chances == ranking.chances
    assert again.report == ranking.report


def test_the_future_cannot_leak_into_the_test(book: list[History], ranking: Ranking) -> None:
    """Cutting the book at the test origin changes nothing of what was predicted there."""
    cut = known_on(book, date(2011, 7, 22))
    assert ranking.test.found.standings == rank(cut, date(2011, 7, 22), RULE).now.standings


def test_without_the_library_the_rule_ranks_and_says_so(book: list[History]) -> None:
    """The documented rule takes over, with its own measured figures and the reason."""
    report = rank(book, AS_OF, RULE, fit=not_installed).report
    assert report.kind == "rule"
    assert "scikit-learn is not installed" in (report.reason or "")
    assert report.formula.startswith("NBD chance")
    assert report.auc is not None
    assert 0.74 < report.auc < 0.757


def test_a_model_without_skill_is_not_used(book: list[History]) -> None:
    """When the interval of its AUC reaches one half, the rule ranks instead."""
    report = rank(book, AS_OF, RULE, fit=blind).report
    assert report.kind == "rule"
    assert "not above chance" in (report.reason or "")


def test_too_few_outcomes_carry_no_model() -> None:
    """Ten of the rarer outcome per feature are needed; below that the report says how many there were."""
    first = date(2011, 1, 3)
    few = [
        History(
            customer_id=str(n),
            days=(first, first + timedelta(days=30 + n)),
            flows=((first, 50.0), (first + timedelta(days=30 + n), 50.0)),
        )
        for n in range(OUTCOMES_MIN - 1)
    ]
    ranking = rank(few, AS_OF, RULE)
    assert ranking.report.kind == "rule"
    assert f"a model needs {OUTCOMES_MIN}" in (ranking.report.reason or "")
    assert len(ranking.chances) == len(few)


def test_an_empty_book_gives_an_empty_ranking() -> None:
    """Nobody to rank is no error."""
    ranking = rank([], AS_OF, RULE)
    assert ranking.report.kind == "none"
    assert ranking.chances == []
    assert honest_sentences(ranking, 50, enterprise_only=True) == [
        "The order book is too short to test the ranking on its own past."
    ]


def test_the_rule_is_the_negative_binomial_s() -> None:
    """Two orders in 100 days with a prior of one order in 50: 1 - (150 / 220) ** 2."""
    standing = Standing(
        customer_id="c",
        last_order=AS_OF,
        days_silent=0,
        rhythm_days=75.0,
        orders=2,
        tenure_days=100,
        spend=1.0,
    )
    assert nbd_chance(standing, 50.0, 70) == pytest.approx(1 - (150 / 220) ** 2)


def test_the_default_thresholds_find_enough_enterprise_customers(ranking: Ranking) -> None:
    """The real order book holds more than 60 dormant enterprise customers at the default thresholds."""
    found: Survey = ranking.now
    assert len(found.dormant()) == 1094
    assert len(found.dormant(enterprise_only=True)) == 77
