"""One life of the engine: a process with its own event loop and memory, over a disk that outlives it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, NoReturn, Protocol, cast

from dirigent.domain.event import Event
from dirigent.domain.workflow import Definition
from dirigent.engine import Engine
from dirigent.execution.dispatcher import Dispatcher, World
from dirigent.execution.gates import Gates
from dirigent.execution.registry import Registry
from dirigent.ports import Clock, Journal, Memory, Model, Outbox, PolicyGate, Projections, Records, Runtime
from dirigent.testing.invariants import UNKNOWN
from dirigent.testing.simulation.client import Outcome, outcome_of
from dirigent.testing.simulation.disk import Disk, DiskFaults, SimulatedJournal
from dirigent.testing.simulation.loop import simulated_loop
from dirigent.testing.simulation.scheduler import Scheduler

Library = Callable[[str, str], Definition]  # a tenant's workflow by its name


class Driven(Runtime, Protocol):
    """A driver as the composition root handles it."""

    async def start(self) -> list[str]:
        """Take up what had not ended."""
        ...

    async def close(self) -> None:
        """Stop in an orderly way."""
        ...


@dataclass(frozen=True, kw_only=True)
class Drivers:
    """The engine's own driver and clock, as the composition root puts them together."""

    runtime: Callable[[Journal, Projections, Dispatcher, Clock, Library], Driven]
    clock: Callable[[Callable[[], float], Callable[[], float]], Clock]


class Machinery(Protocol):
    """What a process needs of the simulated world around it."""

    scheduler: Scheduler
    disk: Disk

    def wall(self) -> float:
        """The wall clock, in seconds since the epoch."""
        ...

    def tick(self) -> int:
        """The next place in the order of what is seen from outside."""
        ...

    def passed(self, point: str) -> None:
        """A point was passed at which a crash would be of interest."""
        ...

    def storage_failed(self) -> None:
        """The disk refused a write of the process that runs now."""
        ...

    def told(self, execution: str, event: Event) -> None:
        """The process told an observer of an event."""
        ...

    def allows_delivery(self, tenant: str) -> bool:
        """Whether anything may leave for a tenant."""
        ...


class Process:
    """The engine, put together as the composition root does it, with simulated ports."""

    def __init__(
        self,
        session: str,
        world: Machinery,
        drivers: Drivers,
        registry: Registry,
        policy: PolicyGate,
        faults: DiskFaults,
        library: Library | None = None,
    ) -> None:
        self.session = session
        self.loop = simulated_loop(world.scheduler)
        self.ready = False
        self.raised: list[str] = []
        self._world = world
        self.journal = SimulatedJournal(
            world.disk,
            self.loop,
            world.scheduler,
            faults,
            passed=world.passed,
            failed=world.storage_failed,
        )
        self.clock = drivers.clock(world.wall, world.scheduler.time)
        gates = Gates(policy, cast(Records, _Absent()), world.allows_delivery)
        reached = World(
            records=cast(Records, _Absent()),
            memory=cast(Memory, _Absent()),
            model=cast(Model, _Absent()),
            outbox=cast(Outbox, _Absent()),
            clock=self.clock,
        )
        dispatcher = Dispatcher(registry, gates, reached)
        self.runtime = drivers.runtime(
            self.journal, world.disk.rows, dispatcher, self.clock, library or no_library
        )
        self.engine = Engine(
            self.runtime, self.journal, world.disk.rows, self.clock, world.allows_delivery, _ids(session)
        )
        self.runtime.observe(world.told)

    def begin(self, opened: Callable[[], None]) -> None:
        """Open, and say when requests may come."""

        async def opening() -> None:
            self._world.passed("opening")
            await self.runtime.start()
            self.ready = True
            opened()

        self._run(opening, lambda _: None)

    def carry(self, work: Callable[[Engine], Awaitable[Any]], answer: Callable[[Outcome], None]) -> None:
        """Do something for a client."""

        async def handling() -> Any:
            self._world.passed("asked")
            return await work(self.engine)

        self._run(handling, answer)

    def close(self, closed: Callable[[], None]) -> None:
        """Come to an orderly end."""

        async def closing() -> None:
            await self.runtime.close()
            await self.journal.close()
            closed()

        self.ready = False
        self._run(closing, lambda _: None)

    def crash(self) -> None:
        """Be gone at once."""
        self.loop.kill()
        self.journal.crash()

    def _run(self, work: Callable[[], Awaitable[Any]], answer: Callable[[Outcome], None]) -> None:
        async def answering() -> None:
            value, error = None, None
            try:
                value = await work()
            except Exception as raised:
                error = raised
            outcome = outcome_of(self.session, error, value, self._world.tick())
            if outcome.result == UNKNOWN:
                self.raised.append(f"a request raised {type(error).__name__}: {error}")
            answer(outcome)

        _ = self.loop.create_task(answering())


class _Absent:
    """Stands where simulated agents reach for nothing."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"simulated agents do not use {name}")


def no_library(tenant: str, name: str) -> NoReturn:
    """Where no workflow names another."""
    raise AssertionError(f"simulated workflows name no other, and {name} was asked for")


def _ids(session: str) -> Callable[[int], str]:
    numbers = count(1)
    return lambda now_ms: f"{session}.{now_ms}.{next(numbers)}"
