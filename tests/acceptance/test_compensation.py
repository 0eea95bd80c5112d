"""Compensation as the world sees it: what was done is undone once, in reverse, over crashes and cancels."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dirigent import Dirigent, Effect, Risk, action, agent
from dirigent.api.app import create_app
from dirigent.domain.errors import ActionFailed, Conflict
from dirigent.domain.event import CompensationStarted, ExecutionCancelled, StepStarted
from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import load_definition
from tests.acceptance.terminal import dirigent as command
from tests.acceptance.till import Recorder, Till, until
from tests.acceptance.wire import client_of

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


@agent("hotel", domain="test", description="Takes bookings, and payments that fail once they may.")
class Hotel:
    """What it did is noted."""

    may_fail = asyncio.Event()
    done: ClassVar[list[str]] = []

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def book(self) -> None:
        """Book a room."""
        Hotel.done.append("book")

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def free(self) -> None:
        """Free the room."""
        Hotel.done.append("free")

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def pay(self) -> None:
        """Pay for the room."""
        await Hotel.may_fail.wait()
        raise ActionFailed("The card is refused.")


ROOM = """
name: room
steps:
  - {id: room, type: agent, agent_type: hotel, action: book, compensate: {agent_type: hotel, action: free}}
  - {id: pay, type: agent, agent_type: hotel, action: pay}
"""


async def _paused_while_it_undoes(folder: Path) -> str:
    Hotel.may_fail, Hotel.done[:] = asyncio.Event(), []
    async with Dirigent(folder, agents=[Hotel]) as dirigent:
        own = await dirigent.intake.run_workflow(load_definition(ROOM))
        await until(lambda: "pay" in dirigent.engine.read(own).steps)
        await dirigent.engine.pause(own, "ann")
        assert dirigent.engine.read(own).status == "paused"
        Hotel.may_fail.set()
        await until(lambda: dirigent.engine.row(own).status == "compensating")
        assert (dirigent.engine.row(own).paused, dirigent.engine.read(own).paused) == (True, True)
        async with client_of(create_app(dirigent.services())) as http:
            one = (await http.get(f"/api/v1/executions/{own}")).json()
            [line] = (await http.get("/api/v1/executions")).json()["executions"]
        assert {(told["status"], told["paused"]) for told in (one, line)} == {("compensating", True)}
    return own


def test_a_run_that_is_paused_while_it_undoes_says_both(tmp_path: Path) -> None:
    """Over HTTP, in Python and on the command line, which goes on with it; the status stays what it was."""
    own = asyncio.run(_paused_while_it_undoes(tmp_path))
    shown, listed = command("show", own, data=tmp_path).out, command("ls", data=tmp_path).out
    assert "compensating, paused" in shown
    assert f"dirigent resume {own}" in shown
    assert "compensating, paused" in listed
    assert Hotel.done == ["book"]
    resumed = command("resume", own, "-o", "json", data=tmp_path, DIRIGENT_AGENTS=f"{__name__}:Hotel")
    assert (resumed.data["status"], resumed.data["paused"]) == ("failed", False)
    assert Hotel.done == ["book", "free"]


LEFT = """
name: left
steps:
  - {id: one, type: agent, agent_type: hotel, action: book,
     compensate: {agent_type: hotel, action: free, parameters: {x: "${output.number}"}}}
  - {id: two, type: agent, agent_type: hotel, action: book, compensate: {agent_type: hotel, action: free}}
  - {id: each, type: foreach, foreach: "${input.rooms}", steps: [{id: a, type: transform}]}
"""


def test_what_could_not_be_undone_stands_in_front(tmp_path: Path) -> None:
    """Beside why the run failed, in words; in JSON with what was undone."""
    file, own = tmp_path / "left.yaml", f"{__name__}:Hotel"
    file.write_text(LEFT)
    data = tmp_path / "data"
    said = command("run", file, "-i", "rooms=5", "-o", "json", data=data, DIRIGENT_AGENTS=own)
    assert said.data["error"]["message"].startswith(
        "The foreach of each, 'input.rooms', gave a whole number."
    )
    undone = {one["step"]: one.get("error") for one in said.data["compensations"]}
    assert list(undone) == ["two", "one"]
    assert undone["two"] is None
    shown = command("show", said.data["execution_id"], data=data).out
    assert "not undone  one: compensate: The expression 'output.number' failed" in shown
    assert "Output" not in shown
