"""Compensation as the world sees it: what was done is undone once, in reverse, over crashes and cancels."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent
from dirigent.domain.errors import Conflict
from dirigent.domain.event import CompensationStarted, ExecutionCancelled, StepStarted
from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import load_definition
from tests.acceptance.till import Recorder, Till, until

STEP = """
    - id: {name}
      type: agent
      agent_type: till
      action: {action}
      parameters: {{what: {name}}}
      compensate:
        agent_type: till
        action: refund
        parameters: {{what: {name}, receipt: "${{output.receipt}}"}}
        retry_policy: {{max_attempts: 3, initial: 1ms}}
"""
REFUSED = "    - {id: pay, type: agent, agent_type: till, action: refuse}\n"
WAITS = "    - {id: pay, type: wait_for_event, event: paid}\n"


def _trip(*names: str, last: str = REFUSED, action: str = "charge", flow: str = "sequential") -> Definition:
    steps = "".join(STEP.format(name=name, action=action) for name in names)
    return load_definition(f"workflow:\n  name: trip\n  type: {flow}\n  steps:\n{steps}{last}")


def _undone(reading: Any) -> list[tuple[str, str]]:
    return [(note.step, note.error.code if note.error else "") for note in reading.compensations]


async def test_a_run_that_fails_gives_everything_back(tmp_path: Path) -> None:
    """In reverse, once each, with the receipt of what is given back; the run says what was undone."""
    recorder = Recorder()
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        reading = await dirigent.run(_trip("flight", "hotel", "car"))
        events = dirigent.engine.events(reading.execution_id)
        row = dirigent.engine.row(reading.execution_id)
    assert recorder.done == [
        "flight", "hotel", "car", "refund car", "refund hotel", "refund flight",
    ]  # fmt: skip
    taken, given = recorder.calls[:3], recorder.calls[3:]
    assert [call.receipt for call in given] == [call.key for call in reversed(taken)]
    assert (reading.status, row.status) == ("failed", "failed")
    assert reading.error is not None
    assert reading.error.code == "action_failed"
    assert _undone(reading) == [("car", ""), ("hotel", ""), ("flight", "")]
    assert reading.steps["compensate:car"].status == "succeeded"
    intents = [event.key for event in events if isinstance(event, StepStarted) and event.key]
    assert intents == [call.key for call in recorder.calls]
    assert len(set(intents)) == 6


async def test_a_compensation_is_tried_again_and_fails_alone(tmp_path: Path) -> None:
    """Not now is tried again; three times is a note, and the others go on."""
    recorder = Recorder()
    recorder.broken.update({"refund hotel": 1, "refund car": 3})
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        reading = await dirigent.run(_trip("flight", "hotel", "car"))
    assert _undone(reading) == [("car", "transient"), ("hotel", ""), ("flight", "")]
    calls = [call.what for call in recorder.calls[3:]]
    assert calls == ["refund car"] * 3 + ["refund hotel"] * 2 + ["refund flight"]
    assert len({call.key for call in recorder.calls}) == 6


async def test_a_process_that_ends_in_the_middle_is_no_reason_to_undo_twice(tmp_path: Path) -> None:
    """Cut off while it gives back the second of three: the next process goes on there, under the same key."""
    recorder = Recorder(gates={"refund hotel": asyncio.Event()})
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        run = await dirigent.intake.run_workflow(_trip("flight", "hotel", "car"))
        await until(lambda: recorder.calls[-1:] and recorder.calls[-1].what == "refund hotel")
        await until(lambda: dirigent.engine.row(run).status == "compensating")
    recorder.gates.clear()
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        reading = await dirigent.engine.rest(run)
        started = [event for event in dirigent.engine.events(run) if isinstance(event, CompensationStarted)]
        assert not dirigent.engine.verify().damages
    assert recorder.done == [
        "flight", "hotel", "car", "refund car", "refund hotel", "refund flight",
    ]  # fmt: skip
    assert [call.what for call in recorder.calls].count("refund hotel") == 2
    assert [event.steps for event in started] == [("car", "hotel", "flight")]
    assert _undone(reading) == [("car", ""), ("hotel", ""), ("flight", "")]


async def test_a_cancelled_run_gives_back_and_begins_nothing_new(tmp_path: Path) -> None:
    """After the acknowledgement nothing is taken any more; what is under way is seen through first."""
    recorder = Recorder(gates={"hotel": asyncio.Event()})
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        engine = dirigent.engine
        run = await dirigent.intake.run_workflow(_trip("flight", "hotel", "car", last=WAITS))
        await until(lambda: recorder.calls[-1:] and recorder.calls[-1].what == "hotel")
        await engine.cancel(run, "me", "enough")
        assert engine.row(run).status == "cancelling"
        with pytest.raises(Conflict):
            await engine.signal(run, "paid")
        recorder.gates["hotel"].set()
        reading = await engine.rest(run)
        last = engine.events(run)[-1]
    assert recorder.done == ["flight", "hotel", "refund hotel", "refund flight"]
    assert (reading.status, _undone(reading)) == ("cancelled", [("hotel", ""), ("flight", "")])
    assert isinstance(last, ExecutionCancelled)
    assert last.reason == "enough"


async def test_what_cannot_be_undone_is_broken_off(tmp_path: Path) -> None:
    """A step without compensation does not hold up the others when a run is cancelled."""
    recorder = Recorder(gates={"x": asyncio.Event()})
    slow = "    - {id: x, type: agent, agent_type: till, action: charge, parameters: {what: x}}\n"
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        run = await dirigent.intake.run_workflow(_trip("flight", last=slow))
        await until(lambda: recorder.calls[-1:] and recorder.calls[-1].what == "x")
        await dirigent.engine.cancel(run, "me")
        reading = await dirigent.engine.rest(run)
        recorder.gates["x"].set()
        assert dirigent.runtime.running() == []
    assert recorder.done == ["flight", "x", "refund flight"]
    assert (reading.status, reading.steps["x"].status) == ("cancelled", "cancelled")


async def test_an_outcome_that_nobody_knows_is_settled_before_the_end(tmp_path: Path) -> None:
    """The process ends while an act that must not be repeated is under way in a cancelled run."""
    recorder = Recorder(gates={"flight": asyncio.Event()})
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        run = await dirigent.intake.run_workflow(_trip("flight", last="", action="risky"))
        await until(lambda: recorder.calls)
        await dirigent.engine.cancel(run, "me")
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        engine = dirigent.engine
        waits = await engine.rest(run)
        assert (waits.status, waits.steps["flight"].status) == ("cancelling", "outcome_unknown")
        await engine.resolve(run, "flight", happened=True, actor="me", output={"receipt": "seen"})
        reading = await engine.rest(run)
    assert recorder.done == ["flight", "refund flight"]
    assert recorder.calls[-1].receipt == "seen"
    assert (reading.status, _undone(reading)) == ("cancelled", [("flight", "")])


async def test_a_cancelled_family_is_undone_by_itself(tmp_path: Path) -> None:
    """What a child did is undone by the child, what the parent did by the parent."""
    recorder = Recorder()
    child = """    - id: child
      type: subworkflow
      workflow: >-
        ${ input.child }
"""
    inner = {
        "name": "inner",
        "steps": [
            {
                "id": "meal",
                "type": "agent",
                "agent_type": "till",
                "action": "charge",
                "parameters": {"what": "meal"},
                "compensate": {"agent_type": "till", "action": "refund", "parameters": {"what": "meal"}},
            },
            {"id": "wait", "type": "wait_for_event", "event": "paid"},
        ],
    }
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        run = (await dirigent.run(_trip("flight", last=child), {"child": inner})).execution_id
        assert recorder.done == ["flight", "meal"]
        await dirigent.engine.cancel(run, "me")
        reading = await dirigent.engine.rest(run)
        await until(lambda: not dirigent.runtime.running())
        below = dirigent.engine.read(f"{run}/child")
    assert sorted(recorder.done[2:]) == ["refund flight", "refund meal"]
    assert (reading.status, below.status) == ("cancelled", "cancelled")
    assert (_undone(reading), _undone(below)) == ([("flight", "")], [("meal", "")])
