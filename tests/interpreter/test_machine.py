"""The machine: order, branches, joins, failures, attempts, children, the end of a run, and its cost."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from dirigent.domain.command import BreakOff, InvokeAction
from dirigent.domain.errors import IllegalTransition
from dirigent.domain.event import (
    ApprovalDecided,
    CallEnded,
    CallStarted,
    CancelRequested,
    DefinitionStored,
    Event,
    ExecutionFailed,
    Failure,
    StepCompleted,
    StepFailed,
    StepOutcomeResolved,
    StepSkipped,
    StepStarted,
    TimerFired,
)
from dirigent.domain.workflow import Retry
from dirigent.interpreter.graph import build_graph
from dirigent.interpreter.machine import Machine
from dirigent.interpreter.steps import retry_delay_ms
from tests.interpreter.harness import START, Edge, Harness, agent, failing, flow, step

DIAMOND: list[Edge] = ["a > b", "a > c", "b > d", "c > d"]


def invoked(harness: Harness) -> list[str]:
    """The steps whose action was asked for, in order."""
    return [command.step for command in harness.invoked]


# --- order and joins -----------------------------------------------------------------------------


def test_a_sequence_runs_in_its_order() -> None:
    """Without connections one step follows the other, and the last one's output is the run's."""
    harness = Harness(flow(agent("a"), agent("b"), agent("c")), lambda command: {"by": command.step})
    assert list(harness.actions) == ["a"]
    harness.run()
    assert invoked(harness) == ["a", "b", "c"]
    assert (harness.status, harness.output, harness.peak) == ("completed", {"by": "c"}, 1)


def test_parallel_steps_start_together() -> None:
    """Without connections a parallel workflow starts everything at once; the output names its steps."""
    harness = Harness(flow(agent("a"), agent("b"), agent("c"), type="parallel"))
    assert list(harness.actions) == ["a", "b", "c"]
    assert harness.run().output == {"a": {"ok": True}, "b": {"ok": True}, "c": {"ok": True}}


@pytest.mark.parametrize("last", ["b", "c"])
def test_a_join_waits_for_all(last) -> None:
    """A step with two ways in begins when both are decided, whichever comes last."""
    harness = Harness(flow(*map(agent, "abcd"), edges=DIAMOND))
    harness.finish("a")
    assert list(harness.actions) == ["b", "c"]
    harness.finish("c" if last == "b" else "b")
    assert list(harness.actions) == [last]
    harness.run()
    assert invoked(harness)[-1] == "d"
    assert harness.status == "completed"


@pytest.mark.parametrize("middle", [["b"], ["b", "b2"]])
def test_nothing_runs_behind_a_failure(middle) -> None:
    """A failed branch cuts the join behind it, also from further away; the others go on."""
    ways: list[Edge] = [
        "a > b",
        *(["b > b2"] if "b2" in middle else []),
        f"{middle[-1]} > d",
        "a > c",
        "c > e",
        "c > d",
    ]
    steps = [agent(name) for name in ["a", *middle, "c", "d", "e"]]
    harness = Harness(flow(*steps, edges=ways), failing("b")).run()
    assert harness.statuses() | {"b2": "skipped"} == {
        "a": "succeeded",
        "b": "failed",
        "b2": "skipped",
        "c": "succeeded",
        "d": "skipped",
        "e": "succeeded",
    }
    assert [event.reason for event in harness.events if isinstance(event, StepSkipped)][-1] == "b failed"
    failed = harness.events[-1]
    assert isinstance(failed, ExecutionFailed)
    assert (harness.status, failed.error.code, failed.output) == ("failed", "broken", {"e": {"ok": True}})


def test_an_error_way_handles_the_failure() -> None:
    """With a way on error the run completes, and the ways meet again behind it."""
    on_error = {"from": "a", "to": "help", "on": "error"}
    edges: list[Edge] = ["a > b", on_error, "b > end", "help > end"]
    definition = flow(agent("a"), agent("b"), agent("help"), agent("end"), edges=edges)
    broken = Harness(definition, failing("a")).run()
    assert broken.statuses() == {"a": "failed", "b": "skipped", "help": "succeeded", "end": "succeeded"}
    assert broken.status == "completed"
    well = Harness(definition).run()
    assert well.statuses() == {"a": "succeeded", "b": "succeeded", "help": "skipped", "end": "succeeded"}


def test_a_failure_that_may_pass_counts_as_an_empty_output() -> None:
    """With on_error: continue what follows runs, and the run is partially completed."""
    harness = Harness(flow(agent("a", on_error="continue"), agent("b")), failing("a")).run()
    assert harness.statuses() == {"a": "failed", "b": "succeeded"}
    assert (harness.status, harness.machine.state.outputs["a"]) == ("partially_completed", None)


@pytest.mark.parametrize("status", ["failed", "blocked", "rejected"])
def test_a_failure_ends_the_run_as_its_step_says(status) -> None:
    """`ends_as` is the status of the run."""
    assert Harness(flow(agent("a", ends_as=status)), failing("a")).run().status == status


# --- conditions ----------------------------------------------------------------------------------

BRANCHES = [
    agent("score"),
    step("gate", "condition", conditions=["n >= 75"]),
    agent("low"),
    agent("high"),
    agent("end"),
]
BY_RESULT: list[Edge] = [
    "score > gate",
    {"from": "gate", "to": "high", "on": "true"},
    {"from": "gate", "to": "low", "on": "false"},
    "high > end",
    "low > end",
]
BY_CONDITION: list[Edge] = [
    "score > gate",
    {"from": "gate", "to": "high", "condition": "n >= 75"},
    {"from": "gate", "to": "low", "condition": "n < 75"},
    "high > end",
    "low > end",
]


@pytest.mark.parametrize("edges", [BY_RESULT, BY_CONDITION])
@pytest.mark.parametrize(("score", "taken", "left"), [(75, "high", "low"), (74.9, "low", "high")])
def test_exactly_one_branch_is_taken(edges, score, taken, left) -> None:
    """The other is skipped, a join behind both runs, and the run is completed."""
    harness = Harness(flow(*BRANCHES, edges=edges), lambda _command: {"n": score}).run()
    ran = dict.fromkeys(["score", "gate", taken, "end"], "succeeded")
    assert harness.statuses() == {**ran, left: "skipped"}
    assert harness.status == "completed"


def test_a_condition_without_a_value_fails_its_step() -> None:
    """A missing variable is an error of the condition: no branch is taken."""
    harness = Harness(flow(*BRANCHES, edges=BY_RESULT)).run()
    assert harness.statuses() == {
        "score": "succeeded",
        "gate": "failed",
        "high": "skipped",
        "low": "skipped",
        "end": "skipped",
    }
    assert harness.status == "failed"


def test_a_condition_that_fails_and_may_pass_takes_no_branch() -> None:
    """Neither true nor false: both branches are skipped."""
    gate = step("gate", "condition", conditions=["missing > 1"], on_error="continue")
    ways: list[Edge] = [{"from": "gate", "to": word, "on": word} for word in ("true", "false")]
    harness = Harness(flow(gate, *map(agent, ["true", "false", "go"]), edges=[*ways, "gate > go"])).run()
    assert harness.statuses() == {"gate": "failed", "true": "skipped", "false": "skipped", "go": "skipped"}


def test_an_edge_condition_without_a_value_fails_the_target() -> None:
    """It is an error of the step the way leads to, also while another way to it is open."""
    edges: list[Edge] = [{"from": "a", "to": "c", "condition": "input.missing > 1"}, "b > c", "c > d"]
    harness = Harness(flow(*map(agent, "abcd"), edges=edges))
    harness.finish("a")
    assert harness.statuses()["c"] == "failed"
    harness.run()
    assert harness.statuses() == {"a": "succeeded", "b": "succeeded", "c": "failed", "d": "skipped"}
    assert harness.status == "failed"
    assert "a -> c" in str(harness.machine.state.failure)


@pytest.mark.parametrize(("score", "status"), [(80, "skipped"), (60, "succeeded")])
def test_a_guard_that_is_false_skips_its_step(score, status) -> None:
    """A step with conditions runs when they hold; skipped is no failure."""
    harness = Harness(
        flow(agent("a"), agent("b", conditions=["n < 75"])), lambda _command: {"n": score}
    ).run()
    assert (harness.statuses()["b"], harness.status) == (status, "completed")


def test_a_guard_without_a_value_fails_its_step() -> None:
    """A guard that errs is neither true nor false."""
    assert Harness(flow(agent("a", when="missing"))).run().status == "failed"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"brand": "b", "n": 2}, None),
        ({"n": 2}, "missing_fields"),
        ({"brand": "", "n": 2}, "missing_fields"),
        ({"brand": "b", "n": 0}, "too_small"),
        ({"brand": "b"}, "expression_error"),
    ],
)
def test_validation(data, code) -> None:
    """Required fields must be there and not empty, conditions must hold."""
    parameters = {"required_fields": ["brand"], "code": "too_small", "message": "n is small"}
    harness = Harness(
        flow(step("a", "validation", parameters=parameters, conditions=["n > 1"])), **data
    ).run()
    failure = harness.machine.state.failure
    assert (failure.code if failure else None) == code


def test_bare_names_mean_the_latest_output_that_has_them() -> None:
    """A later step's value covers an earlier one's, and both cover the input."""
    definition = flow(
        agent("a", parameters={"n": "${n}"}),
        agent("b", parameters={"n": "${n}"}),
        agent("c", parameters={"n": "${n}", "a": "${steps.a.n}", "i": "${input.n}", "who": "${run.actor}"}),
    )
    harness = Harness(definition, lambda command: {"n": command.inputs["n"] + 1}, n=1).run()
    assert [command.inputs["n"] for command in harness.invoked] == [1, 2, 3]
    assert harness.invoked[2].inputs == {"n": 3, "a": 2, "i": 1, "who": "anna"}


def test_the_name_of_a_step_means_its_output_where_nothing_else_has_that_name() -> None:
    """`score.n` reads like `steps.score.n`; a field or an input called `score` comes first."""
    reader = agent("read", parameters={"n": "${score.n}"})
    harness = Harness(flow(agent("score"), reader), lambda _command: {"n": 4}).run()
    assert harness.invoked[1].inputs == {"n": 4}
    covered = Harness(flow(agent("score"), reader), lambda _command: {"n": 4}, score={"n": 5}).run()
    assert covered.invoked[1].inputs == {"n": 5}


def test_the_output_is_what_the_definition_maps() -> None:
    """Names, values and texts; a value that is missing fails the run."""
    definition = flow(
        agent("a"),
        step("t", "transform", parameters={"twice": "${steps.a.n * 2}", "kept": [1, "x"]}),
        output={"n": "${steps.t.twice}", "text": "n is ${n}", "of": "${input.x}"},
    )
    harness = Harness(definition, lambda _command: {"n": 4}, x="y").run()
    assert harness.output == {"n": 8, "text": "n is 4", "of": "y"}
    broken = Harness(definition, lambda _command: {"n": 4}).run()
    assert (broken.status, broken.output) == ("failed", None)


# --- attempts ------------------------------------------------------------------------------------


def test_retries_wait_twice_as_long_each_time() -> None:
    """First wait one second, factor two: the attempts are at t0, t0 + 1 s and t0 + 3 s."""
    policy = {"max_attempts": 3, "initial": "1s", "backoff_factor": 2, "jitter": 0}
    times: list[int] = []

    def act(command: InvokeAction) -> Any:
        times.append(harness.now - START)
        return Failure(code="busy", message="m", retryable=True) if command.attempt < 3 else {"done": True}

    harness = Harness(flow(agent("a", retry_policy=policy)), act)
    harness.run()
    assert times == [0, 1000, 3000]
    assert (harness.attempts("a"), harness.status) == ([1, 2, 3], "completed")


def test_retries_end_with_the_last_attempt() -> None:
    """Attempts count from the first; after the last the step has failed."""
    definition = flow(agent("a", retry_policy={"max_attempts": 3}), agent("b"))
    harness = Harness(definition, failing("a", code="timeout", retryable=True)).run()
    assert (harness.attempts("a"), harness.statuses()["b"], harness.status) == (
        [1, 2, 3],
        "skipped",
        "failed",
    )
    assert harness.machine.state.failure == Failure(
        code="timeout", message="timeout by the test", retryable=True
    )


@pytest.mark.parametrize(("keys", "retryable"), [({"retry_policy": {"max_attempts": 3}}, False), ({}, True)])
def test_what_is_not_tried_again(keys, retryable) -> None:
    """An error that another try would not mend, and a step without a policy, have one attempt."""
    harness = Harness(flow(agent("a", **keys)), failing("a", retryable=retryable)).run()
    assert harness.attempts("a") == [1]


def test_backoff_is_bounded_and_the_same_on_every_replay() -> None:
    """At most `max`, spread by at most the jitter, and a function of execution, step and attempt alone."""
    retry = Retry(initial_ms=1000, backoff_factor=100.0, max_ms=60_000, jitter=0.1)
    waits = [retry_delay_ms(retry, "e", "s", attempt) for attempt in range(1, 100)]
    assert waits == [retry_delay_ms(retry, "e", "s", attempt) for attempt in range(1, 100)]
    assert 1000 <= waits[0] <= 1100
    assert all(60_000 <= wait <= 66_000 for wait in waits[1:])
    assert len(set(waits)) > 50


def test_the_timeout_goes_with_the_command() -> None:
    """The driver is told how long an attempt may take; running out of time is a failure like any other."""
    policy = {"max_attempts": 2}
    harness = Harness(
        flow(agent("a", timeout="5m", retry_policy=policy)), failing("a", code="timeout", retryable=True)
    )
    assert harness.actions["a"].timeout_ms == 300_000
    assert harness.run().attempts("a") == [1, 2]


def test_inputs_are_those_the_step_began_with() -> None:
    """A later attempt gets the same inputs, though another step has changed what the names mean."""
    steps = [agent("a", parameters={"n": "${n}"}, retry_policy={}), agent("b")]

    def act(command: InvokeAction) -> Any:
        slow = command.step == "a" and command.attempt == 1
        return Failure(code="busy", message="m", retryable=True) if slow else {"n": 99}

    harness = Harness(flow(*steps, type="parallel"), act, n=1).run()
    assert [command.inputs for command in harness.invoked if command.step == "a"] == [{"n": 1}, {"n": 1}]


def test_a_driver_that_starts_anew_knows_what_may_have_happened() -> None:
    """The outstanding command of an attempt that was let through says so; another attempt begins afresh."""
    harness = Harness(flow(agent("a", retry_policy={})))
    harness.apply(StepStarted(at=START, step="a", attempt=1))
    [command] = harness.machine.outstanding
    assert isinstance(command, InvokeAction)
    assert (command.started, command.attempt) == (True, 1)
    error = Failure(code="busy", message="m", retryable=True)
    harness.apply(StepFailed(at=START, step="a", attempt=1, error=error))
    harness.fire("retry:a")
    [command] = harness.machine.outstanding
    assert isinstance(command, InvokeAction)
    assert (command.started, command.attempt) == (False, 2)


def test_calls_of_a_running_action_are_remembered_until_it_ends() -> None:
    """A repeated attempt finds what it asked for before; the end of the step forgets it."""
    harness = Harness(flow(agent("a"), agent("ab"), type="parallel"))
    call = CallStarted(
        at=START, call="a/1", step="a", attempt=1, agent="w", action="x", risk="R0", effect="pure"
    )
    other = CallEnded(at=START, call="ab/1", payload="p", output=2, cost=0.5)
    for event in (call, other, CallEnded(at=START, call="a/1", payload="p", output=1, cost=1.0)):
        harness.apply(event)
    assert set(harness.machine.state.calls) == {"a/1", "ab/1"}
    harness.finish("a")
    assert harness.machine.state.calls == {"ab/1": other}
    assert harness.machine.state.spent == 1.5


# --- children and the end ------------------------------------------------------------------------


def test_a_child_execution_is_started_by_name_or_from_data() -> None:
    """A name is looked up by the driver; an expression gives the definition itself."""
    plan = {"name": "plan", "steps": [{"id": "x", "type": "transform"}]}
    named = step("a", "subworkflow", workflow="goal", parameters={"n": "${input.n}"})
    given = step("b", "subworkflow", workflow="${input.plan}")
    harness = Harness(flow(named, given, type="parallel"), n=1, plan=plan)
    a, b = harness.children["a"], harness.children["b"]
    assert (a.child, a.workflow, a.definition, a.input) == ("exec-1/a", "goal", None, {"n": 1})
    assert (b.child, b.workflow, b.definition, b.input) == ("exec-1/b", "", plan, {})


@pytest.mark.parametrize("plan", [None, "goal", [1]])
def test_what_is_not_a_definition_is_not_started(plan) -> None:
    """An expression that gives no mapping fails its step."""
    harness = Harness(flow(step("a", "subworkflow", workflow="${input.plan}")), plan=plan).run()
    assert (harness.status, harness.children) == ("failed", {})


@pytest.mark.parametrize(
    ("child", "expected", "after"),
    [
        ("completed", "completed", "succeeded"),
        ("partially_completed", "partially_completed", "succeeded"),
        ("failed", "failed", "skipped"),
        ("blocked", "blocked", "skipped"),
        ("rejected", "rejected", "skipped"),
        ("cancelled", "failed", "skipped"),
    ],
)
def test_the_end_of_a_child_is_the_end_of_its_step(child, expected, after) -> None:
    """Blocked stays blocked, partial stays partial, cancelled is a failure of the one who waited."""
    harness = Harness(flow(step("a", "subworkflow", workflow="w"), agent("b")))
    harness.end_child("a", child, {"n": 1})
    harness.run()
    assert (harness.status, harness.statuses()["b"]) == (expected, after)


def test_cancelling_ends_the_run_and_starts_nothing() -> None:
    """Nothing stays outstanding, and what comes late is refused."""
    harness = Harness(flow(agent("a"), agent("b")))
    harness.cancel()
    assert (harness.status, harness.machine.outstanding, harness.actions) == ("cancelled", [], {})
    with pytest.raises(IllegalTransition):
        harness.apply(StepCompleted(at=START, step="a", attempt=1))


def test_between_the_wish_and_the_end_nothing_else_happens() -> None:
    """A result that slips in while a run is being cancelled begins no other step; one may ask twice."""
    machine = Harness(flow(agent("a"), agent("b"))).machine
    wish = CancelRequested(at=START, actor="boss")
    end = machine.apply(wish)
    assert end == [BreakOff(step="a"), *machine.outstanding]
    assert machine.apply(wish) == []
    assert len(machine.outstanding) == 1
    with pytest.raises(IllegalTransition, match="'a' is cancelled"):
        machine.apply(_done("a"))


def _done(name: str, attempt: int = 1) -> StepCompleted:
    return StepCompleted(at=START, step=name, attempt=attempt)


def _decided(name: str, approval: str) -> ApprovalDecided:
    return ApprovalDecided(at=START, step=name, approval_id=approval, decision="approved", actor="x")


ERROR = Failure(code="x", message="m", retryable=True)
LOST = StepFailed(at=START, step="a", attempt=1, error=ERROR)
ILLEGAL: dict[str, list[Event]] = {
    "a step that is not there": [_done("zzz")],
    "a step that has not begun": [_done("b")],
    "twice": [_done("a"), _done("a")],
    "another attempt": [_done("a", 2)],
    "failed after its end": [_done("a"), LOST],
    "a late result between two attempts": [LOST, _done("a")],
    "a decision nobody asked for": [_decided("a", "")],
    "another decision": [_decided("p", "apr_other")],
    "a result while a person is asked": [_done("p")],
    "an outcome that was known": [
        StepOutcomeResolved(at=START, step="a", attempt=1, happened=True, actor="x")
    ],
    "a call of no step": [CallEnded(at=START, call="zzz/1", payload="p")],
    "a call without a step": [CallEnded(at=START, call="1", payload="p")],
    "an event of another stream": [DefinitionStored(at=START, content_hash="h", definition={})],
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_what_the_state_cannot_take_is_refused(name) -> None:
    """The last event of each row raises, and changes nothing."""
    policy = {"max_attempts": 3}
    harness = Harness(
        flow(agent("a", retry_policy=policy), agent("b"), step("p", "approval"), edges=["a > b"])
    )
    *before, illegal = ILLEGAL[name]
    for event in before:
        harness.apply(event)
    digest = harness.machine.state.digest()
    with pytest.raises(IllegalTransition):
        harness.apply(illegal)
    assert harness.machine.state.digest() == digest


def test_a_run_starts_once_and_first() -> None:
    """Nothing comes before the start, and there is no second one; nothing follows the end."""
    harness = Harness(flow(agent("a")))
    with pytest.raises(IllegalTransition):
        Machine(harness.machine.graph).apply(_done("a"))
    with pytest.raises(IllegalTransition):
        harness.apply(harness.events[0])
    harness.run()
    with pytest.raises(IllegalTransition, match="completed"):
        harness.apply(TimerFired(at=START, timer="wait:a"))


# --- cost ----------------------------------------------------------------------------------------


def calls_of(work: Callable[[], object]) -> int:
    """How many Python functions some work calls: a measure of time that is the same on every machine."""
    count = 0

    def note(_frame: object, what: str, _argument: object) -> None:
        nonlocal count
        count += what in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def many_steps(size: int) -> Callable[[], object]:
    """Parallel steps between a first and a last one; each reads the first one's output and makes a call."""
    names = [f"s{number}" for number in range(size)]
    steps = [agent(name, parameters={"n": "${steps.first.n}"}, when="steps.first.n > 0") for name in names]
    edges: list[Edge] = [edge for name in names for edge in (f"first > {name}", f"{name} > last")]
    graph = build_graph(flow(agent("first"), *steps, agent("last"), edges=edges))
    return lambda: _all_steps(graph, names)


