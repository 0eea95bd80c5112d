"""Blocks: steps inside a step, at once, again and again, or for every item of a list."""

import random
from typing import Any

import pytest

from dirigent.domain.command import InvokeAction
from dirigent.domain.errors import IllegalTransition, InvalidDefinition
from dirigent.domain.event import Failure, IterationStarted, StepCompleted
from dirigent.interpreter.loading import definition_from
from tests.interpreter.harness import Act, Ask, Harness, Unknown, agent, failing, flow, step
from tests.interpreter.test_machine import calls_of


def invoked(harness: Harness) -> list[str]:
    """The steps whose action was asked for, in order."""
    return [command.step for command in harness.invoked]


def outputs(harness: Harness) -> dict[str, Any]:
    """The outputs of the steps that are in no block."""
    return harness.machine.state.outputs


def by(command: InvokeAction) -> dict[str, Any]:
    """An action whose output says which step it was."""
    return {"by": command.step, **command.inputs}


# --- parallel ------------------------------------------------------------------------------------


def test_branches_run_at_once_each_in_its_order() -> None:
    """What follows waits for all of them, and reads their last steps by id."""
    branches = [[agent("a1"), agent("a2")], [agent("b1")]]
    after = agent("after", parameters={"a": "${steps.both.a2.by}", "b": "${steps.both.b1.by}"})
    harness = Harness(flow(agent("before"), step("both", "parallel", branches=branches), after), by)
    harness.finish("before")
    assert list(harness.actions) == ["a1", "b1"]
    harness.finish("a1")
    harness.finish("b1")
    assert list(harness.actions) == ["a2"]
    harness.run()
    assert harness.invoked[-1].inputs == {"a": "a2", "b": "b1"}
    assert outputs(harness)["both"] == {"a2": {"by": "a2"}, "b1": {"by": "b1"}}
    assert harness.status == "completed"


def test_steps_of_a_parallel_block_start_together() -> None:
    """Without connections all at once; with them, as they say."""
    steps = [agent("x"), agent("y"), agent("z")]
    assert list(Harness(flow(step("p", "parallel", steps=steps))).actions) == ["x", "y", "z"]
    ways = [{"from": "x", "to": "z"}, {"from": "y", "to": "z"}]
    harness = Harness(flow(step("p", "parallel", steps=steps, connections=ways)), by)
    assert list(harness.actions) == ["x", "y"]
    assert harness.run().output == {"z": {"by": "z"}}


def test_what_is_inside_is_seen_inside_only() -> None:
    """Inner steps read outer ones and each other; outside only the block's output is there."""
    inner = [
        agent("x", parameters={"n": "${steps.out.n}", "bare": "${n}"}),
        agent("y", parameters={"x": "${steps.x.n}", "bare": "${n}"}),
    ]
    box = step("box", "loop", max_iterations=1, steps=inner)
    last = agent("last", parameters={"n": "${n}", "steps": "${size(steps)}"})
    harness = Harness(flow(agent("out"), box, last), lambda c: {"n": 1 if c.step == "out" else 7}).run()
    assert [command.inputs for command in harness.invoked[1:]] == [
        {"n": 1, "bare": 1},
        {"x": 7, "bare": 7},
        {"n": 7, "steps": 2},
    ]
    assert set(outputs(harness)) == {"out", "box", "last"}


def test_the_output_of_a_block_is_what_it_maps() -> None:
    """Read inside the block; an expression that errs fails the block."""
    inner = [agent("x"), agent("y")]
    box = step(
        "box", "parallel", steps=inner, output={"sum": "${steps.x.n + steps.y.n}", "of": "${size(result)}"}
    )
    harness = Harness(flow(box), lambda c: {"n": 2 if c.step == "x" else 3}).run()
    assert harness.output == {"sum": 5, "of": 2}
    broken = Harness(flow(box), lambda _: {"m": 1}).run()
    assert (broken.status, broken.statuses()) == ("failed", {"box": "failed"})


