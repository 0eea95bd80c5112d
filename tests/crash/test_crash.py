"""kill -9 at random moments: nothing lost, nothing done twice. The recorder lives in this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from dirigent import Dirigent
from dirigent.domain.event import StepStarted
from tests.crash.worker import ITEMS

KILLS = 30
RUNS_AT_ONCE = 40
REPEATS_MIN = KILLS // 10
WORKER = Path(__file__).parent / "worker.py"


class Recorder:
    """What really happened outside: every call, and every effect after the receiver's dedupe by key."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.kinds: dict[str, str] = {}
        self.lines: list[tuple[str, str]] = []

    @contextlib.asynccontextmanager
    async def serving(self, path: Path) -> AsyncIterator[None]:
        """Listen until left."""
        server = await asyncio.start_unix_server(self._take, path)
        async with server:
            yield

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode().strip()
        if line:
            kind, key, where, _ = line.split(" ", 3)
            self.calls[key] += 1
            self.kinds[key] = kind
            self.lines.append((key, where))
        with contextlib.suppress(ConnectionError):
            writer.write(b"done\n")
            await writer.drain()
            writer.close()


async def _work(folder: Path, socket: Path, runs: int, wait_s: float | None) -> bool:
    """Run the worker, kill it after a while; True when it came to its end by itself."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(WORKER), str(folder), str(socket), str(runs),
        stdout=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    await process.stdout.readline()
    try:
        await asyncio.wait_for(process.wait(), wait_s)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()
        return False
    assert process.returncode == 0
    return True


async def test_thirty_kills_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    """Every run ends once; keyed effects happen once per key, at-most-once actions are called once."""
    chance = random.Random(20111209)
    folder, recorder = tmp_path / "data", Recorder()
    async with recorder.serving(tmp_path / "recorder.sock"):
        kills, runs = 0, RUNS_AT_ONCE
        while kills < KILLS:
            ended = await _work(folder, tmp_path / "recorder.sock", runs, chance.uniform(0.0, 0.25))
            runs += RUNS_AT_ONCE * ended
            kills += not ended
        assert await _work(folder, tmp_path / "recorder.sock", runs, None)
    repeated = sum(recorder.calls.values()) - len(recorder.calls)
    assert repeated >= REPEATS_MIN, (
        "no kill hit an effect between its act and its record: the test says nothing"
    )
    once = [key for key, kind in recorder.kinds.items() if kind == "once"]
    assert all(recorder.calls[key] == 1 for key in once), "an at-most-once action was called again"
    async with Dirigent(folder) as dirigent:
        assert not dirigent.engine.verify().damages
        readings = [dirigent.engine.read(f"run-{number:03}") for number in range(runs)]
        intents = {
            event.key
            for reading in readings
            for event in dirigent.engine.events(reading.execution_id)
            if isinstance(event, StepStarted) and event.key
        }
    assert {reading.status for reading in readings} == {"completed"}
    assert recorder.calls.keys() <= intents, "an effect without a durable intent"
    places = Counter(where for key, where in set(recorder.lines))
    assert max(places.values()) == 1, "one step acted under two keys"
    keyed = Counter(
        where.split("/")[0] for key, where in set(recorder.lines) if recorder.kinds[key] == "keyed"
    )
    assert all(keyed[reading.execution_id] == ITEMS + 1 for reading in readings)
