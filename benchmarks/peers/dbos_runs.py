"""The work on DBOS: async workflows of async steps, started with `start_workflow_async`, on SQLite.

As it comes, DBOS leaves SQLite in its rollback journal; with `"wal": 1` the file is switched to WAL by hand.
"""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig  # type: ignore[import-not-found]  # in an environment of its own

from benchmarks.lanes import keep_in_flight
from benchmarks.peers.protocol import STEPS, alone_ms, main, parked, resident_mb, steps_a_second

LANES = 100
DAY_S = 24 * 3600
POLL_S = 0.02

begun = 0


@DBOS.step()
async def nothing(n: int) -> int:
    return n + 1


@DBOS.workflow()
async def in_turn(count: int) -> int:
    n = 0
    for _ in range(count):
        n = await nothing(n)
    return n


@DBOS.workflow()
async def at_once(count: int) -> int:
    results = await asyncio.gather(*(nothing(n) for n in range(count)))
    joined: int = await nothing(len(results))
    return joined


@DBOS.workflow()
async def waiting() -> int:
    global begun
    begun += 1
    await DBOS.sleep_async(DAY_S)
    n: int = await nothing(0)
    return n


@contextmanager
def _dbos(folder: Path, sizes: dict[str, int]) -> Iterator[None]:
    file = folder / "dbos.db"
    if sizes.get("wal"):
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
    DBOS(config=DBOSConfig(name="bench", system_database_url=f"sqlite:///{file}", log_level="ERROR"))
    DBOS.launch()
    yield
    DBOS.destroy()


async def _in_turn(count: int) -> None:
    handle = await DBOS.start_workflow_async(in_turn, count)
    assert await handle.get_result() == count


async def steps(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    with _dbos(folder, sizes):
        return await steps_a_second(sizes["runs"], lambda: _in_turn(STEPS))


async def alone(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    with _dbos(folder, sizes):
        return await alone_ms(sizes["runs"], lambda: _in_turn(sizes["steps"]))


async def fan(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    with _dbos(folder, sizes):
        await (await DBOS.start_workflow_async(at_once, 10)).get_result()
        began = time.perf_counter()
        handle = await DBOS.start_workflow_async(at_once, sizes["steps"])
        assert await handle.get_result() == sizes["steps"] + 1
        return {"s": time.perf_counter() - began}


async def long(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    with _dbos(folder, sizes):
        began = time.perf_counter()
        await _in_turn(sizes["steps"])
        return {"s": time.perf_counter() - began}


async def park(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    with _dbos(folder, sizes):
        await _in_turn(STEPS)
        idle = resident_mb()
        seconds = await keep_in_flight(sizes["runs"], LANES, lambda: DBOS.start_workflow_async(waiting))
        await _all_begun(sizes["runs"])
        parked(seconds, idle)
    return {}


async def recover(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """`DBOS.launch` takes up what had not ended; it is there when every workflow has begun again."""
    with _dbos(folder, sizes):
        await _all_begun(sizes["runs"])
        parked(0.0, 0.0)
    return {}


async def _all_begun(runs: int) -> None:
    while begun < runs:
        await asyncio.sleep(POLL_S)


async def about(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    mode = "WAL by hand" if sizes.get("wal") else "rollback journal, as it comes"
    return {
        "versions": {name: version(name) for name in ("dbos", "SQLAlchemy")},
        "settings": f"start_workflow_async and get_result, SQLite system database ({mode}, synchronous=FULL)",
    }


if __name__ == "__main__":
    main({work.__name__: work for work in (steps, alone, fan, long, park, recover, about)})
