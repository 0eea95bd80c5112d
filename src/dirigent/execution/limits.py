"""How many calls of an agent run at once, and how long one may take."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self

from dirigent.domain.errors import InvalidInput, NoPlaceLeft
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
    also where workers run on loops of their own. `left` counts the places of calls that nobody waits for and
    that go on all the same; where it is all of `places`, who asks for one is refused: none may come free.
    """

    __slots__ = ("_free", "_lock", "_owed", "_waiting", "left", "of", "places")

    def __init__(self, places: int, of: str) -> None:
        self.places = places
        self.of = of
        self.left = 0
        self._free = places
        self._owed = 0  # of those left, the ones whose place is still to be given back
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
        """Wait for a place; raises `NoPlaceLeft`."""
        with self._lock:
            if self._free:
                self._free -= 1
                return self
            if self.left >= self.places:
                raise self._none_left()
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

    def keep(self, call: Future[Any]) -> None:
        """A call goes on that is about to give its place back: it is given back when the call has ended."""
        with self._lock:
            self.left += 1
            self._owed += 1
            if self.left >= self.places:
                while self._waiting:
                    turn = self._waiting.popleft()
                    if turn.set_running_or_notify_cancel():
                        turn.set_exception(self._none_left())
        call.add_done_callback(self._has_ended)

    def _has_ended(self, _call: Future[Any]) -> None:
        with self._lock:
            self.left -= 1
            if self._owed:
                self._owed -= 1  # its place is given back as any other
            else:
                self._free_one()

    def _give_back(self) -> None:
        with self._lock:
            if self._owed:
                self._owed -= 1
            else:
                self._free_one()

    def _free_one(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if turn.set_running_or_notify_cancel():
                turn.set_result(None)
                return
        self._free += 1

    def _none_left(self) -> NoPlaceLeft:
        return NoPlaceLeft(
            f"All {self.places} places of {self.of} are taken by calls whose time is over, and which run on.",
            fix="See what hangs there; an action that may hang belongs in a process: runs_in='process'.",
        )


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
                places = self._places.setdefault(agent, Places(limit or CALLS_AT_ONCE, agent))
        return places

    def keep(self, agent: str, call: Future[Any]) -> None:
        """A call of an agent goes on though nobody waits for it: its place stays taken until it has ended."""
        self.place(agent).keep(call)

    def left(self) -> list[str]:
        """A sentence for each agent that has calls of this kind."""
        return [
            f"{places.left} of {places.places} places of {places.of} are taken by calls whose time is over"
            for places in list(self._places.values())
            if places.left
        ]

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
