"""The statistics against known values, definitions written out in full, and seeded chance."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirigent.control.statistics import (
    RUN_LENGTH,
    binomial_confidence,
    control_chart,
    difference_confidence,
    normal_cdf,
    wilson_interval,
    without_outliers,
)


def normal(seed: int, count: int, mean: float = 0.0) -> list[float]:
    generator = random.Random(seed)
    return [generator.gauss(mean, 1.0) for _ in range(count)]


def shifted(seed: int, sigmas: float = 2.0) -> list[float]:
    """A hundred points in control, then forty that lie off."""
    return normal(seed, 100) + normal(seed + 100_000, 40, sigmas)


def test_shift_of_two_sigma_alarms_within_ten_points():
    """After a shift at point 100 the chart alarms before point 110, in at least 97 of 100 series."""
    found = 0
    for seed in range(1000):
        after = [alarm.index for alarm in control_chart(shifted(seed), 0.0, 1.0) if alarm.index >= 100]
        found += bool(after) and after[0] < 110
    assert found >= 970


@pytest.mark.parametrize("seed", range(10))
def test_false_alarms_are_rare(seed):
    """Of 10,000 points in control fewer than one in 200 alarms, whatever the seed."""
    assert len(control_chart(normal(seed, 10_000), 0.0, 1.0)) < 50


def test_downward_shift_is_found_as_well():
    """The chart looks both ways: turned upside down, a series gives the same alarms."""
    series = shifted(5)
    upside_down = control_chart([-value for value in series], 0.0, 1.0)
    assert upside_down == control_chart(series, 0.0, 1.0)


def test_single_point_far_off_alarms_at_once():
    """A point beyond 3.5 sigma alarms by itself."""
    (alarm,) = control_chart([0.0, 0.0, 3.6, 0.0], 0.0, 1.0)
    assert (alarm.index, alarm.since, alarm.rule) == (2, 2, "shewhart")


def test_cusum_names_where_the_excursion_began():
    """Four points at two sigma add up, and the first of them is named."""
    (alarm,) = control_chart([-0.1, 2.0, 2.0, 2.0, 2.0], 0.0, 1.0)
    assert (alarm.index, alarm.since, alarm.rule) == (4, 1, "cusum")


def test_long_run_on_one_side_alarms():
    """Twelve points barely above the mean alarm, eleven do not."""
    assert control_chart([-1.0] + [0.1] * (RUN_LENGTH - 1), 0.0, 1.0) == []
    (alarm,) = control_chart([-1.0] + [0.1] * RUN_LENGTH, 0.0, 1.0)
    assert (alarm.index, alarm.since, alarm.rule) == (RUN_LENGTH, 1, "run")


@given(st.floats(-1e6, 1e6), st.floats(0.01, 1e6))
def test_chart_knows_no_unit(mean, deviation):
    """A series in another unit alarms at the same points."""
    plain = control_chart(shifted(3), 0.0, 1.0)
    scaled = control_chart([mean + deviation * value for value in shifted(3)], mean, deviation)
    assert [alarm.index for alarm in scaled] == [alarm.index for alarm in plain]


def test_wilson_interval_of_known_shares():
    """The textbook values: none of ten, half of a hundred; and no trials say nothing."""
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson_interval(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(st.data(), st.integers(1, 5000))
def test_wilson_interval_holds_the_share(data, trials):
    """The interval lies within 0 and 1, contains the share, and is mirrored for the failures."""
    successes = data.draw(st.integers(0, trials))
    low, high = wilson_interval(successes, trials)
    mirrored = wilson_interval(trials - successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1
    assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-9)


@given(st.data(), st.integers(1, 60), st.floats(0.02, 0.98))
def test_binomial_confidence_is_the_exact_test(data, trials, expected):
    """The confidence is one less the tail summed term by term."""
    successes = data.draw(st.integers(0, trials))
    below = successes / trials < expected
    tail = range(successes + 1) if below else range(successes, trials + 1)
    p = sum(math.comb(trials, k) * expected**k * (1 - expected) ** (trials - k) for k in tail)
    assert binomial_confidence(successes, trials, expected) == pytest.approx(1 - p, abs=1e-9)


def test_binomial_confidence_at_the_ends():
    """Fifty of fifty against 0.9 is 1 - 0.9^50; no trials give no confidence; a million are no burden."""
    assert binomial_confidence(50, 50, 0.9) == pytest.approx(1 - 0.9**50)
    assert binomial_confidence(0, 0, 0.9) == 0.0
    assert binomial_confidence(901_000, 1_000_000, 0.9) == pytest.approx(0.9996, abs=1e-3)


@given(st.tuples(st.integers(0, 50), st.integers(0, 50)), st.tuples(st.integers(0, 50), st.integers(0, 50)))
def test_difference_of_two_shares_is_a_seesaw(one, other):
    """How surely one exceeds the other and the reverse add up to one."""
    a, b = (min(one), max(one)), (min(other), max(other))
    assert difference_confidence(*a, *b) + difference_confidence(*b, *a) == pytest.approx(1.0)


def test_difference_of_two_shares_of_known_size():
    """30 of 100 against 20 of 100: z is 1.633."""
    assert difference_confidence(30, 100, 20, 100) == pytest.approx(normal_cdf(1.633), abs=1e-4)


def test_outliers_are_left_out_and_nothing_else():
    """One value far off goes; equal values, a lone value and none stay as they are."""
    assert without_outliers([10.0, 11.0, 9.0, 10.5, 99.0]) == [10.0, 11.0, 9.0, 10.5]
    assert without_outliers([5.0] * 9 + [50.0]) == [5.0] * 9
    assert without_outliers([5.0, 5.0]) == [5.0, 5.0]
    assert without_outliers([7.0]) == [7.0]
    assert without_outliers([]) == []
