"""Functions that are not async, called in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


async def call(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function in a thread, in the caller's context, and return its result."""
    return await asyncio.to_thread(_called, func, args, kwargs)


def _called(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        return func(*args, **kwargs)
    except StopIteration as error:  # no future takes this one: whoever waits for it would wait for ever
        raise RuntimeError(f"{getattr(func, '__name__', func)} raised StopIteration") from error