@pytest.mark.parametrize(
    ("keys", "status"), [({}, "failed"), ({"on_error": "continue"}, "partially_completed")]
)
def test_a_failure_inside_fails_the_block_when_all_has_ended(keys, status) -> None:
    """The others go on; then the block has failed, and what that means is said outside."""
    box = step("box", "parallel", branches=[[agent("a"), agent("a2")], [agent("b"), agent("b2")]], **keys)
    harness = Harness(flow(box, agent("after")), failing("a"), pick=lambda names: names[0]).run()
    assert invoked(harness)[:3] == ["a", "b", "b2"]
    assert harness.status == status
    assert ("after" in invoked(harness)) is (status != "failed")


def test_a_failure_that_is_handled_inside_stays_inside() -> None:
    """With a way on error the block completes."""
    ways = [{"from": "a", "to": "help", "on": "error"}]
    box = step("box", "parallel", steps=[agent("a"), agent("help")], connections=ways)
    harness = Harness(flow(box, agent("after")), failing("a")).run()
    assert (invoked(harness), harness.status) == (["a", "help", "after"], "completed")
    assert outputs(harness)["box"] == {"help": {"ok": True}}


def test_how_a_run_ends_is_said_inside() -> None:
    """A step inside that blocks the run blocks it."""
    box = step("box", "parallel", steps=[agent("a", ends_as="blocked")])
    assert Harness(flow(box), failing("a")).run().status == "blocked"


def test_a_block_may_be_guarded_and_decided_upon() -> None:
    """`when`, error ways and conditions work on blocks as on any step."""
    box = step("box", "parallel", when="input.go", steps=[agent("a")])
    ways = [{"from": "box", "to": "help", "on": "error"}, {"from": "box", "to": "well"}]
    definition = flow(box, agent("help"), agent("well"), edges=ways)
    assert Harness(definition, go=False).run().statuses() == {
        "box": "skipped",
        "help": "skipped",
        "well": "skipped",
    }
    assert invoked(Harness(definition, failing("a"), go=True).run()) == ["a", "help"]
    assert invoked(Harness(definition, go=True).run()) == ["a", "well"]


def test_nothing_of_a_block_is_left_when_it_has_ended() -> None:
    """Neither its steps nor what they read and gave; a late result for it is refused."""
    inner = [agent("x"), agent("each", foreach="input.rows")]
    harness = Harness(flow(step("box", "loop", max_iterations=2, steps=inner), agent("after")), rows=[1, 2])
    while "after" not in harness.actions:
        harness.finish(next(iter(harness.actions)))
    state = harness.machine.state
    assert (set(state.steps), set(state.regions), state.loops, state.fans) == ({"box", "after"}, {""}, {}, {})
    with pytest.raises(IllegalTransition, match=r"no step 'box\[1\].x'"):
        harness.apply(StepCompleted(at=harness.now, step="box[1].x", attempt=1))


# --- loop ----------------------------------------------------------------------------------------


def refine(**keys: Any) -> Any:
    """A loop of two steps."""
    steps = [agent("draft", parameters={"at": "${index}", "before": "${previous}"}), agent("rate")]
    return step("refine", "loop", steps=steps, **{"max_iterations": 5, **keys})


def rated(*quality: int) -> Act:
    """Ratings, one after the other."""
    left = list(quality)
    return lambda command: {"q": left.pop(0)} if command.step.endswith("rate") else {"text": command.step}


def test_a_loop_goes_on_until_its_condition_holds() -> None:
    """Each time round has names of its own; the output is that of the last, with how often it ran."""
    harness = Harness(flow(refine(until="q >= 75"), agent("after")), rated(50, 60, 80)).run()
    rounds = [f"refine[{number}].{name}" for number in range(3) for name in ("draft", "rate")]
    assert invoked(harness) == [*rounds, "after"]
    assert outputs(harness)["refine"] == {"q": 80, "iterations": 3, "exhausted": False}
    started = [event.index for event in harness.events if isinstance(event, IterationStarted)]
    assert (started, harness.status) == ([0, 1, 2], "completed")


