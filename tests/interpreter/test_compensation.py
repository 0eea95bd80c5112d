"""Compensation: what completed steps did is undone in reverse, each once; the run ends as it would have."""

from typing import Any

import pytest

from dirigent.domain.command import InvokeAction
from dirigent.domain.errors import IllegalTransition
from dirigent.domain.event import (
    CallStarted,
    Compensation,
    CompensationStarted,
    Event,
    ExecutionCancelled,
    ExecutionFailed,
    Failure,
    StepCompleted,
    StepOutcomeResolved,
    StepOutcomeUnknown,
)
from dirigent.interpreter.machine import Machine
from tests.interpreter.harness import START, Act, Ask, Edge, Harness, Unknown, agent, failing, flow, step


def undoable(name: str, **keys: Any) -> dict[str, Any]:
    """A step that can be undone."""
    undo = {"agent_type": "worker", "action": "undo", "parameters": {"what": name, "id": "${output.id}"}}
    return agent(name, compensate=undo | keys.pop("compensate", {}), **keys)


def numbered(command: InvokeAction) -> Any:
    """Every action works and says which it was."""
    return {"id": f"{command.step}-1", "ok": True}


def but(name: str, answer: Any) -> Act:
    """As `numbered`, save for one step."""
    return lambda command: answer if command.step == name else numbered(command)


BROKEN = Failure(code="broken", message="no use")
BUSY = Failure(code="busy", message="later", retryable=True)


def undone(harness: Harness) -> list[str]:
    """The compensations in the order in which they were invoked."""
    return [command.step for command in harness.invoked if command.step.startswith("compensate:")]


def last(harness: Harness) -> Event:
    """The event that ended the run."""
    return harness.events[-1]


def test_completed_steps_are_undone_in_reverse_order_of_completion() -> None:
    """One after the other, with what each step gave; the run ends with its own failure and a note."""
    steps = [undoable("a"), undoable("b"), undoable("c"), agent("d")]
    edges = ["a > d", "b > d", "c > d"]
    harness = Harness(flow(*steps, edges=edges, type="parallel"), but("d", BROKEN))
    for name in "bca":
        harness.finish(name)
    harness.run()
    assert undone(harness) == ["compensate:a", "compensate:c", "compensate:b"]
    assert harness.invoked[-1].inputs == {"what": "b", "id": "b-1"}
    assert harness.peak == 3
    assert last(harness) == ExecutionFailed(
        at=START,
        status="failed",
        error=BROKEN,
        output={},
        compensations=tuple(Compensation(step=name) for name in "acb"),
    )


def test_a_run_that_has_its_result_undoes_nothing() -> None:
    """Also where a step failed and that was handled."""
    edges: list[Edge] = ["a > b", "b > c", {"from": "b", "to": "d", "on": "error"}]
    harness = Harness(
        flow(undoable("a"), agent("b"), agent("c"), agent("d"), edges=edges), but("b", BROKEN)
    ).run()
    assert (harness.status, undone(harness)) == ("completed", [])


def test_between_the_failure_and_the_end_the_run_is_compensating() -> None:
    """The event says what will be undone and why; state and status say so."""
    harness = Harness(flow(undoable("a"), agent("b")), but("b", BROKEN))
    harness.finish("a")
    harness.finish("b")
    assert harness.status == "compensating"
    [started] = [event for event in harness.events if isinstance(event, CompensationStarted)]
    assert started == CompensationStarted(at=START, steps=("a",), status="failed", error=BROKEN)
    harness.finish("compensate:a")
    assert harness.status == "failed"


@pytest.mark.parametrize("status", ["blocked", "rejected"])
def test_a_run_that_is_blocked_or_rejected_is_compensated(status) -> None:
    """Its status stays its own."""
    harness = Harness(flow(undoable("a"), step("ask", "approval", ends_as=status)), numbered).run()
    harness.decide("ask", "rejected")
    assert harness.run().status == status
    assert undone(harness) == ["compensate:a"]


