"""How many calls of an agent run at once, and how long one may take."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self

from dirigent.domain.errors import InvalidInput
from dirigent.execution import threads
from dirigent.execution.failures import AGENT_TIMEOUT, STEP_TIMEOUT
from dirigent.execution.registry import Action
from dirigent.execution.request import Request
from dirigent.observability.run_trace import noting_run

CALLS_AT_ONCE = 64
DEFAULT_TIMEOUT_S = 300.0


class Places:
    """So many places, given in the order of asking: `with place if place.take() else await place.turn():`.

    Unlike an `asyncio.Semaphore` it holds across event loops and threads, so that a bound is one bound
    also where workers run on loops of their own.
    """

    __slots__ = ("_free", "_lock", "_waiting")

    def __init__(self, places: int) -> None:
        self._free = places
        self._lock = threading.Lock()
        self._waiting: deque[Future[None]] = deque()

    def take(self) -> bool:
        """Take a place if one is free; leaving the `with` gives it back."""
        with self._lock:
            if not self._free:
                return False
            self._free -= 1
            return True

    async def turn(self) -> Self:
        """Wait for a place."""
        with self._lock:
            if self._free:
                self._free -= 1
                return self
            turn: Future[None] = Future()
            self._waiting.append(turn)
        try:
            await asyncio.wrap_future(turn)
        except BaseException:
            if not turn.cancel():  # the place was given just now
                self._give_back()
            raise
        return self

    def __enter__(self) -> None:
        """The place was taken before."""

    def __exit__(self, *exception: object) -> None:
        self._give_back()

    def _give_back(self) -> None:
        with self._lock:
            while self._waiting:
                turn = self._waiting.popleft()
                if turn.set_running_or_notify_cancel():
                    turn.set_result(None)
                    return
            self._free += 1


class Capacity:
    """Places by agent; a call that raises or is cancelled frees its place."""

    def __init__(self) -> None:
        self._places: dict[str, Places] = {}
        self._lock = threading.Lock()

    def place(self, agent: str, limit: int | None = None) -> Places:
        """The places of an agent."""
        places = self._places.get(agent)
        if places is None:
            with self._lock:
                places = self._places.setdefault(agent, Places(limit or CALLS_AT_ONCE))
        return places

    async def submit(
        self, agent: str, func: Callable[..., Any], *args: Any, limit: int | None = None, **kwargs: Any
    ) -> Any:
        """Run a function, sync or async, in the agent's place; its result or exception is passed on.

        Where it runs inside a run, it is noted there as a node.
        """
        place = self.place(agent, limit)
        with place if place.take() else await place.turn():
            run = noting_run()
            if run is None:
                return await _called(func, args, kwargs)
            step = run.node_started(agent, getattr(func, "__name__", type(func).__name__))
            try:
                result = await _called(func, args, kwargs)
            except BaseException as error:
                run.node_failed(step, error)
                raise
            run.node_ended(step, result)
            return result


async def _called(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if inspect.iscoroutinefunction(func):
        return await func(*args, **kwargs)
    result = await threads.call(func, *args, **kwargs)
    return await result if inspect.isawaitable(result) else result


def checked_limit(agent: str, limit: object) -> int:
    """How many calls of an agent may run at once; raises `InvalidInput` for what is no such number."""
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InvalidInput(
            f"The limit of {agent!r} is {limit!r}.", fix="Give a whole number from 1.", field=agent
        )
    return limit


def time_limit(request: Request, action: Action) -> tuple[float, str]:
    """The shorter of what the action may take and what its step gives it, in seconds, and whose that is."""
    own = DEFAULT_TIMEOUT_S if action.spec.timeout_s is None else action.spec.timeout_s
    step = request.timeout_ms / 1000
    if request.timeout_ms and (action.spec.timeout_s is None or step <= own):
        return step, STEP_TIMEOUT
    return own, AGENT_TIMEOUT
