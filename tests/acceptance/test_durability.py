"""What is acknowledged is there after a restart, and goes on where it stood."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dirigent import Context, Dirigent, Effect, Risk, action, agent
from dirigent.domain.errors import Conflict, DataFolderBusy, InvalidInput, TransientError
from dirigent.domain.event import StepCompleted, StepStarted
from dirigent.domain.workflow import Definition, FlowType, Kind, Retry, Step


@agent("worker", domain="test")
class Worker:
    """Counts its calls; `gate` holds the third step until it is opened."""

    calls: ClassVar[list[str]] = []
    gate: ClassVar[asyncio.Event]
    failures: ClassVar[int] = 0

    @action(risk=Risk.R0, effect=Effect.READ)
    async def note(self, name: str, ctx: Context) -> str:
        """Say that it was called."""
        Worker.calls.append(name)
        return name

    @action(risk=Risk.R0, effect=Effect.READ)
    async def wait(self, name: str, ctx: Context) -> str:
        """Say that it was called, and wait."""
        Worker.calls.append(name)
        await Worker.gate.wait()
        return name

    @action(risk=Risk.R1, effect=Effect.AT_MOST_ONCE)
    async def risky(self, ctx: Context) -> str:
        """An effect that is under way when the process ends."""
        Worker.calls.append("risky")
        await Worker.gate.wait()
        return "done"

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def shaky(self, ctx: Context) -> str:
        """Fail twice, then work."""
        Worker.calls.append("shaky")
        if Worker.calls.count("shaky") <= Worker.failures:
            raise TransientError("not now")
        return "fine"

    @action(risk=Risk.R0, effect=Effect.PURE, cost=0.4)
    async def paid(self, ctx: Context) -> str:
        """Costs 0.4."""
        Worker.calls.append("paid")
        return "bought"

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def odd(self, kind: str, ctx: Context) -> Any:
        """Give back what no journal keeps as it is."""
        return {"nan": math.nan, "surrogate": "\ud800"}[kind]

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def slow(self, ctx: Context) -> str:
        """Never come back."""
        await asyncio.Event().wait()
        return "never"

    @action(risk=Risk.R0, effect=Effect.PURE, timeout_s=0.03)
    async def brief(self) -> str:
        """Never come back, and be given little time."""
        await asyncio.Event().wait()
        return "never"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Worker.calls = []
    Worker.gate = asyncio.Event()
    Worker.failures = 0


def _step(name: str, act: str, **more: object) -> Step:
    return Step(id=name, kind=Kind.AGENT, agent="worker", action=act, **more)  # type: ignore[arg-type]


def _chain(*steps: Step, flow: FlowType = FlowType.SEQUENTIAL) -> Definition:
    return Definition(name="chain", type=flow, steps=steps)


async def _until(condition: object) -> None:
    while not condition():  # type: ignore[operator]
        await asyncio.sleep(0)


async def test_goes_on_from_the_step_that_was_cut_off(tmp_path: Path) -> None:
    """Stopped in step three of five: one and two are not repeated, three is, and the run ends."""
    names = ["one", "two", "three", "four", "five"]
    steps = [_step(n, "wait" if n == "three" else "note", parameters={"name": n}) for n in names]
    async with Dirigent(tmp_path, agents=[Worker]) as dirigent:
        execution_id = await dirigent.intake.run_workflow(_chain(*steps))
        await _until(lambda: "three" in Worker.calls)
    Worker.gate.set()
    async with Dirigent(tmp_path, agents=[Worker]) as dirigent:
        reading = await dirigent.engine.rest(execution_id)
        assert dirigent.resumed == [execution_id]
    assert reading.status == "completed"
    assert Worker.calls == ["one", "two", "three", "three", "four", "five"]


async def test_parks_an_effect_whose_outcome_nobody_knows(tmp_path: Path) -> None:
    """An at-most-once action cut off in the middle is not called again; a person settles it."""
    async with Dirigent(tmp_path, agents=[Worker]) as dirigent:
        execution_id = await dirigent.intake.run_workflow(_chain(_step("act", "risky")))
        await _until(lambda: Worker.calls)
    async with Dirigent(tmp_path, agents=[Worker]) as dirigent:
        parked = await dirigent.engine.rest(execution_id)
        assert parked.steps["act"].status == "outcome_unknown"
        await dirigent.engine.resolve(execution_id, "act", happened=True, actor="me", output="sent")
        settled = await dirigent.engine.rest(execution_id)
    assert (settled.status, settled.output) == ("completed", "sent")
    assert Worker.calls == ["risky"]


async def test_tries_again_with_backoff_and_then_succeeds(tmp_path: Path) -> None:
    """Two transient failures, three attempts, waits that double."""
    Worker.failures = 2
    retry = Retry(max_attempts=3, initial_ms=10, backoff_factor=2.0, jitter=0.0)
    async with Dirigent(tmp_path, agents=[Worker]) as dirigent:
        reading = await dirigent.run(_chain(_step("act", "shaky", retry=retry)))
        events = dirigent.engine.events(reading.execution_id)
    starts = [event.at for event in events if isinstance(event, StepStarted)]
    assert (reading.status, reading.steps["act"].attempts) == ("completed", 3)
    assert starts[1] - starts[0] >= 10
    assert starts[2] - starts[1] >= 20


async def test_a_budget_is_never_exceeded(tmp_path: Path) -> None:
    """Budget 1 and steps of 0.4: two run, the third is skipped for the budget, and the run says so."""
    steps = [_step(f"s{number}", "paid") for number in range(3)]
    async with Dirigent(tmp_path, agents=[Worker]) as dirigent:
        execution_id = await dirigent.intake.run_workflow(_chain(*steps, flow=FlowType.PARALLEL), budget=1.0)
        reading = await dirigent.engine.rest(execution_id)
    assert Worker.calls == ["paid", "paid"]
    assert reading.status == "partially_completed"
    assert reading.spent == pytest.approx(0.8)
    (skipped,) = [step for step in reading.steps.values() if step.status == "skipped"]
    assert skipped.reason.startswith("budget")


@pytest.mark.parametrize(
    ("act", "timeout_ms", "code"),
    [("slow", 30, "step_timeout"), ("brief", 0, "agent_timeout"), ("brief", 60_000, "agent_timeout")],
)
async def test_a_step_ends_at_its_time_limit(tmp_path: Path, act: str, timeout_ms: int, code: str) -> None:
    """An action that does not come back fails with the code of whose limit passed, and the run ends."""
    async with Dirigent(tmp_path, agents=[Worker]) as dirigent:
        reading = await dirigent.run(_chain(_step("act", act, timeout_ms=timeout_ms)))
    assert reading.status == "failed"
    assert reading.error is not None
    assert reading.error.code == code


async def test_cancel_stops_what_runs_and_starts_nothing_more(tmp_path: Path) -> None:
    """After a cancel no further step starts, and the late result is dropped."""
    steps = [
        _step("one", "wait", parameters={"name": "one"}),
        _step("two", "note", parameters={"name": "two"}),
    ]
    async with Dirigent(tmp_path, agents=[Worker]) as dirigent:
        execution_id = await dirigent.intake.run_workflow(_chain(*steps))
        await _until(lambda: Worker.calls)
        await dirigent.engine.cancel(execution_id, "me", "enough")
        Worker.gate.set()
        reading = await dirigent.engine.rest(execution_id)
        events = dirigent.engine.events(execution_id)
    assert reading.status == "cancelled"
    assert Worker.calls == ["one"]
    assert not [event for event in events if isinstance(event, StepCompleted)]


async def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    """Two systems on one data folder: the second says who holds it."""
    async with Dirigent(tmp_path):
        with pytest.raises(DataFolderBusy, match=r"\d+"):
            async with Dirigent(tmp_path):
                pass


async def test_ten_steps_at_once_run_at_once(tmp_path: Path) -> None:
    """All ten have begun before the first may end."""
    steps = [_step(f"s{n}", "wait", parameters={"name": f"s{n}"}) for n in range(10)]
    async with Dirigent(tmp_path, agents=[Worker]) as dirigent:
        execution_id = await dirigent.intake.run_workflow(_chain(*steps, flow=FlowType.PARALLEL))
        await _until(lambda: len(Worker.calls) == 10)
        Worker.gate.set()
        reading = await dirigent.engine.rest(execution_id)
    assert reading.status == "completed"


async def test_pause_holds_what_would_begin_until_resume(tmp_path: Path) -> None:
    """Paused in step two of three: two ends, three begins after the resume, also over a restart."""
    steps = [
        _step(n, "wait" if n == "two" else "note", parameters={"name": n}) for n in ("one", "two", "three")
    ]
    async with Dirigent(tmp_path, agents=[Worker]) as dirigent:
        execution_id = await dirigent.intake.run_workflow(_chain(*steps))
        await _until(lambda: "two" in Worker.calls)
        await dirigent.engine.pause(execution_id, "me", "wait a moment")
        with pytest.raises(Conflict):
            await dirigent.engine.pause(execution_id, "me")
        Worker.gate.set()
        paused = await dirigent.engine.rest(execution_id)
        assert (paused.status, Worker.calls) == ("paused", ["one", "two"])
        assert dirigent.engine.row(execution_id).status == "paused"
    async with Dirigent(tmp_path, agents=[Worker]) as dirigent:
        await dirigent.engine.rest(execution_id)
        assert Worker.calls == ["one", "two"]
        await dirigent.engine.resume(execution_id, "me")
        reading = await dirigent.engine.rest(execution_id)
    assert (reading.status, Worker.calls) == ("completed", ["one", "two", "three"])


async def test_a_paused_execution_can_be_cancelled(tmp_path: Path) -> None:
    """What was held back never begins."""
    steps = [_step(n, "wait" if n == "one" else "note", parameters={"name": n}) for n in ("one", "two")]
    async with Dirigent(tmp_path, agents=[Worker]) as dirigent:
        execution_id = await dirigent.intake.run_workflow(_chain(*steps))
        await _until(lambda: Worker.calls)
        await dirigent.engine.pause(execution_id, "me")
        Worker.gate.set()
        await dirigent.engine.rest(execution_id)
        await dirigent.engine.cancel(execution_id, "me")
        reading = await dirigent.engine.rest(execution_id)
    assert (reading.status, Worker.calls) == ("cancelled", ["one"])


async def test_a_poisonous_output_harms_its_own_step_only(tmp_path: Path) -> None:
    """What cannot be stored fails the step with a reason; the system goes on."""
    async with Dirigent(tmp_path, agents=[Worker]) as dirigent:
        reading = await dirigent.run(_chain(_step("act", "odd", parameters={"kind": "surrogate"})))
        other = await dirigent.run(_chain(_step("act", "note", parameters={"name": "fine"})))
        assert not dirigent.engine.verify().damages
    assert reading.error is not None
    assert (reading.status, reading.error.code, other.status) == ("failed", "invalid_input", "completed")


async def test_a_running_execution_knows_what_its_replay_will_know(tmp_path: Path) -> None:
    """A value that the journal keeps in another form is used in that form from the start."""
    copy = Step(id="copy", kind=Kind.TRANSFORM, parameters={"same": "${steps.act == steps.act}"})
    async with Dirigent(tmp_path, agents=[Worker]) as dirigent:
        reading = await dirigent.run(_chain(_step("act", "odd", parameters={"kind": "nan"}), copy))
    assert reading.output == {"same": True}


async def test_an_input_that_cannot_be_stored_is_refused(tmp_path: Path) -> None:
    """Nothing is accepted that the journal could not keep."""
    async with Dirigent(tmp_path, agents=[Worker]) as dirigent:
        with pytest.raises(InvalidInput, match="cannot be stored"):
            await dirigent.run(_chain(_step("act", "note", parameters={"name": "x"})), {"n": "\ud800"})
        assert dirigent.engine.executions() == []
