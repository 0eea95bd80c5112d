"""The work on LangGraph: async nodes, `ainvoke` with `durability="sync"`, its async SQLite saver."""

from __future__ import annotations

import itertools
import operator
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypedDict

# These live in an environment of their own.
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver  # type: ignore[import-not-found]
from langgraph.graph import END, START, StateGraph  # type: ignore[import-not-found]
from langgraph.types import Send, interrupt  # type: ignore[import-not-found]

from benchmarks.lanes import keep_in_flight
from benchmarks.peers.protocol import STEPS, alone_ms, main, parked, resident_mb, steps_a_second

LANES = 100


class Count(TypedDict):
    """A number that goes from step to step."""

    n: int


class Fan(TypedDict):
    """What a fan goes over, and what came of it."""

    items: list[int]
    results: Annotated[list[int], operator.add]


async def _nothing(state: Count) -> Count:
    return {"n": state["n"] + 1}


async def _item(state: Count) -> dict[str, list[int]]:
    return {"results": [state["n"] + 1]}


async def _join(state: Fan) -> dict[str, list[int]]:
    return {"items": []}


async def _wait(state: Count) -> Count:
    interrupt("wait")
    return state


def _chain(steps: int) -> Any:
    graph = StateGraph(Count)
    graph.add_sequence([(f"s{number}", _nothing) for number in range(steps)])
    graph.add_edge(START, "s0")
    return graph


def _loop(steps: int) -> Any:
    graph = StateGraph(Count)
    graph.add_node("step", _nothing)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda state: "step" if state["n"] < steps else END, ["step", END])
    return graph


def _fan() -> Any:
    graph = StateGraph(Fan)
    graph.add_node("item", _item)
    graph.add_node("join", _join)
    graph.add_conditional_edges(
        START, lambda state: [Send("item", {"n": n}) for n in state["items"]], ["item"]
    )
    graph.add_edge("item", "join")
    return graph


def _parking() -> Any:
    graph = StateGraph(Count)
    graph.add_sequence([("wait", _wait), ("after", _nothing)])
    graph.add_edge(START, "wait")
    return graph


class Runs:
    """Runs of one graph over one file, each a thread of its own."""

    def __init__(self, graph: Any, saver: AsyncSqliteSaver) -> None:
        self._graph = graph.compile(checkpointer=saver)
        self._numbers = itertools.count()

    async def one(self, given: dict[str, Any], supersteps: int = 25) -> dict[str, Any]:
        """One run from its input to its state at the end."""
        configurable = {"thread_id": f"run-{next(self._numbers)}"}
        config = {"configurable": configurable, "recursion_limit": supersteps}
        state: dict[str, Any] = await self._graph.ainvoke(given, config, durability="sync")
        return state


@asynccontextmanager
async def _runs(folder: Path, graph: Any) -> AsyncIterator[Runs]:
    async with AsyncSqliteSaver.from_conn_string(str(folder / "langgraph.db")) as saver:
        yield Runs(graph, saver)


async def steps(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    async with _runs(folder, _chain(STEPS)) as runs:

        async def one() -> None:
            assert (await runs.one({"n": 0}))["n"] == STEPS

        return await steps_a_second(sizes["runs"], one)


async def alone(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    async with _runs(folder, _chain(sizes["steps"])) as runs:

        async def one() -> None:
            assert (await runs.one({"n": 0}))["n"] == sizes["steps"]

        return await alone_ms(sizes["runs"], one)


async def fan(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    items = list(range(sizes["steps"]))
    async with _runs(folder, _fan()) as runs:
        await runs.one({"items": items[:10], "results": []})
        began = time.perf_counter()
        state = await runs.one({"items": items, "results": []})
        seconds = time.perf_counter() - began
    assert len(state["results"]) == sizes["steps"]
    return {"s": seconds}


async def long(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    return await _sequence(folder, _chain(sizes["steps"]), sizes["steps"])


async def loop(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    return await _sequence(folder, _loop(sizes["steps"]), sizes["steps"])


async def _sequence(folder: Path, graph: Any, count: int) -> dict[str, Any]:
    async with _runs(folder, graph) as runs:
        began = time.perf_counter()
        state = await runs.one({"n": 0}, count + 10)
        seconds = time.perf_counter() - began
    assert state["n"] == count
    return {"s": seconds}


async def park(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    async with _runs(folder, _parking()) as runs:
        await runs.one({"n": 0})
        idle = resident_mb()
        seconds = await keep_in_flight(sizes["runs"], LANES, lambda: runs.one({"n": 0}))
        parked(seconds, idle)
    return {}


async def about(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    return {
        "versions": {
            name: version(name) for name in ("langgraph", "langgraph-checkpoint-sqlite", "aiosqlite")
        },
        "settings": 'ainvoke, durability="sync", AsyncSqliteSaver (WAL, synchronous=FULL: its defaults)',
    }


if __name__ == "__main__":
    main({work.__name__: work for work in (steps, alone, fan, long, loop, park, about)})
