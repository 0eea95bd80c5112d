"""What simulation has found in the engine, each reduced to the least that shows it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from dirigent.domain.workflow import Definition
from dirigent.engine import Engine, Start
from dirigent.testing.invariants import Quiet, check
from tests.interpreter.harness import flow, step
from tests.simulation.stage import Stage

ITEM = {"item": 1}
UNDO = {"agent_type": "outside", "action": "send", "parameters": ITEM}


def act(name: str, action: str, agent: str = "outside", **keys: Any) -> dict[str, Any]:
    """A step that calls the receiver."""
    return {
        "id": name,
        "type": "agent",
        "agent_type": agent,
        "action": action,
        "parameters": ITEM,
        "timeout": "1h",
        **keys,
    }


def child(name: str, *steps: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """A step that starts an execution of these."""
    written = {"name": "child", "type": "sequential", "steps": list(steps)}
    return step(name, "subworkflow", workflow='${input.children["' + name + '"]}', **keys) | {"__": written}


def family(*steps: dict[str, Any], **root: Any) -> tuple[Definition, dict[str, Any]]:
    """A workflow and its input: what its children are made from is data."""
    children = {one["id"]: one.pop("__") for one in steps if "__" in one}
    return flow(*steps, **root), {"children": children}


def test_a_cancel_stops_the_children_in_the_same_breath() -> None:
    """Whatever the moment of a crash: where the parent is cancelled, no child goes on by itself."""
    definition, given = family(
        child("a", step("wait", "wait", duration="3s"), act("late", "send")), type="parallel"
    )
    for nth in range(1, 8):
        stage = Stage()
        stage.start(definition, input=given)
        stage.pass_time(1)
        passed = iter(range(1, 1000))
        stage.die_at = lambda point, passed=passed, nth=nth: next(passed) == nth  # type: ignore[misc]
        stage.ask(lambda engine: engine.cancel("e", "anna"))
        stage.crash()
        stage.pass_time(60)
        assert stage.events()[-1].removeprefix("Execution") == stage.events("e/a")[-1].removeprefix(
            "Execution"
        )


def test_what_comes_in_while_a_run_leaves_memory_is_done() -> None:
    """A signal at any moment around the one in which it is written that the run only waits."""
    definition = flow(step("hear", "wait_for_event", event="paid"), act("then", "send"), type="sequential")
    left = 0
    for tenths in range(50, 100, 2):
        stage = Stage()
        stage.faults.write_s = 1.0
        stage.start(definition)
        stage.pass_time(tenths / 10)
        left += "ExecutionPassivated" in stage.events()
        stage.ask(lambda engine: engine.signal("e", "paid", signal_id="s"))
        stage.pass_time(60)
        assert stage.events()[-1] == "ExecutionCompleted", tenths
        assert stage.checked().sound
    assert 0 < left < 25


def test_what_children_spent_counts_while_their_parent_undoes() -> None:
    """Also in the next process: a cancelled run knows what its children cost, so undoing is not paid for."""
    slow = {"agent_type": "outside", "action": "tell", "parameters": ITEM, "timeout": "10s"}
    definition, given = family(
        act("first", "send", compensate=UNDO),
        act("second", "look", compensate=slow),
        child("a", act("third", "send"), step("wait", "wait", duration="1h")),
        type="sequential",
    )
    stage = Stage(hold=("tell",))
    stage.start(definition, input=given, budget=2.0)
    stage.pass_time(1)
    stage.ask(lambda engine: engine.cancel("e", "anna"))
    stage.pass_time(1)
    stage.crash()
    stage.pass_time(60)
    assert stage.events()[-2:] == ["StepSkipped", "ExecutionCancelled"]
    assert stage.checked().sound


def test_a_cancel_waits_for_a_child_that_lost_a_race() -> None:
    """It undoes what it did, and is not told a second time; its end still counts for who started it."""
    slow = {"agent_type": "outside", "action": "tell", "parameters": ITEM, "timeout": "10s"}
    loses = child("a", act("first", "send", compensate=slow), step("wait", "wait", duration="1h"))
    definition, given = family(
        loses,
        step("b", "wait", duration="1s"),
        act("z", "look", join="any", cancel_rest=True),
        step("last", "wait", duration="1h"),
        edges=["a > z", "b > z", "z > last"],
        type="hybrid",
    )
    stage = Stage(hold=("tell",))
    stage.start(definition, input=given, budget=1.0)
    stage.pass_time(2)
    stage.ask(lambda engine: engine.cancel("e", "anna"))
    stage.pass_time(60)
    assert stage.events("e/a").count("CancelRequested") == 1
    assert stage.events()[-3:] == ["CancelRequested", "ChildEnded", "ExecutionCancelled"]
    assert stage.checked().sound


def test_a_run_that_is_cancelled_ends_after_its_children() -> None:
    """They undo what they did out of its budget, and only then is it over."""
    definition, given = family(
        child("a", act("first", "send", compensate=UNDO), step("wait", "wait", duration="1h"))
    )
    stage = Stage()
    stage.start(definition, input=given, budget=2.0)
    stage.pass_time(1)
    stage.ask(lambda engine: engine.cancel("e", "anna"))
    stage.pass_time(1)
    order = [(r.stream, type(r.event).__name__) for r in stage.disk.read()]
    assert order.index(("e/a", "ExecutionCancelled")) < order.index(("e", "ExecutionCancelled"))
    assert stage.events()[-3:] == ["CancelRequested", "ChildEnded", "ExecutionCancelled"]
    assert len(stage.receiver.calls("send")) == 2


def test_the_end_of_a_child_reaches_a_parent_that_is_out_of_memory() -> None:
    """Whatever the moment of a crash: the child has not ended, or its parent knows."""
    definition, given = family(child("a", act("first", "look"), step("wait", "wait", duration="1m")))
    for nth in range(1, 12):
        stage = Stage()
        stage.start(definition, input=given)
        stage.pass_time(30)
        assert stage.events()[-1] == "ExecutionPassivated"
        passed = iter(range(1, 1000))
        stage.die_at = lambda point, passed=passed, nth=nth: next(passed) == nth  # type: ignore[misc]
        stage.pass_time(60)
        stage.crash()
        stage.pass_time(120)
        assert stage.events()[-1] == "ExecutionCompleted", nth
        assert stage.events("e/a").count("ExecutionCompleted") == 1
        assert stage.checked().sound


def test_a_child_goes_on_while_its_parent_is_out_of_memory() -> None:
    """The account of the family stays open for it."""
    stage = Stage(hold=("look",))
    slow = act("slow", "look", timeout="20s", on_error="continue")
    definition, given = family(child("a", slow, act("late", "send")))
    stage.start(definition, input=given)
    stage.pass_time(60)
    assert "ExecutionPassivated" in stage.events()
    assert stage.events()[-1] == "ExecutionCompleted"


def test_nothing_that_waits_for_its_turn_begins_in_a_pause() -> None:
    """Of four that an agent does one at a time, one runs; the others begin after the pause."""
    stage = Stage()
    steps = [act(f"s{number}", "post", "narrow") for number in range(4)]
    stage.receiver.held = ("post",)
    stage.start(flow(*(one | {"timeout": "10s"} for one in steps), type="parallel"))
    stage.pass_time(1)
    stage.ask(lambda engine: engine.pause("e", "anna"))
    stage.pass_time(60)
    assert stage.events().count("StepStarted") == 1
    stage.receiver.held = ()
    stage.ask(lambda engine: engine.resume("e", "anna"))
    stage.pass_time(60)
    assert stage.events().count("StepStarted") == 4
    assert stage.checked().sound


def test_no_child_begins_in_a_pause() -> None:
    """Not the one that was about to begin either; it does once its parent goes on, in whichever process."""
    definition, given = family(act("first", "look"), child("a", act("second", "send")))
    for tenths in range(0, 30, 2):
        stage = Stage()
        stage.faults.write_s = 1.0
        stage.start(definition, input=given)
        stage.pass_time(tenths / 10)
        stage.ask(lambda engine: engine.pause("e", "anna"))
        stage.pass_time(30)
        written = [(r.stream, type(r.event).__name__) for r in stage.disk.read()]
        assert ("e/a", "ExecutionStarted") not in written[written.index(("e", "ExecutionPaused")) :], tenths
        assert stage.checked().sound
        if tenths % 4:
            stage.crash()
        stage.ask(lambda engine: engine.resume("e", "anna"))
        stage.pass_time(30)
        assert stage.events()[-1] == "ExecutionCompleted"
        assert len(stage.receiver.calls("send")) == 1


def test_a_budget_counts_what_was_let_through_before_a_crash() -> None:
    """Two of three may be spent, and two were let through when the process died: a third does not fit."""
    stage = Stage()
    definition = flow(
        act("a", "send"),
        act("b", "fire"),
        step("wait", "wait", duration="1s"),
        act("c", "send"),
        edges=["wait > c"],
        type="hybrid",
    )
    stage.receiver.held = ("send", "fire")
    stage.start(definition, budget=2.0)
    stage.pass_time(0.5)
    stage.crash()
    stage.receiver.held = ()
    stage.pass_time(30)
    assert "StepSkipped" in stage.events()
    assert len(stage.receiver.calls("fire")) == 1
    assert stage.checked().sound


def test_a_budget_gets_back_what_never_happened() -> None:
    """A person says that an effect did not happen: after a crash there is room for it again."""
    stage = Stage()
    stage.receiver.held = ("fire",)
    stage.start(flow(act("a", "fire") | {"timeout": "2s"}), budget=1.0)
    stage.pass_time(5)
    assert stage.events()[-1] == "StepOutcomeUnknown"
    stage.receiver.held = ()
    stage.ask(lambda engine: engine.pause("e", "anna"))
    stage.ask(lambda engine: engine.resolve("e", "a", happened=False, actor="anna", attempt=1))
    stage.crash()
    stage.ask(lambda engine: engine.resume("e", "anna"))
    stage.pass_time(10)
    assert stage.events()[-1] == "ExecutionCompleted"
    assert stage.events().count("StepCompleted") == 1


def test_a_budget_counts_a_child_that_ended_unheard() -> None:
    """The child's money is spent, also where the crash came before its parent knew."""
    stage = Stage()
    definition, given = family(
        child("a", act("x", "send")),
        step("wait", "wait", duration="1m"),
        act("late", "send"),
        edges=["wait > late"],
        type="hybrid",
    )
    stage.die_at = lambda point: point == "durable" and "ExecutionCompleted" in stage.events("e/a")
    stage.start(definition, input=given, budget=1.0)
    stage.pass_time(5)
    stage.crash()
    stage.pass_time(120)
    assert stage.events()[-1] == "ExecutionCompleted"
    assert len(stage.receiver.calls("send")) == 1


