"""Forks: what is kept at any event of any run, and that nothing kept is asked for again."""

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dirigent.domain.errors import Conflict
from dirigent.domain.event import ExecutionCompleted, Kept, StepStarted, StepTakenOver
from dirigent.interpreter.forking import Fork, fork_of
from dirigent.interpreter.graph import build_graph
from dirigent.interpreter.machine import Machine
from tests.interpreter.generated import definitions, replayed, run
from tests.interpreter.harness import Harness, Unknown, agent, failing, flow, step

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
    """Everything that acts is taken over with what it gave."""
    graph, events = build_graph(definition), run(definition, seed).events
    assume(isinstance(events[-1], ExecutionCompleted))
    fork = fork_of(graph, events, exists=lambda _: True)
    again = run(definition, seed, fork)
    assert not [event for event in again.events if isinstance(event, StepStarted)]
    assert isinstance(again.events[-1], ExecutionCompleted)
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
