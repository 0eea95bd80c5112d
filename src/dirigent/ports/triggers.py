"""The port over what became of every firing of a trigger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec


class FiringRow(msgspec.Struct, frozen=True, kw_only=True):
    """One firing of a trigger. `decision` is started, queued, skipped, paused, failed or cut.

    `cause` is the id of the event or the time (ISO 8601) it fired for; `at` and `due` are milliseconds
    since the epoch, `event_position` says where in the journal the event is; 0 where there is none.
    """

    execution_id: str
    tenant: str
    trigger: str
    workflow: str
    cause: str
    decision: str
    reason: str
    count: int
    at: int
    event_position: int
    due: int


@runtime_checkable
class Firings(Protocol):
    """A reading of the journal: every firing once, with the last that is known of it."""

    def decided(self, execution_ids: Sequence[str]) -> set[str]:
        """Which of these firings have been decided before."""
        ...

    def running(self) -> list[FiringRow]:
        """Those whose execution was started and has not ended, oldest first."""
        ...

    def queued(self) -> list[FiringRow]:
        """Those that wait for their turn, oldest first."""
        ...

    def firings(
        self,
        tenant: str | None = None,
        *,
        trigger: str | None = None,
        decision: str | None = None,
        limit: int = 100,
    ) -> list[FiringRow]:
        """Firings, newest first."""
        ...
