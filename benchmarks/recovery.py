"""Kill -9 with a thousand executions at work, and the time until all of them are at work again."""

from __future__ import annotations

from benchmarks.figures import Figure, median, percentile
from benchmarks.process import EngineProcess
from benchmarks.setting import Setting
from benchmarks.targets import RECOVERY_S

RUNS = 1000
STEPS = 45
KILLS = 20


async def measure(setting: Setting) -> list[Figure]:
    """Every execution has about a hundred events behind it and an action under way when it is killed."""
    folder, times = setting.place("recovery"), []
    async with EngineProcess(folder, setting.loop, at_once=RUNS) as engine:
        await engine.ask("hold", count=RUNS, steps=STEPS)
    for _ in range(KILLS):
        async with EngineProcess(folder, setting.loop, at_once=RUNS) as engine:
            running = await engine.ask("held", count=RUNS)
            times.append(running["at"] - engine.began)
    async with EngineProcess(folder, setting.loop, at_once=RUNS) as engine:
        await engine.ask("verify")
    note = f"{RUNS:,} in flight, {RUNS * STEPS * 2:,} events, {KILLS} kills; start of the process included"
    return [
        Figure(name="kill -9 until all run again, p50", value=median(times), unit="s"),
        Figure(
            name="kill -9 until all run again, p99",
            value=percentile(times, 99),
            unit="s",
            target=RECOVERY_S,
            at_most=True,
            note=note,
        ),
    ]
