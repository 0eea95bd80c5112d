"""Executions by family: one that was started from outside and all that it started, in memory or not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from dirigent.domain.command import AwaitSignal, Command, StartChild, StartTimer
from dirigent.ports import Passive
from dirigent.runtimes.live import LiveExecution

OF_OTHERS = (StartChild, AwaitSignal)
PATIENT = ("timer:approval:", "timer:signal:", "timer:timeout:", "timer:look:", "timer:execution")


class Families:
    """Finds executions by id and lets callers wait for changes in one family only."""

    def __init__(self) -> None:
        self._members: dict[str, dict[str, LiveExecution | Passive]] = {}
        self._changes: dict[str, asyncio.Event] = {}

    def __iter__(self) -> Iterator[LiveExecution]:
        members = [member for family in self._members.values() for member in family.values()]
        return (member for member in members if isinstance(member, LiveExecution))

    def get(self, execution_id: str) -> LiveExecution | Passive | None:
        """An execution that has not ended, or None."""
        return self._members.get(root_of(execution_id), {}).get(execution_id)

    def add(self, member: LiveExecution | Passive) -> None:
        """Take in an execution, or put it in the place of what it was."""
        self._members.setdefault(root_of(member.execution_id), {})[member.execution_id] = member

    def remove(self, execution_id: str) -> None:
        """Forget an execution, and its family with the last of it."""
        root = root_of(execution_id)
        family = self._members.get(root, {})
        family.pop(execution_id, None)
        if not family:
            self._members.pop(root, None)

    def any_in_memory(self, root: str) -> bool:
        """Whether something of a family is in memory."""
        return any(isinstance(member, LiveExecution) for member in self._members.get(root, {}).values())

    def below(self, execution_id: str) -> list[LiveExecution | Passive]:
        """The execution itself and every one it started that has not ended, directly or not."""
        prefix = execution_id + "/"
        family = self._members.get(root_of(execution_id), {})
        return [member for name, member in family.items() if name == execution_id or name.startswith(prefix)]

    def touch(self, execution_id: str) -> None:
        """Wake those who wait for the family."""
        change = self._changes.pop(root_of(execution_id), None)
        if change is not None:
            change.set()

    def touch_all(self) -> None:
        """Wake everybody."""
        for root in list(self._changes):
            self.touch(root)

    async def changed(self, execution_id: str) -> None:
        """Return at the next change in the family."""
        await self._changes.setdefault(root_of(execution_id), asyncio.Event()).wait()


def root_of(execution_id: str) -> str:
    """The execution that its family began with."""
    return execution_id.partition("/")[0]


def moves(member: LiveExecution | Passive, before: int = 0) -> bool:
    """Whether something of an execution is under way, or will be without anybody's help.

    With `before`, a moment, what only a later timer wakes does not count.
    """
    if isinstance(member, Passive):
        return member.moving and not 0 < before < member.until
    return member.busy or member.machine.state.pending or is_pending(member, before)


def is_pending(live: LiveExecution, before: int = 0) -> bool:
    """Whether something other than a person, a signal or a child is waited for."""
    return any(
        not (
            _is_patient(name, command, before) or isinstance(command, OF_OTHERS) or _is_later(command, before)
        )
        for name, command in live.machine.state.outstanding.items()
    )


def _is_patient(name: str, command: Command, before: int) -> bool:
    """Whether a person or a signal is waited for, and the time for that is not over at `before`."""
    over = isinstance(command, StartTimer) and command.due <= before
    return name.startswith(PATIENT) and not over


def _is_later(command: Command, before: int) -> bool:
    return isinstance(command, StartTimer) and 0 < before < command.due