def test_what_the_journal_refused_is_not_acknowledged_when_it_is_asked_again() -> None:
    """After the disk has failed the same signal is refused however often it is told, until another start."""
    stage = Stage()
    stage.start(flow(step("listen", "wait_for_event", event="order.paid")))
    stage.pass_time(1)
    stage.faults.fails = True
    start = Start(definition=flow(act("a", "look")), tenant="org_a", actor="anna", execution_id="f")
    assert stage.ask(lambda engine: engine.start(start)).code == "storage_failure"

    def tell(engine: Engine) -> Awaitable[str]:
        return engine.signal("e", "order.paid", 1, signal_id="sig_1")

    assert {stage.ask(tell).code for _ in range(3)} == {"storage_failure"}
    stage.faults.fails = False
    stage.crash()
    assert stage.ask(tell).result == "acknowledged"
    assert stage.events().count("SignalReceived") == 1


def test_a_probe_by_the_call_of_another_agents_action_is_one() -> None:
    """Who is turned away while it runs has been turned away rightly."""
    stage = Stage(hold=("look", "send"))
    looks = [act(f"s{number}", "look", timeout="1s", on_error="continue") for number in range(5)]
    stage.start(flow(*looks, type="sequential"))
    stage.pass_time(40)
    stage.start(flow(act("asks", "delegate", "narrow")), "f")
    stage.pass_time(40)
    stage.start(flow(act("late", "look")), "g")
    stage.pass_time(1)
    assert stage.events("g")[-1] == "ExecutionFailed"
    quiet = Quiet(at=0, faults_ended_at=0)
    report = check(stage.disk.read(), (), stage.receiver.log, quiet=quiet)
    assert report.exercised["L6"] == 1
    assert "L6" not in report.broken


