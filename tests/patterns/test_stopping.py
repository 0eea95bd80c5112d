"""Patterns of cancelling and ending."""

from __future__ import annotations

import pytest

from dirigent import Dirigent
from dirigent.interpreter.loading import load_definition
from tests.patterns.recipes import Led, recipe


async def test_implicit_termination(dirigent: Dirigent) -> None:
    """The run ends when the last of its branches has, whichever that is."""
    text = "name: x\ntype: parallel\nsteps:\n" + "".join(
        f"  - {{id: {name}, type: wait_for_event, event: {name}}}\n" for name in "abc"
    )
    led = await Led.begin(dirigent, load_definition(text))
    for name in "bca":
        assert led.now.status == "running"
        await led.tell(name)
    assert led.now.status == "completed"


async def test_cancel_task(dirigent: Dirigent) -> None:
    """One step is withdrawn because of what happened elsewhere, and the run goes on."""
    led = await Led.begin_with_a_timer(dirigent, recipe("who_is_first"), "answer", "withdrawal")
    await led.tell("withdrawal")
    assert (led.now.status, led.now.steps["answer"].status) == ("completed", "cancelled")
    assert "close" in led.done


async def test_cancel_case(dirigent: Dirigent) -> None:
    """Nothing of the run goes on, and nobody is waited for."""
    led = await Led.begin(dirigent, recipe("split_and_join"), {"number": 7})
    await dirigent.engine.cancel(led.now.execution_id, "ann", "sold out")
    led.now = await dirigent.engine.rest(led.now.execution_id)
    assert (led.now.status, led.done) == ("cancelled", ["order"])
    assert dirigent.engine.waiting(dirigent.settings.tenant) == []


@pytest.mark.parametrize("changes", [0, 2])
async def test_cancel_region(dirigent: Dirigent, changes: int) -> None:
    """Everything in the block is stopped, however far it has come; what was done stays on record."""
    led = await Led.begin(dirigent, recipe("until_shipped"), {"carrier": "post"})
    await led.tell(*["change"] * changes, street="Elm")
    await led.tell("shipped")
    assert led.are("cancelled") == {"changes", f"changes[{changes}].change", f"changes[{changes}]"}
    assert led.now.status == "completed"


async def test_explicit_termination(dirigent: Dirigent) -> None:
    """The last step ends the run at once: what leads to it alone is stopped. What leads elsewhere goes on."""
    text = """
name: end
steps:
  - {id: work, type: wait_for_event, event: work}
  - {id: more, type: wait_for_event, event: more}
  - {id: audit, type: wait_for_event, event: audit}
  - {id: stop, type: wait_for_event, event: stop}
  - {id: end, type: transform, join: any, cancel_rest: true}
  - {id: filed, type: transform}
connections:
  - {from: work, to: more}
  - {from: more, to: end}
  - {from: stop, to: end}
  - {from: audit, to: end}
  - {from: audit, to: filed}
"""
    led = await Led.begin(dirigent, load_definition(text))
    await led.tell("stop")
    assert (led.are("cancelled"), led.are("skipped"), led.are("waiting")) == ({"work"}, {"more"}, {"audit"})
    await led.tell("audit")
    assert (led.now.status, led.done) == ("completed", ["stop", "end", "audit", "filed"])
