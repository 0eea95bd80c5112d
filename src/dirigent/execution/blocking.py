"""Actions that block: in a thread, or in a process of their own where they need the processor for long."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextvars import copy_context
from functools import partial
from typing import Any

from dirigent.domain.errors import TransientError
from dirigent.security.admission import AGENT_ATTRIBUTE, Admission

THREADS_MAX = 64
PROCESSES_MIN = 2  # so that one that hangs does not hold up all others on a machine of one core


class BlockingCalls:
    """Runs plain functions beside the event loop. Threads and processes are made when they are first needed.

    A call whose time is over goes on to its own end beside everything else; nobody waits for what it gives.
    """

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._processes: ProcessPoolExecutor | None = None

    async def in_thread(self, call: Callable[[], Any]) -> Any:
        """What a function gives, with the caller's context around it."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="dirigent-action")
        running = partial(copy_context().run, call)
        return await asyncio.get_running_loop().run_in_executor(self._threads, running)

    async def in_process(self, agent: type[Any], action: str, arguments: dict[str, Any]) -> Any:
        """What an action of a fresh agent gives in another process. Raises `TransientError` where that dies.

        The agent's class is imported there, so it stands at the top of a module and needs no arguments.
        """
        if self._processes is None:
            spawn = multiprocessing.get_context("spawn")
            self._processes = ProcessPoolExecutor(max(PROCESSES_MIN, os.cpu_count() or 1), mp_context=spawn)
        running = partial(_call, agent, action, arguments)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._processes, running)
        except BrokenProcessPool as error:
            self._processes = None
            raise TransientError(f"The process that ran {agent.__name__}.{action} ended.") from error

    def close(self) -> None:
        """Begin nothing more; what runs in a thread ends with the process."""
        for pool in (self._threads, self._processes):
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)
        self._threads = self._processes = None


def _call(agent: type[Any], action: str, arguments: dict[str, Any]) -> Any:
    spec = getattr(agent, AGENT_ATTRIBUTE)
    with Admission(spec.key, spec.actions[action], lambda *_: None):
        return getattr(agent(), action)(**arguments)
