"""How many executions may be under way at once, and who begins next when one makes room."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dirigent.domain.errors import Overloaded
from dirigent.runtimes.fairness import TurnQueue

RETRY_AFTER_S = 5


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a runtime: families of executions under way at once, and how many may wait to begin.

    None means no bound. `weight_of` gives a tenant's share of the turns; 1 is everybody's.
    """

    at_once: int | None = None
    pending: int | None = None
    weight_of: Callable[[str], float] = lambda _tenant: 1.0


class Places:
    """A place for every family of executions that is under way; one that only waits takes none."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._taken: set[str] = set()
        self._waiting: TurnQueue[str] = TurnQueue(crowd.weight_of)

    @property
    def pending(self) -> int:
        """How many wait to begin."""
        return len(self._waiting)

    def has_room(self) -> bool:
        """Whether one more may begin at once."""
        bound = self._crowd.at_once
        return bound is None or (len(self._taken) < bound and not self._waiting)

    def check_backlog(self) -> None:
        """Raise `Overloaded` where no more may wait."""
        bound = self._crowd.pending
        if bound is not None and len(self._waiting) >= bound:
            raise Overloaded(
                f"{len(self._waiting):,} executions wait to begin; nothing was started.",
                retry_after_s=RETRY_AFTER_S,
                fix="Try again later, or raise MAX_PENDING_WORKFLOWS.",
            )

    def enter(self, root: str) -> None:
        """A family is under way; one that was before is let in whether or not there is room."""
        if self._crowd.at_once is not None:
            self._taken.add(root)

    def leave(self, root: str) -> None:
        """A family has ended, or only waits."""
        self._taken.discard(root)

    def queue(self, tenant: str, priority: int, root: str) -> None:
        """Let an execution wait for its turn."""
        self._waiting.push(tenant, priority, root)

    def next(self) -> str | None:
        """Who may begin now, if there is room."""
        bound = self._crowd.at_once
        if self._waiting and (bound is None or len(self._taken) < bound):
            return self._waiting.pop()
        return None
