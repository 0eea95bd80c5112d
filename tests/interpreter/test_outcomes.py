"""Effects of unknown outcome that can be read back: when it is looked, and what follows from what is seen."""

from typing import Any

import pytest

from dirigent.domain.command import InvokeAction
from dirigent.domain.errors import IllegalTransition
from dirigent.domain.event import EffectAcknowledged, Failure, StepOutcomeResolved
from dirigent.interpreter.reading import StepReading, read_execution
from tests.interpreter.harness import START, Act, Harness, Unknown, agent, flow

UNCLEAR = Unknown(lookup=True)
BROKEN = Failure(code="broken", message="no use")
TWICE = {"retry_policy": {"max_attempts": 2}}


def seen(*looks: Any, result: Any = None) -> Act:
    """The first attempt of `a` is unclear; these are what the looks see, one after the other."""
    left = list(looks)

    def act(command: InvokeAction) -> Any:
        if command.step != "a":
            return {"ok": True}
        if command.look:
            return left.pop(0)
        return UNCLEAR if command.attempt == 1 else result

    return act


def looked(harness: Harness) -> int:
    """How often it was looked."""
    return sum(command.look for command in harness.invoked)


def let_look(harness: Harness) -> Harness:
    """Let the time of the next look come, and look."""
    harness.fire("look:a")
    return harness.run()


def reading(harness: Harness) -> StepReading:
    """The step as a person reads it."""
    return read_execution(harness.events).steps["a"]


def test_what_is_found_completes_the_step() -> None:
    """Five seconds later it is looked; what was found is the output, and no person was asked."""
    harness = Harness(flow(agent("a"), agent("b")), seen({"id": 7})).run()
    assert (harness.statuses()["a"], harness.timers) == ("outcome_unknown", {"look:a": START + 5_000})
    assert let_look(harness).status == "completed"
    assert harness.machine.state.outputs["a"] == {"id": 7}
    assert (looked(harness), harness.attempts("a")) == (1, [1])
    assert reading(harness).reason == "settled by read_back"


def test_what_is_missing_twice_is_tried_again_as_the_step_allows() -> None:
    """One look that sees nothing may have come too early; two let the next attempt begin."""
    harness = Harness(flow(agent("a", **TWICE)), seen(None, None, result={"id": 8})).run()
    let_look(harness)
    assert harness.statuses()["a"] == "outcome_unknown"
    assert harness.timers == {"look:a": START + 20_000}
    let_look(harness)
    assert (harness.status, harness.output, harness.attempts("a")) == ("completed", {"id": 8}, [1, 2])


def test_without_an_attempt_left_a_person_has_to_say() -> None:
    """After three looks nothing moves by itself; the person may look once more, and find it."""
    harness = Harness(flow(agent("a")), seen(None, None, None, {"id": 9})).run()
    for _ in range(3):
        let_look(harness)
    assert (harness.statuses()["a"], harness.machine.outstanding) == ("outcome_unknown", [])
    assert reading(harness).reason == "it was looked for and not found"
    harness.look("a")
    assert harness.run().output == {"id": 9}
    assert harness.attempts("a") == [1]


def test_a_look_that_fails_says_nothing() -> None:
    """However often: it is no sign that the effect did not happen."""
    failed = Failure(code="transient", message="no answer")
    harness = Harness(flow(agent("a", **TWICE)), seen(failed, failed, failed)).run()
    for _ in range(3):
        let_look(harness)
    assert (harness.statuses()["a"], harness.attempts("a")) == ("outcome_unknown", [1])
    assert reading(harness).reason == "it could not be looked at: no answer"


def test_a_person_who_asks_to_look_does_not_wait_for_the_next_look() -> None:
    """It is looked at once and once only, however often it is asked meanwhile."""
    harness = Harness(flow(agent("a")), seen({"id": 7})).run()
    harness.look("a")
    harness.look("a")
    assert harness.timers == {}
    assert (harness.run().status, looked(harness)) == ("completed", 1)


