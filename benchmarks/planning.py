"""How long it takes from a goal to its checked plan."""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path

from dirigent import Dirigent
from dirigent.domain.errors import DirigentError

ROUNDS = 5
BOOKS = Path("examples/wholesaler")
GOAL = {
    "goal_type": "REVIVE_PIPELINE",
    "description": "Reactivate 50 dormant enterprise leads",
    "target_metrics": {"meetings_booked": 5},
}
PLANNED = "plan_check"


async def planning_ms(folder: Path) -> float:
    """Median over rounds, from the goal's acceptance to the end of its plan check."""
    async with Dirigent(folder) as dirigent:
        dirigent.import_folder(BOOKS, "default")
        times = [await _one(dirigent) for _ in range(ROUNDS)]
    return statistics.median(times)


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