def test_a_compensation_that_fails_does_not_stop_the_others() -> None:
    """It is tried as often as its policy says, and its error is in the note."""
    steps = [undoable("a"), undoable("b"), undoable("c"), agent("d")]
    harness = Harness(
        flow(*steps),
        lambda command: {"compensate:b": BUSY, "d": BROKEN}.get(command.step, numbered(command)),
    ).run()
    assert undone(harness) == ["compensate:c", *["compensate:b"] * 3, "compensate:a"]
    ended = last(harness)
    assert isinstance(ended, ExecutionFailed)
    assert ended.error == BROKEN
    assert ended.compensations == (
        Compensation(step="c"),
        Compensation(step="b", error=BUSY),
        Compensation(step="a"),
    )


def test_inputs_that_cannot_be_made_fail_their_compensation_only() -> None:
    """The step itself is fine; the note says what was wrong."""
    parameters = {"compensate": {"parameters": {"id": "${output.nothing}"}}}
    harness = Harness(flow(undoable("a"), undoable("b", **parameters), agent("c")), but("c", BROKEN)).run()
    ended = last(harness)
    assert isinstance(ended, ExecutionFailed)
    failed, fine = ended.compensations
    assert (failed.step, failed.error.code, fine) == ("b", "expression_error", Compensation(step="a"))  # type: ignore[union-attr]
    assert undone(harness) == ["compensate:a"]


def test_items_are_undone_one_by_one() -> None:
    """Each that completed, with its own item, in reverse."""
    parameters = {"compensate": {"parameters": {"n": "${item}", "id": "${output.id}"}}}
    steps = [undoable("a", foreach="input.rows", max_parallel=1, **parameters), agent("b")]
    harness = Harness(flow(*steps), but("b", BROKEN), rows=[5, 6, 7]).run()
    assert [(command.step, command.inputs) for command in harness.invoked[-3:]] == [
        ("compensate:a[2]", {"n": 7, "id": "a[2]-1"}),
        ("compensate:a[1]", {"n": 6, "id": "a[1]-1"}),
        ("compensate:a[0]", {"n": 5, "id": "a[0]-1"}),
    ]


def test_items_that_failed_are_not_undone() -> None:
    """Only those that completed."""
    harness = Harness(flow(undoable("a", foreach="input.rows")), failing("a[1]"), rows=[1, 2, 3]).run()
    ended = last(harness)
    assert isinstance(ended, ExecutionFailed)
    assert [note.step for note in ended.compensations] == ["a[2]", "a[0]"]


def test_a_cancelled_run_is_compensated_and_starts_nothing_else() -> None:
    """What had not begun never begins; what was done is undone."""
    harness = Harness(flow(undoable("a"), undoable("b"), agent("c")), numbered)
    harness.finish("a")
    harness.cancel()
    assert (harness.status, list(harness.actions)) == ("compensating", ["compensate:a"])
    harness.run()
    assert last(harness) == ExecutionCancelled(
        at=START, reason="enough", compensations=(Compensation(step="a"),)
    )
    assert harness.statuses()["b"] == "cancelled"


def test_a_step_that_has_begun_is_seen_through_before_anything_is_undone() -> None:
    """Only its end says whether there is something to undo; what cannot be undone is broken off."""
    steps = [undoable("a"), undoable("b"), agent("c"), undoable("d")]
    harness = Harness(flow(*steps, type="parallel"), numbered)
    harness.finish("a")
    for name in "bc":
        harness.begin(name)
    harness.cancel()
    assert (harness.status, list(harness.actions)) == ("cancelling", ["b"])
    done = StepCompleted(at=START, step="b", attempt=1, output={"id": "late"})
    harness.actions.clear()
    harness.apply(done)
    harness.run()
    assert [command.inputs["id"] for command in harness.invoked[-2:]] == ["late", "a-1"]
    assert undone(harness) == ["compensate:b", "compensate:a"]
    assert harness.status == "cancelled"


