"""Trends: the published numbers, and how often noise is taken for one."""

import math
import random

import pytest

from dirigent.domain.trend import mann_kendall


def test_mann_kendall_of_ten_rising_points():
    """S is 45, its variance 125, so z is 44 over the root of 125 and p is 0.000083."""
    found = mann_kendall([float(value) for value in range(10)])
    assert found.slope == 1.0
    assert found.p_value == pytest.approx(math.erfc(44 / math.sqrt(125) / math.sqrt(2)))
    assert found.p_value == pytest.approx(8.3e-5, rel=0.01)


def test_mann_kendall_corrects_for_ties():
    """Two groups of ties of 5 and 3 in eight points: the variance shrinks from 65.3 to 45."""
    found = mann_kendall([1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
    assert found.p_value == pytest.approx(math.erfc(14 / math.sqrt(45) / math.sqrt(2)))


def test_seven_points_show_no_trend():
    """Too few points have p 1, however steep."""
    assert mann_kendall([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]).p_value == 1.0


def test_slope_is_per_unit_of_the_abscissa():
    """Points two units apart rise half as fast, and points at one place give no slope."""
    assert mann_kendall([0.0, 1.0, 2.0], [0.0, 2.0, 4.0]).slope == 0.5
    assert mann_kendall([0.0, 1.0], [3.0, 3.0]).slope == 0.0


def noise(seed: int) -> list[float]:
    generator = random.Random(seed)
    return [generator.gauss(0.0, 1.0) for _ in range(40)]


def test_noise_is_called_a_trend_as_often_as_the_level_says():
    """About 5 in 100 series of noise have p below 0.05."""
    called = sum(mann_kendall(noise(seed)).p_value < 0.05 for seed in range(400))
    assert 8 <= called <= 32
