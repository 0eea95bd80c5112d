"""`foreach`: one step for every item of a list, a bounded number at a time."""

import random
from typing import Any

import pytest

from dirigent.domain.command import InvokeAction
from dirigent.domain.event import Failure
from tests.interpreter.harness import Ask, Harness, Unknown, agent, flow, step


def each(**keys: Any) -> dict[str, Any]:
    """A step over the rows of the input."""
    return agent("a", foreach="input.rows", **keys)


def doubled(command: InvokeAction) -> Any:
    """An action over a number."""
    return {"twice": command.inputs["n"] * 2}


def broken(*numbers: int, code: str = "broken") -> Any:
    """An action that fails for some numbers."""
    error = Failure(code=code, message=f"{code} by the test")
    return lambda command: error if command.inputs["n"] in numbers else doubled(command)


NUMBER = {"parameters": {"n": "${item}", "at": "${index}"}}


def test_results_come_in_the_order_of_the_items() -> None:
    """Whatever ends first; what follows reads them by the step's name."""
    last = agent("b", parameters={"first": "${steps.a.results[0].twice}", "count": "${size(results)}"})
    definition = flow(each(**NUMBER), last)
    harness = Harness(
        definition,
        lambda c: doubled(c) if c.step != "b" else {},
        pick=lambda names: names[-1],
        rows=[3, 1, 2],
    )
    harness.run()
    results = [{"twice": 6}, {"twice": 2}, {"twice": 4}]
    assert harness.machine.state.outputs["a"] == {"results": results, "failures": []}
    assert harness.invoked[-1].inputs == {"first": 6, "count": 3}
    assert [c.inputs for c in harness.invoked[:3]] == [{"n": n, "at": i} for i, n in enumerate([3, 1, 2])]


@pytest.mark.parametrize("rows", [[], [1]])
def test_few_items(rows) -> None:
    """No item is no failure, and one is a list of one."""
    harness = Harness(flow(each(**NUMBER), agent("b")), lambda _command: {}, rows=rows).run()
    assert (harness.status, len(harness.machine.state.outputs["a"]["results"])) == ("completed", len(rows))


@pytest.mark.parametrize("rows", [5, "abc", {"a": 1}, None, list(range(50_001))])
def test_what_is_not_a_list_of_at_most_fifty_thousand_fails(rows) -> None:
    """The step fails and begins nothing."""
    harness = Harness(flow(each()), rows=rows).run()
    assert (harness.status, harness.invoked) == ("failed", [])


@pytest.mark.parametrize("bound", [1, 3, 100])
@pytest.mark.parametrize("seed", range(5))
def test_never_more_than_the_bound_run_at_once(bound, seed) -> None:
    """Whatever happens to the items: retries, people asked, effects unknown, decisions in any order."""
    chance = random.Random(seed)

    def act(command: InvokeAction) -> Any:
        answers = [{}, Failure(code="busy", message="m", retryable=True), Ask(), Unknown()]
        return {} if command.attempt > 3 or command.approved else chance.choice(answers)

    definition = flow(each(max_parallel=bound, retry_policy={"max_attempts": 9}))
    harness = Harness(definition, act, pick=chance.choice, rows=list(range(20)))
    while harness.run().status == "running":
        waiting = [(name, s.status) for name, s in harness.machine.state.steps.items() if s.parent]
        for name, status in waiting:
            if status == "outcome_unknown":
                harness.resolve(name, happened=chance.random() < 0.5)
            elif harness.machine.state.steps[name].approval:
                harness.decide(name)
    assert harness.status == "completed"
    assert harness.peak == min(bound, 20)
    assert harness.machine.state.fans["a"].running == 0


