"""Patterns of many instances of the same work."""

from __future__ import annotations

import pytest

from dirigent import Dirigent
from dirigent.interpreter.loading import load_definition
from dirigent.interpreter.reading import Reading
from tests.acceptance.till import until
from tests.patterns.recipes import Led, recipe

APPROVALS = """
name: approvals
steps:
  - {id: agree, type: approval, approvers: [ann, ben, cleo], required: 2, timeout: 2d}
  - {id: go, type: transform, parameters: {by: "${steps.agree.decision}"}}
"""


def runs_of(dirigent: Dirigent, workflow: str) -> list[Reading]:
    """The runs of a workflow, in the order of their input."""
    rows = dirigent.engine.executions(dirigent.settings.tenant, parent=None)
    readings = [dirigent.engine.read(row.execution_id) for row in rows if row.workflow == workflow]
    return sorted(readings, key=lambda reading: str(reading.started.input))


async def test_instances_without_synchronization(dirigent: Dirigent) -> None:
    """Each has a run of its own, and whoever began them has ended long before they have."""
    dirigent.arm(recipe("begun"))
    reading = await dirigent.run(recipe("begin"), {"parcels": ["A", "B", "C"]})
    assert reading.status == "completed"
    await until(lambda: len(runs_of(dirigent, "begun")) == 3)
    begun = [await dirigent.engine.rest(run.execution_id) for run in runs_of(dirigent, "begun")]
    assert [run.status for run in begun] == ["running"] * 3
    await dirigent.engine.signal(begun[1].execution_id, "carried")
    ended = await dirigent.engine.rest(begun[1].execution_id)
    assert ended.output == {"text": "B is there"}


async def test_instances_known_at_design_time(dirigent: Dirigent) -> None:
    """As many as the file says; what follows waits for all."""
    text = """
name: three
steps:
  - id: eyes
    type: foreach
    foreach: "['ann', 'ben', 'cleo']"
    steps:
      - {id: seen, type: wait_for_event, event: seen, filter: event.data.by == item}
"""
    led = await Led.begin(dirigent, load_definition(text))
    for name in ("cleo", "ann"):
        await led.tell("seen", by=name)
    assert led.now.status == "running"
    await led.tell("seen", by="ben")
    assert led.now.output == {"results": [{"by": name} for name in ("ann", "ben", "cleo")], "failures": []}


@pytest.mark.parametrize("count", [0, 1, 5])
async def test_instances_known_at_run_time(dirigent: Dirigent, count: int) -> None:
    """As many as the list has items, also none; what follows waits for all."""
    parcels = [f"P{number}" for number in range(count)]
    led = await Led.begin(dirigent, recipe("for_each"), {"parcels": parcels})
    for parcel in reversed(parcels):
        assert "ask[0].answer" not in led.now.steps
        await led.tell("carried", parcel=parcel)
    await led.tell("answer", content=True)
    assert led.now.output == {"texts": [f"{parcel} is there" for parcel in parcels], "asked": 1}


@pytest.mark.parametrize("count", [1, 3])
async def test_instances_unknown_beforehand(dirigent: Dirigent, count: int) -> None:
    """One more begins whenever one is asked for; in the end there are the results of all."""
    await dirigent.library.save(recipe("one_more"), tenant=dirigent.settings.tenant, actor="ann")
    engine = dirigent.engine
    first = await dirigent.run_stored("one more", {"n": 1})
    for number in range(1, count + 1):
        run = runs_of(dirigent, "one more")[-1].execution_id
        await engine.signal(run, "asked", {"more": number < count})
        await until(lambda number=number: len(runs_of(dirigent, "one more")) == min(number + 1, count))
    for number, begun in enumerate(runs_of(dirigent, "one more"), 1):
        await engine.signal(begun.execution_id, "heard", {"n": number, "what": f"w{number}"})
    reading = await engine.rest(first.execution_id)
    assert reading.output == {"heard": [f"w{number}" for number in range(count, 0, -1)]}


async def test_cancel_instances(dirigent: Dirigent) -> None:
    """Those under way are stopped, and the others never begin."""
    led = await Led.begin(dirigent, recipe("enough"), {"houses": ["A", "B", "C", "D"]})
    await led.tell("visited", house="A")
    await led.tell("enough")
    assert (led.now.status, led.now.output) == ("completed", {"n": 4})
    assert led.now.steps["visits"].status == "cancelled"
    assert "visits[3].visited" not in led.now.steps
    assert dirigent.engine.waiting(dirigent.settings.tenant) == []


async def test_complete_instances(dirigent: Dirigent) -> None:
    """The run goes on without the rest; what the first gave is on record, but no expression reads it."""
    text = """
name: enough
steps:
  - id: visits
    type: foreach
    foreach: input.houses
    steps: [{id: visited, type: wait_for_event, event: visited}]
  - {id: enough, type: wait_for_event, event: enough}
  - {id: home, type: transform, join: any, cancel_rest: true, parameters: {there: "${has(steps.visits)}"}}
connections: [{from: visits, to: home}, {from: enough, to: home}]
"""
    led = await Led.begin(dirigent, load_definition(text), {"houses": ["A", "B"]})
    await led.tell("visited", "enough", house="A")
    assert (led.now.status, led.now.output) == ("completed", {"there": False})
    assert led.now.steps["visits[0].visited"].output == {"house": "A"}


async def test_static_partial_join_for_instances(dirigent: Dirigent) -> None:
    """Two of three people are enough."""
    led = await Led.begin(dirigent, load_definition(APPROVALS))
    [asked] = dirigent.engine.approvals(dirigent.settings.tenant)
    await dirigent.engine.approve(asked.approval_id, "cleo")
    assert (await dirigent.engine.rest(led.now.execution_id)).status == "awaiting_approval"
    await dirigent.engine.approve(asked.approval_id, "ann")
    assert (await dirigent.engine.rest(led.now.execution_id)).output == {"by": "approved"}


async def test_cancelling_partial_join_for_instances(dirigent: Dirigent) -> None:
    """The third is asked no longer."""
    led = await Led.begin(dirigent, load_definition(APPROVALS))
    [asked] = dirigent.engine.approvals(dirigent.settings.tenant)
    for name in ("cleo", "ann"):
        await dirigent.engine.approve(asked.approval_id, name)
    await dirigent.engine.rest(led.now.execution_id)
    assert dirigent.engine.approvals(dirigent.settings.tenant) == []


async def test_dynamic_partial_join_for_instances(dirigent: Dirigent) -> None:
    """It is not there: what follows waits for the last item. A loop over the list ends when it is enough."""
    led = await Led.begin(dirigent, recipe("for_each"), {"parcels": ["A", "B", "C"]})
    for parcel in "AB":
        await led.tell("carried", parcel=parcel)
    assert led.are("waiting") == {"parcels[2].carried"}
    one_by_one = """
name: one by one
steps:
  - id: offers
    type: loop
    max_iterations: 10
    while: index < size(input.shops)
    until: steps.total.sum >= 5
    steps:
      - {id: offer, type: wait_for_event, event: offer}
      - id: total
        type: transform
        parameters: {sum: "${(previous == null ? 0 : previous.sum) + steps.offer.pieces}"}
"""
    led = await Led.begin(dirigent, load_definition(one_by_one), {"shops": ["X", "Y", "Z"]})
    await led.tell("offer", "offer", pieces=3)
    assert led.now.output == {"sum": 6, "iterations": 2, "exhausted": False}
