"""Print every figure next to this machine's fsync rate."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.engine import IN_FLIGHT, RUNS, STEPS, measure
from benchmarks.machine import fsyncs_per_second
from benchmarks.planning import planning_ms


def main() -> None:
    """Measure in a folder beside the checkout, so that the disk is the one that will be used."""
    with tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as name:
        folder = Path(name)
        before = fsyncs_per_second(folder)
        figures = asyncio.run(measure(folder / "engine"))
        planning = asyncio.run(planning_ms(folder / "planning"))
        after = fsyncs_per_second(folder)
    table = Table("what", "figure", title=f"durable, every gate on; {RUNS} runs, {IN_FLIGHT} in flight")
    table.add_row("fsyncs a second of this disk (before, after)", f"{before:,.0f}, {after:,.0f}")
    table.add_row(f"steps a second, runs of {STEPS} pure steps", f"{figures.steps_per_second:,.0f}")
    table.add_row("  as a multiple of the fsync rate", f"{figures.steps_per_second / before:.1f}")
    table.add_row("events per commit (one fsync each)", f"{figures.events_per_commit:.1f}")
    table.add_row(
        "start until durable, p50 and p95", f"{figures.start_ms_p50:.2f} ms, {figures.start_ms_p95:.2f} ms"
    )
    table.add_row("one run alone, 1 pure step, p50", f"{figures.one_step_ms_p50:.2f} ms")
    table.add_row(f"one run alone, {STEPS} pure steps, p50", f"{figures.five_steps_ms_p50:.2f} ms")
    table.add_row("goal to checked plan, p50", f"{planning:.0f} ms")
    table.add_row("resident memory, idle and after", f"{figures.idle_mb:.0f} MB, {figures.loaded_mb:.0f} MB")
    Console().print(table)


if __name__ == "__main__":
    main()
