"""Starting the processes of a lane: each from scratch, as a user would, or forked from one that is warm."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Protocol

import msgspec

from campaigns.crash.lines import read

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "campaigns.crash"


class Process(Protocol):
    """What a lane needs of a process: its output, its end, and how to bring it about."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    async def line(self) -> str:
        """The next line of its output; empty where it has ended."""
        ...

    async def wait(self) -> int:
        """Its exit status once it has ended, negative for a signal."""
        ...

    def let_go(self) -> None:
        """Close its standard input: it comes to its end in an orderly way."""
        ...

    def kill(self) -> None:
        """SIGKILL; harmless where it has ended."""
        ...


class Starter(Protocol):
    """Starts a process of the campaign in a folder; what it complains of goes to `<module>.err` there."""

    async def start(self, module: str, *arguments: str, folder: Path) -> Process: ...


def environment() -> dict[str, str]:
    """What processes of the campaign see."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}


class Cold:
    """Every process is started from scratch, with all its imports, as it would be after a crash."""

    async def start(self, module: str, *arguments: str, folder: Path) -> Process:
        """Start a module."""
        with (folder / f"{module}.err").open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"{PACKAGE}.{module}", *arguments),
                cwd=folder,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=environment(),
            )
        return _Cold(process)


class _Cold:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    async def line(self) -> str:
        assert self._process.stdout is not None, "its output is a pipe"
        return (await self._process.stdout.readline()).decode()

    async def wait(self) -> int:
        return await self._process.wait()

    def let_go(self) -> None:
        assert self._process.stdin is not None, "its input is a pipe"
        self._process.stdin.close()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)


@asynccontextmanager
async def starting(*, warm: bool) -> AsyncIterator[Starter]:
    """How processes are started for as long as the block lasts."""
    if not warm:
        yield Cold()
        return
    async with _nursery() as forks:
        yield forks


@asynccontextmanager
async def _nursery() -> AsyncIterator[Warm]:
    """A process that has everything imported and forks the others, for as long as the block lasts."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"{PACKAGE}.nursery_process"), stdin=theirs.fileno(), env=environment()
        )
        theirs.close()
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours)
        warm = Warm(ours, reader)
        try:
            yield warm
        finally:
            warm.close()
            writer.close()
            await process.wait()


class Warm:
    """Processes are forked from one that has everything imported: the same code, started in no time."""

    def __init__(self, asking: socket.socket, reader: asyncio.StreamReader) -> None:
        self._asking = asking.dup()
        self._numbers = count()
        self._born: dict[int, asyncio.Future[int]] = {}
        self._alive: dict[int, asyncio.Future[int]] = {}
        self._listening = asyncio.ensure_future(self._listen(reader))

    async def start(self, module: str, *arguments: str, folder: Path) -> Process:
        """Start a module."""
        (theirs_in, ours_in), (ours_out, theirs_out) = os.pipe(), os.pipe()
        errors = os.open(folder / f"{module}.err", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        number = next(self._numbers)
        born = self._born[number] = asyncio.get_running_loop().create_future()
        asked = {
            "n": number,
            "module": f"{PACKAGE}.{module}",
            "arguments": arguments,
            "folder": str(folder.resolve()),
        }
        descriptors = [theirs_in, theirs_out, errors]
        socket.send_fds(self._asking, [msgspec.json.encode(asked)], descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        pid = await born
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours_out, "rb", buffering=0)
        )
        return _Warm(pid, self._alive[pid], reader, ours_in)

    def close(self) -> None:
        """Let go of the nursery; whoever still waits for a process is not told."""
        self._listening.cancel()
        self._asking.close()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while (told := await read(reader)) is not None:
            if "status" in told:
                self._alive[told["pid"]].set_result(told["status"])
            else:
                self._alive[told["pid"]] = asyncio.get_running_loop().create_future()
                self._born.pop(told["n"]).set_result(told["pid"])


class _Warm:
    def __init__(
        self, pid: int, ended: asyncio.Future[int], reader: asyncio.StreamReader, writing: int
    ) -> None:
        self.pid = pid
        self._ended = ended
        self._reader = reader
        self._writing = writing

    @property
    def returncode(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    async def line(self) -> str:
        return (await self._reader.readline()).decode()

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def let_go(self) -> None:
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1

    def kill(self) -> None:
        if not self._ended.done():
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, signal.SIGKILL)