def test_a_step_that_fails_after_the_wish_is_not_tried_again() -> None:
    """An attempt would be a new effect."""
    harness = Harness(flow(undoable("a", retry_policy={})), lambda _command: BUSY)
    harness.begin("a")
    harness.cancel()
    harness.actions = {command.step: command for command in harness.invoked}
    harness.run()
    assert harness.attempts("a") == [1]
    assert last(harness) == ExecutionCancelled(at=START, reason="enough")


def test_results_of_what_was_broken_off_do_not_count() -> None:
    """Nor may it call anything more."""
    harness = Harness(flow(undoable("a"), agent("b"), type="parallel"), numbered)
    harness.finish("a")
    harness.begin("b")
    harness.cancel()
    with pytest.raises(IllegalTransition):
        harness.apply(StepCompleted(at=START, step="b", attempt=1))
    call = CallStarted(
        at=START, call="b/1", step="b", attempt=1, agent="x", action="y", risk="R1", effect="keyed"
    )
    with pytest.raises(IllegalTransition):
        harness.apply(call)


def test_a_child_execution_is_waited_for_and_undone() -> None:
    """A step that started one is undone where the child completed all the same."""
    undo = {"agent_type": "worker", "action": "undo", "parameters": {"n": "${output.n}"}}
    steps = [step("sub", "subworkflow", workflow="other", compensate=undo)]
    for status, expected in (("completed", ["compensate:sub"]), ("cancelled", [])):
        harness = Harness(flow(*steps), numbered)
        harness.cancel()
        assert harness.status == "cancelling"
        harness.end_child("sub", status, {"n": 3})
        assert undone(harness.run()) == expected
        assert harness.status == "cancelled"


def test_an_unknown_outcome_holds_the_end_until_a_person_speaks() -> None:
    """The others are undone meanwhile; what did happen is then undone as well."""
    harness = Harness(flow(undoable("a"), undoable("b"), type="parallel"), but("b", Unknown()))
    harness.finish("a")
    harness.begin("b")
    harness.cancel()
    harness.actions["b"] = harness.invoked[1]
    harness.run()
    assert (undone(harness), harness.status) == (["compensate:a"], "compensating")
    harness.resolve("b", happened=True, output={"id": "found"})
    assert harness.actions["compensate:b"].inputs == {"what": "b", "id": "found"}
    assert harness.run().status == "cancelled"


@pytest.mark.parametrize("happened", [True, False])
def test_a_compensation_of_unknown_outcome_waits_for_a_person(happened) -> None:
    """If it did not happen it is tried once more, as the next attempt."""
    answers = iter([Unknown(), {"ok": True}])

    def act(command: InvokeAction) -> Any:
        if command.step == "compensate:b":
            return next(answers)
        return BROKEN if command.step == "c" else numbered(command)

    harness = Harness(flow(undoable("a"), undoable("b"), agent("c")), act).run()
    assert (undone(harness), harness.status) == (["compensate:b", "compensate:a"], "compensating")
    harness.resolve("compensate:b", happened=happened)
    harness.run()
    assert harness.attempts("compensate:b") == ([1] if happened else [1, 2])
    assert harness.status == "failed"


def test_a_compensation_may_ask_a_person() -> None:
    """Approved it goes on with exactly that; rejected it has failed, and the next begins."""

    def asking(command: InvokeAction) -> Any:
        if command.step == "compensate:b" and not command.approved:
            return Ask()
        return BROKEN if command.step == "c" else numbered(command)

    for decision, error in (("approved", None), ("rejected", "rejected")):
        harness = Harness(flow(undoable("a"), undoable("b"), agent("c")), asking).run()
        assert (undone(harness), harness.status) == (["compensate:b"], "compensating")
        harness.decide("compensate:b", decision)
        ended = last(harness.run())
        assert isinstance(ended, ExecutionFailed)
        assert [note.step for note in ended.compensations] == ["b", "a"]
        assert (ended.compensations[0].error or BROKEN).code == (error or "broken")


