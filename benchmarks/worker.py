"""The engine that `benchmarks.process` asks, a line of JSON for each request and each answer.

Usage: worker.py FOLDER LOOP LATER_MS.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.lanes import keep_in_flight
from benchmarks.machine import resident_mb
from benchmarks.setting import run_on
from benchmarks.work import POLL_S, SIGNAL, Bench, begun, chain, completed, held_after, parked, told
from dirigent import Dirigent
from dirigent.domain.workflow import Definition
from dirigent.engine import Start
from dirigent.runtimes.clock import SystemClock

LANES = 1000


class LaterClock(SystemClock):
    """Real time, so much ahead: what was to wait until then is due."""

    def __init__(self, later_ms: int) -> None:
        super().__init__()
        self._later = later_ms

    def now_ms(self) -> int:
        """As the system's clock will say."""
        return super().now_ms() + self._later


class Worker:
    """What can be asked. Each answer is given when what was asked for is durable."""

    def __init__(self, dirigent: Dirigent, bench: Bench) -> None:
        self._dirigent = dirigent
        self._bench = bench

    async def warm(self, runs: int) -> None:
        """Have run before, so that memory is that of an engine in use."""
        definition = chain(5)
        for _ in range(runs):
            completed(await self._dirigent.run(definition))

    async def park(self, count: int, wait_ms: int) -> None:
        """Accept so many executions that wait for their time."""
        await self._accept(count, parked(f"parked_{wait_ms}", wait_ms))

    async def listen(self, count: int) -> None:
        """Accept so many executions that wait for a signal."""
        definition, numbers = told(), iter(range(count))
        actor, tenant = self._dirigent.settings.actor, self._dirigent.settings.tenant

        def one() -> Awaitable[str]:
            name = listener(next(numbers))
            start = Start(definition=definition, tenant=tenant, actor=actor, execution_id=name)
            return self._dirigent.engine.start(start)

        await keep_in_flight(count, LANES, one)
        await begun(self._dirigent)

    async def tell(self, count: int) -> None:
        """Signal the first of those that wait for it, one after another, and see each to its end."""
        for number in range(count):
            await self._dirigent.engine.signal(listener(number), SIGNAL)
            completed(await self._dirigent.engine.rest(listener(number)))

    async def hold(self, count: int, steps: int) -> None:
        """Accept so many executions, and see them all into the step that does not end."""
        await self._accept(count, held_after(steps))
        await self.held(count)

    async def held(self, count: int) -> None:
        """See that so many actions are running."""
        while self._bench.held < count:
            await asyncio.sleep(POLL_S)

    async def ended(self) -> None:
        """See every execution to its end."""
        while self._dirigent.projections.unfinished():
            await asyncio.sleep(POLL_S)

    async def verify(self) -> None:
        """See that nothing is damaged."""
        damages = self._dirigent.engine.verify().damages
        if damages:
            raise AssertionError(f"the journal is damaged: {damages[0].reason}")

    async def _accept(self, count: int, definition: Definition) -> None:
        await keep_in_flight(count, LANES, lambda: self._dirigent.intake.run_workflow(definition))
        await begun(self._dirigent)


def listener(number: int) -> str:
    """The id of an execution that waits for a signal."""
    return f"listener-{number}"


async def serve(folder: Path, later_ms: int) -> None:
    """Open the folder, say so, and do what is asked until nobody asks any more."""
    bench, began = Bench(), time.monotonic()
    async with Dirigent(folder, agents=[bench], clock=LaterClock(later_ms)) as dirigent:
        worker = Worker(dirigent, bench)
        opening = time.monotonic() - began
        _answer(seconds=opening, unfinished=len(dirigent.projections.unfinished()))
        requests = await _requests()
        while line := await requests.readline():
            given: dict[str, Any] = json.loads(line)
            act: Callable[..., Awaitable[None]] = getattr(worker, given.pop("what"))
            began = time.monotonic()
            await act(**given)
            _answer(seconds=time.monotonic() - began)


async def _requests() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


def _answer(**facts: float) -> None:
    at = time.monotonic()
    gc.collect()
    print(json.dumps({"at": at, "mb": resident_mb(), **facts}), flush=True)


if __name__ == "__main__":
    run_on(sys.argv[2], serve(Path(sys.argv[1]), int(sys.argv[3])))
