"""Signals: who takes them, what is kept, and that each counts once."""

from typing import Any

import pytest

from dirigent.domain.command import AwaitSignal
from dirigent.domain.errors import IllegalTransition, SignalRefused
from dirigent.domain.event import Failure, SignalReceived, WaitEnded
from dirigent.interpreter.signals import KEPT_MAX
from tests.interpreter.harness import START, Edge, Harness, agent, flow, step


def wait(name: str, event: str = "go", **keys: Any) -> dict[str, Any]:
    """A step that waits for a signal."""
    return step(name, "wait_for_event", event=event, **keys)


def taken(harness: Harness) -> list[tuple[str, str]]:
    """Which step took which signal."""
    return [(event.step, event.signal_id) for event in harness.events if isinstance(event, WaitEnded)]


def test_a_step_waits_for_its_signal_and_gives_its_data() -> None:
    """The run stands still until it comes; what it says is the output of the step."""
    harness = Harness(flow(wait("w"), agent("b", parameters={"n": "${n}"}))).run()
    assert harness.machine.outstanding == [AwaitSignal(step="w", event="go")]
    assert (harness.statuses()["w"], harness.status) == ("waiting", "running")
    harness.signal("go", {"n": 5})
    assert harness.actions["b"].inputs == {"n": 5}
    assert harness.run().status == "completed"


def test_a_signal_that_comes_too_early_is_kept() -> None:
    """In the order in which they came; each is taken once."""
    harness = Harness(flow(wait("w", "prepare"), wait("x"), wait("y"), wait("z")))
    harness.signal("go", 1, "s1")
    harness.signal("go", 2, "s2")
    harness.signal("prepare", 0, "s0")
    assert taken(harness) == [("w", "s0"), ("x", "s1"), ("y", "s2")]
    assert harness.statuses()["z"] == "waiting"
    assert harness.machine.state.signals.kept == []


def test_a_signal_goes_to_the_step_that_has_waited_longest() -> None:
    """One signal ends one wait."""
    harness = Harness(flow(wait("a"), wait("b"), type="parallel"))
    harness.signal("go", "first")
    assert harness.statuses() == {"a": "succeeded", "b": "waiting"}
    harness.signal("go", "second")
    assert harness.output == {"a": "first", "b": "second"}


def test_two_steps_that_begin_together_take_two_signals() -> None:
    """Both find one kept, and neither finds the other's."""
    waits = [wait("a"), wait("b"), wait("c")]
    harness = Harness(flow(wait("w", "start"), *waits, edges=["w > a", "w > b", "w > c"]))
    harness.signal("go", 1, "s1")
    harness.signal("go", 2, "s2")
    harness.signal("start")
    assert taken(harness)[1:] == [("a", "s1"), ("b", "s2")]
    assert harness.statuses()["c"] == "waiting"


def test_a_filter_chooses() -> None:
    """It reads the event, the input and the steps; what does not fit is kept for others."""
    fits = wait("w", "order.*", filter="event.data.id == input.id && event.type != 'order.lost'")
    harness = Harness(flow(fits, wait("x", "order.paid")), id=7)
    harness.signal("order.paid", {"id": 8}, "other")
    harness.signal("order.lost", {"id": 7}, "lost")
    assert taken(harness) == []
    harness.signal("order.paid", {"id": 7}, "mine")
    assert taken(harness) == [("w", "mine"), ("x", "other")]
    assert harness.status == "completed"


def test_a_filter_reads_what_an_event_says_of_itself() -> None:
    """By the names of CloudEvents."""
    fits = wait("w", filter="event.source == 'shop' && event.subject == 'o/1' && event.id == 'e1'")
    harness = Harness(flow(fits))
    harness.apply(SignalReceived(at=START, name="go", signal_id="x", event_id="e1", source="shop"))
    assert harness.statuses()["w"] == "waiting"
    harness.apply(
        SignalReceived(at=START, name="go", signal_id="y", event_id="e1", source="shop", subject="o/1")
    )
    assert harness.status == "completed"


