"""The simulated event loop: asyncio's promises are kept, time jumps, and nothing hangs on luck."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Any

import pytest

from dirigent.execution.blocking import BlockingCalls
from dirigent.testing.simulation.loop import SimulatedLoop, simulated_loop
from dirigent.testing.simulation.scheduler import TURN_S, Scheduler


def made(seed: int = 1) -> SimulatedLoop:
    """A loop of its own."""
    return simulated_loop(Scheduler(random.Random(seed)))


def test_time_jumps_to_what_is_due() -> None:
    """A year of sleep is over at once, and the loop's clock has moved by a year."""
    loop = made()
    loop.run_until_complete(asyncio.sleep(365 * 86_400))
    assert loop.time() == pytest.approx(365 * 86_400, abs=1)


def test_what_is_handed_in_runs_in_its_order() -> None:
    """`call_soon` is a queue, whatever the seed."""
    for seed in range(20):
        loop, seen = made(seed), list[int]()

        async def work(seen: list[int] = seen) -> None:
            for number in range(50):
                asyncio.get_running_loop().call_soon(seen.append, number)
            await asyncio.sleep(1)

        loop.run_until_complete(work())
        assert seen == list(range(50))


def test_what_is_due_together_comes_in_an_order_drawn_by_chance() -> None:
    """The same for the same seed, another for another, never before its time."""

    def order(seed: int) -> list[int]:
        loop, seen = made(seed), list[int]()

        async def work() -> None:
            start = asyncio.get_running_loop().time()
            for number in range(20):
                asyncio.get_running_loop().call_at(start + number // 10, seen.append, number)
            await asyncio.sleep(5)

        loop.run_until_complete(work())
        return seen

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(10)}) > 5
    assert all(sorted(order(seed)[:10]) == list(range(10)) for seed in range(10))


def test_the_usual_tools_work() -> None:
    """Time limits, gathering, locks, semaphores, queues, threads that are none, and cancelling."""
    loop = made()

    async def work() -> list[Any]:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
        places = asyncio.Semaphore(2)

        async def feed() -> None:
            for number in range(5):
                async with places:
                    await queue.put(number)

        async def drain() -> list[int]:
            return [await queue.get() for _ in range(5)]

        async def too_long() -> str:
            try:
                async with asyncio.timeout(3):
                    await asyncio.sleep(10)
            except TimeoutError:
                return "too long"
            return "in time"

        found = await asyncio.gather(drain(), feed(), too_long(), asyncio.to_thread(sum, [1, 2]))
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divmod, 1, 0)
        task = asyncio.ensure_future(asyncio.sleep(100))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return list(found)

    assert loop.run_until_complete(work()) == [[0, 1, 2, 3, 4], None, "too long", 3]
    assert loop.time() < 5
    assert loop.raised == []


def test_what_is_raised_unheard_is_kept() -> None:
    """A callback that raises, and a task that fails and that nobody awaits."""
    loop = made()

    async def fails() -> None:
        raise ValueError("alone")

    async def work() -> None:
        asyncio.get_running_loop().call_soon(divmod, 1, 0)
        kept.append(asyncio.ensure_future(fails()))
        await asyncio.sleep(1)

    kept: list[asyncio.Task[None]] = []
    loop.run_until_complete(work())
    loop.hear()
    assert len(loop.raised) == 1
    loop.hear()
    assert [told.partition(":")[0] for told in loop.raised] == [
        "ZeroDivisionError",
        "a task failed unheard",
    ]


def test_who_is_killed_does_nothing_more() -> None:
    """Not after the callback at which it was killed, not when time goes on, not on the way out."""
    loop, seen = made(), list[str]()

    async def work() -> None:
        try:
            seen.append("begun")
            await asyncio.sleep(1)
            seen.append("gone on")
        finally:
            asyncio.get_running_loop().call_soon(seen.append, "said good-bye")

    task = loop.create_task(work())
    loop.call_soon(seen.append, "never")
    loop.kill_at = 1
    loop.turn()
    assert loop.killed
    with pytest.raises(RuntimeError):
        loop.run_until_complete(task)
    assert seen == ["begun"]


def test_a_set_of_tasks_has_an_order() -> None:
    """Walking over a set of tasks gives the order in which they were made, in every process."""
    loop = made()

    async def work() -> list[str]:
        tasks = {asyncio.ensure_future(asyncio.sleep(1)) for _ in range(20)}
        names = [task.get_name() for task in tasks]
        await asyncio.gather(*tasks)
        return names

    names = loop.run_until_complete(work())
    assert names == sorted(names, key=lambda name: int(name.partition("-")[2]))


def test_a_timer_can_be_cancelled_until_it_runs() -> None:
    """Of two that are due together and each cancel the other one runs, as on every event loop."""
    for seed in range(10):
        loop, seen = made(seed), list[int]()

        async def work(seen: list[int] = seen) -> None:
            loop, timers = asyncio.get_running_loop(), list[asyncio.TimerHandle]()

            def fire(number: int) -> None:
                seen.append(number)
                timers[1 - number].cancel()

            soon = loop.time() + TURN_S / 2  # both have come before the next turn
            timers += [loop.call_at(soon, fire, number) for number in range(2)]
            for _ in range(5):
                await asyncio.sleep(0)

        loop.run_until_complete(work())
        assert len(seen) == 1


def test_blocking_actions_run_without_threads() -> None:
    """What runs in a thread or a process elsewhere runs here on the loop's own, and still takes its time."""
    loop, calls = made(), BlockingCalls()

    async def work() -> tuple[str, float]:
        began = asyncio.get_running_loop().time()
        name = await calls.in_thread("mill", lambda: threading.current_thread().name)
        return name, asyncio.get_running_loop().time() - began

    name, took = loop.run_until_complete(work())
    assert name == threading.current_thread().name
    assert took > 0
    calls.close()