def test_a_probe_that_is_broken_off_lets_another_one_through() -> None:
    """Whoever is cancelled while it probes a circuit tells nothing about it."""
    stage = Stage(hold=("look",))
    looks = [act(f"s{number}", "look", timeout="1s", on_error="continue") for number in range(5)]
    stage.start(flow(*looks, type="sequential"))
    stage.pass_time(40)
    stage.start(flow(act("probe", "look")), "f")
    stage.pass_time(1)
    stage.receiver.held = ()
    stage.ask(lambda engine: engine.cancel("f", "anna"))
    stage.start(flow(act("next", "look")), "g")
    stage.pass_time(1)
    assert stage.events("f")[-1] == "ExecutionCancelled"
    assert stage.events("g")[-1] == "ExecutionCompleted"


def undoable(name: str) -> dict[str, Any]:
    """A step that costs something, and what undoes it does, too."""
    undo = {"agent_type": "outside", "action": "send", "parameters": ITEM}
    return act(name, "send", compensate=undo)


def test_a_child_undoes_what_it_did_when_its_parent_has_ended() -> None:
    """The account of the family stays open until the last of it has ended."""
    stage = Stage()
    inside = [undoable(name) for name in ("first", "second", "third")]
    definition, given = family(child("a", *inside, step("wait", "wait", duration="1h")))
    stage.start(definition, input=given, budget=10.0)
    stage.pass_time(2)
    assert stage.ask(lambda engine: engine.cancel("e", "anna")).result == "acknowledged"
    stage.pass_time(30)
    assert stage.events()[-1] == "ExecutionCancelled"
    assert stage.events("e/a")[-1] == "ExecutionCancelled"
    assert "CompensationStarted" in stage.events("e/a")
    assert len(stage.receiver.calls("send")) == 6
    rested = stage.ask(lambda engine: engine.rest("e"))
    assert rested.result == "acknowledged"


