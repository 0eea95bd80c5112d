"""Campaigns A2 and A3: the engine kills itself at named points, and again while it recovers."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from campaigns.crash.judging import Judgement, judge
from campaigns.crash.lane import Faults, Lane, LaneFailed
from campaigns.crash.lanes import Lanes
from campaigns.crash.points import AT_FIRST, LEFT_BY, POINTS, RECOVERY, REPEATING
from campaigns.crash.processes import starting
from campaigns.scratch import scratch
from campaigns.verdict import Verdict, as_control

TIMES = 5
LANES = 2
AT_ONCE = 8
HITS_MAX = 4
TRIES_MAX = 12
IN_A_ROW = 3
REACH_SECONDS_MAX = 3.0
AT_FIRST_SECONDS_MAX = 1.0
REPEATED_PER_KILL_MIN = 0.3
CONTROL_POINT, CONTROL_TIMES = "effect.before_call", 2


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How often each of these points is hit, over how many folders at once."""

    points: Sequence[str] = POINTS
    times: int = TIMES
    lanes: int = LANES
    seed: int


class PointLane:
    """Has the engine die at one point after the other; `died` says at which one a life of it did."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.died: dict[str, str] = {}
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
        first = 1 if point in AT_FIRST else self._chance.randint(1, HITS_MAX)
        for hit in (first, *(TRIES_MAX - 1) * (1,)):
            if point in LEFT_BY:
                await self._died_at(LEFT_BY[point], 1)
            if await self._died_at(point, hit):
                return

    async def _died_at(self, point: str, hit: int) -> bool:
        died = await self._dies_at(point, hit)
        if died:
            self.died[self.lane.lives[-1].session] = point
        return died

    async def _dies_at(self, point: str, hit: int) -> bool:
        if not await self.lane.begin(die=[f"{point}:{hit}"]):
            return await self.lane.died_by_itself(REACH_SECONDS_MAX)
        seconds = AT_FIRST_SECONDS_MAX if point in AT_FIRST else REACH_SECONDS_MAX
        return await self.lane.died_by_itself(seconds)


class Reached:
    """Where the engine died in all lanes together: the `hits` of each point, and the repeats they caused."""

    def __init__(self, lanes: Iterable[PointLane], judgements: Iterable[Judgement]) -> None:
        self.hits: Counter[str] = Counter()
        self.caused: Counter[str] = Counter()
        for lane, judgement in zip(lanes, judgements, strict=True):
            self.hits.update(lane.died.values())
            for session, times in judgement.caused.items():
                self.caused[lane.died.get(session, "")] += times

        self.repeating = sum(self.hits[point] for point in REPEATING)
        self.repeated = sum(self.caused[point] for point in REPEATING)

    def missed(self, plan: Plan) -> list[str]:
        """The points that were not hit as often as the plan has it."""
        return [point for point in plan.points if self.hits[point] < plan.times]

    def details(self) -> list[str]:
        """What the kills brought where each has to bring something."""
        return [f"{self.repeated} repeats caused by {self.repeating} kills at {', '.join(REPEATING)}"]

    def void(self, plan: Plan) -> Iterator[str]:
        """Points that were hardly hit, or brought no repeat where one has to come."""
        if missed := [f"{point} ({self.hits[point]} of {plan.times})" for point in self.missed(plan)]:
            yield f"not hit often enough: {', '.join(missed)}"
        if self.repeated < REPEATED_PER_KILL_MIN * self.repeating:
            yield f"only {self.details()[0]}"


async def _run(folder: Path, plan: Plan, faults: Faults) -> tuple[Lanes, Reached]:
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
    return Lanes([lane.lane for lane in lanes], judgements), Reached(lanes, judgements)


def campaign(plan: Plan, faults: Faults | None = None) -> Verdict:
    """Die at every point, and say what it was worth."""
    with scratch(in_memory=False) as folder:
        found, reached = asyncio.run(_run(folder, plan, faults or Faults()))
    arguments = f"--times {plan.times} --lanes {plan.lanes} --seed {plan.seed}"
    return Verdict(
        campaign="A2 kills at named points",
        trials=found.kills,
        unit="kills",
        counts={"points": len(plan.points) - len(reached.missed(plan)), **found.counts()},
        details=[*found.details()[1:], *reached.details()],
        violations=found.violations(),
        void=[*reached.void(plan), *found.void_of_repeats()],
        repeat=f"python -m campaigns points {arguments}",
    )


def control(seed: int) -> Verdict:
    """Steps that end before anything was done: killed in between, the effect never happens."""
    plan = Plan(points=[CONTROL_POINT], times=CONTROL_TIMES, lanes=1, seed=seed)
    faults = Faults(hasty=True, well_behaved=True)
    return as_control(campaign(plan, faults), "a result recorded before its effect")
