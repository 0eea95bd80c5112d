"""What takes the place of a result: another action, a value, another step; and what is made of a result."""

from typing import Any

import pytest

from dirigent.domain.command import InvokeAction
from dirigent.domain.event import Failure, FallbackStarted, OutputMapped, StepCompleted, StepFailed
from dirigent.interpreter.reading import read_execution
from tests.interpreter.harness import START, Ask, Harness, Unknown, agent, failing, flow, step

OTHER = {"agent_type": "other", "action": "help", "parameters": {"n": "${input.n}", "why": "${error.code}"}}


def only_other(command: InvokeAction) -> Any:
    """The step's own action always fails, the fallback works."""
    error = Failure(code="busy", message="no", retryable=True)
    return {"by": command.agent, "attempt": command.attempt} if command.agent == "other" else error


def read_status(harness: Harness, name: str) -> str:
    """The status of a step as a person reads it."""
    return read_execution(harness.events).steps[name].status


# --- fallback ------------------------------------------------------------------------------------


def test_another_action_takes_over_after_the_last_attempt() -> None:
    """With its own parameters, which may read the error; the step has succeeded by its fallback."""
    last = agent("b", parameters={"by": "${steps.a.by}"})
    definition = flow(agent("a", retry_policy={"max_attempts": 3}, fallback=OTHER), last)
    harness = Harness(definition, lambda c: only_other(c) if c.step == "a" else {}, n=4).run()
    tried = [(c.agent, c.action, c.attempt, c.inputs) for c in harness.invoked]
    assert tried[:3] == [("worker", "work", n, {}) for n in (1, 2, 3)]
    assert tried[3] == ("other", "help", 4, {"n": 4, "why": "busy"})
    assert harness.invoked[-1].inputs == {"by": "other"}
    assert harness.statuses() == {"a": "succeeded_by_fallback", "b": "succeeded"}
    assert (harness.status, read_status(harness, "a")) == ("completed", "succeeded_by_fallback")


@pytest.mark.parametrize(
    ("fallback", "output"),
    [
        (
            {"value": {"score": "${input.n * 2}", "why": "${error.message}"}},
            {"score": 8, "why": "broken by the test"},
        ),
        ({"value": [1, "x"]}, [1, "x"]),
        ({"value": None}, None),
        ("continue", None),
    ],
)
def test_a_value_takes_the_place_of_the_result(fallback, output) -> None:
    """`continue` is no value at all; what follows runs, and the run is complete."""
    harness = Harness(flow(agent("a", fallback=fallback), agent("b")), failing("a"), n=4).run()
    assert harness.machine.state.outputs["a"] == output
    assert harness.statuses() == {"a": "succeeded_by_fallback", "b": "succeeded"}
    assert harness.status == "completed"
    assert read_execution(harness.events).steps["a"].output == output


@pytest.mark.parametrize("retryable", [True, False])
def test_a_fallback_is_tried_once(retryable) -> None:
    """When it fails as well the step has failed, with the error of the fallback."""
    definition = flow(agent("a", retry_policy={"max_attempts": 2}, fallback=OTHER), agent("b"))
    harness = Harness(definition, failing("a", retryable=retryable), n=1).run()
    assert harness.attempts("a") == ([1, 2, 3] if retryable else [1, 2])
    assert (harness.statuses(), harness.status) == ({"a": "failed", "b": "skipped"}, "failed")
    assert [e.attempt for e in harness.events if isinstance(e, FallbackStarted)] == [2 if retryable else 1]


def test_a_fallback_that_errs_fails_the_step() -> None:
    """Its expressions have no value."""
    harness = Harness(flow(agent("a", fallback={"value": "${input.n}"})), failing("a")).run()
    assert harness.status == "failed"
    assert harness.machine.state.failure is not None
    assert harness.machine.state.failure.code == "expression_error"


def test_the_fallback_comes_before_on_error() -> None:
    """Only when it fails as well is the failure let pass."""
    definition = flow(agent("a", fallback=OTHER, on_error="continue"), agent("b"))
    assert Harness(definition, only_other, n=1).run().status == "failed"
    first = Harness(definition, lambda c: only_other(c) if c.step == "a" else {}, n=1).run()
    assert first.status == "completed"
    assert Harness(definition, failing("a"), n=1).run().status == "partially_completed"


def test_a_person_may_be_asked_about_the_fallback() -> None:
    """It goes through the door as any action; what was approved before does not count for it."""

    def act(command: InvokeAction) -> Any:
        if command.approved:
            return {"by": command.agent} if command.agent == "other" else Failure(code="x", message="m")
        return Ask(payload=command.agent)

    harness = Harness(flow(agent("a", fallback=OTHER)), act, n=1).run()
    harness.decide("a")
    assert harness.run().statuses()["a"] == "waiting"
    assert harness.approvals["a"].payload == "other"
    harness.decide("a")
    assert (harness.run().output, harness.statuses()["a"]) == ({"by": "other"}, "succeeded_by_fallback")