def test_an_effect_that_cannot_be_undone_is_settled_while_others_are() -> None:
    """A person says what became of it: that is kept, and changes nothing about the end."""
    stage = Stage(hold=("fire",))
    stage.start(flow(undoable("first"), act("lost", "fire", timeout="1s"), type="parallel"))
    stage.pass_time(5)
    assert "StepOutcomeUnknown" in stage.events()
    stage.receiver.held = ("fire", "send")
    stage.ask(lambda engine: engine.cancel("e", "anna"))
    said = stage.ask(lambda engine: engine.resolve("e", "lost", happened=True, actor="anna", attempt=1))
    assert said.result == "acknowledged"
    stage.receiver.held = ()
    stage.pass_time(4000)
    assert stage.events()[-1] == "ExecutionCancelled"
    assert stage.engine.read("e").steps["lost"].status == "succeeded"


def test_the_time_of_a_child_is_over_for_the_child_in_the_same_breath() -> None:
    """Whatever it was about to begin: it has heard of it before it gets its turn, also after a crash."""
    for crash in (False, True):
        stage = Stage()
        late = [step("wait", "wait", duration="3s"), act("late", "send")]
        definition, given = family(child("a", *late, timeout="3s"))
        stage.start(definition, input=given)
        stage.pass_time(1)
        if crash:
            stage.crash()
        stage.pass_time(30)
        assert stage.events()[-1] == "ExecutionFailed"
        order = [
            (recorded.stream, type(recorded.event).__name__)
            for recorded in stage.disk.read()
            if type(recorded.event).__name__ in ("TimerFired", "CancelRequested", "StepStarted")
        ]
        assert order[-2:] == [("e", "TimerFired"), ("e/a", "CancelRequested")]
        assert stage.receiver.calls("send") == []
