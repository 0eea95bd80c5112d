"""A hundred thousand executions that wait, half for their time and half for a person."""

from __future__ import annotations

from benchmarks.figures import Figure
from benchmarks.process import EngineProcess
from benchmarks.setting import Setting
from benchmarks.targets import CROWD_MB, CROWD_SERVING_S
from benchmarks.work import DAY_MS

RUNS = 100_000
WARM_UP = 100


async def measure(setting: Setting) -> list[Figure]:
    """Once: create, look at the memory, kill -9, open."""
    folder = setting.place("crowd")
    async with EngineProcess(folder, setting.loop) as engine:
        idle = await engine.ask("warm", runs=WARM_UP)
        timers = await engine.ask("park", count=RUNS // 2, wait_ms=DAY_MS)
        people = await engine.ask("ask_people", count=RUNS // 2)
    async with EngineProcess(folder, setting.loop) as engine:
        opened, began = engine.opened, engine.began
    if opened["unfinished"] != RUNS:
        raise AssertionError(f"{opened['unfinished']} of {RUNS} executions are there after the kill")
    return [
        Figure(
            name=f"{RUNS:,} waiting: to create", value=timers["seconds"] + people["seconds"], unit="s",
            note="half on timers, half for a person",
        ),
        Figure(
            name="  resident over the idle engine", value=people["mb"] - idle["mb"], unit="MB",
            target=CROWD_MB, at_most=True,
        ),
        Figure(
            name="  after kill -9, until it serves", value=opened["at"] - began, unit="s",
            target=CROWD_SERVING_S, at_most=True, note="start of the process included",
        ),
        Figure(name="  resident after that, over idle", value=opened["mb"] - idle["mb"], unit="MB"),
    ]  # fmt: skip