def test_a_person_who_says_it_ends_the_look() -> None:
    """A look that is under way is broken off, its time is taken back."""
    harness = Harness(flow(agent("a"), agent("b")), seen()).run()
    harness.look("a")
    harness.resolve("a", happened=True, output={"id": 1})
    assert harness.cancelled == ["a"]
    assert (harness.run().status, harness.timers) == ("completed", {})


def test_what_cannot_be_read_back_is_never_looked_at() -> None:
    """It waits for a person from the beginning."""
    harness = Harness(flow(agent("a")), lambda _command: Unknown()).run()
    assert harness.machine.outstanding == []


@pytest.mark.parametrize(("found", "undone"), [({"id": 7}, ["compensate:a"]), (None, [])])
def test_a_cancelled_run_still_looks_at_what_may_have_to_be_undone(found, undone) -> None:
    """Found it is undone; where it is not seen, a person says so and nothing is undone."""
    undo = {"agent_type": "worker", "action": "undo", "parameters": {"id": "${output.id}"}}
    harness = Harness(flow(agent("a", compensate=undo)), seen(found, None, None)).run()
    harness.cancel()
    assert (harness.status, list(harness.timers)) == ("cancelling", ["look:a"])
    while "look:a" in harness.timers:
        let_look(harness)
    if found is None:
        harness.resolve("a", happened=False)
    assert [command.step for command in harness.invoked if command.step != "a"] == undone
    assert harness.status == "cancelled"


def test_a_cancelled_run_leaves_what_nobody_would_undo() -> None:
    """It ends at once, and nothing is looked at any more."""
    harness = Harness(flow(agent("a")), seen()).run()
    harness.look("a")
    harness.cancel()
    assert (harness.status, harness.cancelled, harness.timers) == ("cancelled", ["a"], {})


def test_a_compensation_is_looked_at_as_well() -> None:
    """Not seen twice, it is tried again where it may be."""
    undo = {"agent_type": "worker", "action": "undo", "retry_policy": {"max_attempts": 2}}

    def act(command: InvokeAction) -> Any:
        if command.step == "b":
            return BROKEN
        if command.look:
            return None
        return UNCLEAR if (command.step, command.attempt) == ("compensate:a", 1) else {"ok": True}

    harness = Harness(flow(agent("a", compensate=undo), agent("b")), act).run()
    for _ in range(2):
        harness.fire("look:compensate:a")
        harness.run()
    assert (harness.status, harness.attempts("compensate:a")) == ("failed", [1, 2])


def test_what_the_receiver_calls_an_effect_is_told_to_every_later_look() -> None:
    """It is kept with the intent; it settles nothing."""
    harness = Harness(flow(agent("a")), seen({"id": 7}))
    harness.begin("a", "queryable")
    harness.apply(EffectAcknowledged(at=harness.now, step="a", attempt=1, reference="no. 12"))
    outstanding = harness.machine.outstanding[0]
    assert isinstance(outstanding, InvokeAction)
    assert outstanding.reference == "no. 12"
    harness.run()
    assert reading(harness).reference == "no. 12"
    let_look(harness)
    assert [command.reference for command in harness.invoked if command.look] == ["no. 12"]


def test_only_what_is_unclear_can_be_looked_at() -> None:
    """A wish to look at a step that is settled is refused."""
    harness = Harness(flow(agent("a"), agent("b")), lambda _command: {"ok": True})
    with pytest.raises(IllegalTransition, match="is running"):
        harness.look("a")
    harness.run()
    with pytest.raises(IllegalTransition):
        harness.look("a")


def test_what_is_settled_by_looking_says_so() -> None:
    """The resolution names no person."""
    harness = Harness(flow(agent("a")), seen({"id": 7})).run()
    let_look(harness)
    actors = [event.actor for event in harness.events if isinstance(event, StepOutcomeResolved)]
    assert actors == ["read_back"]