@pytest.mark.parametrize(("decision", "status"), [("rejected", "failed"), ("expired", "completed")])
def test_nothing_stands_in_for_what_a_person_rejected(decision, status) -> None:
    """Nobody having decided is a failure like any other."""
    asked = step("a", "approval", fallback={"value": {"decision": "none"}})
    harness = Harness(flow(asked)).run()
    harness.decide("a", decision)
    assert harness.run().status == status


def test_each_item_has_its_own_fallback() -> None:
    """Of a `foreach` step only the items that fail fall back."""
    each = agent("a", foreach="input.rows", parameters={"n": "${item}"}, fallback={"value": "${item * 10}"})
    error = Failure(code="x", message="m")
    harness = Harness(
        flow(each), lambda c: error if c.inputs["n"] == 2 else {"n": c.inputs["n"]}, rows=[1, 2, 3]
    ).run()
    assert harness.output == {"results": [{"n": 1}, 20, {"n": 3}], "failures": []}
    assert read_execution(harness.events).steps["a"].output == harness.output
    assert read_status(harness, "a[1]") == "succeeded_by_fallback"


@pytest.mark.parametrize("kind", ["parallel", "loop"])
def test_a_block_may_fall_back(kind) -> None:
    """When everything inside has ended; the fallback stands outside."""
    keys: dict[str, Any] = {"max_iterations": 3} if kind == "loop" else {}
    box = step(
        "box", kind, steps=[agent("x"), agent("y")], fallback={"value": {"why": "${error.code}"}}, **keys
    )
    harness = Harness(flow(box, agent("after")), failing("box[0].x", "x")).run()
    assert (harness.machine.state.outputs["box"], harness.status) == ({"why": "broken"}, "completed")
    assert harness.statuses()["box"] == "succeeded_by_fallback"


def test_an_item_of_a_block_may_fall_back() -> None:
    """To an action that reads the item."""
    each = step(
        "each",
        "foreach",
        foreach="input.rows",
        steps=[agent("x")],
        fallback={**OTHER, "parameters": {"n": "${item}"}},
    )
    harness = Harness(flow(each), lambda c: c.inputs if c.agent == "other" else only_other(c), rows=[7]).run()
    assert (harness.output["results"], harness.status) == ([{"n": 7}], "completed")
    assert harness.invoked[-1].step == "each[0]"


def test_a_child_execution_may_fall_back() -> None:
    """To another action, when the child has failed."""
    harness = Harness(flow(step("a", "subworkflow", workflow="w", fallback=OTHER)), only_other, n=1)
    harness.end_child("a", "failed")
    assert harness.run().output == {"by": "other", "attempt": 2}


def test_an_unknown_outcome_is_no_failure_to_fall_back_from() -> None:
    """The effect may have happened: a person has to say first."""
    harness = Harness(flow(agent("a", fallback="continue")), lambda _: Unknown()).run()
    assert harness.statuses()["a"] == "outcome_unknown"
    harness.resolve("a", happened=True, output={"id": 1})
    assert (harness.statuses()["a"], harness.output) == ("succeeded", {"id": 1})


def test_a_person_may_settle_what_stood_in() -> None:
    """The step has succeeded by its fallback, in the eyes of the machine and of who reads it."""
    harness = Harness(
        flow(agent("a", fallback=OTHER)),
        lambda command: Unknown() if command.agent == "other" else failing("a")(command),
        n=1,
    ).run()
    harness.resolve("a", happened=True, output={"id": 1})
    assert (harness.status, harness.statuses()["a"]) == ("completed", "succeeded_by_fallback")
    assert read_status(harness, "a") == "succeeded_by_fallback"


def test_what_stands_in_may_come_to_its_end_after_a_cancel() -> None:
    """It can be undone, so it is waited for; it has succeeded by its fallback all the same."""
    undo = {"agent_type": "worker", "action": "undo"}
    harness = Harness(flow(agent("a", fallback=OTHER, compensate=undo)), only_other, n=1)
    harness.finish("a")
    harness.begin("a", "keyed")
    harness.cancel()
    harness.run()
    assert (harness.status, harness.statuses()["a"]) == ("cancelled", "succeeded_by_fallback")
    assert read_status(harness, "a") == "succeeded_by_fallback"


# --- on_error ------------------------------------------------------------------------------------


