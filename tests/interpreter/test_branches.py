"""Switches and joins: exactly one way is taken, and a step begins with as many ways as it asks for."""

from typing import Any

import pytest

from dirigent.domain.event import Failure, StepSkipped
from tests.interpreter.harness import Edge, Harness, Unknown, agent, failing, flow, step

HIGH_LOW = [agent("high"), agent("low"), agent("end")]


def invoked(harness: Harness) -> list[str]:
    """The steps whose action was asked for, in order."""
    return [command.step for command in harness.invoked]


def reasons(harness: Harness) -> dict[str, str]:
    """Why steps were skipped."""
    return {event.step: event.reason for event in harness.events if isinstance(event, StepSkipped)}


# --- switch --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "taken"), [(9, "high"), (5, "high"), (4, "low"), (-1, "low")])
def test_the_first_case_that_holds_is_the_way(n, taken) -> None:
    """Cases are asked in their order; the default is the way where none of them holds."""
    cases = [{"when": "n > 8", "to": "high"}, {"when": "n >= 5", "to": "high"}]
    switch = step("way", "switch", cases=cases, default="low")
    harness = Harness(flow(switch, *HIGH_LOW), n=n).run()
    assert invoked(harness) == [taken, "end"]
    assert harness.status == "completed"
    assert harness.statuses()["low" if taken == "high" else "high"] == "skipped"


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("x", "high"),
        (1, "low"),
        (1.0, "low"),
        (True, "end"),
        (None, "high"),
        ({"a": [1]}, "low"),
        ("y", "end"),
    ],
)
def test_a_switch_compares_with_values(value, taken) -> None:
    """As JSON compares: 1 is 1.0, true is no number, null is a value, mappings compare by what is in them."""
    cases = [
        {"value": "x", "to": "high"},
        {"value": 1, "to": "low"},
        {"value": None, "to": "high"},
        {"value": {"a": [1.0]}, "to": "low"},
    ]
    switch = step("way", "switch", on="input.v", cases=cases, default="end")
    edges: list[Edge] = ["way > after"]
    harness = Harness(flow(switch, *HIGH_LOW, agent("after"), edges=edges), v=value).run()
    assert invoked(harness)[:1] == ["after"]
    assert [name for name in invoked(harness) if name != "after"] == [taken]
    assert harness.machine.state.outputs["way"]["to"] == taken


def test_no_case_and_no_default_is_an_error() -> None:
    """Never silence: the step fails, and nothing behind it runs."""
    switch = step("way", "switch", cases=[{"when": "n > 8", "to": "high"}, {"when": "n < 2", "to": "low"}])
    harness = Harness(flow(switch, *HIGH_LOW), n=5).run()
    assert (harness.status, invoked(harness)) == ("failed", [])
    assert harness.machine.state.failure == Failure(
        code="no_case", message="no case of way holds, and it has no default"
    )


@pytest.mark.parametrize(
    "keys",
    [
        {"cases": [{"when": "missing > 1", "to": "high"}]},
        {"on": "missing", "cases": [{"value": 1, "to": "high"}]},
    ],
)
def test_a_switch_that_errs_fails_its_step(keys) -> None:
    """An expression without a value is no case, and not the default either."""
    harness = Harness(flow(step("way", "switch", default="low", **keys), *HIGH_LOW)).run()
    assert (harness.status, invoked(harness)) == ("failed", [])
    assert harness.machine.state.failure is not None
    assert harness.machine.state.failure.code == "expression_error"


def test_a_switch_that_fails_and_may_pass_takes_no_way() -> None:
    """Neither a case nor the default."""
    switch = step(
        "way", "switch", cases=[{"when": "missing", "to": "high"}], default="low", on_error="continue"
    )
    harness = Harness(flow(switch, *HIGH_LOW)).run()
    assert (harness.status, invoked(harness)) == ("partially_completed", [])


def test_what_a_switch_decided_hides_no_names() -> None:
    """Its own output is read by its id only."""
    cases = [{"when": "true", "to": "a"}]
    harness = Harness(
        flow(
            step("way", "switch", cases=cases),
            agent("a", parameters={"to": "${to}", "way": "${steps.way.to}"}),
        ),
        to="anna@example.com",
    )
    assert harness.actions["a"].inputs == {"to": "anna@example.com", "way": "a"}


def test_branches_of_a_switch_meet_behind_it() -> None:
    """Without connections each branch goes on with the first step behind them that is none."""
    cases = [{"when": "n == 1", "to": "a"}, {"when": "n == 2", "to": "b"}]
    steps = [agent("before"), step("way", "switch", cases=cases, default="c"), *map(agent, "abcde")]
    for n, taken in ((1, "a"), (2, "b"), (3, "c")):
        harness = Harness(flow(*steps), n=n).run()
        assert invoked(harness) == ["before", taken, "d", "e"]