@pytest.mark.parametrize("early", [True, False])
def test_a_filter_without_a_value_is_an_error_of_its_step(early) -> None:
    """Never true and never false; the signal is there for others."""
    harness = Harness(flow(wait("s", "start"), wait("w", filter="event.data.sum > 5"), wait("x")))
    for name in ("go", "start") if early else ("start", "go"):
        harness.signal(name, {"total": 9}, name)
    failure = harness.machine.state.failure
    assert failure is not None
    assert (failure.code, harness.statuses()["w"]) == ("expression_error", "failed")
    assert [signal.signal_id for signal in harness.machine.state.signals.kept] == ["go"]


def test_an_event_for_all_is_taken_by_the_step_that_can_read_it() -> None:
    """The one that waits beside it, and whose filter it does not suit, goes on waiting."""
    steps = [wait("a", filter="event.data.sum > 5"), wait("b", filter="event.data.name == 'x'")]
    harness = Harness(flow(*steps, type="parallel"))
    told = SignalReceived(at=START, name="go", signal_id="s1", data={"name": "x"}, to_all=True)
    assert (harness.machine.awaits(told), list(harness.machine.misfits(told))) == (True, ["a"])
    harness.apply(told)
    assert harness.statuses() == {"a": "waiting", "b": "succeeded"}


def test_nothing_comes_in_time() -> None:
    """The step fails with a code of its own, and an error branch goes on from there."""
    edges: list[Edge] = ["w > good", {"from": "w", "to": "late", "on": "error"}]
    harness = Harness(flow(wait("w", timeout="1h"), agent("good"), agent("late"), edges=edges))
    assert harness.timers == {"signal:w": START + 3_600_000}
    harness.fire("signal:w")
    assert harness.run().statuses() == {"w": "failed", "good": "skipped", "late": "succeeded"}
    error = harness.machine.state.steps["w"].error
    assert error == Failure(code="event_timeout", message="no go came in time")
    assert harness.machine.state.signals.awaited == {}


def test_a_signal_in_time_stops_the_clock() -> None:
    """The timer that was set wakes nothing any more."""
    harness = Harness(flow(wait("w", timeout="1h"), wait("x")))
    harness.signal("go")
    assert harness.timers == {}


def test_the_same_signal_counts_once() -> None:
    """Told again it is known; told otherwise under the same id it is refused."""
    harness = Harness(flow(wait("w"), wait("x")))
    first = harness.signal("go", {"n": 1}, "s1")
    assert harness.machine.knows(first)
    with pytest.raises(IllegalTransition, match="received before"):
        harness.apply(first)
    with pytest.raises(SignalRefused, match="said something else"):
        harness.machine.knows(SignalReceived(at=START, name="go", signal_id="s1", data={"n": 2}))
    assert harness.statuses() == {"w": "succeeded", "x": "waiting"}


def test_no_more_than_so_many_are_kept() -> None:
    """Beyond the bound a signal is refused, unless a step waits for it."""
    harness = Harness(flow(wait("w"), wait("x", "other")))
    for number in range(KEPT_MAX):
        harness.signal("other", number, f"s{number}")
    with pytest.raises(SignalRefused, match="keeps 1000 signals"):
        harness.signal("other", 0, "one too many")
    harness.signal("go")
    assert harness.status == "completed"


def test_the_name_may_hold_an_expression() -> None:
    """What it gives when the step begins is what it waits for."""
    harness = Harness(flow(wait("w", "order.${input.id}.paid")), id="o-1")
    assert harness.machine.state.signals.awaited == {"w": "order.o-1.paid"}
    broken = Harness(flow(wait("w", "order.${input.id}")), id="a b")
    assert broken.machine.state.failure is not None
    assert broken.machine.state.failure.code == "expression_error"


def test_a_paused_run_takes_signals_and_begins_nothing() -> None:
    """What waited ends; what follows begins after the resume."""
    harness = Harness(flow(wait("w"), agent("b")))
    harness.pause()
    harness.signal("go")
    assert (harness.statuses()["w"], harness.actions) == ("succeeded", {})
    harness.resume()
    assert harness.run().status == "completed"


def test_a_cancelled_run_takes_no_signal() -> None:
    """It has ended."""
    harness = Harness(flow(wait("w")))
    harness.cancel()
    with pytest.raises(IllegalTransition):
        harness.signal("go")
