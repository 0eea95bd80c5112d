"""Capacity and circuits: how many calls of an agent run at once, and when it is left alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

import pytest

from dirigent import Context, Dirigent, Effect, Risk, action, agent
from dirigent.domain.circuit_event import CIRCUITS
from dirigent.domain.errors import ActionFailed, NotFound, TransientError
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.execution.breaker import COOL_DOWN_MS
from dirigent.testing.frozen_clock import FrozenClock


@agent("narrow", domain="test", max_concurrency=2)
class Narrow:
    """Two calls at once."""

    running: ClassVar[int] = 0
    most: ClassVar[int] = 0

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def work(self, number: int, ctx: Context) -> int:
        """Count who is there at the same time."""
        return await crowd(number)

    @action(risk=Risk.R0, effect=Effect.READ)
    async def broken(self, ctx: Context) -> None:
        """Never reach the other side."""
        raise TransientError("no connection")

    @action(risk=Risk.R0, effect=Effect.READ)
    async def wrong(self, ctx: Context) -> None:
        """Reach it, and be told no."""
        raise ActionFailed("no such thing")


async def crowd(number: int) -> int:
    """Be there for a few turns of the loop."""
    Narrow.running += 1
    Narrow.most = max(Narrow.most, Narrow.running)
    for _ in range(5):
        await asyncio.sleep(0)
    Narrow.running -= 1
    return number


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Narrow.running = Narrow.most = 0


def _one(name: str, **more: object) -> Definition:
    step = Step(id="s", kind=Kind.AGENT, agent="narrow", action=name, **more)  # type: ignore[arg-type]
    return Definition(name=name, steps=(step,))


async def test_never_more_than_the_bound_at_once(tmp_path: Path) -> None:
    """Limit two, ten items allowed at once by the workflow: never three together."""
    flow = _one("work", foreach="${input.numbers}", max_parallel=10, parameters={"number": "${item}"})
    async with Dirigent(tmp_path, agents=[Narrow]) as dirigent:
        reading = await dirigent.run(flow, {"numbers": list(range(10))})
    assert reading.output["results"] == list(range(10))
    assert Narrow.most == 2


async def test_submitted_functions_share_the_bound(tmp_path: Path) -> None:
    """Sync and async functions run in the agent's places, with result or exception passed on."""
    async with Dirigent(tmp_path, agents=[Narrow]) as dirigent:
        submit = dirigent.dispatcher.submit
        found = await asyncio.gather(*(submit("narrow", crowd, number) for number in range(10)))
        assert await submit("narrow", max, 3, 7) == 7
        with pytest.raises(ZeroDivisionError):
            await submit("narrow", divmod, 1, 0)
        with pytest.raises(NotFound):
            await submit("nobody", max, 1, 2)
    assert found == list(range(10))
    assert Narrow.most == 2


async def test_a_cancelled_call_frees_its_place(tmp_path: Path) -> None:
    """Two calls that hang are cancelled; the next one finds a place."""
    async with Dirigent(tmp_path, agents=[Narrow]) as dirigent:
        hanging = [
            asyncio.ensure_future(dirigent.dispatcher.submit("narrow", asyncio.Event().wait))
            for _ in range(2)
        ]
        await asyncio.sleep(0)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        assert await dirigent.dispatcher.submit("narrow", crowd, 1) == 1


async def _codes(dirigent: Dirigent, *actions: str, tenant: str | None = None) -> list[str]:
    """The error of each call, one after the other; empty where it went well."""
    errors = [(await dirigent.run(_one(name), tenant=tenant)).steps["s"].error for name in actions]
    return [error.code if error else "" for error in errors]


async def test_an_agent_that_keeps_failing_is_left_alone(tmp_path: Path) -> None:
    """After five failures in a row the next call does not reach the agent; health says so; others go on."""
    async with Dirigent(tmp_path, agents=[Narrow]) as dirigent:
        codes = await _codes(dirigent, *["broken"] * 6)
        assert codes == ["transient"] * 5 + ["circuit_open"]
        executor = dirigent.health()["components"]["executor"]
        assert (executor["status"], "narrow is left alone for default" in executor["detail"]) == (
            "degraded",
            True,
        )
        assert await _codes(dirigent, "broken", tenant="other") == ["transient"]


async def test_an_answer_that_is_an_error_closes_the_circuit(tmp_path: Path) -> None:
    """Only failures in a row count: four, an answer, four more, and the circuit is still closed."""
    async with Dirigent(tmp_path, agents=[Narrow]) as dirigent:
        await _codes(dirigent, *["broken"] * 4, "wrong", *["broken"] * 4)
        assert await _codes(dirigent, "broken") == ["transient"]


async def test_half_of_the_last_twenty_open_it_too(tmp_path: Path) -> None:
    """An agent that fails every other time never fails five times in a row; it is left alone all the same."""
    async with Dirigent(tmp_path, agents=[Narrow]) as dirigent:
        assert "circuit_open" not in await _codes(dirigent, *["broken", "wrong"] * 9)
        assert await _codes(dirigent, "broken", "broken") == ["transient", "circuit_open"]


async def test_one_call_sees_whether_the_agent_answers_again(tmp_path: Path) -> None:
    """After half a minute one is let through: failed it opens again at once, answered it closes."""
    clock = FrozenClock()
    async with Dirigent(tmp_path, agents=[Narrow], clock=clock) as dirigent:
        await _codes(dirigent, *["broken"] * 5)
        clock.move_to(clock.now_ms() + COOL_DOWN_MS)
        assert await _codes(dirigent, "broken", "wrong") == ["transient", "circuit_open"]
        clock.move_to(clock.now_ms() + COOL_DOWN_MS)
        assert await _codes(dirigent, "wrong", "broken") == ["action_failed", "transient"]
        changes = [type(event).__name__ for event in dirigent.journal.read(CIRCUITS)]
    assert changes == [
        "CircuitOpened",
        "CircuitHalfOpened",
        "CircuitOpened",
        "CircuitHalfOpened",
        "CircuitClosed",
    ]


async def test_the_next_process_leaves_it_alone_as_well(tmp_path: Path) -> None:
    """An open circuit is open after a restart, until its time is over."""
    clock = FrozenClock()
    async with Dirigent(tmp_path, agents=[Narrow], clock=clock) as dirigent:
        await _codes(dirigent, *["broken"] * 5)
    async with Dirigent(tmp_path, agents=[Narrow], clock=clock) as again:
        assert await _codes(again, "broken") == ["circuit_open"]
        clock.move_to(clock.now_ms() + COOL_DOWN_MS)
        assert await _codes(again, "broken") == ["transient"]


async def test_an_observer_that_fails_stops_nobody(tmp_path: Path) -> None:
    """The run ends, and the other observers are told."""
    told: list[str] = []

    def broken(execution_id: str, event: object) -> None:
        raise ValueError("no")

    async with Dirigent(tmp_path, agents=[Narrow]) as dirigent:
        dirigent.observe(broken)
        dirigent.observe(lambda execution_id, event: told.append(type(event).__name__))
        reading = await dirigent.run(_one("work", parameters={"number": 1}))
    assert reading.status == "completed"
    assert told[-1] == "ExecutionCompleted"
