"""An event loop in simulated time: one thread, no files, no sockets, and always the same order.

What asyncio promises is kept: callbacks of `call_soon` run in the order in which they were handed in, those
that are handed in during a turn run in the next. What it does not promise is drawn by chance: the order of
timers that are due together, and when an answer from outside arrives.
"""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import events
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

from dirigent.testing.simulation.scheduler import TURN_S, Due, Scheduler

T = TypeVar("T")
BLOCKING_S = 0.001
HEARING_TURNS = 50


class _Future(asyncio.Future[Any]):
    """A future that hashes to its number, so that sets of futures have an order of their own."""

    def __init__(self, number: int, loop: SimulatedLoop) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


class _Task(asyncio.Task[Any]):
    """A task that hashes to its number, so that sets of tasks have an order of their own."""

    def __init__(self, number: int, coro: Any, loop: SimulatedLoop, context: contextvars.Context) -> None:
        self._number = number
        super().__init__(coro, loop=loop, name=f"task-{number}", context=context)

    def __hash__(self) -> int:
        return self._number


class SimulatedLoop(asyncio.AbstractEventLoop):
    """The event loop of one simulated process. It is driven from outside, turn by turn.

    `raised` gathers what callbacks raised and tasks failed with unheard. After `kill` nothing of it runs
    any more: what was under way is gone, as after `kill -9`.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.raised: list[str] = []
        self.callbacks = 0
        self.kill_at = 0
        self._scheduler = scheduler
        self._ready: deque[_Soon] = deque()
        self._tasks: list[_Task] = []
        self._unheard: set[int] = set()
        self._turns = 0
        self._numbers = 0
        self._killed = False

    @property
    def killed(self) -> bool:
        """Whether the process is gone."""
        return self._killed

    @property
    def idle(self) -> bool:
        """Whether nothing is ready to run."""
        return not self._ready

    def turn(self) -> None:
        """Run everything that is ready now; what that makes ready runs in the next turn."""
        ready = self._ready
        self._scheduler.now += TURN_S
        self._turns += 1
        if self._turns % HEARING_TURNS == 0:
            self.hear()
        events._set_running_loop(self)
        try:
            for _ in range(len(ready)):
                soon = ready.popleft()
                self.callbacks += 1
                if soon.call is not None:
                    self._run(soon)
                if self.callbacks == self.kill_at or self._killed:
                    break
        finally:
            events._set_running_loop(None)
        if self.callbacks == self.kill_at:
            self.kill()

    def run_until_complete(self, future: Awaitable[T]) -> T:  # type: ignore[override]
        """Drive the loop alone until something is done; raises where nothing would ever do it."""
        task = asyncio.ensure_future(future, loop=self)
        while not task.done():
            if self._ready:
                self.turn()
                self._scheduler.catch_up()
            elif not self._scheduler.advance():
                raise RuntimeError("Nothing is due any more, and it is not done.")
        return task.result()

    def kill(self) -> None:
        """End the process at once; nothing that was under way is seen again.

        What is running this very moment can be let go of only afterwards: killing again does that.
        """
        self._killed = True
        inside = events._get_running_loop()
        events._set_running_loop(self)
        try:
            self._tasks = [task for task in self._tasks if not _let_go(task)]
        finally:
            events._set_running_loop(inside)
        self._ready.clear()

    def hear(self) -> None:
        """Note the tasks that had failed when this was last asked, and that nobody has heard of since."""
        running = [task for task in self._tasks if not task.done() or task._log_traceback]
        unheard = {hash(task): task for task in running if task.done()}
        for number in sorted(unheard.keys() & self._unheard):
            error = unheard[number].exception()
            self.raised.append(f"a task failed unheard: {type(error).__name__}: {error}")
        self._unheard = {number for number, task in unheard.items() if task._log_traceback}
        self._tasks = running

    def time(self) -> float:
        """Simulated seconds."""
        return self._scheduler.time()

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """Whether it is running this very moment."""
        return events._get_running_loop() is self

    def is_closed(self) -> bool:
        """Whether the process is gone."""
        return self._killed

    def call_soon(  # type: ignore[override]  # a handle is what has `cancel`
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> _Soon:
        """Run a callback in the next turn."""
        soon = _Soon(callback, args, context)
        if not self._killed:
            self._ready.append(soon)
        return soon

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> _Soon:
        """As `call_soon`: there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> _Later:
        """Run a callback after some time."""
        return self.call_at(self._scheduler.now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> _Later:
        """Run a callback at a time of this loop."""
        later = _Later(callback, args, context)
        later.due = self._scheduler.at(when, self._due, later)
        return later

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return _Future(self._number(), self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[T]:
        """A task of this loop."""
        task = _Task(self._number(), coro, self, context or contextvars.copy_context())
        self._tasks.append(task)
        return task

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., T], *args: Any
    ) -> Awaitable[T]:
        """Do blocking work a moment later; there are no threads."""
        done = self.create_future()
        self._scheduler.after(BLOCKING_S, self._due, _Soon(_work, (done, func, args), None))
        return done

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody heard."""
        error = context.get("exception")
        told = f"{type(error).__name__}: {error}" if error is not None else str(context.get("message"))
        self.raised.append(told)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody heard; a process that is gone says nothing."""
        if not self._killed:
            self.default_exception_handler(context)

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _due(self, soon: _Soon) -> None:
        if not self._killed:
            self._ready.append(soon)

    def _run(self, soon: _Soon) -> None:
        assert soon.call is not None, "what was cancelled is not run"
        try:
            soon.context.run(soon.call, *soon.args)
        except Exception as error:
            self.call_exception_handler({"message": "a callback raised", "exception": error})


def simulated_loop(scheduler: Scheduler) -> SimulatedLoop:
    """A loop in a scheduler's time; what it does not offer (files, sockets, signals) raises."""
    return SimulatedLoop(scheduler)  # type: ignore[abstract]


class _Soon:
    """A callback that is to run in the next turn, unless it is cancelled."""

    __slots__ = ("args", "call", "context")

    def __init__(
        self, call: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context | None
    ) -> None:
        self.call: Callable[..., object] | None = call
        self.args = args
        self.context = context if context is not None else contextvars.copy_context()

    def cancel(self) -> None:
        """It does not run any more."""
        self.call = None
        self.args = ()

    def cancelled(self) -> bool:
        """Whether it will not run."""
        return self.call is None


class _Later(_Soon):
    """A callback that is to run at a time. It can be cancelled until it runs, also when its time has come."""

    __slots__ = ("due",)

    due: Due

    def cancel(self) -> None:
        """It does not run any more."""
        self.due.cancel()
        super().cancel()


def _work(done: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if done.cancelled():
        return
    try:
        done.set_result(func(*args))
    except Exception as error:
        done.set_exception(error)


def _let_go(task: asyncio.Task[Any]) -> bool:
    """Whether a task is gone; whatever it does on its way out reaches nobody any more."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is meant to be gone
    coroutine: Any = task.get_coro()
    try:
        coroutine.close()
    except ValueError:
        return not coroutine.cr_running
    except Exception:
        return True
    return True
