"""Patterns of what comes from outside while nobody waits for it."""

from __future__ import annotations

from dirigent import Dirigent
from tests.patterns.recipes import Led, recipe


async def test_transient_trigger(dirigent: Dirigent) -> None:
    """An event that comes before the wait for it is lost to the run; the next one counts."""
    led = await Led.begin(dirigent, recipe("rounds"))
    event = {"type": "red", "source": "desk", "data": {}}
    for _ in range(2):
        await dirigent.publish(event)
        led.now = await dirigent.engine.rest(led.now.execution_id)
    await led.tell("green", "blue")
    assert led.are("waiting") == {"rounds[1].red", "rounds[1].green", "rounds[1].blue"}
    await dirigent.publish(event)
    led.now = await dirigent.engine.rest(led.now.execution_id)
    assert "rounds[1].red" in led.done


async def test_persistent_trigger(dirigent: Dirigent) -> None:
    """A signal that comes before the wait for it is kept."""
    led = await Led.begin(dirigent, recipe("rounds"))
    await led.tell("red", "red", "green", "blue")
    assert led.are("waiting") == {"rounds[1].green", "rounds[1].blue"}
