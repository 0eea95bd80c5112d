"""Forks: what is kept at any event of any run, and that nothing kept is asked for again."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dirigent.domain.errors import Conflict
from dirigent.domain.event import (
    CallEnded,
    CallStarted,
    ExecutionCompleted,
    ExecutionFailed,
    Failure,
    Kept,
    StepFailed,
    StepOutcomeResolved,
    StepOutcomeUnknown,
    StepStarted,
    StepTakenOver,
)
from dirigent.interpreter.forking import Fork, fork_of
from dirigent.interpreter.graph import build_graph
from dirigent.interpreter.machine import Machine
from tests.interpreter.generated import definitions, replayed, run
from tests.interpreter.harness import Edge, Harness, Unknown, agent, failing, flow, step

SEEDS = st.integers(0, 2**32)


def forked(harness: Harness, **options: Any) -> Fork:
    """A fork of a run."""
    return fork_of(harness.machine.graph, harness.events, exists=lambda _: True, **options)


@settings(max_examples=60, deadline=None)
@given(definitions(), SEEDS, SEEDS, st.data())
def test_whatever_is_forked_asks_for_nothing_that_is_kept(definition, seed, other, data) -> None:
    """At every event; the fork ends, and a replay of it has the same state and the same commands."""
    graph, events = build_graph(definition), run(definition, seed).events
    at = data.draw(st.integers(1, len(events)))
    try:
        fork = fork_of(graph, events, at=at, exists=lambda _: True)
    except Conflict:
        assume(False)
    again = run(definition, other, fork)
    taken = [event.step for event in again.events if isinstance(event, StepTakenOver)]
    begun = {event.step for event in again.events if isinstance(event, StepStarted)}
    assert set(taken) <= fork.kept.keys()
    assert len(taken) == len(set(taken))
    assert begun.isdisjoint(name for name, kept in fork.kept.items() if not kept.item)
    assert replayed(definition, again.events) == replayed(definition, again.events)
    live = Machine(definition)
    for event in again.events:
        live.apply(event)
    assert live.state.ended


@settings(max_examples=40, deadline=None)
@given(definitions(), SEEDS)
def test_a_completed_run_forked_at_its_end_does_nothing_again(definition, seed) -> None:
    """Everything that acts is taken over with what it gave.

    What only computes is computed anew: a bare name means the latest step that gave it, and of steps side by
    side another one may be the latest now.
    """
    graph, events = build_graph(definition), run(definition, seed).events
    assume(isinstance(events[-1], ExecutionCompleted))
    fork = fork_of(graph, events, exists=lambda _: True)
    again = run(definition, seed, fork)
    assert not [event for event in again.events if isinstance(event, StepStarted)]
    end = again.events[-1]
    assume(not (isinstance(end, ExecutionFailed) and end.error and end.error.code == "expression_error"))
    assert isinstance(end, ExecutionCompleted)
    live = Machine(definition)
    for event in again.events:
        live.apply(event)
    needed = [name for name in fork.kept if name in graph.bodies[""].steps and _is_needed(live, name)]
    given = {name: fork.kept[name].output for name in needed if fork.kept[name].error is None}
    assert {name: live.state.outputs[name] for name in given} == given


def _is_needed(machine: Machine, step: str) -> bool:
    """Whether a step was come to, and not only after a join that did without it."""
    state = machine.state.steps[step]
    return state.status not in ("skipped", "cancelled") and not state.let_go


def test_what_computes_is_taken_over_where_an_action_stood_in_for_it() -> None:
    """It cannot be computed, now as then; what was done in its place is not done again."""
    other = {"agent_type": "other", "action": "work", "parameters": {}}
    total = step("t", "transform", parameters={"n": "${input.missing}"}, fallback=other)
    harness = Harness(flow(total)).run()
    assert [command.agent for command in harness.invoked] == ["other"]
    again = Harness(harness.machine.graph, fork=forked(harness)).run()
    assert (again.invoked, again.status, again.output) == ([], "completed", harness.output)


def test_a_way_in_that_errs_keeps_no_step_from_being_taken_over() -> None:
    """With what was edited its condition has no value; its effect is done, and nothing takes its place."""
    other = {"agent_type": "other", "action": "work", "parameters": {}}
    edge: Edge = {"from": "a", "to": "b", "condition": "steps.a.ok"}
    harness = Harness(flow(agent("a"), agent("b", fallback=other), edges=[edge])).run()
    again = Harness(harness.machine.graph, fork=forked(harness, edits={"a": {}})).run()
    assert (again.invoked, again.status, again.output) == ([], "completed", harness.output)


def test_a_fork_before_a_step_drops_what_stands_behind_it() -> None:
    """Other branches are kept."""
    edges = ["a > b", "b > d", "a > c"]
    harness = Harness(flow(*map(agent, "abcd"), edges=edges)).run()
    assert list(forked(harness, at="b").kept) == ["a", "c"]
    assert list(forked(harness, at="d").kept) == ["a", "b", "c"]
    assert list(forked(harness).kept) == ["a", "b", "c", "d"]


def test_what_failed_is_not_kept_unless_the_run_went_on() -> None:
    """A failure that an error branch or the step itself took care of is a result as well."""
    edges: list[Any] = [{"from": "a", "to": "b", "on": "error"}, "c > d"]
    steps = [agent("a"), agent("b"), agent("c", on_error="continue"), agent("d"), agent("e")]
    harness = Harness(flow(*steps, edges=edges), failing("a", "c", "e")).run()
    fork = forked(harness)
    assert list(fork.kept) == ["a", "c", "b", "d"]
    assert {name for name, kept in fork.kept.items() if kept.error is not None} == {"a", "c"}
    again = Harness(harness.machine.graph, fork=fork).run()
    assert [command.step for command in again.invoked] == ["e"]
    assert again.status == "partially_completed"


def test_items_are_kept_where_their_step_is_not_and_they_are_the_same() -> None:
    """An item that is another one now is done; the rest is taken over."""
    definition = flow(agent("a"), agent("b", foreach="steps.a.rows"), agent("c"))

    def act(command: Any) -> Any:
        return {"rows": [1, 2, 3]} if command.step == "a" else failing("b[1]")(command)

    harness = Harness(definition, act).run()
    fork = forked(harness)
    assert list(fork.kept) == ["a", "b[0]", "b[2]"]
    same = Harness(definition, fork=fork).run()
    assert [command.step for command in same.invoked] == ["b[1]", "c"]
    edited = forked(harness, edits={"a": {"rows": [1, 2, 9, 4]}})
    assert edited.kept["a"] == Kept(output={"rows": [1, 2, 9, 4]})
    other = Harness(definition, fork=edited).run()
    assert [command.step for command in other.invoked] == ["b[1]", "b[2]", "b[3]", "c"]


def test_a_person_may_say_what_became_of_an_effect() -> None:
    """Its output, or that it may be done again."""
    harness = Harness(flow(agent("a"), agent("b")), lambda _command: Unknown()).run()
    harness.cancel()
    fork = forked(harness, again=["a"])
    assert (fork.kept, fork.unsettled) == ({}, {})
    assert forked(harness, edits={"a": 1}).kept == {"a": Kept(output=1)}


def test_waits_and_decisions_are_kept() -> None:
    """Nobody is asked again, and nothing is waited for again."""
    steps = [
        step("w", "wait", duration="1h"),
        step("ask", "approval"),
        step("told", "wait_for_event", event="go"),
        agent("a"),
    ]
    harness = Harness(flow(*steps)).run()
    harness.decide("ask")
    harness.signal("go", 7)
    harness.run()
    again = Harness(harness.machine.graph, fork=forked(harness, at="a")).run()
    assert (again.status, again.timers, again.approvals) == ("completed", {}, {})
    assert again.machine.state.outputs["told"] == 7


# --- what a run began and did not bring to its end ------------------------------------------------------


def begun(harness: Harness, key: str = "k1", action: str = "work", effect: str = "keyed") -> None:
    """Let the next attempt of step `a` through, as an effect under this key."""
    attempt = harness.actions["a"].attempt
    facts: dict[str, Any] = {"agent": "worker", "action": action, "effect": effect}
    facts |= {"key": key, "payload": f"of {key}"} if effect == "keyed" else {}
    harness.apply(StepStarted(at=harness.now, step="a", attempt=attempt, **facts))


def ended(harness: Harness, code: str, attempt: int = 1, *, retryable: bool = False) -> None:
    """End an attempt of step `a` without a result."""
    harness.actions.pop("a", None)
    error = Failure(code=code, message=code, retryable=retryable)
    harness.apply(StepFailed(at=harness.now, step="a", attempt=attempt, error=error))


def called(harness: Harness, attempt: int = 1) -> None:
    """The action of step `a` makes a call that cannot be repeated."""
    facts: dict[str, Any] = {"agent": "other", "action": "fire", "risk": "R1", "effect": "at_most_once"}
    facts |= {"key": "k", "payload": "p"}
    harness.apply(CallStarted(at=harness.now, call="a/1", step="a", attempt=attempt, **facts))


LOST = CallEnded(at=0, call="a/1", payload="p", error=Failure(code="outcome_unknown", message="who knows"))


@pytest.mark.parametrize("end", [(), (LOST,)])
def test_what_a_person_said_of_a_call_is_known_to_a_fork_of_the_fork(end) -> None:
    """The step itself has not ended by it; whoever does it again makes that call no second time."""
    harness = Harness(flow(agent("a"), agent("b")))
    begun(harness, effect="read")
    called(harness)
    for event in end:
        harness.apply(event)
    lost = StepOutcomeUnknown(at=harness.now, step="a", attempt=1, key="k", call="a/1")
    harness.actions.clear()
    harness.apply(lost)
    said: dict[str, Any] = {"happened": True, "actor": "boss", "output": 7, "call": "a/1"}
    harness.apply(StepOutcomeResolved(at=harness.now, step="a", attempt=1, **said))
    harness.cancel()
    fork = forked(harness)
    assert [(call.call, call.output) for call in fork.unsettled["a"].calls] == [("a/1", 7)]  # type: ignore[union-attr]
    again = Harness(harness.machine.graph, fork=fork)
    begun(again, effect="read")
    again.cancel()
    assert forked(again).unsettled["a"].calls == fork.unsettled["a"].calls


def test_a_call_that_was_made_twice_is_known_once() -> None:
    """A second try of the step asked for it again."""
    harness = Harness(flow(agent("a", retry_policy={"max_attempts": 2})))
    begun(harness, effect="read")
    called(harness)
    ended(harness, "busy", retryable=True)
    harness.fire("retry:a")
    begun(harness, effect="read")
    called(harness, 2)
    harness.apply(CallEnded(at=harness.now, call="a/1", payload="p", output=7))
    ended(harness, "broken", 2)
    fork = forked(harness)
    assert len(fork.unsettled["a"].calls) == 1
    assert Harness(harness.machine.graph, fork=fork).run().status == "completed"


@pytest.mark.parametrize(
    ("code", "key"), [("bad_output", "k1"), ("agent_error", "k1"), ("action_failed", "")]
)
def test_an_effect_whose_answer_was_of_no_use_is_done_again_under_its_key(code, key) -> None:
    """It has happened, for all anybody knows; what was refused has not."""
    harness = Harness(flow(agent("a")))
    begun(harness)
    ended(harness, code)
    found = forked(harness).unsettled.get("a")
    assert (found.key if found is not None else "") == key


def test_an_effect_and_that_of_its_fallback_have_a_key_each() -> None:
    """Each is done again under its own."""
    other = {"agent_type": "other", "action": "help"}
    harness = Harness(flow(agent("a", fallback=other)))
    begun(harness)
    ended(harness, "busy", retryable=True)
    begun(harness, "k2", "help")
    ended(harness, "busy", 2, retryable=True)
    fork = forked(harness)
    assert (fork.unsettled["a"].key, fork.unsettled["a"].instead_key) == ("k1", "k2")
    again = Harness(harness.machine.graph, failing("a"), fork=fork).run()
    assert [(command.key, command.payload) for command in again.invoked] == [("k1", "of k1"), ("k2", "of k2")]


def test_a_value_that_could_not_be_worked_out_settles_no_effect() -> None:
    """The fallback had none; the effect that it was to stand in for keeps its key."""
    harness = Harness(flow(agent("a", fallback={"value": "${input.missing}"})))
    begun(harness)
    ended(harness, "busy", retryable=True)
    assert harness.status == "failed"
    assert forked(harness).unsettled["a"].key == "k1"


def test_a_failure_that_was_taken_over_is_taken_over_again() -> None:
    """It was final there, though another try might have mended it."""
    retry = {"max_attempts": 2}
    steps = [agent("a", on_error="continue", retry_policy=retry), agent("b"), agent("c")]
    definition = flow(*steps, type="sequential")
    act = failing("a", retryable=True)
    harness = Harness(definition, act).run()
    assert harness.attempts("a") == [1, 2]
    again = Harness(definition, fork=forked(harness, at="b")).run()
    assert [command.step for command in again.invoked] == ["b", "c"]
    third = Harness(definition, fork=forked(again, at="c")).run()
    assert [command.step for command in third.invoked] == ["c"]


def test_of_a_loop_that_has_not_ended_the_steps_inside_are_kept() -> None:
    """Whether there is another time round is decided anew, by what is inside."""
    inside = [agent("x"), agent("y")]
    loop = step("l", "loop", max_iterations=3, until="steps.y.ok", steps=inside)
    harness = Harness(
        flow(loop), lambda c: {"ok": False} if c.step == "l[0].y" else failing("l[1].y")(c)
    ).run()
    assert harness.status == "failed"
    fork = forked(harness)
    assert list(fork.kept) == ["l[0].x", "l[0].y", "l[1].x"]
    again = Harness(harness.machine.graph, fork=fork).run()
    assert ([command.step for command in again.invoked], again.status) == (["l[1].y"], "completed")


def test_calls_of_an_item_are_known_where_other_items_are_done() -> None:
    """The step that it is an item of has not ended well by that."""
    harness = Harness(flow(agent("a", foreach="[1, 2]", max_parallel=1)))
    harness.finish("a[0]")
    harness.begin("a[1]")
    facts: dict[str, Any] = {"agent": "other", "action": "send", "risk": "R1", "effect": "keyed", "key": "k"}
    harness.apply(CallStarted(at=harness.now, call="a[1]/1", step="a[1]", attempt=1, payload="p", **facts))
    busy = Failure(code="transient", message="busy", retryable=True)
    harness.apply(CallEnded(at=harness.now, call="a[1]/1", payload="p", error=busy))
    no = Failure(code="refused", message="no")
    harness.actions.clear()
    harness.apply(StepFailed(at=harness.now, step="a[1]", attempt=1, error=no))
    assert harness.status == "failed"
    assert [call.call for call in forked(harness).unsettled["a[1]"].calls] == ["a[1]/1"]