def test_a_failure_may_lead_to_a_step() -> None:
    """Without connections what follows comes behind both, and the run is completed."""
    steps = [agent("a", on_error={"fallback": "help"}), agent("help"), agent("end")]
    broken = Harness(flow(*steps), failing("a")).run()
    assert broken.statuses() == {"a": "failed", "help": "succeeded", "end": "succeeded"}
    assert broken.status == "completed"
    well = Harness(flow(*steps)).run()
    assert well.statuses() == {"a": "succeeded", "help": "skipped", "end": "succeeded"}


def test_a_failure_leads_to_its_step_beside_the_connections() -> None:
    """With connections the way on error is one more."""
    steps = [agent("a", on_error={"fallback": "help"}), agent("b"), agent("help")]
    broken = Harness(flow(*steps, edges=["a > b"]), failing("a")).run()
    assert broken.statuses() == {"a": "failed", "b": "skipped", "help": "succeeded"}
    assert broken.status == "completed"


def test_a_handler_that_fails_fails_the_run() -> None:
    """What handles a failure is a step like any other."""
    steps = [agent("a", on_error={"fallback": "help"}), agent("help")]
    assert Harness(flow(*steps), failing("a", "help")).run().status == "failed"


def test_the_last_step_of_a_sequence_may_have_a_handler() -> None:
    """It stays the last step: its output is the output of the run."""
    steps = [agent("a", on_error={"fallback": "help"}), agent("help")]
    assert Harness(flow(*steps), lambda c: {"by": c.step}).run().output == {"a": {"by": "a"}}


# --- output --------------------------------------------------------------------------------------


def test_the_output_of_a_step_is_what_it_maps() -> None:
    """Read by name and by step; the raw result is read by nobody but the mapping."""
    mapped = agent(
        "a", output={"id": "${result.deep.id}", "of": "${input.n}", "text": "id ${result.deep.id}"}
    )
    after = agent("b", parameters={"id": "${id}", "a": "${steps.a}"})
    harness = Harness(flow(mapped, after), lambda _: {"deep": {"id": 7}, "secret": 1}, n=3).run()
    expected = {"id": 7, "of": 3, "text": "id 7"}
    assert harness.invoked[1].inputs == {"id": 7, "a": expected}
    assert read_execution(harness.events).steps["a"].output == expected


def test_an_output_may_be_any_value() -> None:
    """A text that is one expression keeps the type of its value."""
    harness = Harness(flow(agent("a", output="${result.rows.map(r, r.n)}")), lambda _: {"rows": [{"n": 1}]})
    assert harness.run().output == [1]


def test_an_output_that_errs_fails_the_step_and_repeats_nothing() -> None:
    """The action has had its effect; what may stand in for the result is the fallback."""
    definition = flow(agent("a", output="${result.id}", retry_policy={"max_attempts": 5}))
    harness = Harness(definition).run()
    assert (harness.attempts("a"), harness.status) == ([1], "failed")
    failed = [event for event in harness.events if isinstance(event, StepFailed)]
    assert [event.error.code for event in failed] == ["expression_error"]
    saved = Harness(flow(agent("a", output="${result.id}", fallback={"value": 0}))).run()
    assert (saved.output, saved.status) == (0, "completed")


def test_the_output_of_each_item_is_mapped() -> None:
    """With the item at hand."""
    each = agent("a", foreach="input.rows", output={"row": "${item}", "n": "${result.n + index}"})
    harness = Harness(flow(each), lambda _: {"n": 5}, rows=["x", "y"]).run()
    assert harness.output["results"] == [{"row": "x", "n": 5}, {"row": "y", "n": 6}]
    assert read_execution(harness.events).steps["a"].output == harness.output


def test_a_child_and_an_approval_have_their_outputs_mapped() -> None:
    """Whatever gives a result."""
    child = step("a", "subworkflow", workflow="w", output={"n": "${result.n}"})
    harness = Harness(flow(child))
    harness.end_child("a", output={"n": 1, "more": 2})
    assert harness.output == {"n": 1}
    asked = Harness(flow(step("a", "approval", output={"who": "${result.by}"}))).run()
    asked.decide("a")
    assert asked.output == {"who": "boss"}


def test_a_driver_that_takes_over_makes_the_output() -> None:
    """The result is recorded; that the output is still to be made is outstanding."""
    harness = Harness(flow(agent("a", output={"n": "${result.n}"})), lambda _: {"n": 1})
    harness.begin("a")
    machine = harness.machine
    command = machine.apply(StepCompleted(at=START, step="a", attempt=1, output={"n": 1}))[0]
    assert machine.outstanding == [command]
    assert isinstance(command.event, OutputMapped)  # type: ignore[attr-defined]
    machine.apply(command.event)  # type: ignore[attr-defined]
    assert machine.state.outputs == {"a": {"n": 1}}
