"""Where the time of a workload goes: functions by their own time."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.ceiling import IN_FLIGHT, STEPS
from benchmarks.lanes import keep_in_flight
from benchmarks.setting import run_on
from benchmarks.work import Bench, chain, completed, fan, items_of
from dirigent import Dirigent

SHOWN = 45

Workload = Callable[[Dirigent], Awaitable[int]]


async def _steps(dirigent: Dirigent) -> int:
    return await _runs(dirigent, "nothing")


async def _keyed(dirigent: Dirigent) -> int:
    return await _runs(dirigent, "put")


async def _long(dirigent: Dirigent) -> int:
    completed(await dirigent.run(chain(2000)))
    return 2000


async def _fan(dirigent: Dirigent) -> int:
    completed(await dirigent.run(fan(5000), {"items": items_of(5000)}))
    return 5000


WORKLOADS: dict[str, Workload] = {"steps": _steps, "keyed": _keyed, "long": _long, "fan": _fan}


def profile(name: str, folder: Path, loop: str) -> None:
    """Run a workload under the profiler and print what the event loop's thread did with its time.

    Own times are inflated alike by the profiler; read their order and their shares, not the seconds.
    """
    profiler = cProfile.Profile()
    steps = run_on(loop, _profiled(WORKLOADS[name], folder, profiler))
    stats = pstats.Stats(profiler).strip_dirs()
    total: float = stats.total_tt  # type: ignore[attr-defined]
    print(f"{name}: {steps} steps, {total / steps * 1e6:.0f} us a step under the profiler, on {loop}\n")
    print(f"{'share':>6} {'us/step':>8} {'calls/step':>10}  function")
    entries: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = stats.stats  # type: ignore[attr-defined]
    ordered = sorted(entries.items(), key=lambda entry: -entry[1][2])
    for (file, line, function), (_, calls, own, _, _) in ordered[:SHOWN]:
        where = function if file == "~" else f"{file}:{line} {function}"
        print(f"{own / total:6.1%} {own / steps * 1e6:8.2f} {calls / steps:10.2f}  {where}")


async def _profiled(workload: Workload, folder: Path, profiler: cProfile.Profile) -> int:
    async with Dirigent(folder, agents=[Bench()]) as dirigent:
        await workload(dirigent)
        profiler.enable()
        steps = await workload(dirigent)
        profiler.disable()
        return steps


async def _runs(dirigent: Dirigent, act: str) -> int:
    definition, runs = chain(STEPS, act), 400

    async def one() -> None:
        completed(await dirigent.run(definition))

    await keep_in_flight(runs, IN_FLIGHT, one)
    return runs * STEPS
