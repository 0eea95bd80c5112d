"""A hundred thousand executions that wait, half for their time and half for a signal."""

from __future__ import annotations

from benchmarks.figures import Figure
from benchmarks.process import EngineProcess
from benchmarks.setting import Setting
from benchmarks.targets import CROWD_MB, CROWD_SERVING_S
from benchmarks.work import DAY_MS

RUNS = 100_000
WARM_UP = 100
TOLD = 1000


async def measure(setting: Setting) -> list[Figure]:
    """Once: create, look at the memory, kill -9, open, and signal some."""
    folder = setting.place("crowd")
    async with EngineProcess(folder, setting.loop) as engine:
        idle = await engine.ask("warm", runs=WARM_UP)
        timers = await engine.ask("park", count=RUNS // 2, wait_ms=DAY_MS)
        signals = await engine.ask("listen", count=RUNS // 2)
    async with EngineProcess(folder, setting.loop) as engine:
        opened, began = engine.opened, engine.began
        answered = await engine.ask("tell", count=TOLD)
    if opened["unfinished"] != RUNS:
        raise AssertionError(f"{opened['unfinished']} of {RUNS} executions are there after the kill")
    return [
        Figure(
            name=f"{RUNS:,} waiting: to create", value=timers["seconds"] + signals["seconds"], unit="s",
            note="half on timers, half on signals",
        ),
        Figure(
            name="  resident over the idle engine", value=signals["mb"] - idle["mb"], unit="MB",
            target=CROWD_MB, at_most=True,
        ),
        Figure(
            name="  after kill -9, until it serves", value=opened["at"] - began, unit="s",
            target=CROWD_SERVING_S, at_most=True, note="start of the process included",
        ),
        Figure(name="  resident after that, over idle", value=opened["mb"] - idle["mb"], unit="MB"),
        Figure(
            name="  one signalled, until it has ended", value=answered["seconds"] / TOLD * 1000, unit="ms",
            note=f"mean of {TOLD:,}, one after another",
        ),
    ]  # fmt: skip
