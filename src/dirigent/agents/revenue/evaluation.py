"""How good probabilities are: discrimination (AUC), accuracy (Brier) and calibration (ECE)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, pairwise

from dirigent.domain.shape import Shape


class CalibrationBin(Shape):
    """One bin of the calibration table: what was predicted on average, what came, for how many."""

    predicted: float
    observed: float
    customers: int


def auc(outcomes: Sequence[bool], scores: Sequence[float]) -> float:
    """The chance that a positive case scores above a negative one, ties counting half.

    The Mann-Whitney statistic (Hanley and McNeil 1982). Both outcomes must occur.
    """
    positives = sum(outcomes)
    negatives = len(outcomes) - positives
    assert 0 < positives < len(outcomes), "AUC needs both outcomes"
    ranked = sorted(zip(scores, outcomes, strict=True))
    rank_sum, before = 0.0, 0
    for _, tied in groupby(ranked, key=lambda pair: pair[0]):
        group = [outcome for _, outcome in tied]
        rank_sum += sum(group) * (before + (len(group) + 1) / 2)
        before += len(group)
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def auc_interval(value: float, positives: int, negatives: int) -> tuple[float, float]:
    """The 95 % interval of an AUC.

    Standard error of Hanley and McNeil, "The Meaning and Use of the Area under a Receiver Operating
    Characteristic (ROC) Curve", Radiology 143 (1982) 29-36.
    """
    both_above = value / (2 - value)
    above_both = 2 * value * value / (1 + value)
    variance = (
        value * (1 - value)
        + (positives - 1) * (both_above - value * value)
        + (negatives - 1) * (above_both - value * value)
    ) / (positives * negatives)
    reach = 1.959964 * math.sqrt(variance)
    return max(0.0, value - reach), min(1.0, value + reach)


def brier(outcomes: Sequence[bool], chances: Sequence[float]) -> float:
    """The mean squared difference of probability and outcome (Brier 1950): 0 is perfect."""
    return sum((chance - came) ** 2 for came, chance in zip(outcomes, chances, strict=True)) / len(outcomes)


def calibration(outcomes: Sequence[bool], chances: Sequence[float], bins: int = 10) -> list[CalibrationBin]:
    """The calibration table: equally filled bins by rising probability."""
    ranked = sorted(zip(chances, outcomes, strict=True))
    edges = [round(number * len(ranked) / bins) for number in range(bins + 1)]
    parts = (ranked[start:end] for start, end in pairwise(edges))
    return [_bin(part) for part in parts if part]


def expected_calibration_error(table: Sequence[CalibrationBin]) -> float:
    """The mean distance of predicted and observed share, weighted by the size of the bins.

    Naeini, Cooper and Hauskrecht (2015), with equally filled bins.
    """
    customers = sum(part.customers for part in table)
    return sum(part.customers * abs(part.predicted - part.observed) for part in table) / customers


def _bin(part: Sequence[tuple[float, bool]]) -> CalibrationBin:
    return CalibrationBin(
        predicted=round(sum(chance for chance, _ in part) / len(part), 4),
        observed=round(sum(came for _, came in part) / len(part), 4),
        customers=len(part),
    )
