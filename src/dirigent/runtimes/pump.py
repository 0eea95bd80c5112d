"""What is ready is done here, one execution after the other, on one task for as long as nothing waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Protocol

from dirigent.domain.command import Command
from dirigent.execution.stepping import Suspended, begin_apart
from dirigent.runtimes.fairness import TurnQueue

TURN_COMMANDS_MAX = 16
TURN_COMMANDS_SHARED = 2  # where others wait for their turn
GATHERED_MAX = 32
SLICE_S = 0.005
WAITING_MAX = 256


class Turnable(Protocol):
    """An execution as the pump sees it. `queued` is the pump's own mark."""

    queued: bool
    ready: deque[Command]
    tasks: dict[asyncio.Task[None], Command]

    @property
    def tenant(self) -> str:
        """Whose it is."""
        ...

    @property
    def priority(self) -> int:
        """How soon it is wanted, 0 to 9."""
        ...

    @property
    def gathered(self) -> int:
        """How many events have not been handed to the journal yet."""
        ...

    def flush(self) -> None:
        """Hand the journal what has happened since the last time."""
        ...


class Pump:
    """Takes executions in fair turns and carries out their ready commands.

    A command that does not wait is done within the pump's own task. One that waits keeps that task for
    itself, and the pump goes on in a new one; so an action always runs in a task of its own once it
    waits. Turns are short where others wait, so that everybody begins soon. What the turns of an execution
    have brought goes to the journal in one piece, when nothing of it is ready any more or there is enough
    of it. After `SLICE_S` seconds of work the event loop gets its turn.
    """

    def __init__(
        self,
        perform: Callable[[Any, Command], Coroutine[Any, Any, None]],
        ended: Callable[[Any, BaseException | None], None],
        weight_of: Callable[[str], float],
    ) -> None:
        self._perform = perform
        self._ended = ended
        self._queue: TurnQueue[Turnable] = TurnQueue(weight_of)
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = False
        self._waiting = 0
        self._relieved: asyncio.Event | None = None

    async def room(self) -> None:
        """Return when so few executions wait for their turn that one more does no harm."""
        while self._waiting >= WAITING_MAX:
            self._relieved = self._relieved or asyncio.Event()
            await self._relieved.wait()

    def schedule(self, live: Turnable) -> None:
        """Give an execution a turn; one that is waiting for its turn is not queued twice."""
        if live.queued:
            return
        live.queued = True
        self._waiting += 1
        self._queue.push(live.tenant, live.priority, live)
        if not self._running:
            self._start()

    async def stop(self) -> None:
        """Begin nothing more, and return when what was begun has been cancelled."""
        self._queue.clear()
        self._waiting = 0
        if self._relieved is not None:
            self._relieved.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self) -> None:
        self._running = True
        task = asyncio.get_running_loop().create_task(self._run(), context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time
        until = now() + SLICE_S
        while self._queue:
            live = self._next()
            suspended = self._turn(live)
            if suspended is not None:
                await self._see_through(live, suspended)
                return
            if now() > until:
                await asyncio.sleep(0)
                until = now() + SLICE_S
        self._running = False

    def _next(self) -> Turnable:
        self._waiting -= 1
        if self._relieved is not None and self._waiting < WAITING_MAX // 4:
            self._relieved.set()
            self._relieved = None
        return self._queue.pop()

    def _turn(self, live: Turnable) -> Suspended[None] | None:
        """Carry out what is ready, within bounds; gives what waits, if something does."""
        suspended = error = None
        try:
            for done in range(TURN_COMMANDS_MAX):
                shared = self._queue and done >= TURN_COMMANDS_SHARED
                if not live.ready or suspended is not None or shared:
                    break
                command = live.ready.popleft()
                suspended = begin_apart(self._perform(live, command))
                if suspended is not None:
                    live.tasks[_this_task()] = command
            if not live.ready or suspended is not None or live.gathered >= GATHERED_MAX:
                live.flush()
        except Exception as broken:
            error = broken
        live.queued = False
        self._ended(live, error)
        if live.ready:
            self.schedule(live)
        return suspended

    async def _see_through(self, live: Turnable, suspended: Suspended[None]) -> None:
        """Stay with a command that waits; the others go on without this task."""
        self._running = False
        if self._queue:
            self._start()
        error: BaseException | None = None
        try:
            await suspended
        except Exception as broken:
            error = broken
        finally:
            live.tasks.pop(_this_task(), None)
            self._ended(live, error)


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None, "the pump runs in a task"
    return task
