"""Campaign A1: kill -9 of the engine at random moments, while it works and right after it began to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from campaigns.crash.judging import Judgement, judge
from campaigns.crash.lane import Faults, Lane, LaneFailed
from campaigns.crash.processes import starting
from campaigns.scratch import scratch
from campaigns.verdict import Verdict, as_control, percentile
from dirigent.testing.invariants import joined

KILLS = 150
EXECUTIONS = 1_500
LANES = 2
AT_ONCE = 12
CONTROL_KILLS = 2
ALIVE_SECONDS = (0.05, 3.0)
SHORTLY_SECONDS = (0.05, 0.6)

ABSORBED_PER_KILL_MIN = 0.1
IN_FLIGHT_SHARE_MIN = 0.3
RECOVERY_P50_MAX, RECOVERY_P99_MAX = 1.5, 5.0

# What processes that are killed cannot show: a disk that fails is another campaign.
NOT_HERE = frozenset({"S28"})


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many kills and, at least, executions, over how many folders at once; how long a life lasts.

    `warm` forks the processes instead of starting them from scratch, which says nothing about recovery.
    """

    kills: int = KILLS
    executions: int = EXECUTIONS
    lanes: int = LANES
    seed: int
    alive: tuple[float, float] = ALIVE_SECONDS
    warm: bool = False


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

    def exercised(self) -> list[tuple[str, int]]:
        """How often each invariant was put to the test, in their order."""
        found = self.report.exercised
        return sorted(found.items(), key=lambda item: (item[0][0] != "S", item[0][0], int(item[0][1:])))

    def void(self) -> Iterator[str]:
        """What the campaign is there for and did not reach."""
        absorbed = self._sum("absorbed_over_kills")
        if absorbed < ABSORBED_PER_KILL_MIN * self.kills:
            yield f"{absorbed} repeats absorbed over {self.kills} kills: hardly a kill hit an effect"
        if self._sum("kills_in_flight") < IN_FLIGHT_SHARE_MIN * self.kills:
            yield f"only {self._sum('kills_in_flight')} of {self.kills} kills had an effect in flight"
        missed = [id for id in self.report.never_exercised if id not in NOT_HERE]
        if missed:
            yield f"never put to the test: {', '.join(missed)}"


async def run_lane(lane: Lane, plan: Plan) -> Judgement:
    """So many kills, and so many executions at least, over one data folder."""
    chance = random.Random(lane.seed)
    failure = ""
    try:
        async with lane.running(at_once=AT_ONCE):
            while len(lane.kills) < plan.kills:
                await lane.begin()
                await asyncio.sleep(chance.uniform(*plan.alive))
                await lane.kill()
            await lane.begin()
            await lane.finish(plan.executions)
    except LaneFailed as failed:
        failure = str(failed)
    return await judge(lane, failure)


async def _run(folder: Path, plan: Plan, faults: Faults) -> Lanes:
    share = replace(plan, kills=-(-plan.kills // plan.lanes), executions=-(-plan.executions // plan.lanes))
    async with starting(warm=plan.warm) as starter:
        names = [f"{plan.seed}/{number}" for number in range(plan.lanes)]
        lanes = [Lane(folder / name.replace("/", "-"), name, starter, faults) for name in names]
        return Lanes(lanes, await asyncio.gather(*(run_lane(lane, share) for lane in lanes)))


def campaign(plan: Plan, faults: Faults | None = None) -> Verdict:
    """Kill, look, and say what it was worth."""
    with scratch(in_memory=False) as folder:
        found = asyncio.run(_run(folder, plan, faults or Faults()))
    arguments = f"--kills {plan.kills} --executions {plan.executions} --lanes {plan.lanes} --seed {plan.seed}"
    return Verdict(
        campaign="A1 kills at random",
        trials=found.kills,
        unit="kills",
        counts=found.counts(),
        details=found.details(),
        violations=found.violations(),
        void=list(found.void()),
        repeat=f"python -m campaigns kills {arguments}",
    )


def control(seed: int) -> Verdict:
    """A recorder that honours no key: what is repeated happens twice, and that has to be seen."""
    plan = Plan(kills=CONTROL_KILLS, executions=0, lanes=1, seed=seed, alive=SHORTLY_SECONDS, warm=True)
    return as_control(campaign(plan, Faults(no_dedupe=True)), "a receiver that honours no keys")
