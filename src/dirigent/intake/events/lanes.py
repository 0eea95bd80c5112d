"""One after the other within a lane, all lanes side by side, so many at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """Does work by lane. `put` returns when there is room, so that whoever hands work in is slowed down.

    Work without a lane (None) waits for nobody. What `work` raises ends `failure`, and no more is begun.
    """

    def __init__(self, work: Callable[[T], Awaitable[None]], *, at_once: int, room: int) -> None:
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._work = work
        self._turns = asyncio.Semaphore(at_once)
        self._room = asyncio.Semaphore(room)
        self._waiting: dict[Hashable, deque[T]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, lane: Hashable | None, item: T) -> None:
        """Hand in work."""
        await self._room.acquire()
        if lane is not None and lane in self._waiting:
            self._waiting[lane].append(item)
            return
        waiting = deque([item])
        if lane is not None:
            self._waiting[lane] = waiting
        task = asyncio.create_task(self._run(lane, waiting))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Break off what is under way and forget what waits."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.failure.done() and not self.failure.cancelled():
            self.failure.exception()
        self.failure.cancel()

    async def _run(self, lane: Hashable | None, waiting: deque[T]) -> None:
        while waiting:
            async with self._turns:
                await self._work(waiting[0])
            waiting.popleft()
            self._room.release()
        if lane is not None:
            del self._waiting[lane]

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.failure.done():
            self.failure.set_exception(error)
