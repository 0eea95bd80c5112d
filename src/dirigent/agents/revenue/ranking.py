"""How likely a customer is to buy again within the horizon, and how good that estimate has been.

Logistic regression on four features of the customer's standing, fitted at an earlier origin and
tested at a later one, so that no figure of the report was seen in fitting:

* log of days silent and log of net spend, the R and M of RFM (Hughes, "Strategic Database
  Marketing", 1994);
* log odds of the NBD chance, see `nbd_chance`, which joins frequency and tenure;
* log of how far the silence exceeds the customer's own rhythm, times log of order days: a silence says
  more about a customer who used to come often (Fader, Hardie and Lee, "RFM and CLV: Using Iso-Value
  Curves", Journal of Marketing Research 42 (2005) 415-430).

The features were chosen at an origin before the test origin, by Brier score. Sigmoid recalibration
did not improve the Brier score there and isotonic made it worse, so there is none.

Where a model cannot be had, the NBD chance itself is the score, and the report says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic import Field

from dirigent.agents.revenue.dormancy import DormancyRule, Standing, Survey, survey
from dirigent.agents.revenue.evaluation import (
    CalibrationBin,
    auc,
    auc_interval,
    brier,
    calibration,
    expected_calibration_error,
)
from dirigent.agents.revenue.order_book import History, known_on
from dirigent.domain.shape import Shape

HORIZON_DAYS = 70
FEATURES = ("log days silent", "log net spend", "log odds of NBD chance", "log overdue x log order days")
RULE = "NBD chance: 1 - ((rhythm + tenure) / (rhythm + tenure + horizon)) ** order days"
# Ten of the rarer outcome per feature: Peduzzi, Concato, Kemper, Holford and Feinstein, "A simulation
# study of the number of events per variable in logistic regression analysis", Journal of Clinical
# Epidemiology 49 (1996) 1373-1379.
OUTCOMES_MIN = 10 * len(FEATURES)
NO_SKILL = 0.5


class ModelReport(Shape):
    """How the probabilities were made and how well they did out of time.

    `kind` is `logistic_regression`, `rule`, or `none` where there are no customers; `reason` says why it
    is not the regression. An origin is the first day of the horizon that was predicted; the final
    fit stands on the latest origin whose outcomes are known. `brier` is 0 at best; `ece` is the mean
    distance of predicted and observed share over ten bins. Figures are None where the book is too
    short to test at all.
    """

    kind: str
    provider: str = "deterministic"
    reason: str | None = None
    formula: str
    horizon_days: int
    train_origin: str | None = None
    test_origin: str | None = None
    fitted_origin: str | None = None
    customers_train: int = 0
    customers_test: int = 0
    base_rate: float | None = None
    auc: float | None = None
    auc_interval: list[float] | None = None
    brier: float | None = None
    ece: float | None = None
    calibration: list[CalibrationBin] = Field(default_factory=list)
    sentences: list[str] = Field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """All customers at one origin, and for each whether it came back within the horizon."""

    found: Survey
    returned: tuple[bool, ...]

    @property
    def origin(self) -> str:
        """The first day of the predicted horizon."""
        return (self.found.day + timedelta(days=1)).isoformat()


Predict = Callable[[Survey], list[float]]
Fit = Callable[[Sample, int], Predict]


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Probabilities for today's customers, and for those of the test origin, both in their order."""

    now: Survey
    chances: list[float]
    test: Sample
    tested: list[float]
    report: ModelReport


def nbd_chance(standing: Standing, population_gap: float, horizon_days: int) -> float:
    """The chance of at least one order within the horizon, from order days and tenure alone.

    Ehrenberg's negative binomial model (1959): Poisson orders with a gamma distributed rate. The
    prior is worth one order per gap of the population, so that after n order days in T days the rate
    has the gamma distribution (n, gap + T), and P(no order in h) = ((gap + T) / (gap + T + h)) ** n.
    """
    known = population_gap + standing.tenure_days
    return float(1 - (known / (known + horizon_days)) ** standing.orders)


def features(found: Survey, horizon_days: int) -> list[list[float]]:
    """One row of `FEATURES` per customer of the survey."""
    gap = found.population_rhythm_days
    return [] if gap is None else [_row(standing, gap, horizon_days) for standing in found.standings]


