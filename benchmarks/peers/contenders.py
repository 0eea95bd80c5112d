"""Who takes part, and how one of them is made to do one piece of work."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import apsw
import msgspec

ENVIRONMENTS = Path(".venv-peers")
LINE_BYTES_MAX = 1 << 20
STORED = "SELECT sum(payload) FROM dbstat"


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """An engine with its settings. `environment` is a folder of `.venv-peers`; empty stands for ours."""

    name: str
    module: str
    environment: str = ""
    settings: Mapping[str, int] = {}

    @property
    def python(self) -> str:
        """Its own interpreter."""
        return str(ENVIRONMENTS / self.environment / "bin/python") if self.environment else sys.executable

    @property
    def ready(self) -> bool:
        """Whether its environment has been made."""
        return Path(self.python).exists()


BARE = Contender(name="bare loop", module="bare_runs")
OURS = Contender(name="Dirigent", module="dirigent_runs")
LANGGRAPH = Contender(name="LangGraph", module="langgraph_runs", environment="langgraph")
DBOS = Contender(name="DBOS", module="dbos_runs", environment="dbos")
DBOS_WAL = Contender(name="DBOS, WAL by hand", module="dbos_runs", environment="dbos", settings={"wal": 1})
EVERYBODY = (BARE, OURS, LANGGRAPH, DBOS, DBOS_WAL)


async def perform(
    contender: Contender, workload: str, folder: Path, loop: str, sizes: Mapping[str, int]
) -> dict[str, Any]:
    """Do one piece of work in a fresh process; what it printed, and `up`: seconds from its start to that.

    A process that goes on by itself after it has answered is killed with -9: it has parked something.
    """
    given = json.dumps({**sizes, **contender.settings})
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        contender.python, "-m", f"benchmarks.peers.{contender.module}", str(folder), loop, workload, given,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE_BYTES_MAX,
    )  # fmt: skip
    assert process.stdout is not None, "the process was started with a pipe"
    answer = await _answer(process.stdout)
    up = time.monotonic() - began
    if answer is None or answer.pop("parked", False):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.wait()
    if answer is None:
        raise RuntimeError(f"{contender.name} failed at {workload!r}.")
    return {**answer, "up": up}


async def _answer(lines: asyncio.StreamReader) -> dict[str, Any] | None:
    """The first line that is JSON; what an engine prints beside it is left out."""
    while line := await lines.readline():
        if line.startswith(b"{"):
            answer: dict[str, Any] = json.loads(line)
            return answer
    return None


def stored_bytes(folder: Path) -> int:
    """Bytes in all rows and indexes of every database in a folder nobody works in."""
    total = 0
    for file in folder.glob("*.db"):
        connection = apsw.Connection(str(file))
        total += int(connection.execute(STORED).get or 0)
        connection.close()
    return total
