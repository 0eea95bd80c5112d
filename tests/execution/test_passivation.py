"""Executions that only wait leave memory and come back by their stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from dirigent import Context, Dirigent, Effect, Risk, action, agent
from dirigent.domain.event import ExecutionPassivated, SignalReceived, TimerFired
from dirigent.domain.workflow import Connection, Definition, Kind, Retry, Step
from dirigent.engine import Start
from dirigent.runtimes.idling import IDLE_MAX, IDLE_MS
from dirigent.testing.frozen_clock import FrozenClock

HOUR_MS = 3_600_000

WAITS = Definition(
    name="waits",
    steps=(
        Step(id="wait", kind=Kind.WAIT, wait_ms=HOUR_MS),
        Step(id="say", kind=Kind.TRANSFORM, parameters={"waited": "${steps.wait.waited}"}),
    ),
    connections=(Connection(source="wait", target="say"),),
)
ASKS = Definition(name="asks", steps=(Step(id="ask", kind=Kind.APPROVAL),))
LISTENS = Definition(name="listens", steps=(Step(id="hear", kind=Kind.WAIT_FOR_EVENT, event="paid"),))
PARENT = Definition(name="parent", steps=(Step(id="child", kind=Kind.SUBWORKFLOW, workflow="${input.plan}"),))


async def _until(holds: Callable[[], object]) -> None:
    while not holds():
        await asyncio.sleep(0)


async def _left(dirigent: Dirigent, clock: FrozenClock) -> None:
    """Let so much time pass that everything that only waits has left memory."""
    await _until(lambda: dirigent.journal.durable == dirigent.journal.position)
    for _ in range(10):
        await asyncio.sleep(0)
    clock.move_to(clock.now_ms() + IDLE_MS)
    await _until(lambda: not dirigent.runtime.running())


async def _start(dirigent: Dirigent, definition: Definition, name: str, **input: object) -> None:
    await dirigent.engine.start(
        Start(definition=definition, tenant="t", actor="a", execution_id=name, input=input, budget=5.0)
    )


@agent("shop", domain="test")
class Shop:
    """Orders something dear, the answer to which never comes."""

    @action(risk=Risk.R0, effect=Effect.READ)
    async def order(self, ctx: Context) -> None:
        """Have it bought."""
        await ctx.call("shop", "buy")

    @action(risk=Risk.R1, effect=Effect.KEYED, cost=3.0)
    async def buy(self) -> None:
        """Never come back."""
        await asyncio.Event().wait()


async def test_what_may_still_cost_stays(tmp_path: Path) -> None:
    """A run that waits to try again, a call of it being in doubt, keeps what it has set aside, also anew."""
    clock, hour = FrozenClock(), Retry(max_attempts=2, initial_ms=HOUR_MS, max_ms=HOUR_MS, jitter=0)
    order = Step(id="o", kind=Kind.AGENT, agent="shop", action="order", timeout_ms=20, retry=hour)
    orders = Definition(name="orders", steps=(order,))
    async with Dirigent(tmp_path, agents=[Shop()], clock=clock) as dirigent:
        await _start(dirigent, orders, "e")
        await _until(lambda: "StepFailed" in _kinds(dirigent, "e"))
        await _start(dirigent, WAITS, "other")
        await _until(lambda: dirigent.journal.durable == dirigent.journal.position)
        for _ in range(10):
            await asyncio.sleep(0)
        clock.move_to(clock.now_ms() + IDLE_MS)
        await _until(lambda: "other" not in dirigent.runtime.running())
        assert dirigent.runtime.running() == ["e"]
        assert dirigent.dispatcher.budgets.account("e").left == 2.0
    async with Dirigent(tmp_path, agents=[Shop()], clock=clock) as dirigent:
        assert dirigent.dispatcher.budgets.account("e").left == 2.0


def _kinds(dirigent: Dirigent, name: str) -> set[str]:
    return {type(event).__name__ for event in dirigent.engine.events(name)}


async def test_a_timer_brings_an_execution_back(tmp_path: Path) -> None:
    """What waits for a time leaves memory, is there again when it has come, and goes on."""
    clock = FrozenClock()
    async with Dirigent(tmp_path, clock=clock) as dirigent:
        await _start(dirigent, WAITS, "e")
        await _left(dirigent, clock)
        assert isinstance(dirigent.engine.events("e")[-1], ExecutionPassivated)
        clock.move_to(clock.now_ms() + HOUR_MS)
        reading = await dirigent.engine.rest("e")
        assert (reading.status, reading.output) == ("completed", {"waited": True})
        fired = [event for event in dirigent.engine.events("e") if isinstance(event, TimerFired)]
        assert len(fired) == 1


async def test_a_restart_leaves_it_out(tmp_path: Path) -> None:
    """After a restart nothing is read back before its time; then it goes on."""
    clock = FrozenClock()
    async with Dirigent(tmp_path, clock=clock) as dirigent:
        await _start(dirigent, WAITS, "e")
        await _left(dirigent, clock)
    async with Dirigent(tmp_path, clock=clock) as again:
        assert again.resumed == ["e"]
        assert again.runtime.running() == []
        resting = asyncio.ensure_future(again.engine.rest("e"))
        await asyncio.sleep(0)
        assert not resting.done()
        clock.move_to(clock.now_ms() + HOUR_MS)
        assert (await resting).status == "completed"
        assert again.projections.passive() == []


async def test_a_decision_brings_it_back(tmp_path: Path) -> None:
    """A person may take a day; the decision finds the execution, also after a restart."""
    clock = FrozenClock()
    async with Dirigent(tmp_path, clock=clock) as dirigent:
        await _start(dirigent, ASKS, "e")
        await _left(dirigent, clock)
        assert (await dirigent.engine.rest("e")).status == "awaiting_approval"
    async with Dirigent(tmp_path, clock=clock) as again:
        [waiting] = again.engine.approvals()
        await again.engine.approve(waiting.approval_id, "a boss")
        assert (await again.engine.rest("e")).status == "completed"


async def test_a_signal_and_a_cancel_bring_it_back(tmp_path: Path) -> None:
    """What comes from outside finds an execution that is not in memory."""
    clock = FrozenClock()
    async with Dirigent(tmp_path, clock=clock) as dirigent:
        await _start(dirigent, LISTENS, "told")
        await _start(dirigent, LISTENS, "stopped")
        await _left(dirigent, clock)
        await dirigent.engine.signal("told", "paid", {"amount": 3}, signal_id="s1")
        await dirigent.engine.cancel("stopped", "a boss")
        assert (await dirigent.engine.rest("told")).status == "completed"
        assert (await dirigent.engine.rest("stopped")).status == "cancelled"
        received = [event for event in dirigent.engine.events("told") if isinstance(event, SignalReceived)]
        assert len(received) == 1


async def test_a_child_brings_its_parent_back(tmp_path: Path) -> None:
    """An execution and the one that started it are out of memory; both end when the child's time has come."""
    clock = FrozenClock()
    child = {
        "name": "child",
        "steps": [{"id": "wait", "type": "wait", "duration": "1h"}],
    }
    async with Dirigent(tmp_path, clock=clock) as dirigent:
        await _start(dirigent, PARENT, "e", plan=child)
        await _until(lambda: len(dirigent.projections.unfinished()) == 2)
        await _left(dirigent, clock)
    async with Dirigent(tmp_path, clock=clock) as again:
        clock.move_to(clock.now_ms() + HOUR_MS)
        assert (await again.engine.rest("e")).status == "completed"
        assert again.projections.unfinished() == []


async def test_the_longest_idle_of_many_leave_at_once(tmp_path: Path) -> None:
    """Memory holds so many idle executions and no more, without any time passing."""
    async with Dirigent(tmp_path, clock=FrozenClock()) as dirigent:
        for number in range(IDLE_MAX + 20):
            await _start(dirigent, ASKS, f"e{number:05}")
        await _until(lambda: len(dirigent.runtime.running()) <= IDLE_MAX)
        assert "e00000" not in dirigent.runtime.running()
        assert len(dirigent.projections.passive()) == 20
