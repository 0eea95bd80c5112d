"""The measures of probabilities, compared with a reference and with hand-worked values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from dirigent.agents.revenue.evaluation import (
    auc,
    auc_interval,
    brier,
    calibration,
    expected_calibration_error,
)

cases = st.lists(st.tuples(st.booleans(), st.integers(0, 10).map(lambda n: n / 10)), min_size=2, max_size=60)


@given(cases.filter(lambda rows: 0 < sum(came for came, _ in rows) < len(rows)))
def test_auc_and_brier_agree_with_the_reference(rows: list[tuple[bool, float]]) -> None:
    """Ties included, the figures are scikit-learn's."""
    outcomes, scores = [came for came, _ in rows], [score for _, score in rows]
    assert auc(outcomes, scores) == pytest.approx(roc_auc_score(outcomes, scores))
    assert brier(outcomes, scores) == pytest.approx(brier_score_loss(outcomes, scores))


def test_the_interval_of_an_auc_without_skill_is_that_of_the_rank_test() -> None:
    """At one half the variance is the Mann-Whitney test's: (m + n + 1) / (12 m n)."""
    low, high = auc_interval(0.5, 51, 58)
    error = ((51 + 58 + 1) / (12 * 51 * 58)) ** 0.5
    assert (low, high) == pytest.approx((0.5 - 1.959964 * error, 0.5 + 1.959964 * error))


def test_calibration_compares_what_was_said_with_what_came() -> None:
    """Two bins, each off by a tenth, give an error of a tenth."""
    chances = [0.1] * 10 + [0.9] * 10
    outcomes = [True, True] + [False] * 8 + [True] * 8 + [False, False]
    table = calibration(outcomes, chances, bins=2)
    assert [(part.predicted, part.observed, part.customers) for part in table] == [
        (0.1, 0.2, 10),
        (0.9, 0.8, 10),
    ]
    assert expected_calibration_error(table) == pytest.approx(0.1)


@given(st.integers(1, 40), st.integers(1, 12))
def test_every_customer_is_in_one_bin(customers: int, bins: int) -> None:
    """However the numbers divide, nobody is lost."""
    table = calibration([True] * customers, [0.5] * customers, bins)
    assert sum(part.customers for part in table) == customers