def test_each_time_round_reads_the_last() -> None:
    """`index` counts from 0, `previous` is the output of the time before, and null at first."""
    harness = Harness(flow(refine(until="q >= 75")), rated(50, 60, 80)).run()
    drafts = [command.inputs for command in harness.invoked if command.step.endswith("draft")]
    assert drafts == [
        {"at": 0, "before": None},
        {"at": 1, "before": {"q": 50}},
        {"at": 2, "before": {"q": 60}},
    ]


@pytest.mark.parametrize(("start", "times"), [(0, 3), (2, 1), (3, 0), (9, 0)])
def test_while_is_asked_before_each_time(start, times) -> None:
    """Also before the first; then names are those of the input, later those inside."""
    body = step("count", "transform", parameters={"n": "${(previous == null ? input.n : previous.n) + 1}"})
    loop = step("up", "loop", **{"while": "n < 3", "max_iterations": 10, "steps": [body]})
    harness = Harness(flow(loop), n=start).run()
    assert (harness.output["iterations"], harness.status) == (times, "completed")
    assert harness.output.get("n", start) == max(start, 3)


def test_a_loop_ends_at_its_bound() -> None:
    """With what the last time gave, and says that its condition would have gone on."""
    harness = Harness(flow(refine(until="q >= 75", max_iterations=2)), rated(1, 2, 3)).run()
    assert harness.output == {"q": 2, "iterations": 2, "exhausted": True}
    again = Harness(flow(refine(max_iterations=2)), rated(1, 2, 3)).run()
    assert again.output == {"q": 2, "iterations": 2, "exhausted": False}


def test_a_loop_ends_with_its_first_failure() -> None:
    """The time round that failed fails the loop; another loop may let it pass inside."""
    harness = Harness(flow(refine(), agent("b")), failing("refine[1].rate")).run()
    assert (harness.status, harness.statuses()) == ("failed", {"refine": "failed", "b": "skipped"})
    assert invoked(harness)[-1] == "refine[1].rate"


@pytest.mark.parametrize("keys", [{"until": "nothing > 1"}, {"while": "nothing > 1"}, {"while": "input.n"}])
def test_a_condition_of_a_loop_that_errs_fails_it(keys) -> None:
    """Neither true nor false."""
    harness = Harness(flow(refine(**keys)), rated(1, 2, 3), n=1).run()
    assert (harness.status, harness.statuses()) == ("failed", {"refine": "failed"})


def test_attempts_and_calls_belong_to_one_time_round() -> None:
    """A retry inside has the names of its round, so that its effect keeps its key."""
    busy = Failure(code="busy", message="m", retryable=True)
    loop = step("l", "loop", max_iterations=2, steps=[agent("x", retry_policy={"max_attempts": 2})])
    harness = Harness(flow(loop), lambda c: busy if c.attempt == 1 else {"at": c.step}).run()
    assert [(c.step, c.attempt) for c in harness.invoked] == [
        ("l[0].x", 1), ("l[0].x", 2), ("l[1].x", 1), ("l[1].x", 2)
    ]  # fmt: skip


def test_a_paused_loop_goes_on_where_it_was() -> None:
    """What runs ends; the next step, or the next time round, is held."""
    harness = Harness(flow(refine(until="q > 9")), rated(1, 10))
    harness.finish("refine[0].draft")
    harness.begin("refine[0].rate")
    harness.pause()
    harness.finish("refine[0].rate")
    assert harness.actions == {}
    harness.resume()
    assert list(harness.actions) == ["refine[1].draft"]
    assert harness.run().output["iterations"] == 2


# --- foreach -------------------------------------------------------------------------------------


def every(**keys: Any) -> Any:
    """A block for every row."""
    steps = [agent("first", parameters={"n": "${item}", "at": "${index}"}), agent("then")]
    return step("every", "foreach", **{"foreach": "input.rows", "steps": steps, **keys})


def test_a_block_runs_for_every_item() -> None:
    """A bounded number at a time; results stand in the order of the items."""
    harness = Harness(flow(every(max_parallel=2), agent("after")), by, rows=[5, 6, 7])
    assert list(harness.actions) == ["every[0].first", "every[1].first"]
    harness.run()
    assert outputs(harness)["every"] == {
        "results": [{"by": f"every[{n}].then"} for n in range(3)],
        "failures": [],
    }
    firsts = [c.inputs for c in harness.invoked if c.step.endswith("first")]
    assert firsts == [{"n": 5, "at": 0}, {"n": 6, "at": 1}, {"n": 7, "at": 2}]