# --- joins ---------------------------------------------------------------------------------------

FORK: list[Edge] = ["a > j", "b > j", "c > j", "j > end"]


def joined(join: Any, **keys: Any) -> Any:
    """Three steps at once, a step that joins them, and one behind it."""
    return flow(*map(agent, "abc"), agent("j", join=join, **keys), agent("end"), edges=FORK)


@pytest.mark.parametrize(("join", "needed"), [("any", 1), (1, 1), (2, 2), ({"n": 2}, 2), (3, 3)])
def test_a_join_begins_with_the_last_way_it_needs(join, needed) -> None:
    """Once, whatever comes later; the steps that come later still end."""
    harness = Harness(joined(join))
    for number, name in enumerate("cba", 1):
        harness.finish(name)
        assert ("j" in harness.actions) is (number >= needed), name
    harness.run()
    assert invoked(harness) == ["a", "b", "c", "j", "end"]
    assert set(harness.statuses().values()) == {"succeeded"}
    assert harness.status == "completed"


def test_a_join_of_all_waits_for_all() -> None:
    """The word is the usual rule."""
    definition = joined("all")
    assert definition.steps[3].join == 0
    harness = Harness(definition)
    harness.finish("a")
    harness.finish("b")
    assert list(harness.actions) == ["c"]


def test_a_later_way_begins_nothing_again() -> None:
    """Also where the join has ended long before the later ways are taken."""
    harness = Harness(joined("any"))
    harness.finish("a")
    harness.finish("j")
    harness.finish("end")
    assert harness.status == "running"
    harness.run()
    assert (harness.attempts("j"), harness.attempts("end"), harness.status) == ([1], [1], "completed")


def test_a_join_that_cannot_have_enough_ways_is_skipped_at_once() -> None:
    """As soon as too few ways are left; what is behind it is skipped with it."""
    edges: list[Edge] = [
        {"from": name, "to": "j", "condition": f"steps.{name}.ok == input.want"} for name in "abc"
    ]
    definition = flow(*map(agent, "abc"), agent("j", join=2), agent("end"), edges=[*edges, "j > end"])
    harness = Harness(definition, want=False)
    harness.finish("a")
    assert harness.statuses()["j"] == "pending"
    harness.finish("b")
    assert harness.statuses() == {
        "a": "succeeded",
        "b": "succeeded",
        "c": "running",
        "j": "skipped",
        "end": "skipped",
    }
    assert reasons(harness)["j"] == "0 of the ways in were taken, 2 are needed"
    assert harness.run().status == "completed"


@pytest.mark.parametrize("broken", ["a", "b", "c"])
def test_a_join_may_do_without_a_step_that_fails(broken) -> None:
    """Two of three are enough: the run goes on, and is partially completed, for something is missing."""
    harness = Harness(joined(2), failing(broken)).run()
    assert (harness.statuses()["j"], harness.status) == ("succeeded", "partially_completed")


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_failure_counts_whichever_end_of_a_join_comes_first(order) -> None:
    """One of two is not taken and the other fails: what came first does not hide the failure."""
    edges: list[Edge] = [{"from": "a", "to": "j", "condition": "input.want"}, "b > j"]
    harness = Harness(flow(*map(agent, "ab"), agent("j", join=2), edges=edges), failing("b"), want=False)
    for name in order:
        harness.finish(name)
    assert (harness.statuses()["j"], harness.status) == ("skipped", "failed")


def test_a_failure_counts_when_the_join_cannot_do_without() -> None:
    """Two of three fail: the join is skipped because of them, and the run has failed."""
    harness = Harness(joined(2), failing("a", "b")).run()
    assert (harness.statuses()["j"], harness.status) == ("skipped", "failed")
    assert reasons(harness) == {"j": "a failed", "end": "a failed"}
    assert harness.machine.state.failure == Failure(code="broken", message="broken by the test")


def test_a_failure_that_leads_elsewhere_as_well_counts() -> None:
    """The other step behind it cannot run, whatever the join does."""
    definition = flow(
        *map(agent, "ab"), agent("j", join="any"), agent("k"), edges=["a > j", "b > j", "a > k"]
    )
    harness = Harness(definition, failing("a")).run()
    assert harness.statuses() == {"a": "failed", "b": "succeeded", "j": "succeeded", "k": "skipped"}
    assert harness.status == "failed"


def test_a_paused_join_begins_once() -> None:
    """Ways that are taken while the execution is held back do not begin it twice."""
    harness = Harness(joined("any"))
    for name in "abc":
        harness.begin(name)
    harness.pause()
    harness.finish("a")
    harness.finish("b")
    harness.resume()
    assert sorted(harness.actions) == ["c", "j"]
    assert harness.run().attempts("j") == [1]


