"""Events meet triggers: found by type, filtered, started once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dirigent.domain.domain_event import DEPTH_MAX, DomainEvent
from dirigent.domain.errors import ExpressionError
from dirigent.domain.event import ConsumerAdvanced
from dirigent.domain.trigger import EventTrigger
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.intake.triggers.armed import arm
from dirigent.intake.triggers.matching import CYCLE_CUT, STREAM
from tests.intake.triggers.house import Clerk, event, house, on, workflow


async def test_an_event_starts_the_workflows_that_want_it(tmp_path: Path) -> None:
    """The type decides, also by its beginning; the event's data is the input, and the start says why."""
    flows = [
        workflow("exact", on("order.paid")),
        workflow("below", on("order.*")),
        workflow("all", on("*")),
        workflow("other", on("order.sent")),
        workflow("longer", on("order.paid.late")),
    ]
    async with house(tmp_path, *flows) as home:
        reaction = await home.dirigent.publish(event("e1", data={"no": 17}, subject="order/17"))
        rows = [home.dirigent.engine.row(name) for name in reaction.triggered]
        assert sorted(row.workflow for row in rows) == ["all", "below", "exact"]
        assert {row.trigger for row in rows} == {"event"}
        await home.rest()
        assert home.clerk.noted == [{"no": 17}] * 3
        started = home.dirigent.engine.read(reaction.triggered[0]).started
        assert started.labels["cause"] == "e1"
        assert started.labels["event"] == {
            "id": "e1",
            "type": "order.paid",
            "source": "shop",
            "subject": "order/17",
        }
        assert (started.passport.cause, started.passport.correlation) == ("e1", "e1")
        assert started.passport.actor == f"trigger:{started.labels['trigger']}"


async def test_an_event_nobody_wants_is_kept(tmp_path: Path) -> None:
    """Unknown type: stored, nothing triggered."""
    async with house(tmp_path, workflow("w", on("order.paid"))) as home:
        reaction = await home.dirigent.publish({"type": "weather.changed", "source": "sky", "data": 1})
        assert reaction.triggered == ()
        assert reaction.event_id.startswith("evt_")
        assert [found.position for found in home.dirigent.event_index.events()] == [reaction.position]


async def test_a_repeated_event_starts_nothing(tmp_path: Path) -> None:
    """The same id again is acknowledged as a duplicate."""
    async with house(tmp_path, workflow("w", on("order.paid"))) as home:
        first = await home.dirigent.publish(event("e1"))
        again = await home.dirigent.publish(event("e1"))
        assert (again.duplicate, again.triggered, again.position) == (True, (), first.position)
        assert len(home.dirigent.engine.executions()) == 1


async def test_tenants_do_not_trigger_each_other(tmp_path: Path) -> None:
    """A trigger of one tenant never sees the events of another, and starts for its own."""
    async with house(tmp_path) as home:
        home.dirigent.arm(workflow("w", on("*")), tenant="a")
        assert (await home.dirigent.publish(event("e1"))).triggered == ()
        (started,) = (await home.dirigent.publish(event("e1", tenant="a"))).triggered
        assert home.dirigent.engine.row(started).tenant == "a"


async def test_a_filter_decides_and_an_input_maps(tmp_path: Path) -> None:
    """Only what the filter takes starts; the input is what the mapping makes of the event."""
    mapped = {"total": "${event.data.total}", "why": "order ${event.id} of ${event.source}"}
    flow = workflow("w", on("order.paid", filter="event.data.total > 100", input=mapped))
    async with house(tmp_path, flow) as home:
        assert not (await home.dirigent.publish(event("small", data={"total": 99}))).triggered
        assert (await home.dirigent.publish(event("large", data={"total": 101}))).triggered
        await home.rest()
        assert home.clerk.noted == [{"total": 101, "why": "order large of shop"}]


@pytest.mark.parametrize(
    ("trigger", "data"),
    [
        (on("order.paid", filter="event.data.total > 100"), {"amount": 1}),
        (on("order.paid", filter="event.data.total > 100"), {"total": "many"}),
        (on("order.paid", filter="event.data.total"), {"total": 5}),
        (on("order.paid", input={"total": "${event.data.total}"}), {"amount": 1}),
    ],
    ids=["missing", "wrong type", "no condition", "input"],
)
async def test_what_cannot_be_evaluated_is_on_record(
    tmp_path: Path, trigger: dict[str, Any], data: Any
) -> None:
    """A filter or an input that errs neither starts nor stays silent; others are not disturbed."""
    async with house(tmp_path, workflow("bad", trigger), workflow("good", on("order.paid"))) as home:
        (started,) = (await home.dirigent.publish(event("e1", data=data))).triggered
        assert home.dirigent.engine.row(started).workflow == "good"
        (failed,) = home.dirigent.triggers.firings.firings(decision="failed")
        assert (failed.workflow, failed.cause) == ("bad", "e1")
        assert "event.data.total" in failed.reason


async def test_many_failures_of_one_filter_are_one_record(tmp_path: Path) -> None:
    """A filter that errs for a whole batch is told once with how often."""
    async with house(tmp_path, workflow("w", on("order.paid", filter="event.data.total > 1"))) as home:
        await home.dirigent.triggers.publish_all([event(f"e{number}") for number in range(50)])
        rows = home.dirigent.triggers.firings.firings()
        assert sum(row.count for row in rows) == 50
        assert len(rows) < 10