def test_an_item_that_fails_is_listed_and_fails_the_block_in_the_end() -> None:
    """Every item has its chance."""
    harness = Harness(flow(every()), failing("every[1].first"), rows=[1, 2, 3]).run()
    assert harness.machine.state.failure == Failure(
        code="broken", message="1 of 3 items failed, the first (1): broken by the test"
    )
    passed = Harness(flow(every(on_error="continue")), failing("every[1].first"), rows=[1, 2, 3]).run()
    assert passed.output["results"] == [{"ok": True}, None, {"ok": True}]
    assert passed.output["failures"] == [{"index": 1, "code": "broken", "message": "broken by the test"}]


def test_an_output_is_made_per_item() -> None:
    """Inside the block, so that it may read the item and the steps."""
    mapped = every(output={"item": "${item}", "by": "${steps.then.by}", "n": "${steps.first.n}"})
    harness = Harness(flow(mapped), by, rows=[5]).run()
    assert harness.output["results"] == [{"item": 5, "by": "every[0].then", "n": 5}]


def test_blocks_in_blocks() -> None:
    """Names nest, and each block sees what is around it."""
    inner = step("l", "loop", max_iterations=2, steps=[agent("x", parameters={"v": "${item + index}"})])
    outer = step(
        "every", "foreach", foreach="input.rows", steps=[inner, step("p", "parallel", steps=[agent("y")])]
    )
    harness = Harness(flow(outer), lambda c: {"at": c.step}, rows=[10, 20]).run()
    assert set(invoked(harness)) == {
        *(f"every[{item}].l[{time}].x" for item in (0, 1) for time in (0, 1)),
        *(f"every[{item}].y" for item in (0, 1)),
    }
    assert [c.inputs["v"] for c in harness.invoked if c.step.endswith("x")] == [10, 20, 11, 21]
    assert harness.output["results"][1] == {"y": {"at": "every[1].y"}}


def test_a_step_for_every_item_inside_a_block_for_every_item() -> None:
    """The inner item is the nearer one; the outer one is read through a step."""
    keep = step("keep", "transform", parameters={"row": "${item}"})
    each = agent("each", foreach="item.parts", parameters={"part": "${item}", "of": "${steps.keep.row.name}"})
    outer = step("every", "foreach", foreach="input.rows", steps=[keep, each])
    rows = [{"name": "a", "parts": [1, 2]}, {"name": "b", "parts": [3]}]
    harness = Harness(flow(outer), lambda c: c.inputs, rows=rows).run()
    assert [c.step for c in harness.invoked] == ["every[0].each[0]", "every[0].each[1]", "every[1].each[0]"]
    assert harness.output["results"][1]["results"] == [{"part": 3, "of": "b"}]


@pytest.mark.parametrize("bound", [1, 3, 100])
@pytest.mark.parametrize("seed", range(8))
def test_never_more_items_than_the_bound_run_at_once(bound, seed) -> None:
    """Whatever happens inside: retries, people asked, effects unknown, decisions in any order."""
    chance = random.Random(seed)

    def act(command: InvokeAction) -> Any:
        answers = [{}, Failure(code="busy", message="m", retryable=True), Ask(), Unknown()]
        return {} if command.attempt > 3 or command.approved else chance.choice(answers)

    x, y = (agent(name, retry_policy={"max_attempts": 9}) for name in "xy")
    steps = [x, step("ask", "approval"), y]
    block = step("every", "foreach", foreach="input.rows", max_parallel=bound, steps=steps)
    harness = Harness(flow(block), act, pick=chance.choice, rows=list(range(12)))
    most = 0
    while harness.status == "running":
        most = max(most, len({name.partition(".")[0] for name in harness.actions}))
        if harness.actions and chance.random() < 0.7:
            harness.finish(chance.choice(list(harness.actions)))
            continue
        due = [name for name in harness.timers if name.startswith("retry:")]
        waiting = {
            n: s
            for n, s in harness.machine.state.steps.items()
            if s.approval or s.status == "outcome_unknown"
        }
        if due:
            harness.fire(chance.choice(due))
        elif waiting:
            name = chance.choice(list(waiting))
            if waiting[name].approval:
                harness.decide(name, chance.choice(["approved", "approved", "rejected"]))
            else:
                harness.resolve(name, happened=chance.random() < 0.5)
    assert harness.status in ("completed", "partially_completed"), harness.machine.state.failure
    assert most == min(bound, 12)


