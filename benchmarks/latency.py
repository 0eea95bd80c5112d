"""Latencies people feel: creating, starting, and what the engine adds to a step."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.ceiling import IN_FLIGHT
from benchmarks.figures import Figure, median, percentile
from benchmarks.lanes import keep_in_flight, one_by_one
from benchmarks.setting import Setting
from benchmarks.targets import CREATE_MS, STEP_MS, WITH_A_HUNDRED_IN_FLIGHT_MS
from benchmarks.work import DAY_MS, Bench, chain, completed, parked, timed
from dirigent import Dirigent

CREATIONS = 1000
STARTS = 1000
STEPS = 200

Probe = Callable[[Path], Awaitable[list[float]]]


async def measure(setting: Setting) -> list[Figure]:
    """Every latency in every round; the median of the rounds' 95th percentiles."""
    probes: dict[str, tuple[Probe, float, str]] = {
        "create, p95": (_create, CREATE_MS, "one after another, each acknowledged when durable"),
        "start to first step, p95": (_start, WITH_A_HUNDRED_IN_FLIGHT_MS, f"{IN_FLIGHT} runs in flight"),
        "step overhead, pure, p95": (_pure, STEP_MS, "idle engine; from one action to the next"),
        "step overhead, keyed, p95": (_keyed, STEP_MS, "idle engine; outcome and intent between them"),
    }
    found: dict[str, list[float]] = {name: [] for name in probes}
    for number in range(setting.rounds):
        for name, (probe, _, _) in probes.items():
            times = await probe(setting.place(f"{name}-{number}"))
            found[name].append(percentile(times, 95))
    return [
        Figure(name=name, value=median(found[name]), unit="ms", target=target, at_most=True, note=note)
        for name, (_, target, note) in probes.items()
    ]


async def _create(folder: Path) -> list[float]:
    definition = parked("created", DAY_MS)
    async with Dirigent(folder, agents=[Bench()]) as dirigent:
        return await one_by_one(CREATIONS, lambda: dirigent.intake.run_workflow(definition))


async def _start(folder: Path) -> list[float]:
    bench, definition = Bench(), timed(5)
    async with Dirigent(folder, agents=[bench]) as dirigent:

        async def one() -> None:
            completed(await dirigent.run(definition, {"since": time.perf_counter()}))

        await keep_in_flight(STARTS, IN_FLIGHT, one)
    return [(came - since) * 1000 for came, since in bench.marks]


async def _pure(folder: Path) -> list[float]:
    return await _gaps(folder, "mark")


async def _keyed(folder: Path) -> list[float]:
    return await _gaps(folder, "put_and_mark")


async def _gaps(folder: Path, act: str) -> list[float]:
    bench = Bench()
    async with Dirigent(folder, agents=[bench]) as dirigent:
        completed(await dirigent.run(chain(STEPS, act)))
    return bench.gaps_ms()
