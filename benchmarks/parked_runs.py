"""Ten thousand runs that wait for their time: to create, to keep, and to take up again after kill -9."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Figure, median
from benchmarks.process import EngineProcess
from benchmarks.setting import Setting
from benchmarks.targets import ARM_S, PARK_S, PARKED_MB
from benchmarks.work import DAY_MS

RUNS = 10_000
WARM_UP = 100
QUICK_ROUNDS = 3


async def measure(setting: Setting) -> list[Figure]:
    """Create, kill -9, open again, kill -9, and open a day later, when all are due."""
    rounds = setting.rounds if setting.full else min(QUICK_ROUNDS, setting.rounds)
    found: dict[str, list[float]] = {}
    for number in range(rounds):
        for name, value in (await _round(setting.place(f"parked-{number}"), setting.loop)).items():
            found.setdefault(name, []).append(value)
    middle = {name: median(values) for name, values in found.items()}
    return [
        _at_most(
            f"{RUNS:,} runs parked: to create",
            middle["create"],
            "s",
            PARK_S,
            "each acknowledged when durable, and begun",
        ),
        _at_most("  resident over the idle engine", middle["parked_mb"], "MB", PARKED_MB, ""),
        _at_most("  after kill -9, until all are armed", middle["armed"], "s", ARM_S, "opening the folder"),
        _at_most("  and with the process started", middle["up"], "s", ARM_S, "imports included"),
        _at_most("  resident after that, over idle", middle["armed_mb"], "MB", PARKED_MB, ""),
        Figure(
            name="  all due at once, until the last has ended",
            value=middle["ended"],
            unit="s",
            note="kill -9, and open a day later",
        ),
    ]


async def _round(folder: Path, loop: str) -> dict[str, float]:
    async with EngineProcess(folder, loop) as engine:
        idle = await engine.ask("warm", runs=WARM_UP)
        created = await engine.ask("park", count=RUNS, wait_ms=DAY_MS)
    async with EngineProcess(folder, loop) as engine:
        armed, began = engine.opened, engine.began
    if armed["unfinished"] != RUNS:
        raise AssertionError(f"{armed['unfinished']} of {RUNS} runs are there after the kill")
    async with EngineProcess(folder, loop, later_ms=DAY_MS) as engine:
        ended = await engine.ask("ended")
        later = engine.began
    return {
        "create": created["seconds"],
        "parked_mb": created["mb"] - idle["mb"],
        "armed": armed["seconds"],
        "up": armed["at"] - began,
        "armed_mb": armed["mb"] - idle["mb"],
        "ended": ended["at"] - later,
    }


def _at_most(name: str, value: float, unit: str, target: float, note: str) -> Figure:
    return Figure(name=name, value=value, unit=unit, target=target, at_most=True, note=note)
