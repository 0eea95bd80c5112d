"""Looking ahead of a series: what is to be expected, step by step or together, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from dirigent.agents.forecasting.blend import Blend, Trial, blend_of
from dirigent.agents.forecasting.rhythm import Rhythm, rhythm_of
from dirigent.domain.errors import InvalidInput

VALUES_MAX = 1_100  # what is older says nothing of tomorrow and costs time
STEPS_MAX = 1_100


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """How it did on the last steps, unseen: the mean absolute error, and that of repeating the last value."""

    error: float
    naive_error: float
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is to be expected after a series. Steps ahead are counted from 1; nothing lies below `floor`."""

    blend: Blend
    rhythm: Rhythm
    length: int
    floor: float | None
    accuracy: Accuracy | None

    @property
    def methods(self) -> dict[str, float]:
        """The methods it is blended of, by their weight."""
        return {line.name: weight for line, weight in self.blend.lines}

    def expected(self, steps: int) -> list[float]:
        """What is expected at each of the next steps."""
        ahead = self.blend.expected(self._open(steps))
        return [self._bounded(value) for value in self.rhythm.laid_out(self.length, ahead, steps)]

    def spread(self, steps: int) -> list[float]:
        """The standard deviation of the error at each of the next steps."""
        return self.rhythm.laid_out(self.length, self.blend.spread(self._open(steps)), steps)

    def band(self, steps: int, coverage: float) -> list[tuple[float, float]]:
        """Where the value lies at each of the next steps, with this probability."""
        width = NormalDist().inv_cdf((1 + coverage) / 2)
        return [
            (self._bounded(mean - width * spread), self._bounded(mean + width * spread))
            for mean, spread in zip(self.expected(steps), self.spread(steps), strict=True)
        ]

    def total(self, steps: float) -> tuple[float, float]:
        """What the next steps make together, and the standard deviation of its error.

        A part of a step counts in proportion.
        """
        whole, part = int(steps), steps - int(steps)
        path = self.expected(math.ceil(steps))
        variance = self.blend.total_spread(self._open(whole)) ** 2
        if part:
            variance += part * (self.blend.total_spread(self._open(whole + 1)) ** 2 - variance)
        return math.fsum(path[:whole]) + part * math.fsum(path[whole:]), math.sqrt(variance)

    def _open(self, steps: int) -> int:
        return self.rhythm.count(self.length, steps)

    def _bounded(self, value: float) -> float:
        return value if self.floor is None else max(self.floor, value)


def outlook_of(
    values: Sequence[float], *, horizon: int, period: int = 1, floor: float | None = None
) -> Outlook:
    """Look ahead of an even series, oldest value first, that may repeat itself every `period` steps.

    The methods are weighed by how they did `horizon` steps ahead. Of a series of one to five values
    little can be said, and the band shows it. Raises `InvalidInput` for no values, for one that is not
    finite, and for a horizon or period that is none.
    """
    _check(values, horizon, period)
    kept = values[-VALUES_MAX:]
    rhythm = rhythm_of(kept, period)
    opened = rhythm.open_values(kept)
    blend, trials = blend_of(opened, rhythm.period, horizon)
    return Outlook(blend=blend, rhythm=rhythm, length=len(kept), floor=floor, accuracy=_accuracy(trials))


def _check(values: Sequence[float], horizon: int, period: int) -> None:
    if not values:
        raise InvalidInput("There is nothing to look ahead of.", field="values")
    for place, value in enumerate(values):
        if not math.isfinite(value):
            raise InvalidInput(f"Value {place} is {value}, not a number.", field=f"values.{place}")
    if not 1 <= horizon <= STEPS_MAX:
        raise InvalidInput(f"A horizon is 1 to {STEPS_MAX} steps, not {horizon}.", field="horizon")
    if period < 1:
        raise InvalidInput(f"A cycle has at least one step, not {period}.", field="period")


def _accuracy(trials: Sequence[Trial]) -> Accuracy | None:
    errors = [abs(error) for trial in trials for error in trial.errors]
    naive = [abs(error) for trial in trials for error in trial.naive_errors]
    if not errors:
        return None
    return Accuracy(
        error=math.fsum(errors) / len(errors), naive_error=math.fsum(naive) / len(naive), steps=len(errors)
    )
