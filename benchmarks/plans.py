"""How long it takes from a goal to its checked plan."""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmarks.figures import Figure, median
from benchmarks.setting import Setting
from benchmarks.targets import PLAN_MS
from dirigent import Dirigent
from dirigent.domain.errors import DirigentError

BOOKS = Path("examples/wholesaler")
GOAL = {
    "goal_type": "REVIVE_PIPELINE",
    "description": "Reactivate 50 dormant enterprise leads",
    "target_metrics": {"meetings_booked": 5},
}
PLANNED = "plan_check"


async def measure(setting: Setting) -> list[Figure]:
    """From the goal's acceptance to the end of its plan check, over the example company."""
    async with Dirigent(setting.place("plans")) as dirigent:
        dirigent.import_folder(BOOKS, "default")
        times = [await _one(dirigent) for _ in range(setting.rounds)]
    return [
        Figure(
            name="goal to checked plan, p50",
            value=median(times),
            unit="ms",
            target=PLAN_MS,
            at_most=True,
            note="4,338 customers",
        )
    ]


async def _one(dirigent: Dirigent) -> float:
    accepted = await dirigent.submit_goal(GOAL)
    while PLANNED not in dirigent.engine.read(accepted.execution_id).steps:
        await asyncio.sleep(0.01)
    reading = dirigent.engine.read(accepted.execution_id)
    try:
        await dirigent.engine.cancel(accepted.execution_id, "benchmark", "planned")
    except DirigentError:
        await dirigent.engine.rest(accepted.execution_id)
    return float(reading.steps[PLANNED].started_at - reading.started.at)
