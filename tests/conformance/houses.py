"""Houses over the runtimes that there are: the embedded one on a real loop and disk, the simulated one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from dirigent.domain.event import Event
from dirigent.domain.workflow import Definition
from dirigent.engine import Engine
from dirigent.execution.dispatcher import Dispatcher, World
from dirigent.execution.gates import Gates
from dirigent.execution.registry import Registry
from dirigent.ports import Memory, Model, Outbox, Records
from dirigent.runtimes.clock import SystemClock
from dirigent.runtimes.ids import FreshIds
from dirigent.runtimes.local import LocalRuntime
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.storage.sqlite.projections import SqliteProjections
from dirigent.testing.runtime_conformance import Asking
from dirigent.testing.simulation.agents import Rules
from dirigent.testing.simulation.disk import Write
from dirigent.testing.simulation.faults import CALM, Faults
from dirigent.testing.simulation.process import Drivers, Process
from tests.simulation.surroundings import EPOCH_S, Surroundings

TURNS_MAX = 100_000
TURNS_STILL = 5
Library = Callable[[str, str], Definition]


def unset_clock(wall: Callable[[], float], steady: Callable[[], float]) -> SystemClock:
    """The clock of production, which need not look every ten seconds whether somebody has set it."""
    return SystemClock(wall=wall, steady=steady, longest_sleep_s=1e9)


DRIVERS = Drivers(runtime=LocalRuntime, clock=unset_clock)


class TravellingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is moved: where nothing is left to do, it goes to what is due next."""

    def __init__(self) -> None:
        self.now_s = 0.0
        super().__init__()

    def time(self) -> float:
        return self.now_s

    def next_at(self) -> float | None:
        """When something is due next."""
        due = [handle.when() for handle in self._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        return min(due, default=None)


class LocalHouse:
    """The embedded runtime as it is put together in production, over SQLite in a folder."""

    def __init__(self, folder: Path, registry: Registry, library: Library) -> None:
        self._folder, self._registry, self._library = folder, registry, library
        self.loop = TravellingLoop()
        self._open()

    def ask(self, work: Asking) -> Any:
        async def asking() -> Any:
            return await work(self.engine)

        result = self.loop.run_until_complete(asking())
        self._settle()
        return result

    def pass_time(self, seconds: float) -> None:
        until = self.loop.now_s + seconds
        self._settle()
        while (due := self.loop.next_at()) is not None and due <= until:
            self.loop.now_s = max(self.loop.now_s, due)
            self._settle()
        self.loop.now_s = until
        self._settle()

    def events(self, execution: str) -> list[Event]:
        return self.journal.read(execution)

    def restart(self) -> None:
        self._end()
        self._open()

    def close(self) -> None:
        self._end()
        self.loop.close()

    def _open(self) -> None:
        absent: Any = None
        self.journal = SqliteJournal.open(self._folder)
        self.projections = SqliteProjections(self._folder)
        clock = unset_clock(lambda: EPOCH_S + self.loop.now_s, self.loop.time)
        world = World(
            records=cast(Records, absent),
            memory=cast(Memory, absent),
            model=cast(Model, absent),
            outbox=cast(Outbox, absent),
            clock=clock,
        )
        dispatcher = Dispatcher(self._registry, Gates(Rules(), world.records, lambda _: True), world)
        self.runtime = LocalRuntime(self.journal, self.projections, dispatcher, clock, self._library)
        self.engine = Engine(
            self.runtime, self.journal, self.projections, clock, lambda _: True, FreshIds().make
        )
        self.loop.run_until_complete(self.runtime.start())
        self._settle()

    def _end(self) -> None:
        self.loop.run_until_complete(self.runtime.close())
        self.loop.run_until_complete(self.journal.close())
        self.projections.close()

    def _settle(self) -> None:
        """Let everything happen that needs no time; the disk takes real time, and is waited for."""

        async def until_quiet() -> None:
            still = 0
            for _ in range(TURNS_MAX):
                await asyncio.sleep(0)
                still = still + 1 if self._is_quiet() else 0
                if still == TURNS_STILL:
                    return
            raise AssertionError("it never comes to rest")

        self.loop.run_until_complete(until_quiet())

    def _is_quiet(self) -> bool:
        due, ready = self.loop.next_at(), self.loop._ready  # type: ignore[attr-defined]
        stored = self.journal.position == self.journal.durable
        return stored and not ready and (due is None or due > self.loop.now_s)


class SimulatedHouse(Surroundings):
    """The same driver in simulated time, over a simulated disk."""

    def __init__(self, registry: Registry, library: Library) -> None:
        super().__init__()
        self._registry, self._library = registry, library
        self._faults = Steady(CALM, self.chance)
        self._sessions = 0
        self._open()

    def ask(self, work: Asking) -> Any:
        async def asking() -> Any:
            return await work(self.process.engine)

        task = self.process.loop.create_task(asking())
        while not task.done():
            assert self.step(), "nothing would ever answer"
        self._settle()
        return task.result()

    def pass_time(self, seconds: float) -> None:
        until = self.scheduler.now + seconds
        self.scheduler.at(until, lambda: None)
        while self.scheduler.now < until and self.step():
            pass
        self._settle()

    def events(self, execution: str) -> list[Event]:
        return self.process.journal.read(execution)

    def restart(self) -> None:
        ended: list[bool] = []
        self.process.close(lambda: ended.append(True))
        while not ended:
            assert self.step(), "it never ends"
        self.process.crash()
        self._open()

    def close(self) -> None:
        self.process.crash()

    def _open(self) -> None:
        self._sessions += 1
        self.process = Process(
            str(self._sessions), self, DRIVERS, self._registry, Rules(), self._faults, self._library
        )
        opened: list[bool] = []
        self.process.begin(lambda: opened.append(True))
        while not opened:
            assert self.step(), "it never opens"
        self._settle()

    def _settle(self) -> None:
        while not self.process.loop.idle:
            self.step()


class Steady(Faults):
    """A disk that takes no time."""

    def write(self) -> Write:
        return Write(seconds=0.0)
