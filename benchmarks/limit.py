"""The limit: what a bare loop makes of the same durable work on this machine.

No engine can be faster than this one without giving something up. It keeps a dict per run and gives every
step a task of its own; a step is three events, each encoded and committed in groups with `synchronous=FULL`
by a thread; a run goes on only when its events are on stable storage. It checks nothing, can resume
nothing and chains nothing: what an engine adds is the distance to it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import apsw
import msgspec

SCHEMA = """CREATE TABLE events (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL
)"""
INSERT = "INSERT INTO events (run, seq, body) VALUES (?, ?, ?)"

Row = tuple[int, int, bytes]


class Scheduled(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A step is to run."""

    at: int
    step: str
    attempt: int


class Started(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A step was let through."""

    at: int
    step: str
    attempt: int
    agent: str
    action: str


class Completed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A step has its result."""

    at: int
    step: str
    attempt: int
    output: Any


_encode = msgspec.json.Encoder().encode


class BareLoop:
    """Runs of a few steps, durable and nothing else; a context manager over one database file."""

    def __init__(self, file: Path) -> None:
        self._connection = apsw.Connection(str(file))
        self._connection.pragma("journal_mode", "wal")
        self._connection.pragma("synchronous", "full")
        self._connection.execute(SCHEMA)
        self._queue: SimpleQueue[tuple[list[Row], asyncio.Future[None]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._commit_all, daemon=True)
        self._rows: list[Row] = []
        self._durable: asyncio.Future[None] | None = None
        self._under_way = False
        self._runs = 0

    def __enter__(self) -> BareLoop:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    async def run(self, steps: int) -> None:
        """One run from its first step to its last durable event."""
        self._runs += 1
        state = {"run": self._runs, "seq": 0}
        for step in range(steps):
            await asyncio.create_task(self._step(state, step))

    async def put(self, values: Sequence[object]) -> None:
        """Values encoded and durable, and nothing else."""
        self._runs += 1
        self._rows += [(self._runs, seq, _encode(value)) for seq, value in enumerate(values)]
        await self._group()

    async def _step(self, state: dict[str, int], step: int) -> None:
        name, at = f"s{step}", int(time.time() * 1000)
        output = await _nothing(step)
        events = (
            Scheduled(at=at, step=name, attempt=1),
            Started(at=at, step=name, attempt=1, agent="bench", action="nothing"),
            Completed(at=at, step=name, attempt=1, output=output),
        )
        run, seq = state["run"], state["seq"]
        self._rows += [(run, seq + number, _encode(event)) for number, event in enumerate(events)]
        state["seq"] = seq + len(events)
        await self._group()

    def _group(self) -> asyncio.Future[None]:
        """What is on its way to stable storage with everything else that arrives in this turn."""
        if self._durable is None:
            loop = asyncio.get_running_loop()
            self._durable = loop.create_future()
            if not self._under_way:
                loop.call_soon(self._send)
        return self._durable

    def _send(self) -> None:
        if self._durable is not None and not self._under_way:
            self._under_way = True
            self._queue.put((self._rows, self._durable))
            self._rows, self._durable = [], None

    def _settled(self, durable: asyncio.Future[None]) -> None:
        self._under_way = False
        durable.set_result(None)
        self._send()

    def _commit_all(self) -> None:
        while (batch := self._queue.get()) is not None:
            rows, durable = batch
            with self._connection:
                self._connection.executemany(INSERT, rows)
            durable.get_loop().call_soon_threadsafe(self._settled, durable)


async def _nothing(number: int) -> int:
    return number + 1
