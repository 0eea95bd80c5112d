"""How many executions may be under way at once, and who begins next when one makes room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from dirigent.domain.errors import Overloaded
from dirigent.runtimes.fairness import TurnQueue

RETRY_AFTER_S = 5


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """How many families of executions may be under way at once, and how many may wait to begin; None: any."""

    at_once: int | None = None
    pending: int | None = None


class Crowd(Bound, frozen=True, kw_only=True):
    """Bounds of a runtime, and of each tenant within them.

    `weight_of` gives a tenant's share of the turns; 1 is everybody's.
    """

    weight_of: Callable[[str], float] = lambda _tenant: 1.0
    bound_of: Callable[[str], Bound] = lambda _tenant: Bound()


class Places:
    """A place for every family of executions that is under way; one that only waits takes none."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._taken: dict[str, str] = {}
        self._of_tenant: Counter[str] = Counter()
        self._waiting: TurnQueue[str] = TurnQueue(crowd.weight_of)

    @property
    def pending(self) -> int:
        """How many wait to begin."""
        return len(self._waiting)

    def has_room(self, tenant: str) -> bool:
        """Whether one more of a tenant may begin at once, and nobody who may waits before it."""
        return self._has_place() and not self._is_full(tenant) and not self._waiting

    def check_backlog(self, tenant: str) -> None:
        """Raise `Overloaded` where no more may wait, of all or of this tenant."""
        _check(self.pending, self._crowd, "", "raise MAX_PENDING_WORKFLOWS")
        own = self._waiting.waiting(tenant)
        _check(
            own, self._crowd.bound_of(tenant), f" of {tenant!r}", "raise its bound, DIRIGENT_TENANT_LIMITS"
        )

    def enter(self, root: str, tenant: str) -> None:
        """A family is under way; one that was before is let in whether or not there is room."""
        if root in self._taken:
            return
        self._taken[root] = tenant
        self._of_tenant[tenant] += 1
        if self._is_full(tenant):
            self._waiting.hold(tenant)

    def leave(self, root: str) -> None:
        """A family has ended, or only waits."""
        tenant = self._taken.pop(root, None)
        if tenant is None:
            return
        self._of_tenant[tenant] -= 1
        if not self._is_full(tenant):
            self._waiting.release(tenant)
        if not self._of_tenant[tenant]:
            del self._of_tenant[tenant]

    def queue(self, tenant: str, priority: int, root: str) -> None:
        """Let an execution wait for its turn."""
        self._waiting.push(tenant, priority, root)

    def next(self) -> str | None:
        """Who may begin now, if there is room."""
        return self._waiting.pop() if self._has_place() and self._waiting else None

    def _has_place(self) -> bool:
        bound = self._crowd.at_once
        return bound is None or len(self._taken) < bound

    def _is_full(self, tenant: str) -> bool:
        bound = self._crowd.bound_of(tenant).at_once
        return bound is not None and self._of_tenant[tenant] >= bound


def _check(waiting: int, bound: Bound, whose: str, how: str) -> None:
    if bound.pending is not None and waiting >= bound.pending:
        raise Overloaded(
            f"{waiting:,} executions{whose} wait to begin; nothing was started.",
            retry_after_s=RETRY_AFTER_S,
            fix=f"Try again later, or {how}.",
        )
