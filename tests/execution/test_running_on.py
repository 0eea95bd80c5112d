"""Blocking actions whose time is over: a thread keeps its place until it ends, a process is ended."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dirigent import Dirigent, Effect, Risk, action, agent
from dirigent.api.app import create_app
from dirigent.domain.workflow import Definition, FlowType, Kind, Retry, Step
from dirigent.execution.threads import Threads
from dirigent.interpreter.reading import StepReading
from tests.acceptance.wire import client_of
from tests.execution.office import until

TIMEOUT_S = 0.05


@agent("mill", domain="test", max_concurrency=2)
class Mill:
    """Has two places, and hangs until it is let go."""

    let_go: ClassVar[threading.Event] = threading.Event()
    hanging: ClassVar[list[str]] = []

    @action(risk=Risk.R0, effect=Effect.PURE, timeout_s=TIMEOUT_S)
    def hang(self) -> None:
        """Run on beyond its time."""
        self.hanging.append(threading.current_thread().name)
        self.let_go.wait(30)
        self.hanging.remove(threading.current_thread().name)

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def grind(self) -> str:
        """Need a place, and no thread."""
        return "ground"

    @action(risk=Risk.R0, effect=Effect.PURE)
    def stop(self) -> None:
        """Raise what no future takes."""
        raise StopIteration

    @action(risk=Risk.R0, effect=Effect.PURE)
    def leave(self) -> None:
        """End what it runs in."""
        sys.exit(3)


@agent("press", domain="test")
class Press:
    """Works in processes."""

    @action(risk=Risk.R0, effect=Effect.PURE, runs_in="process", timeout_s=TIMEOUT_S)
    def hang(self) -> None:
        """Never end."""
        threading.Event().wait()

    @action(risk=Risk.R0, effect=Effect.PURE, runs_in="process")
    def work(self) -> int:
        """Say who it is."""
        return os.getpid()

    @action(risk=Risk.R0, effect=Effect.PURE, runs_in="process")
    def give(self, what: str) -> Any:
        """Give or raise what cannot be handed over."""
        if what == "raise":
            raise Untold("one", "two")
        return threading.Lock()


class Untold(Exception):
    """Can be written and not read again."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


@pytest.fixture(autouse=True)
def nobody_hangs() -> Iterator[None]:
    """Let go whoever still hangs."""
    Mill.let_go.clear()
    yield
    Mill.let_go.set()


def _step(name: str, act: str, of: str = "mill", attempts: int = 1, **parameters: object) -> Step:
    retry = Retry(max_attempts=attempts, initial_ms=1)
    return Step(id=name, kind=Kind.AGENT, agent=of, action=act, parameters=dict(parameters), retry=retry)


async def _done(dirigent: Dirigent, *steps: Step) -> dict[str, StepReading]:
    flow = Definition(name="mill", type=FlowType.PARALLEL, steps=steps)
    return (await dirigent.run(flow)).steps


def _code(step: StepReading) -> str:
    return step.error.code if step.error is not None else ""


def _executor(dirigent: Dirigent) -> dict[str, str]:
    found: dict[str, str] = dirigent.health()["components"]["executor"]
    return found


async def test_a_place_stays_taken_until_the_thread_ends(tmp_path: Path) -> None:
    """However often it is tried, no more threads run on than the agent has places; health tells of them."""
    async with Dirigent(tmp_path, agents=[Mill]) as dirigent:
        assert _executor(dirigent)["status"] == "online"
        steps = await _done(dirigent, _step("a", "hang"))
        assert _code(steps["a"]) == "agent_timeout"
        assert "1 of 2 places of mill are taken" in _executor(dirigent)["detail"]
        assert (await _done(dirigent, _step("b", "grind")))["b"].output == "ground"
        steps = await _done(dirigent, _step("c", "hang", attempts=4))
        assert (_code(steps["c"]), len(Mill.hanging)) == ("no_place_left", 2)
        steps = await _done(dirigent, _step("d", "grind"))
        assert steps["d"].error is not None
        assert (steps["d"].error.code, steps["d"].error.retryable) == ("no_place_left", True)
        assert "All 2 places of mill" in steps["d"].error.message
        executor = _executor(dirigent)
        assert executor["status"] == "degraded"
        assert "2 of 2 places of mill are taken by calls whose time is over" in executor["detail"]
        Mill.let_go.set()
        await until(lambda: _executor(dirigent)["status"] == "online")
        assert (await _done(dirigent, _step("e", "grind")))["e"].output == "ground"


async def test_over_http_it_is_a_503_and_health_says_why(tmp_path: Path) -> None:
    """Whoever calls the action directly is asked to come again; whoever watches sees what is taken."""
    address = "/api/are/agents/mill/execute"
    async with (
        Dirigent(tmp_path, agents=[Mill]) as dirigent,
        client_of(create_app(dirigent.services())) as http,
    ):
        for _ in range(2):
            assert (await http.post(address, json={"action": "hang", "inputs": {}})).status_code == 504
        refused = await http.post(address, json={"action": "grind", "inputs": {}})
        assert (refused.status_code, refused.json()["code"]) == (503, "no_place_left")
        components = (await http.get("/health?verbose=1")).json()["components"]
        assert components["executor"].startswith("degraded: ")
        assert "2 of 2 places of mill" in components["executor"]


