"""What came of several lanes together: the figures of a campaign of kills."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from campaigns.crash.judging import Judgement
from campaigns.crash.lane import Lane
from campaigns.verdict import percentile
from dirigent.testing.invariants import joined

ABSORBED_PER_KILL_MIN = 0.1
IN_FLIGHT_SHARE_MIN = 0.3
RECOVERY_P50_MAX, RECOVERY_P99_MAX = 1.5, 5.0

# What processes that are killed cannot show: a disk that fails is another campaign.
NOT_HERE = frozenset({"S28"})


class Lanes:
    """What came of all lanes together."""

    def __init__(self, lanes: Sequence[Lane], judgements: Sequence[Judgement]) -> None:
        self._judgements = judgements
        self.report = joined(judgement.report for judgement in judgements)
        self.kills = self._sum("kills")
        self.ready = [life.ready_s for lane in lanes for life in lane.lives[1:] if life.ready_s]
        self.opened = [life.opened_s for lane in lanes for life in lane.lives[1:] if life.ready_s]

    def _sum(self, name: str) -> int:
        return sum(getattr(judgement, name) for judgement in self._judgements)

    def counts(self) -> dict[str, int]:
        """What stands in the line of the campaign."""
        return {
            "executions": self._sum("executions"),
            "acked": self._sum("acknowledged"),
            "effects": self._sum("effects"),
            "absorbed repeats": self._sum("absorbed"),
        }

    def violations(self) -> list[str]:
        """What must not be."""
        failures = [failure for judgement in self._judgements for failure in judgement.failures]
        return failures + [str(violation) for violation in self.report.violations]

    def details(self) -> list[str]:
        """How long recovery took, and how close the kills came to what they are there for."""
        shares = [(f"p{share * 100:.0f}", share) for share in (0.5, 0.99)]
        times = ", ".join(f"{name} {percentile(self.ready, share):.2f} s" for name, share in shares)
        opened = ", ".join(f"{name} {percentile(self.opened, share):.2f} s" for name, share in shares)
        return [
            f"recovery, from the start of the process: {times}, max {max(self.ready, default=0):.2f} s "
            f"(targets: p50 {RECOVERY_P50_MAX} s, p99 {RECOVERY_P99_MAX} s); of that opening: {opened}",
            f"{self._sum('kills_in_flight')} of {self.kills} kills with an effect in flight, "
            f"{self._sum('absorbed_over_kills')} repeats absorbed that a kill had caused, "
            f"{self._sum('announced') / max(1, self._sum('steps')):.0%} of steps with an effect",
            f"put to the test: {', '.join(f'{id} {times:,}' for id, times in self.exercised())}",
        ]

    def void_of_repeats(self) -> Iterator[str]:
        """Nothing, or that the kills hardly put the keys to the test."""
        absorbed = self._sum("absorbed_over_kills")
        if absorbed < ABSORBED_PER_KILL_MIN * self.kills:
            yield f"{absorbed} repeats absorbed over {self.kills} kills: hardly a kill hit an effect"

    def exercised(self) -> list[tuple[str, int]]:
        """How often each invariant was put to the test, in their order."""
        found = self.report.exercised
        return sorted(found.items(), key=lambda item: (item[0][0] != "S", item[0][0], int(item[0][1:])))

    def void(self) -> Iterator[str]:
        """What the campaign is there for and did not reach."""
        yield from self.void_of_repeats()
        if self._sum("kills_in_flight") < IN_FLIGHT_SHARE_MIN * self.kills:
            yield f"only {self._sum('kills_in_flight')} of {self.kills} kills had an effect in flight"
        missed = [id for id in self.report.never_exercised if id not in NOT_HERE]
        if missed:
            yield f"never put to the test: {', '.join(missed)}"
