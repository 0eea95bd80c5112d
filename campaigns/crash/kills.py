"""Campaign A1: kill -9 of the engine at random moments, while it works and right after it began to."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from pathlib import Path

from campaigns.crash.judging import Judgement, judge
from campaigns.crash.lane import Faults, Lane, LaneFailed
from campaigns.crash.lanes import Lanes
from campaigns.crash.processes import starting
from campaigns.scratch import scratch
from campaigns.verdict import Verdict, as_control

KILLS = 150
EXECUTIONS = 1_500
LANES = 2
AT_ONCE = 6
CONTROL_KILLS = 6
ALIVE_SECONDS = (0.05, 3.0)
SHORTLY_SECONDS = (0.05, 0.6)


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