def test_items_that_wait_for_a_person_do_not_keep_others_from_running() -> None:
    """All of fifty drafts wait for approval at once under a bound of eight; decided, they go on within it."""
    steps = [agent("draft"), step("ask", "approval"), agent("send")]
    block = step("every", "foreach", foreach="input.rows", max_parallel=8, steps=steps)
    harness = Harness(flow(block), rows=list(range(50))).run()
    assert len(harness.approvals) == 50
    for name in list(harness.approvals):
        harness.decide(name)
        assert len(harness.actions) <= 8
    assert len(harness.actions) == 8
    assert harness.run().status == "completed"
    assert len([name for name in invoked(harness) if name.endswith("send")]) == 50


def test_what_waited_for_a_place_is_recorded_when_it_has_one() -> None:
    """A decision that was taken earlier ends its step later: recorded time never goes backwards."""
    steps = [step("ask", "approval"), agent("send")]
    block = step("every", "foreach", foreach="[1, 2]", max_parallel=1, steps=steps)
    harness = Harness(flow(block)).run()
    harness.decide("every[0].ask")
    harness.now += 10
    harness.decide("every[1].ask", "rejected")
    harness.now += 10
    harness.run()
    times = [event.at for event in harness.events]
    assert times == sorted(times)
    assert harness.status == "completed"


def test_an_item_that_was_stopped_while_it_waited_for_a_place_does_not_go_on() -> None:
    """Its time is over; a place that comes free is not for it."""
    every = agent("every", foreach="[1, 2]", max_parallel=1)
    harness = Harness(
        flow(every, timeout="1m"), lambda c: Unknown() if c.attempt == 1 else {"ok": True}
    ).run()
    for item in ("every[0]", "every[1]"):
        harness.resolve(item, happened=False)
    harness.begin("every[0]", "keyed")
    assert list(harness.actions) == ["every[0]"]
    harness.fire("execution")
    harness.finish("every[0]")
    assert [command.step for command in harness.invoked] == ["every[0]", "every[1]", "every[0]"]
    assert (harness.status, harness.actions) == ("failed", {})


# --- time limits ---------------------------------------------------------------------------------


LIMITED: dict[str, dict[str, Any]] = {
    "parallel": {},
    "loop": {"max_iterations": 3},
    "foreach": {"foreach": "[1, 2]"},
}


@pytest.mark.parametrize(("kind", "keys"), LIMITED.items())
def test_the_time_of_a_block_is_limited(kind, keys) -> None:
    """What runs inside is stopped, nothing more begins, and the block has failed with a timeout."""
    box = step("box", kind, timeout="5m", steps=[agent("x"), agent("y")], **keys)
    ways = [{"from": "box", "to": "help", "on": "error"}]
    harness = Harness(flow(box, agent("help"), edges=ways))
    harness.fire("timeout:box")
    assert list(harness.actions) == ["help"]
    assert harness.machine.state.steps["box"].error == Failure(
        code="timeout", message="box took longer than 5m"
    )
    assert harness.run().status == "completed"


def test_a_block_that_ends_in_time_leaves_no_timer() -> None:
    """Nothing fires later."""
    harness = Harness(flow(step("box", "parallel", timeout="5m", steps=[agent("x")]), agent("y")))
    assert set(harness.timers) == {"timeout:box"}
    harness.finish("x")
    assert harness.timers == {}


