"""Messages to whoever listens now: nothing is stored, nobody is waited for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog

Listener = Callable[[Mapping[str, Any]], None]

log = structlog.get_logger("dirigent.events")


class Channels:
    """Named channels within one process."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}

    def subscribe(self, channel: str, listener: Listener) -> Callable[[], None]:
        """Be told of every message on a channel; returns how to stop."""
        self._listeners.setdefault(channel, []).append(listener)
        return lambda: self._listeners[channel].remove(listener)

    def publish(self, channel: str, message: Mapping[str, Any]) -> None:
        """Tell everybody who listens; one that fails is left out of account."""
        for listener in list(self._listeners.get(channel, ())):
            try:
                listener(message)
            except Exception:
                log.exception("listener.failed", channel=channel)
