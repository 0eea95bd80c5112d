"""Functions that are not async, called in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import copy_context
from functools import partial
from itertools import count
from typing import Any

THREADS_MAX = 64

Call = Callable[[], Any]


def called(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """What a function gives, where what it raises can be told to an event loop."""
    try:
        return func(*args, **kwargs)
    except (StopIteration, SystemExit) as error:  # no future takes the one, and the other ends the loop
        raise RuntimeError(f"{getattr(func, '__name__', func)} raised {type(error).__name__}") from error


class Threads:
    """Threads in which calls are made, as they are needed, and so many at once.

    They end with the process whatever they do: those of a `ThreadPoolExecutor` are waited for at its end, so
    one that hangs would keep it from ending. A call that is left no longer counts.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._numbers = count()
        self._todo: deque[tuple[Future[Any], Call]] = deque()
        self._left: set[Future[Any]] = set()
        self._threads = 0
        self._idle = 0
        self._closed = False
        self._changed = threading.Condition()

    async def run(self, call: Call, left: Callable[[Future[Any]], None] = lambda future: None) -> Any:
        """What a call gives, made in the caller's context; where it is waited for no longer it is left.

        `left` is told of one that goes on all the same, by a future that is done when it has ended.
        """
        handed = _Handed(self)
        running = partial(copy_context().run, call)
        try:
            return await asyncio.get_running_loop().run_in_executor(handed, running)
        except asyncio.CancelledError:
            if handed.future is not None and self.leave(handed.future):
                left(handed.future)
            raise

    def submit(self, call: Call) -> Future[Any]:
        """Make a call as soon as there is a thread for it."""
        future: Future[Any] = Future()
        with self._changed:
            self._todo.append((future, call))
            self._serve()
        return future

    def leave(self, future: Future[Any]) -> bool:
        """Wait for a call no longer; True where it goes on, False where it has ended or never begins."""
        if future.cancel():
            return False
        with self._changed:
            if future.done():
                return False
            self._left.add(future)
            self._threads -= 1
            self._serve()
        return True

    def close(self) -> None:
        """Begin nothing more."""
        with self._changed:
            self._closed = True
            todo = [future for future, _ in self._todo]
            self._todo.clear()
            self._changed.notify_all()
        for future in todo:
            future.cancel()

    def _serve(self) -> None:
        if self._idle >= len(self._todo):
            self._changed.notify()
        elif self._threads < self._most:
            self._threads += 1
            name = f"{self._name}_{next(self._numbers)}"
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            self._answer(*taken)
            if self._was_left(taken[0]):
                return
            del taken  # what a call gave is not held by a thread that waits

    def _next(self) -> tuple[Future[Any], Call] | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._todo or self._closed)
            self._idle -= 1
            if self._todo:
                return self._todo.popleft()
            self._threads -= 1
            return None

    def _answer(self, future: Future[Any], call: Call) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            given = called(call)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(given)

    def _was_left(self, future: Future[Any]) -> bool:
        with self._changed:
            was_left = future in self._left
            self._left.discard(future)
            return was_left


class _Handed(Executor):
    """Takes one call for an event loop, which may also be one without threads, and keeps hold of it."""

    def __init__(self, threads: Threads) -> None:
        self.future: Future[Any] | None = None
        self._threads = threads

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.future = self._threads.submit(partial(fn, *args, **kwargs))
        return self.future


_calls = Threads(THREADS_MAX, "dirigent-call")


async def call(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function in a thread, in the caller's context, and return its result."""
    return await _calls.run(partial(called, func, *args, **kwargs))