def test_an_effect_inside_is_waited_for_when_the_time_is_over() -> None:
    """Its result is recorded; then the block fails, and nothing behind the step begins."""
    box = step("box", "loop", timeout="5m", max_iterations=1, steps=[agent("x"), agent("y")])
    harness = Harness(flow(box))
    harness.begin("box[0].x", effect="at_most_once")
    harness.fire("timeout:box")
    assert harness.status == "running"
    harness.finish("box[0].x")
    assert (harness.status, invoked(harness)) == ("failed", ["box[0].x"])


def test_the_time_of_a_child_execution_is_limited() -> None:
    """It is cancelled, and its step has failed with a timeout, not with a cancelled child."""
    harness = Harness(flow(step("a", "subworkflow", workflow="w", timeout="1h"), agent("b")))
    harness.fire("timeout:a")
    assert (harness.cancelled, harness.status) == (["a"], "failed")
    assert harness.machine.state.failure == Failure(code="timeout", message="a took longer than 1h")


def test_the_time_of_a_run_is_limited() -> None:
    """It fails with `execution_timeout`; what changes nothing outside is stopped, nothing new begins."""
    definition = flow(agent("a"), agent("b"), step("w", "wait", duration="9h"), agent("c"), timeout="1h",
                      edges=["a > c", "b > c", "w > c"])  # fmt: skip
    harness = Harness(definition)
    harness.begin("b", effect="keyed")
    harness.fire("execution")
    assert (harness.statuses()["a"], harness.statuses()["w"], harness.status) == (
        "cancelled",
        "cancelled",
        "running",
    )
    harness.finish("b")
    assert harness.status == "failed"
    assert harness.machine.state.failure == Failure(
        code="execution_timeout", message="the run took longer than 1h"
    )
    assert "c" not in invoked(harness)
    assert harness.machine.outstanding == []


def test_the_time_of_a_run_is_over_while_it_is_paused() -> None:
    """Nothing had begun, so nothing is waited for."""
    harness = Harness(flow(agent("a"), agent("b"), timeout="1h"))
    harness.begin("a")
    harness.pause()
    harness.finish("a")
    harness.fire("execution")
    assert (harness.status, harness.attempts("b")) == ("failed", [])


# --- the definition ------------------------------------------------------------------------------


def test_ids_are_unique_in_the_whole_definition() -> None:
    """Also inside blocks."""
    with pytest.raises(InvalidDefinition, match="is taken by another step"):
        flow(agent("a"), step("p", "parallel", steps=[agent("a")]))


def test_steps_inside_blocks_count() -> None:
    """At most ten thousand in all."""
    inner = [{"id": f"s{number}", "type": "transform"} for number in range(6000)]
    blocks = [
        step(f"p{n}", "parallel", steps=[{**one, "id": f"{one['id']}_{n}"} for one in inner]) for n in (1, 2)
    ]
    with pytest.raises(InvalidDefinition, match="12002 steps in all"):
        definition_from({"name": "x", "steps": blocks})


def many_blocks(size: int) -> Any:
    """A block of two steps over many items, a few at a time."""
    steps = [
        agent("x", parameters={"n": "${item.n}"}),
        step("t", "transform", parameters={"n": "${steps.x}"}),
    ]
    definition = flow(step("every", "foreach", foreach="input.rows", steps=steps))
    rows = [{"n": number} for number in range(size)]

    def work() -> None:
        harness = Harness(definition, rows=rows)
        while harness.actions:
            harness.finish(next(iter(harness.actions)))
        assert harness.status == "completed"

    return work


def many_rounds(size: int) -> Any:
    """A loop of one step, many times round."""
    definition = flow(
        step("l", "loop", max_iterations=size, steps=[agent("x", parameters={"n": "${previous}"})])
    )

    def work() -> None:
        harness = Harness(definition)
        while harness.actions:
            harness.finish(next(iter(harness.actions)))
        assert harness.output["iterations"] == size

    return work


@pytest.mark.parametrize("build", [many_blocks, many_rounds])
def test_cost_grows_with_what_happens(build) -> None:
    """Ten times as many items, or times round, are ten times the work, however many there were before."""
    small, large = build(200), build(2000)
    assert calls_of(large) < 11 * calls_of(small)
