"""Comparing shares: how far one may be off, and whether two differ.

Wilson (1927) for the interval of a share; the two-sided test at the pooled z of two proportions (Fleiss 1981)
where every expected count is five or more, as Cochran (1954) asks, else Fisher's exact test (1935).
"""

from __future__ import annotations

import math

Z_95 = 1.959963984540054
EXPECTED_LEAST = 5.0
_AS_LIKELY = 1 + 1e-7  # sums of logarithms: equal chances differ in the last places


def interval_of(successes: int, trials: int) -> tuple[float, float]:
    """The share is between these with 95 % confidence; without trials it is between 0 and 1."""
    if not trials:
        return 0.0, 1.0
    share, square = successes / trials, Z_95 * Z_95
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    spread = Z_95 * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    half = spread / (1 + square / trials)
    return max(0.0, middle - half), min(1.0, middle + half)


def p_of_difference(successes: int, trials: int, others: int, other_trials: int) -> float:
    """The chance of shares at least so different, were they the same; 1 where nothing can be said."""
    if not trials or not other_trials:
        return 1.0
    together, everything = successes + others, trials + other_trials
    least = min(trials, other_trials) * min(together, everything - together) / everything
    if least < EXPECTED_LEAST:
        return _exact(successes, trials, together, everything)
    pooled = together / everything
    spread = math.sqrt(pooled * (1 - pooled) * (1 / trials + 1 / other_trials))
    z = abs(successes / trials - others / other_trials) / spread
    return math.erfc(z / math.sqrt(2))


def _exact(successes: int, trials: int, together: int, everything: int) -> float:
    """Fisher's test: all tables with these margins that are no likelier than the one seen."""
    lowest, highest = max(0, together - (everything - trials)), min(trials, together)

    def chance(count: int) -> float:
        seen = _choose(trials, count) + _choose(everything - trials, together - count)
        return math.exp(seen - _choose(everything, together))

    seen = chance(successes) * _AS_LIKELY
    return min(1.0, sum(found for count in range(lowest, highest + 1) if (found := chance(count)) <= seen))


def _choose(of: int, count: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(count + 1) - math.lgamma(of - count + 1)
