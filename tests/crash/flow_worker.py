"""A process to be killed: works on one job whose workflow marks a file and then hangs, the first time.

Usage: flow_worker.py FOLDER.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from dirigent import Context, Dirigent, Effect, Risk, Workflow, action, agent

MARK = """
name: mark
steps:
  - {id: first, type: agent, agent_type: marker, action: mark}
  - {id: second, type: agent, agent_type: marker, action: linger}
"""
HOLD_SECONDS = 1.0


@agent("marker", domain="test")
class Marker:
    """Marks what it did in a file that outlives it."""

    folder = Path()
    hangs = True

    @action(risk=Risk.R1, effect=Effect.AT_MOST_ONCE)
    async def mark(self, ctx: Context) -> None:
        """Leave a mark; twice would be seen."""
        with (Marker.folder / "marks").open("a") as file:
            file.write("first step\n")

    @action(risk=Risk.R0, effect=Effect.READ)
    async def linger(self, ctx: Context) -> str:
        """Hang where nobody was before."""
        print("second step", flush=True)
        if Marker.hangs:
            await asyncio.Event().wait()
        return "done"


async def main(folder: Path) -> None:
    Marker.folder = folder
    Marker.hangs = not (folder / "marks").exists()
    async with Dirigent(folder / "data", agents=[Marker], flows={"mark": Workflow.parse(MARK)}) as dirigent:
        print("ready", flush=True)
        if Marker.hangs:
            dirigent.work.manager.ingest_event({"flow": "mark", "id": "the only one"})
        worker = dirigent.work.worker(visibility_timeout=HOLD_SECONDS, emit=lambda event: None)
        while (worked := await worker.work_once()) is None:
            await asyncio.sleep(0.05)
        (job,) = dirigent.work.queue.jobs()
        print(worked.outcome, job.attempts, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
