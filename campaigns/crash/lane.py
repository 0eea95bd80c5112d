"""One lane of a campaign: a data folder, the engine's process on it, a client and a recorder beside it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from campaigns.crash.evidence import Killed

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS_MAX = 60.0
DRAIN_SECONDS_MAX = 60.0


class LaneFailed(Exception):
    """A process of the lane did what it must not do: it ended by itself, or never came to an end."""


@dataclass(kw_only=True)
class Faults:
    """What is planted on purpose, for negative controls."""

    no_dedupe: bool = False
    hasty: bool = False


class Lane:
    """Starts and kills the engine over one data folder; `lives` holds what became of every process."""

    def __init__(self, folder: Path, seed: str, faults: Faults) -> None:
        self.folder = folder
        self.seed = seed
        self.lives: list[Killed] = []
        self.ended = 0
        self._faults = faults
        self._engine: asyncio.subprocess.Process | None = None
        self._client: asyncio.subprocess.Process | None = None

    @property
    def data(self) -> Path:
        """The data folder of the engine."""
        return self.folder / "data"

    @property
    def kills(self) -> list[Killed]:
        """The lives that ended by a kill."""
        return [life for life in self.lives if life.at_ms]

    @asynccontextmanager
    async def running(self, *, at_once: int) -> AsyncIterator[None]:
        """Recorder and client beside the engine, for as long as the block lasts."""
        self.folder.mkdir(parents=True)
        seeded = (str(self.folder), "recorder.sock", self.seed)
        recorder = await _start(
            "recorder_process",
            *seeded,
            *(["--no-dedupe"] if self._faults.no_dedupe else []),
            folder=self.folder,
        )
        try:
            await _line(recorder, READY_SECONDS_MAX)
            arguments = (str(self.folder), "engine.sock", "recorder.sock", self.seed)
            self._client = await _start(
                "client_process", *arguments, "--at-once", str(at_once), folder=self.folder
            )
            counting = asyncio.ensure_future(self._count(self._client))
            try:
                yield
            finally:
                counting.cancel()
                await _end(self._client)
        finally:
            await self._end_engine()
            await _end(recorder)

    async def begin(self, *, die: Sequence[str] = ()) -> None:
        """Start the engine and wait until it is ready, or has died on the way as it was told to."""
        session = f"life-{len(self.lives) + 1}"
        armed = [part for point in die for part in ("--die", point)]
        faulty = ["--hasty"] if self._faults.hasty else []
        arguments = ("data", "engine.sock", "recorder.sock", session, "--started", str(time.monotonic()))
        self._engine = await _start("engine_process", *arguments, *armed, *faulty, folder=self.folder)
        said = await _line(self._engine, READY_SECONDS_MAX)
        ready, opened = map(float, said.split()[1:3]) if said else (0.0, 0.0)
        self.lives.append(Killed(session=session, ready_s=ready, opened_s=opened))
        if not said and not armed:
            await self._died()

    async def kill(self) -> None:
        """SIGKILL, as it comes: nothing in the process is told."""
        assert self._engine is not None, "the engine has been started"
        if self._engine.returncode is not None:
            await self._died()
        self._engine.send_signal(signal.SIGKILL)
        await self._buried()

    async def died_by_itself(self, seconds: float) -> bool:
        """Wait for the point at which the engine was told to die; False where it was not reached in time."""
        assert self._engine is not None, "the engine has been started"
        try:
            await asyncio.wait_for(self._engine.wait(), seconds)
        except TimeoutError:
            return False
        if self._engine.returncode != -signal.SIGKILL:
            await self._died()
        await self._buried()
        return True

    async def finish(self) -> None:
        """Let the client see everything to its end, with the engine left alone."""
        assert self._client is not None, "the client has been started"
        assert self._client.stdin is not None, "the client listens to its input"
        self._client.stdin.close()
        try:
            status = await asyncio.wait_for(self._client.wait(), DRAIN_SECONDS_MAX)
        except TimeoutError:
            raise LaneFailed(
                f"L2 executions had not ended {DRAIN_SECONDS_MAX:.0f} s after the last kill"
            ) from None
        if status:
            raise LaneFailed(f"the client gave up: {self._errors('client_process')}")

    async def _buried(self) -> None:
        assert self._engine is not None, "the engine has been started"
        self.lives[-1] = Killed(
            session=self.lives[-1].session,
            ready_s=self.lives[-1].ready_s,
            opened_s=self.lives[-1].opened_s,
            at_ms=int(time.time() * 1000),
        )
        await self._engine.wait()
        self._engine = None
        if self._client is not None and self._client.returncode is not None:
            raise LaneFailed(f"the client gave up: {self._errors('client_process')}")

    async def _died(self) -> None:
        raise LaneFailed(f"the engine ended by itself: {self._errors('engine_process')}")

    async def _end_engine(self) -> None:
        if self._engine is not None:
            await _end(self._engine)

    async def _count(self, client: asyncio.subprocess.Process) -> None:
        assert client.stdout is not None, "the client tells how many have ended"
        async for line in client.stdout:
            self.ended = int(line)

    def _errors(self, module: str) -> str:
        return (self.folder / f"{module}.err").read_text(encoding="utf-8")[-2000:]


async def _start(module: str, *arguments: str, folder: Path) -> asyncio.subprocess.Process:
    with (folder / f"{module}.err").open("ab") as errors:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", f"campaigns.crash.{module}"),
            *arguments,
            cwd=folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
        )


async def _line(process: asyncio.subprocess.Process, seconds: float) -> str:
    assert process.stdout is not None, "its output is a pipe"
    try:
        return (await asyncio.wait_for(process.stdout.readline(), seconds)).decode()
    except TimeoutError:
        raise LaneFailed(f"a process was not ready after {seconds:.0f} s") from None


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
