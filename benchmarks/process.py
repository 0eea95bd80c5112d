"""An engine in a process of its own, that is asked for work, looked at from outside, and killed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ANSWER_BYTES_MAX = 1 << 20


class EngineProcess:
    """Starts `benchmarks.worker` over a data folder; an async context manager that kills it on leaving.

    `began` is when the process was asked for, on the monotonic clock, which all processes of a machine share.
    `later_ms` sets its clock ahead; `at_once` is how many executions may be under way, where it is not the
    usual number.
    """

    def __init__(self, folder: Path, loop: str, *, later_ms: int = 0, at_once: int | None = None) -> None:
        self._arguments = [str(folder), loop, str(later_ms)]
        self._environment = dict(os.environ)
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or every start compiles all code anew
        if at_once is not None:
            self._environment["MAX_CONCURRENT_WORKFLOWS"] = str(at_once)
        self.opened: dict[str, Any] = {}
        self.began = 0.0

    async def __aenter__(self) -> Self:
        self.began = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.worker", *self._arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=ANSWER_BYTES_MAX,
            env=self._environment,
        )  # fmt: skip
        self.opened = await self._answer()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    async def ask(self, what: str, **given: Any) -> dict[str, Any]:
        """Have something done; the answer says `at`, when it was done, and `mb`, the memory then."""
        assert self._process.stdin is not None, "the process was started with a pipe"
        self._process.stdin.write(json.dumps({"what": what, **given}).encode() + b"\n")
        return await self._answer()

    async def kill(self) -> None:
        """End it as a power cut would: kill -9."""
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None, "the process was started with a pipe"
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("The engine's process ended before it answered.")
        answer: dict[str, Any] = json.loads(line)
        return answer
