"""Whether a series rises or falls, without assuming a shape: Mann (1945), Kendall (1975), Sen (1968)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Final

TREND_SAMPLES_MIN: Final = 8


@dataclass(frozen=True, kw_only=True)
class MonotoneTrend:
    """Sen's slope per unit of the abscissa, and the two-sided p-value of the Mann-Kendall test."""

    slope: float
    p_value: float


def mann_kendall(values: Sequence[float], at: Sequence[float] | None = None) -> MonotoneTrend:
    """Test for a monotone trend; `at` are the abscissas in ascending order, by default 0, 1, 2 ...

    S counts pairs that rise less pairs that fall; its normal approximation carries the correction for
    ties and for continuity (Kendall 1975). The slope is the median of the slopes of all pairs (Sen
    1968). Fewer than eight points say nothing: p is 1. Points that depend on their neighbours make the
    p-value too small. Takes time in proportion to the square of the number of points.
    """
    assert at is None or len(at) == len(values), "one abscissa per value"
    places = range(len(values)) if at is None else at
    pairs = list(combinations(zip(places, values, strict=True), 2))
    slopes = [(b - a) / (y - x) for (x, a), (y, b) in pairs if y > x]
    slope = median(slopes) if slopes else 0.0
    score = sum((b > a) - (b < a) for (_, a), (_, b) in pairs)
    variance = _kendall_variance(values)
    if len(values) < TREND_SAMPLES_MIN or variance <= 0:
        return MonotoneTrend(slope=slope, p_value=1.0)
    z = (abs(score) - 1) / math.sqrt(variance) if score else 0.0
    return MonotoneTrend(slope=slope, p_value=math.erfc(z / math.sqrt(2)))


def _kendall_variance(values: Sequence[float]) -> float:
    def part(count: int) -> int:
        return count * (count - 1) * (2 * count + 5)

    return (part(len(values)) - sum(part(ties) for ties in Counter(values).values())) / 18
