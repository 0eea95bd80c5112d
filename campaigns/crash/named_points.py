"""Campaigns A2 and A3: the engine kills itself at named points, and again while it recovers."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from campaigns.crash.judging import Judgement, judge
from campaigns.crash.lane import Faults, Lane, LaneFailed
from campaigns.crash.lanes import Lanes
from campaigns.crash.points import POINTS, RECOVERY
from campaigns.crash.processes import starting
from campaigns.scratch import scratch
from campaigns.verdict import Verdict, as_control

TIMES = 5
LANES = 2
AT_ONCE = 8
HITS_MAX = 4
TRIES_MAX = 6
IN_A_ROW = 3
REACH_SECONDS_MAX = 6.0
CONTROL_POINT, CONTROL_TIMES = "effect.before_call", 2


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How often each of these points is hit, over how many folders at once."""

    points: Sequence[str] = POINTS
    times: int = TIMES
    lanes: int = LANES
    seed: int


class PointLane:
    """Has the engine die at one point after the other; `hits` counts where it did."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.hits: Counter[str] = Counter()
        self._chance = random.Random(lane.seed)

    async def run(self, points: Sequence[str]) -> Judgement:
        """Die at every one of these, in this order; points of recovery three times in a row."""
        failure = ""
        try:
            async with self.lane.running(at_once=AT_ONCE):
                for point in points:
                    for _ in range(IN_A_ROW if point in RECOVERY else 1):
                        await self._die_at(point)
                await self.lane.begin()
                await self.lane.finish()
        except LaneFailed as failed:
            failure = str(failed)
        return await judge(self.lane, failure)

    async def _die_at(self, point: str) -> None:
        """Die at a hit by chance; where there are not so many, at the first, in one life or another."""
        for hit in (self._chance.randint(1, HITS_MAX), *(TRIES_MAX - 1) * (1,)):
            if await self._died_at(point, hit):
                self.hits[point] += 1
                return

    async def _died_at(self, point: str, hit: int) -> bool:
        if await self.lane.begin(die=[f"{point}:{hit}"]):
            if await self.lane.died_by_itself(REACH_SECONDS_MAX):
                return True
            await self.lane.kill()
            return False
        return await self.lane.died_by_itself(REACH_SECONDS_MAX)


async def _run(folder: Path, plan: Plan, faults: Faults) -> tuple[Lanes, Counter[str]]:
    points = [point for point in plan.points for _ in range(plan.times)]
    random.Random(plan.seed).shuffle(points)
    async with starting(warm=True) as starter:
        lanes = [
            PointLane(Lane(folder / str(number), f"{plan.seed}/{number}", starter, faults))
            for number in range(plan.lanes)
        ]
        shares = [points[number :: plan.lanes] for number in range(plan.lanes)]
        judgements = await asyncio.gather(
            *(lane.run(share) for lane, share in zip(lanes, shares, strict=True))
        )
    hits = sum((lane.hits for lane in lanes), Counter[str]())
    return Lanes([lane.lane for lane in lanes], judgements), hits


def campaign(plan: Plan, faults: Faults | None = None) -> Verdict:
    """Die at every point, and say what it was worth."""
    with scratch(in_memory=False) as folder:
        found, hits = asyncio.run(_run(folder, plan, faults or Faults()))
    least = Counter(dict.fromkeys(plan.points, plan.times))
    missed = [f"{point} ({hits[point]} of {times})" for point, times in least.items() if hits[point] < times]
    arguments = f"--times {plan.times} --lanes {plan.lanes} --seed {plan.seed}"
    return Verdict(
        campaign="A2 kills at named points",
        trials=found.kills,
        unit="kills",
        counts={"points": len(plan.points) - len(missed), **found.counts()},
        details=found.details()[1:],
        violations=found.violations(),
        void=[f"not hit often enough: {', '.join(missed)}"] if missed else [],
        repeat=f"python -m campaigns points {arguments}",
    )


def control(seed: int) -> Verdict:
    """Steps that end before anything was done: killed in between, the effect never happens."""
    plan = Plan(points=[CONTROL_POINT], times=CONTROL_TIMES, lanes=1, seed=seed)
    faults = Faults(hasty=True, well_behaved=True)
    return as_control(campaign(plan, faults), "a result recorded before its effect")
