"""One of several processes over one data folder. Usage: replica.py FOLDER.

Its clock stands a second before nine and is moved past it. Says what it fired, or that the folder is busy,
and holds the folder until its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from dirigent.domain.errors import DataFolderBusy
from dirigent.testing.frozen_clock import FrozenClock
from tests.intake.triggers.house import house, workflow

NINE = round(datetime(2024, 11, 22, 9, tzinfo=UTC).timestamp() * 1000)


async def main(folder: Path) -> None:
    clock = FrozenClock(NINE - 1000)
    flow = workflow("report", {"type": "schedule", "schedule": "0 9 * * 1-5"})
    try:
        async with house(folder, flow, clock=clock) as home:
            schedules = home.dirigent.triggers.schedules
            await schedules.rest()
            clock.move(2000)
            await schedules.rest()
            print("fired", *(row.cause for row in home.dirigent.triggers.firings.firings()), flush=True)
            await asyncio.to_thread(sys.stdin.read)
    except DataFolderBusy:
        print("busy", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
