"""Firing: who may overlap, who waits, who is paused, and what a restart makes of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dirigent.domain.errors import Conflict, NotFound, Overloaded
from dirigent.domain.workflow import Definition
from dirigent.intake.triggers.turns import QUEUED_MAX
from dirigent.testing.frozen_clock import FrozenClock
from tests.intake.triggers.house import House, event, house, on, settle, workflow


def waiting(overlap: str) -> Definition:
    """A workflow that does not end before the test lets it."""
    return workflow("w", on("go", overlap=overlap), action="wait")


async def fire(home: House, *ids: str) -> list[str]:
    """Hand in an event each; the ids of what was started, empty where nothing was."""
    reactions = [await home.dirigent.publish(event(id, "go")) for id in ids]
    return ["".join(reaction.triggered) for reaction in reactions]


async def test_allowed_executions_overlap(tmp_path: Path) -> None:
    """Without a rule every firing starts at once."""
    async with house(tmp_path, waiting("allow")) as home:
        home.clerk.gate.clear()
        await fire(home, "a", "b", "c")
        assert home.statuses() == ["running"] * 3
        home.clerk.gate.set()


async def test_skipped_while_one_runs(tmp_path: Path) -> None:
    """What comes while one runs is left out and on record; afterwards the next one starts."""
    async with house(tmp_path, waiting("skip")) as home:
        home.clerk.gate.clear()
        first, second = await fire(home, "a", "b")
        assert (bool(first), second) == (True, "")
        home.clerk.gate.set()
        await home.rest()
        assert (await fire(home, "c"))[0]
        assert home.decisions() == ["started", "skipped", "started"]
        skipped = home.dirigent.triggers.firings.firings(decision="skipped")[0]
        assert (skipped.cause, skipped.reason) == ("b", f"{first} has not ended")


async def test_queued_until_the_one_before_has_ended(tmp_path: Path) -> None:
    """They run one after the other, in the order in which they came, and none is lost."""
    async with house(tmp_path, waiting("queue")) as home:
        home.clerk.gate.clear()
        assert [bool(started) for started in await fire(home, "a", "b", "c")] == [True, False, False]
        assert home.statuses() == ["running"]
        home.clerk.gate.set()
        while home.statuses() != ["completed"] * 3:
            await settle(5)
        causes = [
            home.dirigent.engine.read(row.execution_id).started for row in home.dirigent.engine.executions()
        ]
        assert [started.labels["cause"] for started in causes[::-1]] == ["a", "b", "c"]
        assert home.dirigent.triggers.firings.queued() == []


async def test_what_waits_survives_a_restart(tmp_path: Path) -> None:
    """The queue is on stable storage: after a restart the one that ran goes on, then the next ones start."""
    async with house(tmp_path, waiting("queue")) as home:
        home.clerk.gate.clear()
        await fire(home, "a", "b", "c")
    async with house(tmp_path) as home:  # the workflow is not at work: nothing waits for its turn in vain
        await home.rest()
        assert home.statuses() == ["completed"]
        assert len(home.dirigent.triggers.firings.queued()) == 2
    async with house(tmp_path, waiting("queue")) as home:
        while home.statuses() != ["completed"] * 3:
            await settle(5)
        assert home.decisions() == ["started"] * 3


async def test_a_queue_has_an_end(tmp_path: Path) -> None:
    """Beyond its bound what comes is left out, on record."""
    async with house(tmp_path, waiting("queue")) as home:
        home.clerk.gate.clear()
        events = [event(f"e{number}", "go") for number in range(QUEUED_MAX + 3)]
        await home.dirigent.triggers.publish_all(events)
        decisions = home.decisions()
        assert (decisions.count("queued"), decisions.count("skipped")) == (QUEUED_MAX, 2)


async def test_a_newer_one_replaces_the_running_one(tmp_path: Path) -> None:
    """The running execution is cancelled, and the new one starts."""
    async with house(tmp_path, waiting("replace")) as home:
        home.clerk.gate.clear()
        await fire(home, "a", "b")
        assert home.statuses() == ["cancelled", "running"]
        home.clerk.gate.set()


async def test_skip_knows_after_a_restart_what_runs(tmp_path: Path) -> None:
    """An execution that was started before the restart still counts as running."""
    async with house(tmp_path, waiting("skip")) as home:
        home.clerk.gate.clear()
        await fire(home, "a")
        closed = home.clerk
    async with house(tmp_path, waiting("skip"), clerk=closed) as home:
        assert await fire(home, "b") == [""]
        closed.gate.set()
        await home.rest()
        assert (await fire(home, "c"))[0]


async def test_a_paused_trigger_starts_nothing(tmp_path: Path) -> None:
    """Paused stays paused over a restart; what came meanwhile is on record and stays away."""
    flow = workflow("w", on("go"))
    async with house(tmp_path, flow) as home:
        (armed,) = home.dirigent.triggers.table
        await home.dirigent.triggers.pause(armed.id, "ada", "too loud")
        assert await fire(home, "a") == [""]
    async with house(tmp_path, flow) as home:
        assert home.dirigent.triggers.firer.is_paused(next(iter(home.dirigent.triggers.table)))
        assert await fire(home, "b") == [""]
        await home.dirigent.triggers.resume(armed.id, "ada")
        assert (await fire(home, "c"))[0]
    async with house(tmp_path, flow) as home:
        assert (await fire(home, "d"))[0]
        assert home.decisions() == ["paused", "paused", "started", "started"]
        with pytest.raises(NotFound) as caught:
            await home.dirigent.triggers.pause("w.event.none", "ada")
        assert caught.value.nearest == (armed.id,)


async def test_fired_by_hand(tmp_path: Path) -> None:
    """A person fires a trigger with an input of their own; where none may start, it says why."""
    async with house(tmp_path, waiting("skip"), workflow("n", on("go"))) as home:
        ids = {armed.definition.name: armed.id for armed in home.dirigent.triggers.table}
        started = await home.dirigent.triggers.fire(ids["n"], {"by": "hand"})
        await home.rest()
        assert home.clerk.noted == [{"by": "hand"}]
        assert home.dirigent.engine.read(started).started.labels["cause"] == "manual"
        home.clerk.gate.clear()
        await home.dirigent.triggers.fire(ids["w"], {})
        with pytest.raises(Conflict, match="skipped"):
            await home.dirigent.triggers.fire(ids["w"], {})
        home.clerk.gate.set()


async def test_a_start_that_is_refused_is_on_record(tmp_path: Path) -> None:
    """An input that the workflow does not take starts nothing, and the next firing is not held up."""
    strict = workflow("w", on("go", overlap="skip"), input={"type": "object", "required": ["no"]})
    async with house(tmp_path, strict) as home:
        assert await fire(home, "a") == [""]
        (failed,) = home.dirigent.triggers.firings.firings()
        assert failed.decision == "failed"
        assert "no" in failed.reason
        reaction = await home.dirigent.publish(event("b", "go", data={"no": 1}))
        assert len(reaction.triggered) == 1


async def test_too_many_pending_executions_delay_and_lose_nothing(tmp_path: Path) -> None:
    """An event waits until there is room for its execution; a person is told to come again."""
    narrow = {"MAX_CONCURRENT_WORKFLOWS": "1", "MAX_PENDING_WORKFLOWS": "1"}
    async with house(tmp_path, workflow("w", on("go"), action="wait"), environment=narrow) as home:
        home.clerk.gate.clear()
        (armed,) = home.dirigent.triggers.table
        await fire(home, "a", "b")
        late = asyncio.ensure_future(fire(home, "c"))
        clock = home.clock
        assert isinstance(clock, FrozenClock)
        while clock.next_due() is None:
            await settle(1)
        with pytest.raises(Overloaded):
            await home.dirigent.triggers.fire(armed.id, {})
        home.clerk.gate.set()
        while not late.done():
            clock.move(1000)
            await settle(1)
        assert len((await late)[0]) > 0
        assert home.decisions() == ["started"] * 3


async def test_what_waits_for_a_trigger_taken_out_stays_away(tmp_path: Path) -> None:
    """Put to work again, the same trigger takes up its queue; each waits once, however often it is put."""
    async with house(tmp_path, waiting("queue")) as home:
        home.clerk.gate.clear()
        await fire(home, "a", "b", "c")
        for _ in range(2):
            home.dirigent.arm(waiting("queue"))
        home.dirigent.triggers.remove("w")
        home.clerk.gate.set()
        await home.rest()
        assert home.statuses() == ["completed"]
        home.dirigent.arm(waiting("queue"))
        while home.statuses() != ["completed"] * 3:
            await settle(1)
        assert home.decisions() == ["started"] * 3