def test_a_filter_that_does_not_compile_is_refused_before() -> None:
    """A definition made in Python is checked when its triggers are put to work."""
    trigger = EventTrigger(event_type="a", filter="event.id ==")
    with pytest.raises(ExpressionError):
        arm(Definition(name="w", triggers=(trigger,)), "t")


async def test_a_crash_between_append_and_start_starts_once(tmp_path: Path) -> None:
    """What was taken in and not dealt with is dealt with at the next start, and never twice."""
    flow = workflow("w", on("order.paid"))
    async with house(tmp_path) as home:  # nobody is there to react: as if the process had died in between
        await home.dirigent.triggers.matcher.close()
        await home.dirigent.events.publish_all([event("e1"), event("e2")])
    for _ in range(3):
        async with house(tmp_path, flow) as home:
            await home.dirigent.triggers.matcher.started_by(home.dirigent.event_index.events()[-1].position)
            await home.rest()
            assert len(home.dirigent.engine.executions()) == 2
            assert home.statuses() == ["completed", "completed"]


async def test_matching_again_what_was_started_starts_nothing(tmp_path: Path) -> None:
    """Where the record of how far it came was lost in a crash, the same firings are recognised."""
    flow = workflow("w", on("order.paid"))
    async with house(tmp_path, flow) as home:
        position = (await home.dirigent.publish(event("e1"))).position
        await home.rest()
        journal = home.dirigent.journal
        back = ConsumerAdvanced(at=1, consumer="triggers", position=position - 1)
        await journal.append(STREAM, journal.head(STREAM), [back])
        await home.dirigent.triggers.close()
    async with house(tmp_path, flow) as home:
        assert not await home.dirigent.triggers.matcher.started_by(position)
        assert len(home.dirigent.engine.executions()) == 1


async def test_a_circle_of_causes_is_cut(tmp_path: Path) -> None:
    """A workflow on x that brings x about stops at depth 16, with one alert and the cut on record."""
    async with house(tmp_path, workflow("w", on("x")), workflow("alarm", on(CYCLE_CUT))) as home:

        def once_more(execution_id: str, happened: object) -> None:
            if type(happened).__name__ == "ExecutionCompleted":
                passport = home.dirigent.engine.read(execution_id).started.passport
                if home.dirigent.engine.row(execution_id).workflow == "w":
                    follows = DomainEvent(
                        id=f"x/{execution_id}",
                        source="test",
                        type="x",
                        tenant="default",
                        correlationid=passport.correlation,
                        causationid=passport.cause,
                        depth=passport.cause_depth + 1,
                    )
                    tasks.append(asyncio.ensure_future(home.dirigent.publish(follows)))

        tasks: list[asyncio.Future[Any]] = []
        home.dirigent.observe(once_more)
        await home.dirigent.publish(event("start", "x"))
        while len(tasks) < DEPTH_MAX:
            await asyncio.sleep(0.001)
        await asyncio.gather(*tasks)
        await home.rest()
        by_workflow = [row.workflow for row in home.dirigent.engine.executions()]
        assert (by_workflow.count("w"), by_workflow.count("alarm")) == (DEPTH_MAX, 1)
        (cut,) = home.dirigent.triggers.firings.firings(decision="cut")
        assert cut.workflow == "w"
        (alert,) = home.dirigent.event_index.events(type=CYCLE_CUT)
        assert alert.event.event.correlationid == "start"  # type: ignore[attr-defined]


async def test_a_waiting_execution_is_woken(tmp_path: Path) -> None:
    """An event reaches the step that waits for it, also after a restart."""
    waiting = Definition(name="w", steps=(Step(id="paid", kind=Kind.WAIT_FOR_EVENT, event="order.*"),))
    async with house(tmp_path) as home:
        reading = await home.dirigent.run(waiting)
        assert (await home.dirigent.publish(event("e0", "customer.moved"))).triggered == ()
    async with house(tmp_path) as home:
        reaction = await home.dirigent.publish(event("e1", data={"no": 1}))
        assert reaction.triggered == (reading.execution_id,)
        assert (await home.dirigent.engine.rest(reading.execution_id)).status == "completed"
        assert (await home.dirigent.publish(event("e2"))).triggered == ()


async def test_a_workflow_put_again_replaces_its_triggers(tmp_path: Path) -> None:
    """The newer version's triggers take the place of the older's; taken out, none is left."""
    async with house(tmp_path, workflow("w", on("a"))) as home:
        home.dirigent.arm(workflow("w", on("b"), on("b"), on("c.*")))
        assert len({armed.id for armed in home.dirigent.triggers.table}) == 3
        assert not (await home.dirigent.publish(event("1", "a"))).triggered
        assert len((await home.dirigent.publish(event("2", "b"))).triggered) == 2
        assert len((await home.dirigent.publish(event("3", "c.d.e"))).triggered) == 1
        home.dirigent.triggers.remove("w")
        assert not (await home.dirigent.publish(event("4", "b"))).triggered
        assert len(home.dirigent.triggers.table) == 0


async def test_executions_of_one_batch_start_in_its_order(tmp_path: Path) -> None:
    """What comes first starts first."""
    async with house(tmp_path, workflow("w", on("order.paid")), clerk=Clerk()) as home:
        reactions = await home.dirigent.triggers.publish_all([event(f"e{number}") for number in range(40)])
        causes = [row.cause for row in home.dirigent.triggers.firings.firings()[::-1]]
        assert causes == [f"e{number}" for number in range(40)]
        assert all(len(reaction.triggered) == 1 for reaction in reactions)