@pytest.mark.parametrize("answer", [Ask(), Unknown()])
def test_items_that_wait_for_a_person_do_not_keep_others_from_running(answer) -> None:
    """All the others end; those who were let go on take their turn within the bound."""
    definition = flow(each(max_parallel=2, **NUMBER))
    act = {1: answer, 2: answer, 3: answer}
    harness = Harness(definition, lambda c: act.get(c.inputs["n"], {}), rows=[1, 2, 3, 4, 5, 6]).run()
    ended = [name for name, state in harness.machine.state.steps.items() if state.status == "succeeded"]
    assert ended == ["a[3]", "a[4]", "a[5]"]
    for name in ("a[0]", "a[1]", "a[2]"):
        if isinstance(answer, Ask):
            harness.decide(name)
        else:
            harness.resolve(name, happened=False)
    assert list(harness.actions) == ["a[0]", "a[1]"]
    act.clear()
    harness.finish("a[1]")
    assert list(harness.actions) == ["a[0]", "a[2]"]
    assert harness.run().status == "completed"


def test_a_failed_item_fails_the_step_when_all_have_ended() -> None:
    """Every item has its chance; the failure names how many and the first of them."""
    harness = Harness(flow(each(max_parallel=2, **NUMBER), agent("b")), broken(2, 4), rows=[1, 2, 3, 4]).run()
    assert len(harness.invoked) == 4
    assert (harness.statuses(), harness.status) == ({"a": "failed", "b": "skipped"}, "failed")
    assert harness.machine.state.failure == Failure(
        code="broken", message="2 of 4 items failed, the first (1): broken by the test"
    )


def test_failed_items_may_pass() -> None:
    """With on_error: continue the results have gaps, the failures are listed, the run is partial."""
    harness = Harness(
        flow(each(on_error="continue", **NUMBER), step("b", "transform")), broken(4, 2), rows=[4, 1, 2]
    ).run()
    assert harness.status == "partially_completed"
    assert harness.machine.state.outputs["a"] == {
        "results": [None, {"twice": 2}, None],
        "failures": [
            {"index": 0, "code": "broken", "message": "broken by the test"},
            {"index": 2, "code": "broken", "message": "broken by the test"},
        ],
    }


def test_an_item_that_a_person_rejected_is_no_fault_of_the_step() -> None:
    """The others count; the rejection is listed."""
    harness = Harness(flow(each(**NUMBER)), lambda c: Ask() if c.inputs["n"] == 1 else {}, rows=[1, 2]).run()
    harness.decide("a[0]", "rejected", "no")
    assert harness.run().status == "completed"
    assert harness.output["failures"] == [{"index": 0, "code": "rejected", "message": "no"}]


def test_each_item_has_its_own_attempts() -> None:
    """One item's retries are not another's."""
    busy = Failure(code="busy", message="m", retryable=True)
    harness = Harness(
        flow(each(retry_policy={"max_attempts": 2}, **NUMBER)),
        lambda c: busy if (c.inputs["n"], c.attempt) == (2, 1) else doubled(c),
        rows=[1, 2],
    ).run()
    assert (harness.attempts("a[0]"), harness.attempts("a[1]"), harness.status) == ([1], [1, 2], "completed")


def test_a_guard_that_reads_the_item_is_asked_for_each() -> None:
    """Items it does not hold for are skipped; one that errs fails its item."""
    harness = Harness(flow(each(when="item.n > 1")), rows=[{"n": 1}, {"n": 2}, {"n": 3}]).run()
    assert [command.step for command in harness.invoked] == ["a[1]", "a[2]"]
    assert harness.output["results"][0] is None
    assert Harness(flow(each(when="item.n > 1")), rows=[{"n": 2}, {}]).run().status == "failed"


def test_a_guard_that_does_not_read_the_item_is_asked_once() -> None:
    """It skips the whole step."""
    harness = Harness(flow(each(when="input.go"), agent("b")), rows=[1], go=False).run()
    assert harness.statuses() == {"a": "skipped", "b": "skipped"}


def test_inputs_that_have_no_value_fail_their_item_alone() -> None:
    """The other items run."""
    harness = Harness(
        flow(each(parameters={"n": "${item.n}"}, on_error="continue")), rows=[{}, {"n": 1}]
    ).run()
    assert [command.step for command in harness.invoked] == ["a[1]"]
    assert harness.output["failures"][0]["code"] == "expression_error"
