"""Actions that block, run in processes of their own, or must show that they are alive."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import ClassVar

import pytest

from dirigent import Context, Dirigent, Effect, Risk, action, agent
from dirigent.domain.errors import InvalidInput, Refused
from dirigent.domain.event import StepStarted
from dirigent.domain.workflow import Definition, FlowType, Kind, Retry, Step
from dirigent.interpreter.reading import Reading


@agent("mill", domain="test")
class Mill:
    """Blocks where it runs, until somebody on the event loop lets it go on."""

    go_on: ClassVar[threading.Event] = threading.Event()

    @action(risk=Risk.R0, effect=Effect.PURE)
    def grind(self, ctx: Context) -> str:
        """Block a thread, and say where it is."""
        ctx.progress(1, 2, "half")
        assert self.go_on.wait(30)
        return threading.current_thread().name

    @action(risk=Risk.R0, effect=Effect.PURE)
    def let_go(self) -> None:
        """Let the other go on."""
        self.go_on.set()

    @action(risk=Risk.R0, effect=Effect.PURE, runs_in="process")
    def weigh(self, grams: int) -> dict[str, int]:
        """Work in a process of its own."""
        return {"grams": grams + 1, "process": os.getpid()}

    @action(risk=Risk.R0, effect=Effect.PURE, runs_in="process")
    def collapse(self) -> None:
        """End the process it runs in."""
        os._exit(3)

    @action(risk=Risk.R0, effect=Effect.PURE, runs_in="process")
    def share(self, number: int, meeting: str) -> int:
        """Work in a process of its own; the first two are done only when both are at work."""
        if number < 2:
            with open(meeting, "wb" if number else "rb", buffering=0):
                pass
        return os.getpid()

    @action(risk=Risk.R0, effect=Effect.PURE)
    def break_in(self) -> None:
        """Try another action around the dispatcher."""
        Mill().let_go()


@agent("patient", domain="test")
class Patient:
    """Lives as long as it beats."""

    @action(risk=Risk.R0, effect=Effect.PURE, heartbeat_s=0.05)
    async def silent(self, ctx: Context) -> None:
        """Say nothing for ever."""
        await asyncio.Event().wait()

    @action(risk=Risk.R0, effect=Effect.PURE, heartbeat_s=0.5)
    async def beating(self, ctx: Context) -> str:
        """Beat for longer than one silence may last."""
        clock = asyncio.get_running_loop().time
        until = clock() + 0.7
        while clock() < until:
            ctx.heartbeat()
            await asyncio.sleep(0)
        return "alive"


def _at_once(*acts: str, of: str = "mill", **parameters: object) -> Definition:
    steps = [Step(id=act, kind=Kind.AGENT, agent=of, action=act, parameters=dict(parameters)) for act in acts]
    return Definition(name="blocking", type=FlowType.PARALLEL, steps=tuple(steps))


async def _run(folder: Path, definition: Definition, told: list[str] | None = None) -> Reading:
    def progress(execution: str, step: str, done: int, total: int, message: str) -> None:
        if told is not None:
            told.append(f"{step} {done}/{total} {message} {threading.current_thread().name}")

    async with Dirigent(folder, agents=[Mill, Patient], progress=progress) as dirigent:
        return await dirigent.run(definition)


async def test_a_blocking_action_holds_nobody_up(tmp_path: Path) -> None:
    """While one action blocks its thread, another runs that lets it go on; progress is told on the loop."""
    Mill.go_on.clear()
    told: list[str] = []
    reading = await _run(tmp_path, _at_once("grind", "let_go"), told)
    assert reading.status == "completed"
    assert reading.steps["grind"].output.startswith("dirigent-action")
    assert told == ["grind 1/2 half MainThread"]


async def test_an_action_in_a_process_of_its_own(tmp_path: Path) -> None:
    """It runs elsewhere; where that process dies the step fails as one that may be tried again."""
    async with Dirigent(tmp_path, agents=[Mill]) as dirigent:
        reading = await dirigent.run(_at_once("weigh", grams=4))
        assert reading.steps["weigh"].output["grams"] == 5
        assert reading.steps["weigh"].output["process"] != os.getpid()
        broken = await dirigent.run(_at_once("collapse"))
        error = broken.steps["collapse"].error
        assert error is not None
        assert (error.code, error.retryable) == ("transient", True)
        again = await dirigent.run(_at_once("weigh", grams=5))
        assert again.steps["weigh"].output["grams"] == 6


async def test_the_tasks_of_one_run_are_shared_by_processes(tmp_path: Path) -> None:
    """Twenty items of one step: more than one process had some, and each item was done once."""
    meeting = tmp_path / "meeting"
    os.mkfifo(meeting)
    share = Step(
        id="share",
        kind=Kind.AGENT,
        agent="mill",
        action="share",
        foreach="${input.numbers}",
        max_parallel=4,
        parameters={"number": "${item}", "meeting": str(meeting)},
        timeout_ms=60_000,
    )
    async with Dirigent(tmp_path / "data", agents=[Mill]) as dirigent:
        definition = Definition(name="shared", steps=(share,))
        reading = await dirigent.run(definition, {"numbers": list(range(20))})
        execution = dirigent.engine.events(reading.execution_id)
    assert reading.status == "completed"
    assert len(set(reading.steps["share"].output)) > 1
    assert os.getpid() not in reading.steps["share"].output
    begun = [event.step for event in execution if isinstance(event, StepStarted)]
    assert len(begun) == len(set(begun)) == 20


async def test_a_thread_has_no_way_around_the_dispatcher(tmp_path: Path) -> None:
    """A blocking action that calls another directly is refused, and the refusal is on record."""
    reading = await _run(tmp_path, _at_once("break_in"))
    assert reading.status == "failed"
    assert [refusal.rules for refusal in reading.refusals] == [("dispatcher.only_way",)]
    with pytest.raises(Refused):
        Mill().let_go()


async def test_an_action_without_a_sign_of_life_is_given_up(tmp_path: Path) -> None:
    """Silence beyond the limit ends the attempt, and the next one begins; whoever beats goes on."""
    silent = Step(
        id="s", kind=Kind.AGENT, agent="patient", action="silent", retry=Retry(max_attempts=2, initial_ms=1)
    )
    reading = await _run(tmp_path, Definition(name="silence", steps=(silent,)))
    error = reading.steps["s"].error
    assert error is not None
    assert (error.code, reading.steps["s"].attempts) == ("heartbeat_missed", 2)
    beating = await _run(tmp_path, _at_once("beating", of="patient"))
    assert beating.steps["beating"].output == "alive"


def test_where_an_action_may_run_is_checked() -> None:
    """An async method runs on the loop, a plain one beside it, and a process knows no context."""
    with pytest.raises(InvalidInput, match="cannot run in 'thread'"):

        @action(runs_in="thread")
        async def wrong(self: object) -> None: ...

    with pytest.raises(InvalidInput, match="takes ctx"):

        @action(runs_in="process")
        def with_context(self: object, ctx: Context) -> None: ...
