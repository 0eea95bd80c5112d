"""Forks and retries: what was done is taken over and not done again; what is left is done once."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent
from dirigent.domain.errors import Conflict, InvalidInput, NotFound
from dirigent.domain.event import StepStarted, StepTakenOver
from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import definition_from
from tests.acceptance.till import Recorder, Till, until

NAMES = ("one", "two", "three", "four", "five")


def _charge(name: str, what: str | None = None, **keys: Any) -> dict[str, Any]:
    return {
        "id": name,
        "type": "agent",
        "agent_type": "till",
        "action": "charge",
        "parameters": {"what": what or name},
        **keys,
    }


def _flow(*steps: dict[str, Any], **root: Any) -> Definition:
    return definition_from({"name": "flow", "steps": list(steps), **root})


def _five() -> Definition:
    """Five charges; each names the receipt of the one before."""
    steps = [_charge("one")]
    steps += [_charge(name, f"{name} after ${{steps.{before}.receipt}}") for before, name in pairwise(NAMES)]
    return _flow(*steps)


async def test_a_fork_from_the_third_step_repeats_no_effect(tmp_path: Path) -> None:
    """From step three of five of a finished run, with an edited output: a new run, linked to the old one.

    What the first two did is taken over; three to five are done once, under keys of their own.
    """
    recorder = Recorder()
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        engine = dirigent.engine
        old = await dirigent.run(_five())
        before = list(recorder.calls)
        fork = await engine.fork(
            old.execution_id, "me", at="three", edits={"two": {"what": "two", "receipt": "edited"}}
        )
        reading = await engine.rest(fork)
        events = engine.events(fork)
        row = engine.row(fork)
        assert [each.execution_id for each in engine.forks(old.execution_id)] == [fork]
        assert engine.read(old.execution_id).output == old.output
        assert not engine.verify().damages
    done = recorder.calls[len(before) :]
    assert (reading.status, len(before), len(done)) == ("completed", 5, 3)
    assert [call.step for call in done] == ["three", "four", "five"]
    assert done[0].what == "three after edited"
    assert {call.key for call in done}.isdisjoint(call.key for call in before)
    assert {call.execution for call in done} == {fork}
    assert (reading.started.forked_from, row.forked_from) == (old.execution_id, old.execution_id)
    assert reading.started.forked_at == old.events
    assert [event.step for event in events if isinstance(event, StepTakenOver)] == ["one", "two"]
    assert [event.step for event in events if isinstance(event, StepStarted)] == ["three", "four", "five"]
    assert reading.steps["one"].output == old.steps["one"].output
    assert reading.steps["one"].reason == f"taken over from {old.execution_id}"
    assert reading.steps["two"].reason == f"written for the fork of {old.execution_id}"


async def test_a_fork_goes_on_after_the_process_is_gone(tmp_path: Path) -> None:
    """What is taken over stands in its own journal; nothing of it is done again."""
    recorder = Recorder()
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        old = await dirigent.run(_five())
        recorder.gates[recorder.calls[3].what] = asyncio.Event()
        fork = await dirigent.engine.fork(old.execution_id, "me", at="four")
        await until(lambda: len(recorder.calls) == 6)
    recorder.gates.clear()
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        reading = await dirigent.engine.rest(fork)
    assert reading.status == "completed"
    assert [call.step for call in recorder.calls if call.execution == fork][-1] == "five"
    assert {call.step for call in recorder.calls if call.execution == fork} == {"four", "five"}


async def test_a_fork_at_an_event_keeps_what_was_settled_there(tmp_path: Path) -> None:
    """Time is turned back to any event of the history, and another input may be given."""
    recorder = Recorder()
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        engine = dirigent.engine
        flow = _flow(_charge("one"), _charge("two", "two for ${input.who}"), _charge("three"))
        old = await dirigent.run(flow, {"who": "ann"})
        events = engine.events(old.execution_id)
        at = next(n for n, event in enumerate(events, 1) if getattr(event, "step", "") == "two")
        fork = await engine.fork(old.execution_id, "me", at=at, input={"who": "ben"})
        await engine.rest(fork)
    assert recorder.of(fork) == ["two for ben", "three"]


async def test_what_only_computes_is_computed_anew(tmp_path: Path) -> None:
    """A transform and a condition behind an edited output see the edit, and the other way is taken."""
    recorder = Recorder()
    flow = _flow(
        _charge("one"),
        {"id": "sum", "type": "transform", "parameters": {"big": "${steps.one.what == 'big'}"}},
        {"id": "gate", "type": "condition", "conditions": ["steps.sum.big"]},
        _charge("yes"),
        _charge("no"),
        connections=[
            {"from": "one", "to": "sum"},
            {"from": "sum", "to": "gate"},
            {"from": "gate", "to": "yes", "on": "true"},
            {"from": "gate", "to": "no", "on": "false"},
        ],
    )
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        old = await dirigent.run(flow)
        fork = await dirigent.engine.fork(old.execution_id, "me", edits={"one": {"what": "big"}})
        reading = await dirigent.engine.rest(fork)
    assert recorder.done == ["one", "no", "yes"]
    assert (reading.steps["yes"].status, reading.steps["no"].status) == ("succeeded", "skipped")


async def test_a_retry_does_what_was_left_undone(tmp_path: Path) -> None:
    """The failed step and those behind it; the items of a step that had succeeded are not done again."""
    recorder = Recorder()
    recorder.refused.update({"b", "d"})
    items = _charge("items", "${item}", foreach="input.items")
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        engine = dirigent.engine
        old = await dirigent.run(_flow(_charge("one"), items, _charge("last")), {"items": list("abcd")})
        assert old.status == "failed"
        recorder.refused.clear()
        retried = await engine.retry(old.execution_id, "me")
        reading = await engine.rest(retried)
        with pytest.raises(Conflict, match="is completed"):
            await engine.retry(retried, "me")
    assert (reading.status, reading.started.trigger) == ("completed", "retry")
    assert recorder.of(retried) == ["b", "d", "last"]
    assert [each["what"] for each in reading.steps["items"].output["results"]] == list("abcd")


async def test_an_effect_that_may_have_happened_is_done_again_under_its_key(tmp_path: Path) -> None:
    """It reached the receiver and no answer came back: the retry asks for the very same, once."""
    recorder = Recorder()
    recorder.broken["charge"] = 1
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        old = await dirigent.run(_flow(_charge("one", "${input.what}")), {"what": "charge"})
        assert old.error is not None
        assert (old.status, old.error.code) == ("failed", "transient")
        retried = await dirigent.engine.retry(old.execution_id, "me")
        reading = await dirigent.engine.rest(retried)
        other = await dirigent.engine.fork(old.execution_id, "me", input={"what": "another"})
        await dirigent.engine.rest(other)
    assert reading.status == "completed"
    first, again, another = recorder.calls
    assert first.key == again.key
    assert (first.execution, again.execution) == (old.execution_id, retried)
    assert another.key != first.key
    assert recorder.done == ["charge", "another"]


async def test_an_outcome_that_nobody_knows_is_not_forked_away(tmp_path: Path) -> None:
    """An act that must not be repeated was cut off: somebody has to say what became of it."""
    recorder = Recorder(gates={"one": asyncio.Event()})
    flow = _flow(_charge("one", action="risky"), _charge("two"))
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        run = await dirigent.intake.run_workflow(flow)
        await until(lambda: recorder.calls)
        with pytest.raises(Conflict, match="while one runs"):
            await dirigent.engine.fork(run, "me")
        await dirigent.engine.cancel(run, "me")
        await dirigent.engine.rest(run)
        recorder.gates.clear()
        with pytest.raises(Conflict, match="Nobody knows what became of 'one'"):
            await dirigent.engine.retry(run, "me")
        happened = await dirigent.engine.fork(run, "me", edits={"one": "seen"})
        await dirigent.engine.rest(happened)
        once_more = await dirigent.engine.retry(run, "me", again=["one"])
        await dirigent.engine.rest(once_more)
    assert recorder.of(happened) == ["two"]
    assert recorder.of(once_more) == ["one", "two"]


async def test_what_was_undone_is_done_again(tmp_path: Path) -> None:
    """A retry of a run that was compensated charges anew what it gave back, and keeps the rest."""
    recorder = Recorder()
    recorder.refused.add("three")
    undo = {"agent_type": "till", "action": "refund", "parameters": {"what": "one"}}
    flow = _flow(_charge("one", compensate=undo), _charge("two"), _charge("three"))
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        old = await dirigent.run(flow)
        recorder.refused.clear()
        retried = await dirigent.engine.retry(old.execution_id, "me")
        reading = await dirigent.engine.rest(retried)
        recorder.refused.add("three")
        again = await dirigent.engine.fork(retried, "me", at="three")
        failed = await dirigent.engine.rest(again)
    assert recorder.of(old.execution_id) == ["one", "two", "three", "refund one"]
    assert reading.status == "completed"
    assert recorder.of(retried) == ["one", "three"]
    assert (failed.status, failed.compensations) == ("failed", ())
    assert recorder.of(again) == ["three"]


async def test_a_retry_goes_on_inside_a_child(tmp_path: Path) -> None:
    """What the child had done is taken over by the new child; only what it left undone is done."""
    recorder = Recorder()
    recorder.refused.add("inner two")
    inner = {"name": "inner", "steps": [_charge("a", "inner one"), _charge("b", "inner two"), _charge("c")]}
    child = {"id": "child", "type": "subworkflow", "workflow": "${input.inner}"}
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        old = await dirigent.run(_flow(_charge("one"), child, _charge("last")), {"inner": inner})
        assert old.status == "failed"
        recorder.refused.clear()
        retried = await dirigent.engine.retry(old.execution_id, "me")
        reading = await dirigent.engine.rest(retried)
        below = dirigent.engine.read(f"{retried}/child")
        with pytest.raises(Conflict, match="belongs to"):
            await dirigent.engine.fork(f"{retried}/child", "me")
        whole = await dirigent.engine.fork(retried, "me", at="last")
        kept = await dirigent.engine.rest(whole)
    assert reading.status == "completed"
    assert below.started.forked_from == f"{old.execution_id}/child"
    assert [call.what for call in recorder.calls if call.execution == below.execution_id] == [
        "inner two",
        "c",
    ]
    assert recorder.of(retried) == ["last"]
    assert kept.steps["child"].child == f"{retried}/child"
    assert recorder.of(whole) == ["last"]


async def test_a_retry_of_a_retry_takes_over_from_both(tmp_path: Path) -> None:
    """Three runs, and every effect once."""
    recorder = Recorder()
    recorder.refused.update({"two", "four"})
    flow = _flow(*(_charge(name) for name in NAMES))
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        run = (await dirigent.run(flow)).execution_id
        for name in ("two", "four"):
            recorder.refused.discard(name)
            run = await dirigent.engine.retry(run, "me")
            await dirigent.engine.rest(run)
        reading = dirigent.engine.read(run)
    assert reading.status == "completed"
    accepted = [call.what for call in recorder.calls]
    assert accepted == ["one", "two", "two", "three", "four", "four", "five"]
    assert [step.status for step in reading.steps.values()] == ["succeeded"] * 5


async def test_a_decision_is_not_asked_for_twice(tmp_path: Path) -> None:
    """Approvals and signals that were settled are taken over; a run that only waits can be forked."""
    recorder = Recorder()
    flow = _flow(
        {"id": "ask", "type": "approval"},
        {"id": "told", "type": "wait_for_event", "event": "go"},
        _charge("one"),
        {"id": "more", "type": "wait_for_event", "event": "more"},
    )
    async with Dirigent(tmp_path, agents=[Till(recorder)]) as dirigent:
        engine = dirigent.engine
        run = (await dirigent.run(flow)).execution_id
        await engine.approve(engine.approvals(execution=run)[0].approval_id, "boss")
        await engine.signal(run, "go", {"n": 1})
        await engine.rest(run)
        fork = await engine.fork(run, "me")
        waits = await engine.rest(fork)
        assert engine.approvals(execution=fork) == []
        assert [row.event for row in engine.waiting(execution=fork)] == ["more"]
        await engine.signal(fork, "more")
        reading = await engine.rest(fork)
        assert engine.row(run).status == "running"
    assert waits.steps["told"].output == {"n": 1}
    assert (reading.status, recorder.done) == ("completed", ["one"])


async def test_what_cannot_be_forked_is_told(tmp_path: Path) -> None:
    """Steps, versions and executions that do not exist."""
    async with Dirigent(tmp_path, agents=[Till(Recorder())]) as dirigent:
        engine = dirigent.engine
        run = (await dirigent.run(_five())).execution_id
        with pytest.raises(NotFound):
            await engine.fork("exec_nobody", "me")
        with pytest.raises(InvalidInput, match="no step 'six'"):
            await engine.fork(run, "me", at="six")
        with pytest.raises(InvalidInput, match="no step 'six'"):
            await engine.fork(run, "me", edits={"six": 1})
        with pytest.raises(InvalidInput, match="no event 99"):
            await engine.fork(run, "me", at=99)
        with pytest.raises(InvalidInput, match="cannot be stored"):
            await engine.fork(run, "me", edits={"two": "\ud800"})
        assert len(engine.executions()) == 1
