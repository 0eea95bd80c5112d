"""Actions that block: in a thread, or in a process of their own where they need the processor for long."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import copy_context
from functools import partial
from typing import Any

from dirigent.execution.processes import Processes
from dirigent.execution.threads import Threads
from dirigent.security.admission import AGENT_ATTRIBUTE, Admission

THREADS_MAX = 64
PROCESSES_MIN = 2  # so that one that hangs does not hold up all others on a machine of one core

Left = Callable[[str, Future[Any]], None]


class BlockingCalls:
    """Runs plain functions beside the event loop. Threads and processes are made when they are first needed.

    A process is ended when the time of its call is over. A thread cannot be: it goes on to its own end,
    nobody waits for what it gives, and `left` is told whose it is, with a future that is done at that end.
    """

    def __init__(self) -> None:
        self.left: Left = lambda agent, future: None
        self._threads: Threads | None = None
        self._processes: Processes | None = None

    async def in_thread(self, agent: str, call: Callable[[], Any]) -> Any:
        """What a function of an agent gives, with the caller's context around it."""
        threads = self._threads
        if threads is None:
            threads = self._threads = Threads(THREADS_MAX, "dirigent-action")
        handed = _Handed(threads)
        running = partial(copy_context().run, call)
        try:
            return await asyncio.get_running_loop().run_in_executor(handed, running)
        except asyncio.CancelledError:
            if handed.future is not None and threads.leave(handed.future):
                self.left(agent, handed.future)
            raise

    async def in_process(self, agent: type[Any], action: str, arguments: dict[str, Any]) -> Any:
        """What an action of a fresh agent gives in another process. Raises `TransientError` where that dies.

        The agent's class is imported there, so it stands at the top of a module and needs no arguments.
        """
        if self._processes is None:
            self._processes = Processes(max(PROCESSES_MIN, os.cpu_count() or 1))
        work = partial(_call, agent, action, arguments)
        return await self._processes.run(work, f"{agent.__name__}.{action}")

    def close(self) -> None:
        """Begin nothing more; what runs in a process ends now, what runs in a thread with this process."""
        for calls in (self._threads, self._processes):
            if calls is not None:
                calls.close()
        self._threads = self._processes = None


class _Handed(Executor):
    """Takes one call for an event loop, which may also be one without threads, and keeps hold of it."""

    def __init__(self, threads: Threads) -> None:
        self.future: Future[Any] | None = None
        self._threads = threads

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.future = self._threads.submit(partial(fn, *args, **kwargs))
        return self.future


def _call(agent: type[Any], action: str, arguments: dict[str, Any]) -> Any:
    spec = getattr(agent, AGENT_ATTRIBUTE)
    with Admission(spec.key, spec.actions[action], lambda *_: None):
        return getattr(agent(), action)(**arguments)
