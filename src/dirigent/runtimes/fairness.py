"""Whose turn it is: tenants by their weight, and within a tenant by priority, so that nobody starves."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

PRIORITY_MAX = 9


class FairQueue(Generic[K, T]):
    """Items by key; every key gets turns in proportion to its weight, its own items first in, first out.

    Start-time fair queueing (Goyal, Vin and Cheng, 1996) with items of equal size: a key's next turn
    comes `1 / weight` of virtual time after its last, or now if it had nothing waiting.
    """

    def __init__(self) -> None:
        self._items: dict[K, deque[T]] = {}
        self._turns: list[tuple[float, int, K]] = []
        self._next: dict[K, float] = {}
        self._held: dict[K, float | None] = {}
        self._now = 0.0
        self._count = 0

    def __len__(self) -> int:
        return sum(map(len, self._items.values()))

    def __bool__(self) -> bool:
        """Whether anything waits whose key is not held back."""
        while self._turns and self._turns[0][2] in self._held:
            at, _, key = heapq.heappop(self._turns)
            self._held[key] = at
        return bool(self._turns)

    def push(self, key: K, item: T) -> None:
        """Let an item wait."""
        waiting = self._items.get(key)
        if waiting is None:
            self._items[key] = deque([item])
            self._take_turn(self._next.pop(key, 0.0), key)
        else:
            waiting.append(item)

    def hold(self, key: K) -> None:
        """Give a key no turn until it is released; its items keep their places."""
        self._held.setdefault(key, None)

    def release(self, key: K) -> None:
        """Give a key turns again; it has missed none that it could claim."""
        at = self._held.pop(key, None)
        if at is not None:
            self._take_turn(at, key)

    def pop(self, weight_of: Callable[[K], float]) -> T:
        """The item whose turn it is. Only where this queue is true."""
        assert self, "nothing waits that may have its turn"
        self._now, _, key = heapq.heappop(self._turns)
        waiting = self._items[key]
        item = waiting.popleft()
        following = self._now + 1 / weight_of(key)
        if waiting:
            self._take_turn(following, key)
        else:
            del self._items[key]
            if not self._turns:
                self._next.clear()
            self._next[key] = following
        return item

    def clear(self) -> None:
        """Let nothing wait."""
        self._items.clear()
        self._turns.clear()
        self._held = dict.fromkeys(self._held)

    def _take_turn(self, at: float, key: K) -> None:
        self._count += 1
        heapq.heappush(self._turns, (max(self._now, at), self._count, key))


class TurnQueue(Generic[T]):
    """Items by tenant and priority. One step of priority, 0 to 9, doubles the share within the tenant."""

    def __init__(self, weight_of: Callable[[str], float] = lambda _tenant: 1.0) -> None:
        self._weight_of = weight_of
        self._tenants: FairQueue[str, FairQueue[int, T]] = FairQueue()
        self._of_tenant: dict[str, FairQueue[int, T]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._of_tenant.values()))

    def __bool__(self) -> bool:
        return bool(self._tenants)

    def push(self, tenant: str, priority: int, item: T) -> None:
        """Let an item wait for its turn."""
        own = self._of_tenant.get(tenant)
        if own is None:
            own = self._of_tenant[tenant] = FairQueue()
        own.push(priority, item)
        self._tenants.push(tenant, own)

    def waiting(self, tenant: str) -> int:
        """How many items of a tenant wait."""
        return len(self._of_tenant.get(tenant, ()))

    def hold(self, tenant: str) -> None:
        """Give a tenant no turn until it is released."""
        self._tenants.hold(tenant)

    def release(self, tenant: str) -> None:
        """Give a tenant turns again."""
        self._tenants.release(tenant)

    def pop(self) -> T:
        """The item whose turn it is. Only where this queue is true."""
        return self._tenants.pop(self._weight_of).pop(_share)

    def clear(self) -> None:
        """Let nothing wait."""
        self._tenants.clear()
        self._of_tenant.clear()


def _share(priority: int) -> float:
    return float(1 << min(max(priority, 0), PRIORITY_MAX))
