"""Live executions by family: one that was started from outside and all that it started."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from dirigent.runtimes.live import LiveExecution


class Families:
    """Finds live executions by id and lets callers wait for changes in one family only."""

    def __init__(self) -> None:
        self._members: dict[str, dict[str, LiveExecution]] = {}
        self._changes: dict[str, asyncio.Event] = {}

    def __iter__(self) -> Iterator[LiveExecution]:
        return iter([live for family in self._members.values() for live in family.values()])

    def get(self, execution_id: str) -> LiveExecution | None:
        """A live execution, or None."""
        return self._members.get(_root(execution_id), {}).get(execution_id)

    def add(self, live: LiveExecution) -> None:
        """Take in an execution."""
        self._members.setdefault(_root(live.execution_id), {})[live.execution_id] = live

    def remove(self, execution_id: str) -> None:
        """Forget an execution, and its family with the last of it."""
        root = _root(execution_id)
        family = self._members.get(root, {})
        family.pop(execution_id, None)
        if not family:
            self._members.pop(root, None)

    def below(self, execution_id: str) -> list[LiveExecution]:
        """The execution itself and every live one it started, directly or not."""
        prefix = execution_id + "/"
        family = self._members.get(_root(execution_id), {})
        return [live for name, live in family.items() if name == execution_id or name.startswith(prefix)]

    def touch(self, execution_id: str) -> None:
        """Wake those who wait for the family."""
        change = self._changes.pop(_root(execution_id), None)
        if change is not None:
            change.set()

    def touch_all(self) -> None:
        """Wake everybody."""
        for root in list(self._changes):
            self.touch(root)

    async def changed(self, execution_id: str) -> None:
        """Return at the next change in the family."""
        await self._changes.setdefault(_root(execution_id), asyncio.Event()).wait()


def _root(execution_id: str) -> str:
    return execution_id.partition("/")[0]
