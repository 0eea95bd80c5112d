"""Exponential smoothing: a level that follows the series, without or with a trend.

Simple and damped-trend smoothing as in Gardner, "Exponential smoothing: the state of the art - Part II",
International Journal of Forecasting 22 (2006) 637-666; Theta (Assimakopoulos and Nikolopoulos,
International Journal of Forecasting 16 (2000) 521-530) as simple smoothing with half of the linear trend as
drift (Hyndman and Billah, ibid. 19 (2003) 287-290). How errors add up ahead: Hyndman, Koehler, Ord and
Snyder, "Forecasting with Exponential Smoothing" (2008), chapter 6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

FIRST_MAX = 10
FIRST_SHARE = 3
TREND_REACH = 5
ALPHAS = tuple(step / 20 for step in range(1, 20))
DAMPED_ALPHAS, DAMPED_BETAS, DAMPINGS = (0.1, 0.3, 0.5, 0.7, 0.9), (0.02, 0.1, 0.3), (0.8, 0.9, 0.97)
REFINEMENTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A fitted method: where the series stands, where it goes, and how far it was off one step ahead.

    `pull` and `trend_pull` say how much of a surprise stays in the level and in the trend; `parameters`
    is how many numbers were fitted.
    """

    name: str
    level: float
    trend: float = 0.0
    damping: float = 1.0
    pull: float
    trend_pull: float = 0.0
    errors: tuple[float, ...]
    parameters: int

    def ahead(self, steps: int) -> list[float]:
        """What is expected at the next steps."""
        return [self.level + self.trend * grown for grown in self._growth(steps)]

    def echoes(self, steps: int) -> list[float]:
        """What is left of a surprise: at once all of it, and then at each later step."""
        later = (self.pull + self.trend_pull * grown for grown in self._growth(steps - 1))
        return [1.0, *later]

    @property
    def sigma(self) -> float:
        """The standard deviation of one step's error."""
        free = max(1, len(self.errors) - self.parameters)
        return math.sqrt(math.fsum(error * error for error in self.errors) / free)

    def _growth(self, steps: int) -> list[float]:
        """How often the trend is added up to each step, damped."""
        grown, share, found = 0.0, 1.0, []
        for _ in range(steps):
            share *= self.damping
            grown += share
            found.append(grown)
        return found


def mean_of_few(values: Sequence[float]) -> Line:
    """The mean of what is too little to learn from; of a single value all may be different next time."""
    level = math.fsum(values) / len(values)
    errors = tuple(value - level for value in values) if len(values) > 1 else (level,)
    return Line(name="mean", level=level, pull=1 / len(values), errors=errors, parameters=len(values) > 1)


def simple(values: Sequence[float]) -> Line:
    """Simple exponential smoothing: a level that moves, no trend."""
    alpha = _best_alpha(values)
    level, errors = _follow(values, alpha)
    return Line(name="simple smoothing", level=level, pull=alpha, errors=errors, parameters=2)


def theta(values: Sequence[float]) -> Line:
    """Theta: simple smoothing that drifts with half of the linear trend."""
    alpha = _best_alpha(values)
    level, errors = _follow(values, alpha)
    drift = _slope(values) / 2
    catching_up = (1 - (1 - alpha) ** len(values)) / alpha - 1
    return Line(
        name="theta", level=level + drift * catching_up, trend=drift, pull=alpha, errors=errors, parameters=3
    )


def damped(values: Sequence[float]) -> Line:
    """Smoothing with a trend that levels off, for two values or more."""
    reach = min(len(values) - 1, TREND_REACH)
    start = values[0], (values[reach] - values[0]) / reach / 2
    alpha, beta, damping = _best_damped(values, *start)
    (level, trend), errors = _follow_trend(values, *start, alpha, beta, damping)
    return Line(
        name="damped trend",
        level=level,
        trend=trend,
        damping=damping,
        pull=alpha,
        trend_pull=alpha * beta,
        errors=errors,
        parameters=4,
    )


def first_level(values: Sequence[float]) -> float:
    """Where a level begins: the mean of the first third, of ten values at most."""
    first = values[: max(1, min(FIRST_MAX, len(values) // FIRST_SHARE))]
    return math.fsum(first) / len(first)


def _follow(values: Sequence[float], alpha: float) -> tuple[float, tuple[float, ...]]:
    level, errors = first_level(values), []
    for value in values[1:]:
        error = value - level
        errors.append(error)
        level += alpha * error
    return level, tuple(errors)


def _best_alpha(values: Sequence[float]) -> float:
    """The smoothing with the least squared error, to a hundredth."""
    coarse = min(ALPHAS, key=lambda alpha: _squares(values, alpha))
    near = (round(coarse + step / 100, 2) for step in range(-4, 5))
    return min(near, key=lambda alpha: _squares(values, alpha))


def _squares(values: Sequence[float], alpha: float) -> float:
    level, total = first_level(values), 0.0
    for value in values[1:]:
        error = value - level
        total += error * error
        level += alpha * error
    return total


def _slope(values: Sequence[float]) -> float:
    """The least-squares slope a step."""
    count = len(values)
    if count < 2:
        return 0.0
    middle, mean = (count - 1) / 2, math.fsum(values) / count
    return math.fsum((at - middle) * (value - mean) for at, value in enumerate(values)) / (
        count * (count * count - 1) / 12
    )


def _follow_trend(
    values: Sequence[float], level: float, trend: float, alpha: float, beta: float, damping: float
) -> tuple[tuple[float, float], tuple[float, ...]]:
    errors = []
    for value in values[1:]:
        trend *= damping
        error = value - level - trend
        errors.append(error)
        level += trend + alpha * error
        trend += alpha * beta * error
    return (level, trend), tuple(errors)


def _best_damped(values: Sequence[float], level: float, trend: float) -> tuple[float, float, float]:
    """Smoothing of level and trend and the damping with the least squared error: a grid, then ever finer."""

    def cost(point: tuple[float, float, float]) -> float:
        return _trend_squares(values, level, trend, *point)

    best = min(product(DAMPED_ALPHAS, DAMPED_BETAS, DAMPINGS), key=cost)
    least = cost(best)
    for round_ in range(REFINEMENTS):
        for point in _around(best, 0.5**round_):
            if (found := cost(point)) < least:
                best, least = point, found
    return best


def _around(point: tuple[float, float, float], share: float) -> list[tuple[float, float, float]]:
    """Points near one, within the bounds of what makes sense."""
    alpha, beta, damping = point
    moved = [
        *((alpha + step, beta, damping) for step in (-0.1 * share, 0.1 * share)),
        *((alpha, beta * (1 + step), damping) for step in (-0.5 * share, 0.5 * share)),
        *((alpha, beta, damping + step) for step in (-0.04 * share, 0.04 * share)),
    ]
    return [one for one in moved if 0.01 <= one[0] <= 0.99 and one[1] <= 1.0 and 0.8 <= one[2] <= 0.98]


def _trend_squares(
    values: Sequence[float], level: float, trend: float, alpha: float, beta: float, damping: float
) -> float:
    total = 0.0
    for value in values[1:]:
        trend *= damping
        error = value - level - trend
        total += error * error
        level += trend + alpha * error
        trend += alpha * beta * error
    return total
