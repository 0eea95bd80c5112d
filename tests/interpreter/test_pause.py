"""A pause: what has not begun is held back, what runs goes on to its end."""

from __future__ import annotations

from dirigent.domain.command import BreakOff, InvokeAction
from dirigent.domain.event import ExecutionPaused, ExecutionResumed, StepStarted
from dirigent.interpreter.machine import Machine
from tests.interpreter.harness import START, Harness, agent, flow


def test_what_was_asked_for_and_has_not_begun_is_taken_back() -> None:
    """The driver is told to break it off; once the pause is over it is asked for again."""
    harness = Harness(flow(agent("begun"), agent("asked"), type="parallel"))
    harness.begin("begun")
    harness.pause()
    assert [c for c in harness.log[-1] if isinstance(c, BreakOff)] == [BreakOff(step="asked")]
    assert list(harness.actions) == ["begun"]
    harness.finish("begun")
    assert harness.machine.state.held == ["asked"]
    harness.resume()
    assert list(harness.actions) == ["asked"]
    assert harness.run().status == "completed"


def test_items_are_held_and_asked_for_again_within_their_bound() -> None:
    """A pause in the middle of a fan-out loses no item and lets no more run at once than before."""
    harness = Harness(flow(agent("each", foreach="input.rows", max_parallel=2)), rows=[1, 2, 3, 4])
    harness.begin("each[0]")
    harness.pause()
    harness.finish("each[0]")
    assert harness.actions == {}
    harness.resume()
    assert harness.run().status == "completed"
    assert harness.attempts("each[3]") == [1]
    assert harness.peak == 2


def test_a_journal_in_which_something_began_in_a_pause_is_still_read() -> None:
    """Journals of earlier versions have such: it counts as begun, and is not asked for again."""
    machine = Machine(flow(agent("a")))
    live = Harness(flow(agent("a")))
    for event in live.events:
        machine.apply(event)
    machine.apply(ExecutionPaused(at=START, actor="anna"))
    assert machine.outstanding == []
    machine.apply(StepStarted(at=START, step="a", attempt=1, agent="worker", action="work"))
    [command] = machine.outstanding
    assert isinstance(command, InvokeAction)
    assert command.started
    assert machine.apply(ExecutionResumed(at=START, actor="anna")) == []
    assert machine.outstanding == [command]
