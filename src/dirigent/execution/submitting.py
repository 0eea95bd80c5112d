"""Bounds by agent for functions of the caller's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dirigent.execution.limits import CALLS_AT_ONCE, Capacity, checked_limit


class Dispatcher:
    """Runs functions, never more at once for an agent than its limit; an agent without one has 64.

    The bound is one for the process: it holds across event loops and threads. What it runs are the
    caller's own functions; the actions of registered agents go through the dispatcher of a Dirigent,
    which judges them first and has the same `submit`.

    >>> dispatcher = Dispatcher({"writer": 2})
    >>> draft = await dispatcher.submit("writer", write, lead)
    """

    def __init__(self, limits: Mapping[str, int] | None = None, *, default: int = CALLS_AT_ONCE) -> None:
        self._limits = {agent: checked_limit(agent, limit) for agent, limit in (limits or {}).items()}
        self._default = checked_limit("default", default)
        self._capacity = Capacity()

    async def submit(self, agent_name: str, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a function in the agent's place; its result or exception is passed on.

        A sync function runs in a thread. A call that raises or is cancelled frees its place.
        """
        limit = self._limits.get(agent_name, self._default)
        return await self._capacity.submit(agent_name, func, *args, limit=limit, **kwargs)
