"""How many calls of an agent run at once."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

CALLS_AT_ONCE = 64


class Capacity:
    """A semaphore per agent; a call that raises or is cancelled frees its place."""

    def __init__(self) -> None:
        self._places: dict[str, asyncio.Semaphore] = {}

    def place(self, agent: str, limit: int | None = None) -> asyncio.Semaphore:
        """The semaphore of an agent; use it with `async with`."""
        places = self._places.get(agent)
        if places is None:
            places = self._places[agent] = asyncio.Semaphore(limit or CALLS_AT_ONCE)
        return places

    async def submit(
        self, agent: str, func: Callable[..., Any], *args: Any, limit: int | None = None, **kwargs: Any
    ) -> Any:
        """Run a function, sync or async, in the agent's place; its result or exception is passed on."""
        async with self.place(agent, limit):
            if inspect.iscoroutinefunction(func):
                return await func(*args, **kwargs)
            result = await asyncio.to_thread(func, *args, **kwargs)
            return await result if inspect.isawaitable(result) else result
