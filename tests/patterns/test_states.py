"""Patterns that go by the state of a run, of another branch, or of other runs."""

from __future__ import annotations

import pytest

from dirigent import Dirigent
from dirigent.interpreter.loading import load_definition
from dirigent.interpreter.reading import Reading
from dirigent.testing.frozen_clock import FrozenClock
from tests.acceptance.till import until
from tests.patterns.recipes import Led, recipe
from tests.patterns.test_instances import runs_of

DAY_MS = 86_400_000
ALTERNATIVES = {"answer", "withdrawal", "patience"}


@pytest.mark.parametrize(
    ("first", "way", "text"),
    [
        ("answer", "thank", "Thank you"),
        ("withdrawal", "close", "A pity"),
        ("", "remind", "Have you forgotten us?"),
    ],
)
async def test_deferred_choice(
    dirigent: Dirigent, clock: FrozenClock, first: str, way: str, text: str
) -> None:
    """What happens first decides; the alternatives are withdrawn."""
    led = await Led.begin_with_a_timer(dirigent, recipe("who_is_first"), "answer", "withdrawal")
    if first:
        await led.tell(first)
    else:
        clock.move(14 * DAY_MS)
        led.now = await dirigent.engine.rest(led.now.execution_id)
    assert (led.now.status, led.now.output) == ("completed", {way: {"text": text}})
    assert led.are("cancelled") == ALTERNATIVES - {first or "patience"}
    clock.move(15 * DAY_MS)
    assert (await dirigent.engine.rest(led.now.execution_id)).events == led.now.events


async def test_interleaved_parallel_routing(dirigent: Dirigent) -> None:
    """It is not there: steps that nothing connects are under way at the same time."""
    text = "name: x\ntype: parallel\nsteps:\n" + "".join(
        f"  - {{id: {name}, type: wait_for_event, event: {name}}}\n" for name in "ab"
    )
    led = await Led.begin(dirigent, load_definition(text))
    assert led.are("waiting") == {"a", "b"}


async def test_milestone(dirigent: Dirigent) -> None:
    """The change is possible, again and again, until the parcel is shipped, and not afterwards."""
    led = await Led.begin(dirigent, recipe("until_shipped"), {"carrier": "post"})
    await led.tell("change", "change", street="Elm")
    assert led.done == [
        *("changes[0].change", "changes[0].stored", "changes[0]"),
        *("changes[1].change", "changes[1].stored", "changes[1]"),
    ]
    await led.tell("shipped")
    assert (led.now.status, led.now.output) == ("completed", {"by": "post"})
    assert led.done[-2:] == ["shipped", "closed"]


@pytest.mark.parametrize("urgent", [True, False])
async def test_interleaved_routing(dirigent: Dirigent, urgent: bool) -> None:
    """Each once, never two at a time, in an order that the run works out."""
    led = await Led.begin(dirigent, recipe("in_some_order"), {"urgent": urgent})
    order = ["heart", "eyes", "blood"] if urgent else ["blood", "eyes", "heart"]
    for number, what in enumerate(order):
        assert led.are("waiting") == {f"checks[{number}].checked"}
        await led.tell("checked", what=what)
    assert led.now.status == "completed"
    assert [one["text"] for one in led.now.output["results"]] == [f"{what} was checked" for what in order]


async def test_critical_section(dirigent: Dirigent) -> None:
    """Never two runs at a time; none is lost."""
    dirigent.arm(recipe("one_at_a_time"))
    for number, article in enumerate("ABC"):
        event = {"type": "stock.changed", "source": "shop", "id": f"e{number}", "data": {"article": article}}
        await dirigent.publish(event)
    for number, article in enumerate("ABC", 1):
        runs = await all_at_rest(dirigent, number)
        assert [run.status for run in runs] == ["completed"] * (number - 1) + ["running"]
        assert runs[-1].started.input == {"article": article}
        await dirigent.engine.signal(runs[-1].execution_id, "counted")
        await dirigent.engine.rest(runs[-1].execution_id)
    assert [run.status for run in runs_of(dirigent, "one at a time")] == ["completed"] * 3


async def all_at_rest(dirigent: Dirigent, count: int) -> list[Reading]:
    """The runs, once there are so many and nothing moves any more."""
    await until(lambda: len(runs_of(dirigent, "one at a time")) >= count)
    for run in runs_of(dirigent, "one at a time"):
        await dirigent.engine.rest(run.execution_id)
    return runs_of(dirigent, "one at a time")
