"""Seasons: whether a series repeats itself from cycle to cycle, and how it looks without that.

Classical decomposition by ratios to a centred moving average. Whether there is a season is an analysis of
variance of these ratios over the places of the cycle, as X-11 tests for stable seasonality (Ladiray and
Quenneville, "Seasonal Adjustment with the X-11 Method", 2001, section 3.2). On the M3 competition's series it
does as well as the usual test on autocorrelation, and it sees a season under a trend and in two cycles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import linear_regression

CYCLES_MIN = 2
CYCLES_AROUND = 2.5
TINY = 1e-12
SIGNIFICANT = 2.33  # standard deviations: once in a hundred series without a season


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """How much each place of the cycle differs: a factor where it multiplies, else a difference."""

    indices: tuple[float, ...]
    multiplies: bool

    def without(self, values: Sequence[float]) -> list[float]:
        """The values of a series that begins with the cycle, without their season."""
        cycle = self.indices
        if self.multiplies:
            return [value / cycle[place % len(cycle)] for place, value in enumerate(values)]
        return [value - cycle[place % len(cycle)] for place, value in enumerate(values)]

    def shift(self, place: int) -> float:
        """What is added at a place of the series."""
        return 0.0 if self.multiplies else self.indices[place % len(self.indices)]

    def factor(self, place: int) -> float:
        """What is multiplied with at a place of the series."""
        return self.indices[place % len(self.indices)] if self.multiplies else 1.0


NO_SEASON = Season(indices=(1.0,), multiplies=True)


def season_of(values: Sequence[float], period: int) -> Season:
    """The season of a series, `NO_SEASON` where there is none to be seen in at least two cycles."""
    if period < 2 or len(values) < CYCLES_MIN * period:
        return NO_SEASON
    trend = _trend(values, period)
    multiplies = min(values) > 0 and min(mean for _, mean in trend) > 0
    compared: list[list[float]] = [[] for _ in range(period)]
    for place, mean in trend:
        compared[place % period].append(values[place] / mean if multiplies else values[place] - mean)
    raw = [math.fsum(found) / len(found) for found in compared]
    if not _differ(compared, raw):
        return NO_SEASON
    average = math.fsum(raw) / period
    indices = (index / average if multiplies else index - average for index in raw)
    return Season(indices=tuple(indices), multiplies=multiplies)


def _differ(groups: Sequence[Sequence[float]], means: Sequence[float]) -> bool:
    """Whether the places of the cycle differ by more than what varies at each of them, and chance.

    The F ratio, made a normal deviate by Paulson's approximation (Annals of Mathematical Statistics 13 (1942)
    233-235).
    """
    count = sum(map(len, groups))
    middle = math.fsum(map(math.fsum, groups)) / count
    pairs = list(zip(groups, means, strict=True))
    between = math.fsum(len(group) * (mean - middle) ** 2 for group, mean in pairs)
    within = math.fsum((value - mean) ** 2 for group, mean in pairs for value in group)
    if within <= TINY * between or between <= TINY * middle**2:
        return between > TINY * middle**2
    above, below = len(groups) - 1, count - len(groups)
    root = math.cbrt(between / above / (within / below))
    above_share, below_share = 2 / (9 * above), 2 / (9 * below)
    deviate = ((1 - below_share) * root - (1 - above_share)) / math.sqrt(below_share * root**2 + above_share)
    return deviate > SIGNIFICANT


def _trend(values: Sequence[float], period: int) -> list[tuple[int, float]]:
    """What the values at places are held against: the mean around each; of short series a straight line."""
    if len(values) >= CYCLES_AROUND * period:
        return list(enumerate(_moving_means(values, period), period // 2))
    slope, start = linear_regression(range(len(values)), values)
    return [(place, start + slope * place) for place in range(len(values))]


def _moving_means(values: Sequence[float], period: int) -> list[float]:
    """Means over one cycle around each place; of an even cycle the two ends count half."""
    half = period // 2
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    if period % 2:
        return [(sums[at + half + 1] - sums[at - half]) / period for at in range(half, len(values) - half)]
    return [
        (sums[at + half] - sums[at - half + 1] + 0.5 * (values[at - half] + values[at + half])) / period
        for at in range(half, len(values) - half)
    ]
