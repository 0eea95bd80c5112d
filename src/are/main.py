"""`ARESystem`: initialise, hand in a goal, look at the system."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dirigent.bootstrap import Dirigent


class ARESystem:
    """The revenue engine in one process. `initialize` may be called again; `shutdown` closes it.

    Raises `DataFolderBusy` where another process holds the data folder.
    """

    def __init__(self, data_folder: str | Path | None = None, **options: Any) -> None:
        self._dirigent = Dirigent(data_folder, **options)
        self._lock = asyncio.Lock()
        self._running = False

    async def initialize(self) -> None:
        """Open the data folder and take up what had not ended."""
        async with self._lock:
            if not self._running:
                await self._dirigent.__aenter__()
                self._running = True

    async def shutdown(self) -> None:
        """Stop; whatever had not ended goes on at the next `initialize`."""
        async with self._lock:
            if self._running:
                self._running = False
                await self._dirigent.__aexit__(None, None, None)

    async def process_goal(self, goal: Mapping[str, Any] | str) -> dict[str, Any]:
        """Run a goal until it has ended or waits for a person.

        The result has status, execution_id, plan, outcomes, assessment, signals, budget and approvals.
        """
        await self.initialize()
        report = await self._dirigent.process_goal(goal)
        return report.as_dict()

    async def get_system_status(self) -> dict[str, Any]:
        """Whether it runs, and every component with its status."""
        if not self._running:
            return {"is_running": False, "components": {}, "active_executions": 0}
        health = self._dirigent.health()
        return {
            "is_running": True,
            "components": health["components"],
            "active_executions": health["active_executions"],
            "version": health["version"],
        }
