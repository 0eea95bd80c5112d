"""What a follower over a WebSocket waits for: from an event on stable storage to its message."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.figures import Figure, median, percentile
from benchmarks.setting import Setting
from benchmarks.targets import RUNS_A_MINUTE, SEEN_MS
from benchmarks.work import Bench, chain, completed
from dirigent import Dirigent
from dirigent.api.app import create_app
from dirigent.cli.server import hearing_signals, listening, url_of

RUNS = 300
STEPS = 10
HOST = "127.0.0.1"


class _Said(msgspec.Struct):
    """What is read of a message."""

    type: str
    id: str = "0"
    execution_id: str | None = None


async def measure(setting: Setting) -> list[Figure]:
    """One run after another, and as many a minute as are aimed at; the median of the 95th percentiles."""
    paces = {"one run at a time": 0.0, f"{RUNS_A_MINUTE:,.0f} runs a minute": 60 / RUNS_A_MINUTE}
    found: dict[str, list[float]] = {name: [] for name in paces}
    for number in range(setting.rounds):
        for name, pause_s in paces.items():
            times = await seen(setting.place(f"telling-{pause_s}-{number}"), pause_s)
            found[name].append(percentile(times, 95))
    return [
        Figure(
            name=f"durable to seen, p95, {name}",
            value=median(times),
            unit="ms",
            target=SEEN_MS,
            at_most=True,
            note=f"a WebSocket client in the server's process follows {RUNS} runs of {STEPS} steps",
        )
        for name, times in found.items()
    ]


async def seen(folder: Path, pause_s: float, count: int = RUNS) -> list[float]:
    """How long every message took, in milliseconds. A run begins every so often, or when one has ended."""
    commits: list[tuple[int, float]] = []
    definition = chain(STEPS)
    async with Dirigent(folder, agents=[Bench()]) as dirigent, _served(dirigent) as address:
        dirigent.journal.follow(lambda: commits.append((dirigent.journal.durable, time.perf_counter())))
        following = asyncio.create_task(_follow(address, count))
        while not dirigent.reactions.live.followers:
            await asyncio.sleep(0.01)
        runs = []
        for number in range(count):
            runs.append(asyncio.create_task(dirigent.run(definition)))
            await asyncio.sleep(pause_s)
            if not pause_s:
                completed(await runs[number])
        for run in runs:
            completed(await run)
        heard = await following
    positions = [position for position, _ in commits]
    return [(at - commits[bisect_left(positions, position)][1]) * 1000 for position, at in heard]


async def _follow(address: str, count: int) -> list[tuple[int, float]]:
    """Position and time of every message until so many runs have ended."""
    told: list[tuple[int, float]] = []
    decoder = msgspec.json.Decoder(_Said)
    ended = 0
    socket: ClientConnection
    async with connect(f"{address}/ws?channels=executions", proxy=None, max_queue=None) as socket:
        while ended < count:
            message = decoder.decode(await socket.recv())
            if message.execution_id is not None:
                told.append((int(message.id), time.perf_counter()))
                ended += message.type == "execution.completed"
    return told


@asynccontextmanager
async def _served(dirigent: Dirigent) -> AsyncIterator[str]:
    server: uvicorn.Server
    with listening(HOST, 0) as listener, hearing_signals(create_app(dirigent.services())) as server:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield url_of(HOST, listener).replace("http", "ws")
        server.should_exit = True
        await serving
