"""Patterns of repeating."""

from __future__ import annotations

import pytest

from dirigent import Dirigent
from dirigent.domain.errors import InvalidDefinition
from dirigent.interpreter.loading import load_definition
from tests.patterns.recipes import Led, recipe

CIRCLE = """
name: circle
steps: [{id: a, type: transform}, {id: b, type: transform}, {id: c, type: transform}]
connections: [{from: a, to: b}, {from: b, to: c}, {from: c, to: b}]
"""
PRE = """
name: pre
steps:
  - id: up
    type: loop
    max_iterations: 10
    while: "(previous == null ? input.n : previous.n) < 3"
    steps:
      - {id: one, type: transform, parameters: {n: "${(previous == null ? input.n : previous.n) + 1}"}}
"""


async def test_arbitrary_cycles(dirigent: Dirigent) -> None:
    """They are not there, and that is said when the file is loaded, with the circle."""
    with pytest.raises(InvalidDefinition, match=r"WF017 the connections run in a circle: b -> c -> b"):
        load_definition(CIRCLE)


@pytest.mark.parametrize(("answers", "rounds"), [([True], 1), ([False, True], 2), ([False] * 3, 3)])
async def test_structured_loop(dirigent: Dirigent, answers: list[bool], rounds: int) -> None:
    """Asked after each time with `until`, and ended by its bound."""
    led = await Led.begin(dirigent, recipe("for_each"), {"parcels": []})
    for content in answers:
        assert led.now.status == "running"
        await led.tell("answer", content=content)
    assert (led.now.status, led.now.output["asked"]) == ("completed", rounds)
    assert led.now.steps["ask"].output["exhausted"] is not answers[-1]


@pytest.mark.parametrize(("n", "rounds"), [(0, 3), (2, 1), (3, 0)])
async def test_loop_asked_before(dirigent: Dirigent, n: int, rounds: int) -> None:
    """With `while`, also before the first time."""
    led = await Led.begin(dirigent, load_definition(PRE), {"n": n})
    assert led.now.output["iterations"] == rounds


async def test_recursion(dirigent: Dirigent) -> None:
    """A workflow starts itself, and each of at most eight levels has its own data."""
    await dirigent.library.save(recipe("count_down"), tenant=dirigent.settings.tenant, actor="ann")
    reading = await dirigent.run_stored("count down", {"n": 7})
    assert reading.output == {"numbers": [7, 6, 5, 4, 3, 2, 1, 0]}
    assert (await dirigent.run_stored("count down", {"n": 8})).status == "failed"


async def test_recursion_has_an_end(dirigent: Dirigent) -> None:
    """A workflow that starts itself without end fails, and says why, instead of filling the disk."""
    endless = load_definition("name: endless\nsteps: [{id: again, type: subworkflow, workflow: endless}]\n")
    await dirigent.library.save(endless, tenant=dirigent.settings.tenant, actor="ann")
    reading = await dirigent.run_stored("endless")
    assert reading.status == "failed"
    assert reading.error is not None
    assert (reading.error.code, reading.error.rules) == ("refused", ("caller.depth",))
    assert "at most 8 deep" in reading.error.message
    assert len(dirigent.engine.executions(dirigent.settings.tenant, parent=None)) == 8
