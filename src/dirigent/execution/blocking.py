"""Actions that block: in a thread, or in a process of their own where they need the processor for long."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from dirigent.execution.processes import Processes
from dirigent.execution.threads import THREADS_MAX, Threads
from dirigent.security.admission import AGENT_ATTRIBUTE, Admission

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
        if self._threads is None:
            self._threads = Threads(THREADS_MAX, "dirigent-action")
        return await self._threads.run(call, partial(self.left, agent))

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


def _call(agent: type[Any], action: str, arguments: dict[str, Any]) -> Any:
    spec = getattr(agent, AGENT_ATTRIBUTE)
    with Admission(spec.key, spec.actions[action], lambda *_: None):
        return getattr(agent(), action)(**arguments)
