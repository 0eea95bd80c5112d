"""The engine with every gate on: durable runs of pure steps, latencies, events per commit, memory."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import resident_mb
from dirigent import Dirigent, Effect, Risk, action, agent
from dirigent.domain.workflow import Definition, FlowType, Kind, Step

STEPS = 5
IN_FLIGHT = 100
RUNS = 2000
SINGLE_RUNS = 200


@agent("bench", domain="benchmark", max_concurrency=10_000)
class Bench:
    """Does nothing, quickly."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def nothing(self, n: int = 0) -> int:
        """Give back the number plus one."""
        return n + 1


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured; times in milliseconds."""

    steps_per_second: float
    events_per_commit: float
    start_ms_p50: float
    start_ms_p95: float
    one_step_ms_p50: float
    five_steps_ms_p50: float
    idle_mb: float
    loaded_mb: float


def chain(steps: int) -> Definition:
    """Steps one after the other."""
    return Definition(
        name=f"chain_{steps}",
        type=FlowType.SEQUENTIAL,
        steps=tuple(
            Step(id=f"s{n}", kind=Kind.AGENT, agent="bench", action="nothing", parameters={"n": n})
            for n in range(steps)
        ),
    )


async def measure(folder: Path) -> Figures:
    """Run every engine benchmark over one fresh data folder."""
    async with Dirigent(folder, agents=[Bench]) as dirigent:
        idle = resident_mb()
        await _throughput(dirigent, chain(STEPS), IN_FLIGHT)
        commits, events = dirigent.journal.commits, dirigent.journal.durable
        rate, starts = await _throughput(dirigent, chain(STEPS), RUNS)
        done = dirigent.journal.durable - events
        per_commit = done / max(1, dirigent.journal.commits - commits)
        return Figures(
            steps_per_second=rate,
            events_per_commit=per_commit,
            start_ms_p50=statistics.median(starts),
            start_ms_p95=statistics.quantiles(starts, n=20)[18],
            one_step_ms_p50=await _alone(dirigent, chain(1)),
            five_steps_ms_p50=await _alone(dirigent, chain(STEPS)),
            idle_mb=idle,
            loaded_mb=resident_mb(),
        )


async def _throughput(dirigent: Dirigent, definition: Definition, runs: int) -> tuple[float, list[float]]:
    """Steps a second with a fixed number of runs in flight, and how long each start took."""
    starts: list[float] = []
    remaining = iter(range(runs))

    async def lane() -> None:
        for _ in remaining:
            began = time.perf_counter()
            execution_id = await dirigent.intake.run_workflow(definition)
            starts.append((time.perf_counter() - began) * 1000)
            await dirigent.runtime.rest(execution_id)

    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(IN_FLIGHT)))
    return runs * len(definition.steps) / (time.perf_counter() - began), starts


async def _alone(dirigent: Dirigent, definition: Definition) -> float:
    """Submit to result of one run with nothing beside it, median."""
    times = []
    for _ in range(SINGLE_RUNS):
        began = time.perf_counter()
        execution_id = await dirigent.intake.run_workflow(definition)
        await dirigent.runtime.rest(execution_id)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)
