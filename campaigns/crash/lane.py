"""One lane of a campaign: a data folder, the engine's process on it, a client and a recorder beside it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from campaigns.crash.evidence import Life
from campaigns.crash.processes import Process, Starter
from dirigent.testing.invariants import ClientEntry, Ended, Opened

READY_SECONDS_MAX = 60.0
DRAIN_SECONDS_MAX = 60.0
CLOSE_SECONDS_MAX = 30.0
LOOK_SECONDS = 0.1
COMPLAINT_CHARACTERS_MAX = 2_000

ENGINE, CLIENT, RECORDER = "engine_process", "client_process", "recorder_process"


class LaneFailed(Exception):
    """A process of the lane did what it must not do: it ended by itself, or never came to an end."""


@dataclass(kw_only=True)
class Faults:
    """What is planted on purpose, for negative controls.

    `well_behaved` is none: the recorder then answers everything at once and as it should.
    """

    no_dedupe: bool = False
    hasty: bool = False
    well_behaved: bool = False


class Lane:
    """Starts and kills the engine over one data folder.

    `lives` holds what became of every process of the engine, `sessions` the same for the checker; `ended`
    counts the executions that the client has seen to their end. `left_alone_ms` and `quiet_ms` say, in
    wall-clock time, since when nothing was killed any more and when everything had come to its end.
    """

    def __init__(self, folder: Path, seed: str, starter: Starter, faults: Faults) -> None:
        self.folder = folder
        self.seed = seed
        self.lives: list[Life] = []
        self.sessions: list[ClientEntry] = []
        self.ended = 0
        self.left_alone_ms = 0
        self.quiet_ms = 0
        self._starter = starter
        self._faults = faults
        self._engine: Process | None = None
        self._client: Process | None = None

    @property
    def data(self) -> Path:
        """The data folder of the engine."""
        return self.folder / "data"

    @property
    def kills(self) -> list[Life]:
        """The lives that ended by a kill."""
        return [life for life in self.lives if life.killed_ms]

    @asynccontextmanager
    async def running(self, *, at_once: int) -> AsyncIterator[None]:
        """Recorder and client beside the engine, for as long as the block lasts."""
        self.folder.mkdir(parents=True)
        seeded = (str(self.folder), "recorder.sock", self.seed)
        flags = {"--no-dedupe": self._faults.no_dedupe, "--well-behaved": self._faults.well_behaved}
        recorder = await self._start(RECORDER, *seeded, *(name for name, on in flags.items() if on))
        try:
            await _line(recorder)
            arguments = (str(self.folder), "engine.sock", "recorder.sock", self.seed)
            self._client = await self._start(CLIENT, *arguments, "--at-once", str(at_once))
            counting = asyncio.ensure_future(self._count(self._client))
            try:
                yield
            finally:
                counting.cancel()
        finally:
            for process in (self._client, self._engine, recorder):
                if process is not None:
                    process.kill()
                    await process.wait()

    async def begin(self, *, die: Sequence[str] = ()) -> bool:
        """Start the engine and wait until it is ready; False where it died on the way, as it was told to."""
        session = f"life-{len(self.lives) + 1}"
        armed = [part for point in die for part in ("--die", point)]
        faulty = ["--hasty"] if self._faults.hasty else []
        arguments = ("data", "engine.sock", "recorder.sock", session, "--started", str(time.monotonic()))
        self._engine = await self._start(ENGINE, *arguments, *armed, *faulty)
        said = await _line(self._engine)
        ready, opened = map(float, said.split()[1:]) if said else (0.0, 0.0)
        self.lives.append(Life(session=session, ready_s=ready, opened_s=opened))
        self.sessions.append(Opened(order=time.monotonic_ns(), session=session))
        if not said and not armed:
            raise self._died()
        return bool(said)

    async def kill(self) -> None:
        """SIGKILL, as it comes: nothing in the process is told."""
        assert self._engine is not None, "the engine has been started"
        self._check_alive()
        self._engine.kill()
        await self._bury()

    async def died_by_itself(self, seconds: float) -> bool:
        """Wait for the point at which the engine was told to die; where it is not reached in time, kill it.

        Returns whether it was reached, be it at the last moment.
        """
        assert self._engine is not None, "the engine has been started"
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._engine.wait(), seconds)
        status = self._engine.returncode
        if status is None:
            await self.kill()
            return False
        if status != -signal.SIGKILL:
            raise self._died()
        await self._bury()
        return True

    async def finish(self, executions: int = 0) -> None:
        """Leave the engine alone until so many executions have ended and the client has seen to the rest."""
        assert self._client is not None, "the client has been started"
        self.left_alone_ms = _now_ms()
        await self._reach(executions)
        self._client.let_go()
        status = await _ended(self._client, DRAIN_SECONDS_MAX, "L2 not all executions have ended")
        if status:
            raise self._gave_up()
        self.quiet_ms = _now_ms()
        await self._close()

    async def _reach(self, executions: int) -> None:
        before, since = self.ended, time.monotonic()
        while self.ended < executions:
            self._check_alive()
            await asyncio.sleep(LOOK_SECONDS)
            if self.ended > before:
                before, since = self.ended, time.monotonic()
            elif time.monotonic() - since > DRAIN_SECONDS_MAX:
                raise LaneFailed(f"L2 no execution has ended for {DRAIN_SECONDS_MAX:.0f} s")

    async def _close(self) -> None:
        """Let the engine come to its end in an orderly way."""
        assert self._engine is not None, "the engine has been started"
        began = time.monotonic()
        self._engine.let_go()
        if await _ended(self._engine, CLOSE_SECONDS_MAX, "L10 the engine has not closed"):
            raise self._died()
        took_ms = int((time.monotonic() - began) * 1000)
        self._note_end("closed", took_ms)

    async def _bury(self) -> None:
        assert self._engine is not None, "the engine has been started"
        self.lives[-1] = replace(self.lives[-1], killed_ms=_now_ms())
        await self._engine.wait()
        self._note_end("crashed")
        self._check_alive()

    def _note_end(self, how: str, took_ms: int = 0) -> None:
        session = self.lives[-1].session
        ended = Ended(order=time.monotonic_ns(), session=session, how=how, took_ms=took_ms)
        self.sessions.append(ended)
        self._engine = None

    def _check_alive(self) -> None:
        if self._engine is not None and self._engine.returncode is not None:
            raise self._died()
        if self._client is not None and self._client.returncode is not None:
            raise self._gave_up()

    def _died(self) -> LaneFailed:
        return LaneFailed(f"the engine ended by itself: {self._complaint(ENGINE)}")

    def _gave_up(self) -> LaneFailed:
        return LaneFailed(f"the client gave up: {self._complaint(CLIENT)}")

    def _complaint(self, module: str) -> str:
        text = (self.folder / f"{module}.err").read_text(encoding="utf-8")
        return text[-COMPLAINT_CHARACTERS_MAX:]

    async def _start(self, module: str, *arguments: str) -> Process:
        return await self._starter.start(module, *arguments, folder=self.folder)

    async def _count(self, client: Process) -> None:
        while text := await client.line():
            self.ended = int(text)


async def _line(process: Process) -> str:
    try:
        return await asyncio.wait_for(process.line(), READY_SECONDS_MAX)
    except TimeoutError:
        raise LaneFailed(f"a process was not ready after {READY_SECONDS_MAX:.0f} s") from None


async def _ended(process: Process, seconds: float, otherwise: str) -> int:
    try:
        return await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        raise LaneFailed(f"{otherwise} after {seconds:.0f} s") from None


def _now_ms() -> int:
    return int(time.time() * 1000)
