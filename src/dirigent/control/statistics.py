"""Statistics for judging series and shares, in plain Python: charts, intervals, tests.

Everything here is a function of its numbers. Sources: Shewhart (1931) and Page (1954) for the control
chart, joined as in Lucas (1982, "Combined Shewhart-CUSUM Quality Control Schemes"); the Western
Electric handbook (1956) for run rules; Wilson (1927) for the interval of a share; Clopper and Pearson (1934)
for the exact binomial test; Iglewicz and Hoaglin (1993) for outliers. Trends are in `domain.trend`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev
from typing import Final, Literal

ChartRule = Literal["shewhart", "cusum", "run"]

# With these three rules together, points in control alarm about once in 900; nine shifts of two sigma
# in ten are found within six points, 99 in 100 within ten (simulated; the tests repeat it).
SHEWHART_SIGMAS: Final = 3.5
CUSUM_SLACK: Final = 1.0
CUSUM_LIMIT: Final = 3.5
RUN_LENGTH: Final = 12

Z_95: Final = 1.959963984540054
OUTLIER_SCORE: Final = 3.5
_NEGLIGIBLE: Final = 1e-17


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A point out of control: its index, the rule that spoke, and where the excursion began."""

    index: int
    since: int
    rule: ChartRule


def normal_cdf(z: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def control_chart(values: Sequence[float], mean: float, deviation: float) -> list[Alarm]:
    """The points of a series that are out of control against a known mean and standard deviation.

    A point alarms when it lies 3.5 sigma off (Shewhart), when the sum of what exceeds one sigma on one
    side passes 3.5 (Page's CUSUM, k = 1, h = 3.5: tuned to a shift of two sigma), or as the twelfth in
    a row on one side (run rule). After an alarm the chart starts afresh.
    """
    assert deviation > 0, "a chart needs a spread"
    chart = _Chart()
    alarms = []
    for index, value in enumerate(values):
        alarm = chart.add(index, (value - mean) / deviation)
        if alarm is not None:
            alarms.append(alarm)
            chart = _Chart()
    return alarms


class _Side:
    """One side of the chart: the CUSUM upward, the run of points above, and where each began."""

    def __init__(self) -> None:
        self.total, self.run = 0.0, 0
        self.total_since, self.run_since = 0, 0

    def add(self, index: int, z: float) -> None:
        if self.total == 0:
            self.total_since = index
        if self.run == 0:
            self.run_since = index
        self.total = max(0.0, self.total + z - CUSUM_SLACK)
        self.run = self.run + 1 if z > 0 else 0


class _Chart:
    """Both sides of the chart since the last alarm."""

    def __init__(self) -> None:
        self.upper, self.lower = _Side(), _Side()

    def add(self, index: int, z: float) -> Alarm | None:
        self.upper.add(index, z)
        self.lower.add(index, -z)
        if abs(z) > SHEWHART_SIGMAS:
            return Alarm(index=index, since=index, rule="shewhart")
        for side in (self.upper, self.lower):
            if side.total > CUSUM_LIMIT:
                return Alarm(index=index, since=side.total_since, rule="cusum")
            if side.run >= RUN_LENGTH:
                return Alarm(index=index, since=side.run_since, rule="run")
        return None


def wilson_interval(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927), 95 % by default; without trials it is 0 to 1."""
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    middle, scale = share + z * z / (2 * trials), 1 + z * z / trials
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def binomial_confidence(successes: int, trials: int, expected: float) -> float:
    """How surely a share lies on that side of an expected one where it was seen: 1 less the p-value.

    The p-value is that of the one-sided exact binomial test (Clopper and Pearson 1934).
    """
    assert 0 <= successes <= trials, "successes are some of the trials"
    assert 0 < expected < 1, "a share that is certain cannot be tested"
    if trials == 0:
        return 0.0
    if successes / trials < expected:
        return 1 - _upper_tail(trials - successes, trials, 1 - expected)
    return 1 - _upper_tail(successes, trials, expected)


def _upper_tail(successes: int, trials: int, expected: float) -> float:
    """The chance of that many successes or more, at or above the mean: terms fall, so few are needed."""
    if successes == 0:
        return 1.0
    log_term = (
        math.lgamma(trials + 1)
        - math.lgamma(successes + 1)
        - math.lgamma(trials - successes + 1)
        + successes * math.log(expected)
        + (trials - successes) * math.log1p(-expected)
    )
    term = total = math.exp(log_term)
    odds = expected / (1 - expected)
    for count in range(successes, trials):
        term *= (trials - count) / (count + 1) * odds
        total += term
        if term < total * _NEGLIGIBLE:
            break
    return min(1.0, total)


def difference_confidence(successes: int, trials: int, others: int, other_trials: int) -> float:
    """How surely one share exceeds another: the normal distribution at the pooled two-proportion z.

    (Fleiss 1981, without the correction for continuity.) It is one half where nothing can be said.
    """
    if not trials or not other_trials:
        return 0.5
    pooled = (successes + others) / (trials + other_trials)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / trials + 1 / other_trials))
    if spread == 0:
        return 0.5
    return normal_cdf((successes / trials - others / other_trials) / spread)


def without_outliers(values: Sequence[float]) -> list[float]:
    """The values whose modified z-score is at most 3.5 (Iglewicz and Hoaglin 1993).

    The score divides the distance from the median by the median absolute deviation, made comparable to
    a standard deviation; where more than half the values are equal, by the mean absolute deviation.
    """
    if not values:
        return []
    middle = median(values)
    distances = [abs(value - middle) for value in values]
    unit = 1.4826 * median(distances) or 1.2533 * fmean(distances)
    return [
        value for value, far in zip(values, distances, strict=True) if not unit or far <= OUTLIER_SCORE * unit
    ]


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """The mean and the sample standard deviation; the latter is 0 for fewer than two values."""
    return fmean(values), stdev(values) if len(values) > 1 else 0.0
