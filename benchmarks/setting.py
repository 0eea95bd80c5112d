"""What every benchmark is handed: where to work, how much, and on which event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import uvloop

T = TypeVar("T")

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """`folder` lies on the disk to be measured; `full` asks for the sizes that take long."""

    folder: str
    full: bool = False
    rounds: int = 5
    loop: str = "uvloop"

    def place(self, name: str) -> Path:
        """A folder of its own for one piece of work."""
        place = Path(self.folder) / name
        place.mkdir(parents=True)
        return place


def run_on(loop: str, work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on an event loop of this kind."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(work)
