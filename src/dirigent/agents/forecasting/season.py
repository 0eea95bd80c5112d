"""Seasons: whether a series repeats itself from cycle to cycle, and how it looks without that.

Classical decomposition by ratios to a centred moving average, and the test on autocorrelation that decides
whether to use it, as in Makridakis and Hibon, "The M3-Competition", International Journal of Forecasting 16
(2000) 451-476, and Makridakis, Spiliotis and Assimakopoulos, "The M4 Competition", International Journal of
Forecasting 36 (2020) 54-74.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

CYCLES_MIN = 3
SIGNIFICANT = 1.645  # standard deviations: a test at 90 %


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
    """The season of a series, `NO_SEASON` where there is none to be seen in at least three cycles."""
    if period < 2 or len(values) < CYCLES_MIN * period or not _repeats(values, period):
        return NO_SEASON
    multiplies = min(values) > 0
    means = _moving_means(values, period)
    compared: list[list[float]] = [[] for _ in range(period)]
    for place, mean in enumerate(means, period // 2):
        compared[place % period].append(values[place] / mean if multiplies else values[place] - mean)
    raw = [math.fsum(found) / len(found) for found in compared]
    average = math.fsum(raw) / period
    indices = (index / average if multiplies else index - average for index in raw)
    return Season(indices=tuple(indices), multiplies=multiplies)


def _repeats(values: Sequence[float], period: int) -> bool:
    """Whether values a cycle apart are more alike than chance and shorter memory explain."""
    mean = math.fsum(values) / len(values)
    off = [value - mean for value in values]
    power = math.fsum(value * value for value in off)
    if power == 0.0:
        return False
    likeness = [
        math.fsum(early * late for early, late in zip(off, off[lag:], strict=False)) / power
        for lag in range(1, period + 1)
    ]
    noise = math.sqrt((1 + 2 * math.fsum(found * found for found in likeness[:-1])) / len(values))
    return abs(likeness[-1]) > SIGNIFICANT * noise


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