def fit_logistic(sample: Sample, horizon_days: int) -> Predict:
    """Standardise and fit; raises `ImportError` where scikit-learn is not installed."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(features(sample.found, horizon_days), list(sample.returned))

    def predict(found: Survey) -> list[float]:
        rows = features(found, horizon_days)
        return [float(chance) for chance in model.predict_proba(rows)[:, 1]] if rows else []

    return predict


def rank(
    histories: Sequence[History],
    day: date,
    rule: DormancyRule,
    *,
    horizon_days: int = HORIZON_DAYS,
    fit: Fit = fit_logistic,
) -> Ranking:
    """Estimate for every customer known on `day` the chance to buy within the next `horizon_days`.

    The test origin lies one horizon back, the training origin two. The model that scores today is
    fitted anew at the test origin, by the same recipe, because its outcomes are known by now.
    """
    now = survey(known_on(histories, day), day, rule)
    train, test = (_sample(histories, day, back * horizon_days, rule, horizon_days) for back in (2, 1))
    reason = _too_thin(train) or _too_thin(test)
    if reason is None:
        try:
            ranking = _by_model(now, train, test, fit, horizon_days)
        except ImportError:
            reason = "scikit-learn is not installed; it comes with the extra `ml`."
        else:
            reason = _no_better_than_chance(ranking.report)
            if reason is None:
                return ranking
    return _by_rule(now, test, reason, horizon_days)


def _by_model(now: Survey, train: Sample, test: Sample, fit: Fit, horizon_days: int) -> Ranking:
    tested = fit(train, horizon_days)(test.found)
    report = ModelReport(
        kind="logistic_regression",
        formula=f"logistic regression on {', '.join(FEATURES)}",
        horizon_days=horizon_days,
        train_origin=train.origin,
        fitted_origin=test.origin,
        customers_train=len(train.returned),
        **_measures(test, tested),
    )
    chances = fit(test, horizon_days)(now)
    return Ranking(now=now, chances=chances, test=test, tested=tested, report=report)


def _by_rule(now: Survey, test: Sample, reason: str, horizon_days: int) -> Ranking:
    tested = _rule_chances(test.found, horizon_days)
    report = ModelReport(
        kind="rule" if now.standings else "none",
        reason=reason,
        formula=RULE,
        horizon_days=horizon_days,
        **_measures(test, tested),
    )
    chances = _rule_chances(now, horizon_days)
    return Ranking(now=now, chances=chances, test=test, tested=tested, report=report)


def _measures(test: Sample, tested: Sequence[float]) -> dict[str, Any]:
    """The figures of a report; empty where nobody or everybody came back, for then nothing can be told."""
    if not 0 < sum(test.returned) < len(test.returned):
        return {}
    value, table = auc(test.returned, tested), calibration(test.returned, tested)
    positives = sum(test.returned)
    return {
        "test_origin": test.origin,
        "customers_test": len(test.returned),
        "base_rate": round(positives / len(test.returned), 4),
        "auc": round(value, 4),
        "auc_interval": [round(end, 4) for end in auc_interval(value, positives, len(tested) - positives)],
        "brier": round(brier(test.returned, tested), 4),
        "ece": round(expected_calibration_error(table), 4),
        "calibration": table,
    }


def _sample(histories: Sequence[History], day: date, back: int, rule: DormancyRule, horizon: int) -> Sample:
    origin = day - timedelta(days=back)
    found = survey(known_on(histories, origin), origin, rule)
    first, last = origin + timedelta(days=1), origin + timedelta(days=horizon)
    back_again = {item.customer_id for item in histories if item.bought_between(first, last)}
    return Sample(found=found, returned=tuple(item.customer_id in back_again for item in found.standings))


def _too_thin(sample: Sample) -> str | None:
    positives = sum(sample.returned)
    rarer = min(positives, len(sample.returned) - positives)
    if rarer >= OUTCOMES_MIN:
        return None
    return (
        f"At {sample.origin} only {positives} of {len(sample.returned)} customers bought again within the"
        f" horizon; a model needs {OUTCOMES_MIN} of either outcome."
    )


def _no_better_than_chance(report: ModelReport) -> str | None:
    assert report.auc_interval is not None, "enough of both outcomes has been checked"
    low, high = report.auc_interval
    if low > NO_SKILL:
        return None
    value = f"{report.auc} ({low} to {high})"
    return f"At {report.test_origin} the model's AUC was {value}: not above chance."


def _rule_chances(found: Survey, horizon_days: int) -> list[float]:
    gap = found.population_rhythm_days
    return [] if gap is None else [nbd_chance(standing, gap, horizon_days) for standing in found.standings]


def _row(standing: Standing, population_gap: float, horizon_days: int) -> list[float]:
    chance = nbd_chance(standing, population_gap, horizon_days)
    overdue = max(0.0, math.log(max(standing.days_silent, 1) / standing.rhythm_days))
    return [
        math.log1p(standing.days_silent),
        math.log1p(max(standing.spend, 0.0)),
        math.log(chance / (1 - chance)),
        overdue * math.log(standing.orders),
    ]