# --- the rest is cancelled -----------------------------------------------------------------------


def test_the_rest_is_cancelled() -> None:
    """What still runs and leads only to the join is stopped; what has not begun is skipped."""
    edges: list[Edge] = ["a > j", "b > b2", "b2 > j", "c > j", "c > other"]
    definition = flow(
        *map(agent, ["a", "b", "b2", "c", "other"]), agent("j", join="any", cancel_rest=True), edges=edges
    )
    harness = Harness(definition)
    harness.finish("a")
    assert harness.cancelled == ["b"]
    stopped = {name: harness.statuses()[name] for name in ("b", "b2", "c", "other")}
    assert stopped == {"b": "cancelled", "b2": "skipped", "c": "running", "other": "pending"}
    harness.run()
    assert (harness.statuses()["other"], harness.status) == ("succeeded", "completed")


def test_cancelled_is_not_failed() -> None:
    """A step that was stopped degrades nothing, and its outputs are not there."""
    harness = Harness(joined("any", cancel_rest=True), lambda command: {"by": command.step})
    harness.finish("b")
    harness.run()
    assert harness.statuses() == {
        "a": "cancelled", "b": "succeeded", "c": "cancelled", "j": "succeeded", "end": "succeeded"
    }  # fmt: skip
    assert harness.status == "completed"
    assert set(harness.machine.state.outputs) == {"b", "j", "end"}


EFFECTS = {
    "pure": "cancelled",
    "read": "cancelled",
    "keyed": "running",
    "queryable": "running",
    "at_most_once": "running",
}


@pytest.mark.parametrize(("effect", "status"), EFFECTS.items())
def test_an_effect_under_way_comes_to_its_end(effect, status) -> None:
    """Breaking it off would leave nobody knowing; its end counts for nothing, and the run waits for it."""
    harness = Harness(joined("any", cancel_rest=True))
    harness.begin("a", effect=effect)
    harness.finish("b")
    assert harness.statuses()["a"] == status
    harness.run()
    assert harness.status == "completed"
    assert harness.statuses()["a"] == ("cancelled" if status == "cancelled" else "succeeded")
    assert harness.attempts("j") == [1]


def test_an_effect_that_nobody_waits_for_is_not_tried_again() -> None:
    """It failed in a way that another try might mend, but nobody needs it any more."""
    definition = flow(
        agent("a", retry_policy={"max_attempts": 5}), agent("b"), agent("j", join="any", cancel_rest=True),
        edges=["a > j", "b > j"],
    )  # fmt: skip
    harness = Harness(definition, failing("a", retryable=True))
    harness.begin("a", effect="keyed")
    harness.finish("b")
    harness.run()
    assert (harness.attempts("a"), harness.statuses()["a"], harness.status) == ([1], "cancelled", "completed")


def test_an_unknown_outcome_still_waits_for_a_person() -> None:
    """An effect that may have happened is never forgotten; said not to have happened, it is not repeated."""
    for happened, ended in ((True, "succeeded"), (False, "cancelled")):
        harness = Harness(
            joined("any", cancel_rest=True), lambda c: Unknown() if c.step == "a" else {"ok": True}
        )
        harness.finish("a")
        harness.finish("b")
        assert harness.run().statuses()["a"] == "outcome_unknown"
        assert harness.status == "running"
        harness.resolve("a", happened=happened)
        assert (harness.statuses()["a"], harness.status) == (ended, "completed")


@pytest.mark.parametrize("kind", ["approval", "wait", "wait_for_event", "retry", "child", "foreach"])
def test_whatever_waits_is_stopped(kind) -> None:
    """A person is not asked any more, timers wake nobody, a child execution is cancelled."""
    slow: dict[str, Any] = {
        "approval": step("a", "approval"),
        "wait": step("a", "wait", duration="1h"),
        "wait_for_event": step("a", "wait_for_event", event="order.paid", timeout="2h"),
        "retry": agent("a", retry_policy={"max_attempts": 3}),
        "child": step("a", "subworkflow", workflow="w"),
        "foreach": agent("a", foreach="input.rows", max_parallel=2),
    }[kind]
    definition = flow(slow, agent("b"), agent("j", join="any", cancel_rest=True), edges=["a > j", "b > j"])
    harness = Harness(definition, failing("a", retryable=True), rows=[1, 2, 3])
    if kind == "retry":
        harness.finish("a")
    harness.finish("b")
    assert harness.statuses()["a"] == "cancelled"
    harness.finish("j")
    assert harness.status == "completed"
    assert harness.timers == {}
    assert harness.machine.state.signals.awaited == {}
    assert harness.cancelled == {"child": ["a"], "foreach": ["a[0]", "a[1]"]}.get(kind, [])