async def test_who_waits_for_a_place_is_told_that_none_comes_free(tmp_path: Path) -> None:
    """Two hang at once and a third waits; it does not wait for ever, and nothing of it had begun."""
    async with Dirigent(tmp_path, agents=[Mill]) as dirigent:
        steps = await _done(dirigent, *(_step(name, "hang") for name in "abc"))
        assert sorted(map(_code, steps.values())) == ["agent_timeout", "agent_timeout", "no_place_left"]
        assert len(Mill.hanging) == 2
        [third] = [step for step in steps.values() if _code(step) == "no_place_left"]
        assert third.agent == ""


async def test_a_place_that_comes_free_goes_to_who_tries_again(tmp_path: Path) -> None:
    """A refusal for want of a place may be tried again, and then succeeds."""
    async with Dirigent(tmp_path, agents=[Mill]) as dirigent:
        await _done(dirigent, _step("a", "hang"), _step("b", "hang"))
        patient = Retry(max_attempts=50, initial_ms=20, max_ms=20)
        later = Step(id="c", kind=Kind.AGENT, agent="mill", action="grind", retry=patient)
        waiting = asyncio.ensure_future(_done(dirigent, later))
        await asyncio.sleep(0)
        Mill.let_go.set()
        assert (await waiting)["c"].output == "ground"


async def test_what_no_event_loop_can_take_is_a_failure_of_the_step(tmp_path: Path) -> None:
    """`StopIteration` would leave the step waiting for ever, `SystemExit` would end the loop."""
    async with Dirigent(tmp_path, agents=[Mill]) as dirigent:
        steps = await _done(dirigent, _step("a", "stop"), _step("b", "leave"))
        assert [_code(step) for step in steps.values()] == ["agent_error", "agent_error"]
        told = [step.error.message for step in steps.values() if step.error is not None]
        assert ["StopIteration" in told[0], "SystemExit" in told[1]] == [True, True]


async def test_a_process_is_ended_with_its_time(tmp_path: Path) -> None:
    """It is gone, so it holds no place; the next call has another process."""
    async with Dirigent(tmp_path, agents=[Press]) as dirigent:
        first = (await _done(dirigent, _step("a", "work", "press")))["a"].output
        assert _runs(first)
        steps = await _done(dirigent, _step("b", "hang", "press"))
        assert _code(steps["b"]) == "agent_timeout"
        await until(lambda: not _runs(first))
        assert _executor(dirigent)["status"] == "online"
        second = (await _done(dirigent, _step("c", "work", "press")))["c"].output
        assert second not in (first, os.getpid())
        assert (await _done(dirigent, _step("d", "work", "press")))["d"].output == second
    await until(lambda: not _runs(second))


async def test_what_cannot_leave_a_process_fails_its_step_alone(tmp_path: Path) -> None:
    """A result or an exception that cannot be handed over; the process serves the next call all the same."""
    async with Dirigent(tmp_path, agents=[Press]) as dirigent:
        before = (await _done(dirigent, _step("a", "work", "press")))["a"].output
        for what in ("return", "raise"):
            steps = await _done(dirigent, _step("b", "give", "press", what=what))
            assert _code(steps["b"]) == "agent_error", steps["b"]
        assert (await _done(dirigent, _step("c", "work", "press")))["c"].output == before


HANGING_FLOW = """
import asyncio, threading
from dirigent.execution.limits import Capacity

async def main():
    call = asyncio.ensure_future(Capacity().submit("mill", threading.Event().wait))
    await asyncio.wait([call], timeout=0.05)
    call.cancel()
    await asyncio.wait([call])
    print(call.cancelled())

asyncio.run(main())
"""

HANGING = """
import asyncio, sys, threading
from dirigent import Dirigent, Effect, action, agent

@agent("mill", domain="test")
class Mill:
    @action(effect=Effect.PURE, timeout_s=0.05)
    def hang(self) -> None:
        '''Hang.'''
        threading.Event().wait()

async def main():
    async with Dirigent(sys.argv[1], agents=[Mill]) as dirigent:
        reading = await dirigent.intake.execute_action("mill", "hang", {})
        print(reading.status)

asyncio.run(main())
"""


@pytest.mark.parametrize(("program", "told"), [(HANGING, "failed\n"), (HANGING_FLOW, "True\n")])
def test_a_thread_that_runs_on_does_not_keep_the_process_from_ending(
    tmp_path: Path, program: str, told: str
) -> None:
    """The command comes to its end although a thread of it does not: an action's, a queued function's."""
    command = [sys.executable, "-c", program, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (said.stdout, said.returncode) == (told, 0), said.stderr


def test_threads_are_bounded_used_again_and_not_held_up_by_those_left() -> None:
    """So many at once; what is left counts no more, and what never began is taken back."""
    threads = Threads(2, "test")
    go, begun = threading.Event(), threading.Barrier(3)

    def hold() -> str:
        begun.wait(30)
        go.wait(30)
        return threading.current_thread().name

    held = [threads.submit(hold) for _ in range(2)]
    begun.wait(30)
    waiting = threads.submit(lambda: "ran")
    never = threads.submit(lambda: "never")
    assert not waiting.running()
    assert not threads.leave(never)
    assert threads.leave(held[0])
    assert waiting.result(30) == "ran"
    go.set()
    left, kept = (future.result(30) for future in held)
    assert {left, kept} == {"test_0", "test_1"}
    assert not threads.leave(held[1])
    again = {threads.submit(lambda: threading.current_thread().name).result(30) for _ in range(10)}
    assert again <= {kept, "test_2"}
    threads.close()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{process}/stat").read_text().split(")")[-1].split()[0]