def test_a_paused_run_undoes_nothing_until_it_is_resumed() -> None:
    """Its status stays compensating all the while; a cancelled one is not held back."""
    harness = Harness(flow(undoable("a"), agent("b"), agent("c"), edges=["a > b"]), but("b", BROKEN))
    harness.finish("a")
    harness.begin("b")
    harness.begin("c")
    harness.pause()
    harness.finish("c")
    harness.finish("b")
    assert (harness.status, harness.actions) == ("compensating", {})
    harness.resume()
    assert harness.status == "compensating"
    assert harness.run().status == "failed"
    paused = Harness(flow(undoable("a"), agent("b")), numbered)
    paused.finish("a")
    paused.pause()
    paused.cancel()
    assert paused.run().status == "cancelled"
    assert undone(paused) == ["compensate:a"]


def test_a_wish_to_cancel_changes_nothing_once_a_run_is_compensating() -> None:
    """It ends as it was about to end."""
    harness = Harness(flow(undoable("a"), agent("b")), but("b", BROKEN))
    harness.finish("a")
    harness.finish("b")
    harness.cancel()
    assert harness.run().status == "failed"
    assert undone(harness) == ["compensate:a"]


def test_whoever_takes_over_in_the_middle_goes_on_there() -> None:
    """After every event of a run that is undone, a replay has the same state and the same to do."""
    steps = [undoable("a"), undoable("b", foreach="[1, 2]"), agent("c")]
    harness = Harness(flow(*steps), but("c", BROKEN)).run()
    live = Machine(harness.machine.graph)
    for number, event in enumerate(harness.events):
        live.apply(event)
        again = Machine(harness.machine.graph)
        for earlier in harness.events[: number + 1]:
            again.apply(earlier)
        assert (again.state, again.outstanding) == (live.state, live.outstanding)
    assert live.state.status == "failed"


def test_what_stood_in_for_a_result_is_not_undone() -> None:
    """The step itself never did what its compensation would undo; also where a cancel finds its fallback."""
    other = {"agent_type": "other", "action": "help"}
    harness = Harness(flow(undoable("a", fallback=other), agent("b")), but("a", BROKEN))
    harness.finish("a")
    harness.begin("a", "keyed")
    harness.cancel()
    harness.actions["a"] = harness.invoked[-1]
    harness._act = numbered
    harness.finish("a")
    assert (harness.status, undone(harness)) == ("cancelled", [])


def test_that_a_call_happened_is_no_result_of_its_step() -> None:
    """The step was broken off in the middle; there is nothing of which it is said how to undo it."""
    harness = Harness(flow(undoable("a"), agent("b")), numbered)
    harness.begin("a")
    facts: dict[str, Any] = {"agent": "other", "action": "fire", "risk": "R1", "effect": "at_most_once"}
    harness.apply(CallStarted(at=START, call="a/1", step="a", attempt=1, **facts))
    harness.cancel()
    harness.apply(StepOutcomeUnknown(at=START, step="a", attempt=1, key="k", call="a/1"))
    said: dict[str, Any] = {"happened": True, "actor": "boss", "output": {"id": 7}, "call": "a/1"}
    harness.apply(StepOutcomeResolved(at=START, step="a", attempt=1, **said))
    assert (harness.status, undone(harness)) == ("cancelled", [])


def test_the_time_of_a_run_does_not_end_its_undoing() -> None:
    """A run that undoes what it did takes as long as that takes, and ends as it said."""
    harness = Harness(flow(undoable("a"), agent("b"), timeout="1m"), but("b", BROKEN))
    harness.finish("a")
    assert "execution" in harness.timers
    harness.finish("b")
    assert (harness.status, harness.timers) == ("compensating", {})
    ended = last(harness.run())
    assert isinstance(ended, ExecutionFailed)
    assert (ended.error, ended.compensations) == (BROKEN, (Compensation(step="a"),))
