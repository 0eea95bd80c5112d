"""Several processes over one data folder fire a time once."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

REPLICA = Path(__file__).parent / "replica.py"


async def replica(folder: Path) -> asyncio.subprocess.Process:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return await asyncio.create_subprocess_exec(
        sys.executable, str(REPLICA), str(folder),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip


async def said(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    lines = [(await process.stdout.readline()).decode().strip()]
    while lines[-1] and not lines[-1].startswith(("fired", "busy")):
        lines.append((await process.stdout.readline()).decode().strip())
    return lines[-1]


async def ended(process: asyncio.subprocess.Process) -> int | None:
    await process.communicate(b"")
    return process.returncode


async def test_three_processes_one_firing(tmp_path: Path) -> None:
    """At once, one works and the others are told so; one after the other, they fire nothing new."""
    tmp_path.joinpath("data").mkdir()
    replicas = [await replica(tmp_path) for _ in range(3)]
    answers = await asyncio.gather(*(said(one) for one in replicas))
    assert sorted(answers) == ["busy", "busy", "fired 2024-11-22T09:00:00Z"]
    assert [await ended(one) for one in replicas] == [0, 0, 0]
    for _ in range(2):
        one = await replica(tmp_path)
        assert await said(one) == "fired 2024-11-22T09:00:00Z"
        assert await ended(one) == 0
