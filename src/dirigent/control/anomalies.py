"""Points that fall out of a series, baselines to tell by, and trends.

Two kinds of rule: the thresholds of the configuration, which know how bad a drop or rise may get, and
the control chart, which knows how much a metric varies by itself. A metric is named `<measure>` or
`<measure>:<whose>`; thresholds apply by measure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AwareDatetime, Field

from dirigent.control.statistics import (
    Alarm,
    control_chart,
    mean_and_deviation,
    without_outliers,
)
from dirigent.domain.shape import Shape
from dirigent.domain.trend import mann_kendall

QUALITY: Final = "quality"
SUCCESS_RATE: Final = "success_rate"
RESPONSE_TIME: Final = "response_time_ms"

BASELINE_POINTS_MAX: Final = 200
PHASE_ONE_POINTS: Final = 100
TREND_POINTS_MAX: Final = 1000
TREND_P_MAX: Final = 0.05
SEVERE: Final = 2.0
# Limits are written in decimals that binary fractions only come near: 0.80 - 0.60 is a little over 0.2.
TOLERANCE: Final = 1e-9

Finite = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class MetricPoint(Shape):
    """One value of a metric and its time, with an offset from UTC."""

    metric: str
    at: AwareDatetime
    value: Finite


class Baseline(Shape):
    """What is normal for a metric. A deviation of 0 says that its spread is not known."""

    mean: Finite
    deviation: NotNegative = 0.0
    samples: Annotated[int, Field(ge=0)] = 0


class Thresholds(Shape):
    """The thresholds as the configuration spells them; what lies exactly on one is no anomaly.

    Quality and success rate run from 0 to 1 and their drops are absolute; `responseTimeIncrease` is a
    factor on the baseline.
    """

    qualityDrop: Annotated[float, Field(gt=0)] = 0.2
    successRateDrop: Annotated[float, Field(gt=0)] = 0.15
    responseTimeIncrease: Annotated[float, Field(gt=1)] = 1.5


class Anomaly(Shape):
    """A point out of the ordinary: what was expected, which rule says so, how surely it is no chance.

    `since` is where the excursion began. `samples` are the points of the baseline; `confidence` is 0
    where its spread is not known.
    """

    metric: str
    at: AwareDatetime
    since: AwareDatetime
    value: float
    expected: float
    rule: str
    severity: Literal["warning", "critical"]
    samples: int
    confidence: float
    detail: str


class Trend(Shape):
    """A metric's course: Sen's slope per day, the p-value of Mann and Kendall, and what follows at 5 %."""

    metric: str
    slope: float
    p_value: float
    direction: Literal["rising", "falling", "none"]
    samples: int


class _Limit(NamedTuple):
    rule: str
    allowed: float
    upward: bool


def find_anomalies(
    series: Iterable[MetricPoint], baselines: Mapping[str, Baseline | float], thresholds: Thresholds
) -> list[Anomaly]:
    """The anomalies of each metric, in order of metric and time.

    A metric without a baseline takes its first 100 points for one and is judged from there on; a
    shorter series is not judged. A baseline given as a bare number serves the thresholds only.
    """
    found: list[Anomaly] = []
    for metric, points in _by_metric(series).items():
        given = baselines.get(metric)
        if given is not None:
            baseline = given if isinstance(given, Baseline) else Baseline(mean=given)
            found += _anomalies_of(points, baseline, thresholds)
        elif len(points) > PHASE_ONE_POINTS:
            own = baseline_of([point.value for point in points[:PHASE_ONE_POINTS]])
            assert own is not None, "a hundred points make a baseline"
            found += _anomalies_of(points[PHASE_ONE_POINTS:], own, thresholds)
    return found


def baseline_of(values: Sequence[float]) -> Baseline | None:
    """What is normal, by the newest 200 values with outliers left out; None without any value."""
    kept = without_outliers(values[-BASELINE_POINTS_MAX:])
    if not kept:
        return None
    mean, deviation = mean_and_deviation(kept)
    return Baseline(mean=mean, deviation=deviation, samples=len(kept))


def find_baselines(series: Iterable[MetricPoint]) -> dict[str, Baseline]:
    """The baseline of each metric of a series."""
    metrics = _by_metric(series).items()
    found = {metric: baseline_of([point.value for point in points]) for metric, points in metrics}
    return {metric: baseline for metric, baseline in found.items() if baseline is not None}


def find_trends(series: Iterable[MetricPoint]) -> list[Trend]:
    """The trend of each metric over its newest 1,000 points."""
    return [
        _trend(metric, points[-TREND_POINTS_MAX:]) for metric, points in sorted(_by_metric(series).items())
    ]


def _by_metric(series: Iterable[MetricPoint]) -> dict[str, list[MetricPoint]]:
    found: dict[str, list[MetricPoint]] = {}
    for point in sorted(series, key=lambda point: (point.metric, point.at)):
        found.setdefault(point.metric, []).append(point)
    return found


def _anomalies_of(points: Sequence[MetricPoint], baseline: Baseline, thresholds: Thresholds) -> list[Anomaly]:
    limit = _limit(points[0].metric, baseline.mean, thresholds)
    alarms = _alarms(points, baseline)
    found: list[Anomaly] = []
    for index, point in enumerate(points):
        if limit is not None and _is_beyond(point.value, baseline.mean, limit):
            found.append(_crossing(point, baseline, limit))
        elif index in alarms:
            found.append(_excursion(points, alarms[index], baseline))
    return found


def _limit(metric: str, expected: float, thresholds: Thresholds) -> _Limit | None:
    measure = metric.partition(":")[0]
    if measure == QUALITY:
        return _Limit("qualityDrop", thresholds.qualityDrop, upward=False)
    if measure == SUCCESS_RATE:
        return _Limit("successRateDrop", thresholds.successRateDrop, upward=False)
    if measure == RESPONSE_TIME and expected > 0:
        return _Limit("responseTimeIncrease", expected * (thresholds.responseTimeIncrease - 1), upward=True)
    return None


def _is_beyond(value: float, expected: float, limit: _Limit) -> bool:
    way = value - expected if limit.upward else expected - value
    return way > limit.allowed + TOLERANCE * max(1.0, abs(expected))


def _alarms(points: Sequence[MetricPoint], baseline: Baseline) -> dict[int, Alarm]:
    if baseline.deviation == 0:
        return {}
    chart = control_chart([point.value for point in points], baseline.mean, baseline.deviation)
    return {alarm.index: alarm for alarm in chart}


def _crossing(point: MetricPoint, baseline: Baseline, limit: _Limit) -> Anomaly:
    way = abs(point.value - baseline.mean)
    word = "rose" if limit.upward else "fell"
    return Anomaly(
        metric=point.metric,
        at=point.at,
        since=point.at,
        value=point.value,
        expected=baseline.mean,
        rule=f"threshold.{limit.rule}",
        severity="critical" if way >= SEVERE * limit.allowed else "warning",
        samples=baseline.samples,
        confidence=_confidence([point.value], baseline),
        detail=f"{point.metric} {word} by {way:.3g} to {point.value:.3g}; {limit.allowed:.3g} is allowed.",
    )


def _excursion(points: Sequence[MetricPoint], alarm: Alarm, baseline: Baseline) -> Anomaly:
    values = [point.value for point in points[alarm.since : alarm.index + 1]]
    point, mean = points[alarm.index], sum(values) / len(values)
    sigmas = (mean - baseline.mean) / baseline.deviation
    return Anomaly(
        metric=point.metric,
        at=point.at,
        since=points[alarm.since].at,
        value=point.value,
        expected=baseline.mean,
        rule=f"chart.{alarm.rule}",
        severity="warning",
        samples=baseline.samples,
        confidence=_confidence(values, baseline),
        detail=f"{point.metric} lies {sigmas:+.1f} sigma from its mean over {len(values)} points.",
    )


def _confidence(values: Sequence[float], baseline: Baseline) -> float:
    """One less the two-sided p-value of the values' mean against the baseline (z-test)."""
    if baseline.deviation == 0:
        return 0.0
    z = (sum(values) / len(values) - baseline.mean) / baseline.deviation * math.sqrt(len(values))
    return math.erf(abs(z) / math.sqrt(2))


def _trend(metric: str, points: Sequence[MetricPoint]) -> Trend:
    days = [(point.at - points[0].at) / timedelta(days=1) for point in points]
    found = mann_kendall([point.value for point in points], days)
    direction: Literal["rising", "falling", "none"] = "none"
    if found.p_value < TREND_P_MAX and found.slope:
        direction = "rising" if found.slope > 0 else "falling"
    return Trend(
        metric=metric,
        slope=found.slope,
        p_value=found.p_value,
        direction=direction,
        samples=len(points),
    )
