"""What the ranking would have picked at the test origin, and who of them came back, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dirigent.agents.revenue.dormancy import Standing
from dirigent.agents.revenue.ranking import Ranking


@dataclass(frozen=True, kw_only=True)
class Picks:
    """The first `picked` of a group by the ranking, how many returned, and the whole group beside it."""

    group: str
    origin: str
    horizon_days: int
    picked: int
    returned: int
    customers: int
    returned_all: int

    def sentence(self) -> str:
        """The result in words, with the base rate it must be read against."""
        base = 100 * self.returned_all / self.customers
        return (
            f"Ranked so on {self.origin}, {self.picked} picked of {self.customers:,} {self.group}:"
            f" {self.returned} bought again within {self.horizon_days} days"
            f" ({100 * self.returned / self.picked:.1f} %), against a base rate of {base:.1f} %"
            f" ({self.returned_all:,} of {self.customers:,})."
        )


def backtest(ranking: Ranking, limit: int, *, dormant_only: bool, enterprise_only: bool) -> Picks | None:
    """Apply a selection at the test origin, by the same rule as today; None where it selects nobody.

    Contacts are left out of account: what is known of them is of today, not of then.
    """
    found = ranking.test.found
    rows = [
        (-chance, standing.customer_id, came)
        for standing, chance, came in zip(found.standings, ranking.tested, ranking.test.returned, strict=True)
        if _selected(ranking, standing, dormant_only, enterprise_only)
    ]
    if not rows:
        return None
    picked = sorted(rows)[:limit]
    return Picks(
        group=_group(dormant_only, enterprise_only),
        origin=ranking.test.origin,
        horizon_days=ranking.report.horizon_days,
        picked=len(picked),
        returned=sum(came for *_, came in picked),
        customers=len(rows),
        returned_all=sum(came for *_, came in rows),
    )


def honest_sentences(ranking: Ranking, limit: int, *, enterprise_only: bool) -> list[str]:
    """What may and may not be expected of the ranking."""
    wanted = ((False, False), (True, enterprise_only))
    tests = (backtest(ranking, limit, dormant_only=first, enterprise_only=second) for first, second in wanted)
    sentences = [picks.sentence() for picks in tests if picks]
    if not sentences or not ranking.now.standings:
        return ["The order book is too short to test the ranking on its own past."]
    return [*sentences, *_caveats(ranking)]


def _caveats(ranking: Ranking) -> Sequence[str]:
    own = "This shows who comes back unasked; what a message adds shows only against leads left without one."
    longest = max(standing.tenure_days for standing in ranking.now.standings)
    if longest >= 365 + ranking.report.horizon_days:
        return [own]
    return [
        own,
        f"The book covers {longest + 1} days: no season has been seen twice, so the probabilities hold for"
        f" weeks like those after {ranking.test.origin}.",
    ]


def _selected(ranking: Ranking, standing: Standing, dormant_only: bool, enterprise_only: bool) -> bool:
    found = ranking.test.found
    return (not dormant_only or found.is_dormant(standing)) and (
        not enterprise_only or found.is_enterprise(standing)
    )


def _group(dormant_only: bool, enterprise_only: bool) -> str:
    return " ".join(
        word
        for word, said in (("dormant", dormant_only), ("enterprise", enterprise_only), ("customers", True))
        if said
    )
