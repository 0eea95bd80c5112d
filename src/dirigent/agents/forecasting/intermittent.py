"""Demand that comes now and then: how much when it comes, and how often.

TSB, after Teunter, Syntetos and Babai, "Intermittent demand: linking forecasting to inventory
obsolescence", European Journal of Operational Research 214 (2011) 606-615: unlike Croston's method it
forgets what is no longer asked for. What counts as intermittent: Syntetos, Boylan and Croston, Journal of
the Operational Research Society 56 (2005) 495-503.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dirigent.agents.forecasting.smoothing import Line

INTERVAL_MIN = 1.32
SMOOTHING = 0.1
RECENT_MIN = 12
RECENT_SHARE = 4


def is_intermittent(values: Sequence[float]) -> bool:
    """Whether there is mostly nothing between demands: more than 1.32 steps from one to the next."""
    demands = sum(value != 0 for value in values)
    return min(values, default=0.0) >= 0 and len(values) > INTERVAL_MIN * demands


def recent_mean(values: Sequence[float]) -> Line:
    """The mean of the last quarter, of twelve steps at least; as old as smoothing with 2 / (steps + 1) is."""
    window = max(RECENT_MIN, len(values) // RECENT_SHARE)
    level = math.fsum(values[-window:]) / len(values[-window:])
    errors = tuple(value - level for value in values[-window:])
    return Line(name="recent mean", level=level, pull=2 / (window + 1), errors=errors, parameters=1)


def tsb(values: Sequence[float]) -> Line:
    """Smoothed demand times the smoothed chance of one, which falls while nothing is asked for."""
    first = values[:RECENT_MIN]
    sizes = [value for value in first if value] or [value for value in values if value][:1]
    size = math.fsum(sizes) / len(sizes) if sizes else 0.0
    chance = sum(value != 0 for value in first) / max(1, len(first))
    errors = []
    for value in values:
        errors.append(value - size * chance)
        chance += SMOOTHING * ((value != 0) - chance)
        if value:
            size += SMOOTHING * (value - size)
    return Line(name="TSB", level=size * chance, pull=SMOOTHING, errors=tuple(errors[1:]), parameters=1)
