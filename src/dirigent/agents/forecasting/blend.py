"""Several methods as one: each weighs as much as it proved itself on what it had not seen.

Weights by the inverse of the squared error: Bates and Granger, "The combination of forecasts", Operational
Research Quarterly 20 (1969) 451-468. Croston's method and SBA were tried beside those for intermittent
demand, and made it worse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dirigent.agents.forecasting.intermittent import is_intermittent, recent_mean, tsb
from dirigent.agents.forecasting.season import CYCLES_MIN, Season, season_of
from dirigent.agents.forecasting.smoothing import Line, damped, mean_of_few, simple, theta

TRIED_FROM = 6
TRIALS = 3
HELD_OUT_SHARE = 5

# Errors ahead are larger than those inside the sample a method was fitted to: 1.2 times for the series of the
# M3 competition. What a series itself says takes over the more of it there is.
WIDER, WIDER_WEIGHT = 1.2, 20

Fit = Callable[[Sequence[float]], Line]
SMOOTH: tuple[Fit, ...] = (simple, damped, theta)
FEW: tuple[Fit, ...] = (mean_of_few,)
FEW_MAX = 4
SPARSE: tuple[Fit, ...] = (recent_mean, tsb)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """Fitted methods with their weights, the season that was taken out, and what the band is widened by."""

    lines: tuple[tuple[Line, float], ...]
    season: Season
    length: int
    widening: float = 1.0

    def expected(self, steps: int) -> list[float]:
        """What is expected at the next steps."""
        paths = [(line.ahead(steps), weight) for line, weight in self.lines]
        return [
            self.season.factor(self.length + step) * sum(weight * path[step] for path, weight in paths)
            + self.season.shift(self.length + step)
            for step in range(steps)
        ]

    def spread(self, steps: int) -> list[float]:
        """The standard deviation of the error at the next steps."""
        growing = [(_spreads(line, steps), weight) for line, weight in self.lines]
        factor = self.season.factor
        return [
            self.widening
            * abs(factor(self.length + step))
            * sum(weight * spreads[step] for spreads, weight in growing)
            for step in range(steps)
        ]

    def total_spread(self, steps: int) -> float:
        """The standard deviation of the error of the next steps' sum.

        What shifts one step shifts those after it, so a sum is less sure than its parts would be each for
        itself: Hyndman et al. 2008, section 6.2.
        """
        factors = [self.season.factor(self.length + step) for step in range(steps)]
        return self.widening * sum(weight * _total_spread(line, factors) for line, weight in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A stretch at the end of a series that a blend had not seen: its errors, those of repetition, surprises.

    A surprise is an error over what the blend said of its spread, squared.
    """

    errors: tuple[float, ...]
    naive_errors: tuple[float, ...]
    surprises: tuple[float, ...]


def blend_of(values: Sequence[float], period: int, horizon: int) -> tuple[Blend, list[Trial]]:
    """The blend for so many steps ahead, and how it did where it could be tried."""
    sparse = is_intermittent(values)
    cycle = 1 if sparse else period
    fits = FEW if len(values) <= FEW_MAX else SPARSE if sparse else SMOOTH
    cuts = _cuts(len(values), horizon, cycle)
    tried = [_fitted(values[:end], cycle, fits) for end, _ in cuts]
    stretches = [values[end : end + steps] for end, steps in cuts]
    errors = [
        [_missed(singles[place], stretch, sum_up=sparse) for place in range(len(fits))]
        for singles, stretch in zip(tried, stretches, strict=True)
    ]
    weights = _weights([math.fsum(column) for column in zip(*errors, strict=True)], len(fits))
    trials = [
        _trial(_together(singles, weights), values[end - 1], stretch)
        for singles, stretch, (end, _) in zip(tried, stretches, cuts, strict=True)
    ]
    blend = _together(_fitted(values, cycle, fits), weights)
    return replace(blend, widening=_widening(trials)), trials


def _cuts(length: int, horizon: int, period: int) -> list[tuple[int, int]]:
    """Where the stretches to be tried on begin, and how long they are, latest first."""
    steps = max(1, min(horizon, length // HELD_OUT_SHARE))
    ends = [length - steps - trial * max(1, steps // TRIALS) for trial in range(TRIALS)]
    seasonal = [end for end in ends if end >= CYCLES_MIN * period]
    return [(end, steps) for end in seasonal or ends if end >= TRIED_FROM]


def _fitted(values: Sequence[float], period: int, fits: Sequence[Fit]) -> list[Blend]:
    """Each method for itself, fitted to the series without its season."""
    season = season_of(values, period)
    bare, fitted = season.without(values), len(season.indices) - 1
    lines = [fit(bare) for fit in fits]
    counted = [replace(line, parameters=line.parameters + fitted) for line in lines]
    return [Blend(lines=((line, 1.0),), season=season, length=len(values)) for line in counted]


def _together(singles: Sequence[Blend], weights: Sequence[float]) -> Blend:
    weighed = ((single.lines[0][0], weight) for single, weight in zip(singles, weights, strict=True))
    return replace(singles[0], lines=tuple((line, weight) for line, weight in weighed if weight > 0))


def _missed(blend: Blend, stretch: Sequence[float], *, sum_up: bool) -> float:
    """The squared error over a stretch; `sum_up` judges its total, since single steps are mostly zero."""
    path = blend.expected(len(stretch))
    if sum_up:
        return (math.fsum(stretch) - math.fsum(path)) ** 2
    return math.fsum((value - mean) ** 2 for value, mean in zip(stretch, path, strict=True))


def _weights(missed: Sequence[float], count: int) -> list[float]:
    if not missed:
        return [1 / count] * count
    if min(missed) == 0.0:
        best = missed.index(min(missed))
        return [float(place == best) for place in range(count)]
    shares = [1 / each for each in missed]
    return [share / math.fsum(shares) for share in shares]


def _trial(blend: Blend, last: float, stretch: Sequence[float]) -> Trial:
    path, spread = blend.expected(len(stretch)), blend.spread(len(stretch))
    errors = [value - mean for value, mean in zip(stretch, path, strict=True)]
    return Trial(
        errors=tuple(errors),
        naive_errors=tuple(value - last for value in stretch),
        surprises=tuple(
            (error / width) ** 2 for error, width in zip(errors, spread, strict=True) if width > 0
        ),
    )


def _widening(trials: Sequence[Trial]) -> float:
    """How much wider the band is than what the fitted sample says: part experience, part this series."""
    seen = [surprise for trial in trials for surprise in trial.surprises]
    return math.sqrt((math.fsum(seen) + WIDER_WEIGHT * WIDER**2) / (len(seen) + WIDER_WEIGHT))


def _spreads(line: Line, steps: int) -> list[float]:
    """The standard deviation of the error at each step: every surprise on the way there has left its echo."""
    variance, found = 0.0, []
    for echo in line.echoes(steps):
        variance += echo * echo
        found.append(line.sigma * math.sqrt(variance))
    return found


def _total_spread(line: Line, factors: Sequence[float]) -> float:
    """The standard deviation of a sum's error: what each surprise on the way does to all that follows."""
    echoes = line.echoes(len(factors))
    variance = 0.0
    for first in range(len(factors)):
        effect = math.fsum(factor * echo for factor, echo in zip(factors[first:], echoes, strict=False))
        variance += effect * effect
    return line.sigma * math.sqrt(variance)
