"""The machine's own figures: flushes a second, and the bare loop on both event loops."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Figure, median
from benchmarks.lanes import keep_in_flight, one_by_one
from benchmarks.limit import BareLoop
from benchmarks.machine import fsyncs_per_second
from benchmarks.setting import LOOPS, Setting, run_on

STEPS = 5
IN_FLIGHT = 100
RUNS = 2500
RUNS_ALONE = 300


def measure(setting: Setting) -> list[Figure]:
    """Every round runs all variants in turn, so that noise hits them alike."""
    flushes: list[float] = []
    rates: dict[str, list[float]] = {name: [] for name in LOOPS}
    for number in range(setting.rounds):
        place = setting.place(f"ceiling-{number}")
        flushes.append(fsyncs_per_second(place))
        for name, found in rates.items():
            found.append(run_on(name, bare_steps_per_second(place / f"{name}.db", RUNS)))
    figures = [Figure(name="flushes of this disk", value=median(flushes), unit="/s", note="4 KB, fdatasync")]
    for name, found in rates.items():
        note = f"{STEPS} steps a run, {IN_FLIGHT} runs in flight"
        figures.append(Figure(name=f"bare loop on {name}", value=median(found), unit="steps/s", note=note))
    return figures


async def bare_steps_per_second(file: Path, runs: int) -> float:
    """The bare loop with many runs in flight."""
    with BareLoop(file) as bare:
        await keep_in_flight(IN_FLIGHT, IN_FLIGHT, lambda: bare.run(STEPS))
        return runs * STEPS / await keep_in_flight(runs, IN_FLIGHT, lambda: bare.run(STEPS))


async def bare_alone_ms(file: Path, steps: int) -> float:
    """The bare loop with one run at a time, median."""
    with BareLoop(file) as bare:
        return median(await one_by_one(RUNS_ALONE, lambda: bare.run(steps)))
