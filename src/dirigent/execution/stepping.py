"""Running a coroutine to its first wait, so that what never waits costs neither a task nor a timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Generic, TypeVar

from dirigent.domain.errors import HeartbeatMissed

T = TypeVar("T")


class Suspended(Generic[T]):
    """A coroutine that waits for the first time; awaiting this goes on with it.

    It has to be awaited in the task in which the coroutine was begun; it goes on in the same context.
    """

    __slots__ = ("_send", "_throw", "_waits_for")

    def __init__(
        self, waits_for: Any, send: Callable[[Any], Any], throw: Callable[[BaseException], Any]
    ) -> None:
        self._waits_for = waits_for
        self._send = send
        self._throw = throw

    def __await__(self) -> Generator[Any, Any, T]:
        waits_for = self._waits_for
        try:
            while True:
                try:
                    sent = yield waits_for
                except BaseException as error:  # whatever the task is told is for the coroutine to hear
                    waits_for = self._throw(error)
                else:
                    waits_for = self._send(sent)
        except StopIteration as stop:
            value: T = stop.value
            return value


def begin(coroutine: Coroutine[Any, Any, T]) -> tuple[T | None, Suspended[T] | None]:
    """Run a coroutine of the current task until it ends or waits: its value, or what is left of it."""
    try:
        waits_for = coroutine.send(None)
    except StopIteration as stop:
        return stop.value, None
    return None, Suspended(waits_for, coroutine.send, coroutine.throw)


def begin_apart(coroutine: Coroutine[Any, Any, None]) -> Suspended[None] | None:
    """As `begin`, in an empty context of its own: what the coroutine sets there, no other sees."""
    apart = Context()
    try:
        waits_for = apart.run(coroutine.send, None)
    except StopIteration:
        return None
    send, throw = coroutine.send, coroutine.throw
    return Suspended(waits_for, lambda sent: apart.run(send, sent), lambda error: apart.run(throw, error))


class TimeLimitPassed(TimeoutError):
    """Something waited longer than it may; `code` says whose limit that was."""

    def __init__(self, seconds: float, code: str) -> None:
        super().__init__(f"The time limit of {seconds:g} s passed.")
        self.code = code


async def within(seconds: float, code: str, suspended: Suspended[T]) -> T:
    """The value of what waits; raises `TimeLimitPassed` where it does so longer than the limit."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await suspended
    except TimeoutError as error:
        if limit.expired():
            raise TimeLimitPassed(seconds, code) from error
        raise


class Pulse:
    """Signs of life of one running action."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._silence: asyncio.Timeout | None = None

    def beat(self) -> None:
        """It is alive; wait as long again. Called on the event loop."""
        if self._silence is not None and not self._silence.expired():
            self._silence.reschedule(asyncio.get_running_loop().time() + self._seconds)

    async def watch(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The value of a coroutine; raises `HeartbeatMissed` where it is silent for too long."""
        silence = self._silence = asyncio.timeout(self._seconds)
        try:
            async with silence:
                return await coroutine
        except TimeoutError as error:
            if silence.expired():
                raise HeartbeatMissed(f"There was no sign of life for {self._seconds:g} s.") from error
            raise