def _all_steps(graph: Any, names: list[str]) -> None:
    machine = Machine(graph)
    machine.apply(Harness(flow(agent("a"))).events[0])
    machine.apply(StepCompleted(at=START, step="first", attempt=1, output={"n": 1}))
    assert len(machine.state.outstanding) == len(names)
    for name in names:
        machine.apply(CallEnded(at=START, call=f"{name}/1", payload="p"))
    for name in names:
        machine.apply(StepCompleted(at=START, step=name, attempt=1, output={"n": 1}))
    assert machine.state.steps["last"].status == "running"


def many_items(size: int) -> Callable[[], object]:
    """One step over many items, a few at a time."""
    parameters = {"item": "${item}", "also": "${input.small}"}
    graph = build_graph(flow(agent("a", foreach="input.rows", parameters=parameters), agent("b")))
    rows = [{"n": number} for number in range(size)]

    def work() -> None:
        harness = Harness(graph, rows=rows, small="x")
        while harness.actions:
            harness.finish(next(iter(harness.actions)))
        assert harness.status == "completed"

    return work


@pytest.mark.parametrize("build", [many_steps, many_items])
def test_ten_thousand_cost_ten_times_a_thousand(build) -> None:
    """Work per event does not grow with the graph or the number of items."""
    small, large = build(1000), build(9998)
    assert calls_of(large) < 11 * calls_of(small)
