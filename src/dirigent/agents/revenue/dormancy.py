"""Who has fallen silent: silence measured in units of the customer's own rhythm.

Idea: Allenby, Leone and Jen, "A Dynamic Model of Purchase Timing with Application to Direct
Marketing", Journal of the American Statistical Association 94 (1999) 365-374: compare a customer's
silence with that customer's own interpurchase times, not with one calendar limit for all.

Rule: purchases of an active customer come at random with a steady rate (Ehrenberg, "The Pattern of
Consumer Purchases", Applied Statistics 8 (1959) 26-41), so the gaps are exponential and a silence of
t days has the chance exp(-t / rhythm). A customer is dormant when that chance is at most
`silence_chance_max`, which is the same as a silence of at least -ln(silence_chance_max) rhythms.

Rhythm: (days from first to last order + one gap of the population) / number of order days. It is the
gamma-Poisson estimate with a prior worth one gap: somebody who bought once has the population's
rhythm, and every further order makes it more the customer's own. The population's gap is the median,
over customers with at least two order days, of their mean gap.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from pydantic import Field

from dirigent.agents.revenue.order_book import History
from dirigent.domain.shape import Shape

SOURCES = (
    "Silence in units of the own interpurchase time: Allenby, Leone, Jen (1999), JASA 94, 365-374.",
    "Exponential gaps of an active customer: Ehrenberg (1959), Applied Statistics 8, 26-41.",
    "Enterprise by a quantile of net spend: house rule, relative to this order book.",
)


class DormancyRule(Shape):
    """The thresholds of dormancy and of the enterprise segment.

    The defaults: a silence that at most one active customer in ten would show, and at least 60 days,
    so that a weekly buyer's holiday is no dormancy; enterprise is the top quarter by net spend of the
    last 365 days. `enterprise_spend_min`, when given, takes the place of the quantile.
    """

    silence_chance_max: Annotated[float, Field(gt=0, lt=1)] = 0.10
    days_silent_min: Annotated[int, Field(ge=1, le=3650)] = 60
    spend_days: Annotated[int, Field(ge=1, le=3650)] = 365
    enterprise_quantile: Annotated[float, Field(ge=0, lt=1)] = 0.75
    enterprise_spend_min: Annotated[float, Field(ge=0)] | None = None

    @property
    def silence_multiple(self) -> float:
        """The silence, in rhythms, from which on a customer is dormant."""
        return -math.log(self.silence_chance_max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one customer stands on a day: silence, rhythm, loyalty and money.

    `orders` counts order days; `tenure_days` runs from the first order to the day; `spend` is net.
    """

    customer_id: str
    last_order: date
    days_silent: int
    rhythm_days: float
    orders: int
    tenure_days: int
    spend: float

    @property
    def silence_ratio(self) -> float:
        """The silence in units of the customer's own rhythm."""
        return self.days_silent / self.rhythm_days

    @property
    def silence_chance(self) -> float:
        """How likely an active customer of this rhythm would be silent this long (exponential gaps)."""
        return math.exp(-self.silence_ratio)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """All customers on one day, and who among them is dormant and who is enterprise."""

    day: date
    rule: DormancyRule
    population_rhythm_days: float | None
    enterprise_spend_min: float
    standings: tuple[Standing, ...]

    def is_dormant(self, standing: Standing) -> bool:
        """Silent for long enough both by the customer's own rhythm and by the calendar."""
        return (
            standing.days_silent >= self.rule.days_silent_min
            and standing.silence_ratio >= self.rule.silence_multiple
        )

    def is_enterprise(self, standing: Standing) -> bool:
        """Net spend at or above the threshold, and above nothing."""
        return standing.spend > 0 and standing.spend >= self.enterprise_spend_min

    def dormant(self, *, enterprise_only: bool = False) -> list[Standing]:
        """The dormant customers, by customer id."""
        return [
            standing
            for standing in self.standings
            if self.is_dormant(standing) and (not enterprise_only or self.is_enterprise(standing))
        ]


def population_rhythm(histories: Sequence[History]) -> float | None:
    """The median, in days, of the mean gaps of all who ordered on two days or more; None without any."""
    gaps = [
        (history.days[-1] - history.days[0]).days / (len(history.days) - 1)
        for history in histories
        if len(history.days) > 1
    ]
    return statistics.median(gaps) if gaps else None


def standing_of(history: History, day: date, population_gap: float, spend_days: int) -> Standing:
    """Where a customer stands at the end of `day`; the history must hold nothing later."""
    first, last = history.days[0], history.days[-1]
    return Standing(
        customer_id=history.customer_id,
        last_order=last,
        days_silent=(day - last).days,
        rhythm_days=((last - first).days + population_gap) / len(history.days),
        orders=len(history.days),
        tenure_days=(day - first).days,
        spend=round(history.net_spend(day, spend_days), 2),
    )


def survey(histories: Sequence[History], day: date, rule: DormancyRule) -> Survey:
    """Apply the rule to histories known on `day`.

    When nobody has ordered twice there is no rhythm to compare with, and nobody is called dormant.
    """
    gap = population_rhythm(histories)
    standings = (
        () if gap is None else tuple(standing_of(item, day, gap, rule.spend_days) for item in histories)
    )
    return Survey(
        day=day,
        rule=rule,
        population_rhythm_days=gap,
        enterprise_spend_min=_enterprise_spend(standings, rule),
        standings=standings,
    )


def explain(standing: Standing, found: Survey) -> list[str]:
    """Why the customer is a dormant lead, in sentences with the numbers."""
    multiple = found.rule.silence_multiple
    return [
        f"Silent for {standing.days_silent} days, since the order of {standing.last_order.isoformat()}.",
        f"Its own rhythm is one order in {standing.rhythm_days:.0f} days ({_days_of(standing.orders)}): the"
        f" silence is {standing.silence_ratio:.1f} rhythms long, dormant begins at {multiple:.1f}.",
        f"Net spend of the {found.rule.spend_days} days to {found.day.isoformat()}: {standing.spend:,.2f};"
        f" enterprise begins at {found.enterprise_spend_min:,.2f}.",
    ]


def _days_of(orders: int) -> str:
    return "one order day, so the population's rhythm" if orders == 1 else f"{orders} order days"


def _enterprise_spend(standings: Sequence[Standing], rule: DormancyRule) -> float:
    if rule.enterprise_spend_min is not None:
        return rule.enterprise_spend_min
    spends = sorted(standing.spend for standing in standings)
    return spends[int(rule.enterprise_quantile * len(spends))] if spends else 0.0
