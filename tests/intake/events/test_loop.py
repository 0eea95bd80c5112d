"""The event loop over the agents, and the event store: one test per printed method and promise."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dirigent import Context, Dirigent, Effect, Risk, action, agent
from dirigent.domain.domain_event import DEPTH_MAX, DomainEvent
from dirigent.domain.errors import ActionFailed
from dirigent.intake.events.agents import CHANNEL, Handling
from dirigent.settings import read_settings
from dirigent.testing.frozen_clock import FrozenClock
from tests.intake.triggers.house import event, on, workflow


@agent("inventory", domain="test")
class Inventory:
    """Watches the stock."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    @action(risk=Risk.R0, effect=Effect.KEYED, handles=("inventory.changed",))
    async def process_event(self, event: dict[str, Any], ctx: Context) -> str:
        """Take note of a change."""
        self.seen.append({"event": event, "execution": ctx.execution_id})
        if event["data"] == "broken":
            raise ActionFailed("The shelf is broken.")
        return "noted"


@agent("event_analysis", domain="test")
class EventAnalysis:
    """Sees all of the inventory's events."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @action(risk=Risk.R0, effect=Effect.PURE, handles=("inventory.*",))
    async def process_event(self, event: dict[str, Any]) -> str:
        """Look for patterns."""
        self.seen.append(event["id"])
        return "seen"


@agent("notifier", domain="test")
class Notifier:
    """Handles no events."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def process_event(self, event: dict[str, Any]) -> str:
        """Never called here."""
        raise AssertionError


class Agents:
    """A Dirigent with three agents, and what the channel `agents` told."""

    def __init__(
        self, dirigent: Dirigent, clock: FrozenClock, inventory: Inventory, analysis: EventAnalysis
    ) -> None:
        self.dirigent = dirigent
        self.clock = clock
        self.inventory = inventory
        self.analysis = analysis
        self.told: list[Mapping[str, Any]] = []
        dirigent.reactions.channels.subscribe(CHANNEL, self.told.append)

    @property
    def coordinator(self) -> Any:
        return self.dirigent.reactions.agent_coordinator

    async def dealt_with(self, position: int) -> None:
        """Let waits pass until the loop has come so far."""
        consumer = self.dirigent.reactions.event_loop.kafka_consumer
        waiting = asyncio.ensure_future(consumer.caught_up(position))
        while not waiting.done():
            await asyncio.sleep(0.001)
            self.clock.move(500)
        await waiting

    async def all_is_durable(self) -> None:
        """Let what was handed to the journal reach stable storage."""
        journal = self.dirigent.journal
        while not (last := journal.tail(journal.position - 1, 1)) or last[0].position < journal.position:
            await asyncio.sleep(0)


@asynccontextmanager
async def agents(folder: Path, *extra: object) -> AsyncIterator[Agents]:
    settings = read_settings(environment={}, folder=folder, data_folder=folder / "data")
    clock, inventory, analysis = FrozenClock(), Inventory(), EventAnalysis()
    known = [inventory, analysis, Notifier(), *extra]
    async with Dirigent(settings=settings, agents=known, clock=clock) as dirigent:
        yield Agents(dirigent, clock, inventory, analysis)


async def test_an_event_reaches_the_agents_that_handle_it(tmp_path: Path) -> None:
    """`inventory.changed` reaches inventory and event_analysis only; the channel shows busy, then online."""
    async with agents(tmp_path) as home:
        position = (
            await home.dirigent.publish(event("e1", "inventory.changed", data={"sku": "mug"}))
        ).position
        await home.dealt_with(position)
        assert [one["event"]["data"] for one in home.inventory.seen] == [{"sku": "mug"}]
        assert home.analysis.seen == ["e1"]
        by_agent: dict[str, list[str]] = {}
        for message in home.told:
            by_agent.setdefault(message["agent"], []).append(message["status"])
        assert by_agent == {"inventory": ["busy", "online"], "event_analysis": ["busy", "online"]}
        assert home.coordinator.agents == {"inventory": "online", "event_analysis": "online"}
        position = (await home.dirigent.publish(event("e2", "inventory.counted"))).position
        await home.dealt_with(position)
        assert (len(home.inventory.seen), home.analysis.seen) == (1, ["e1", "e2"])


async def test_find_agents(tmp_path: Path) -> None:
    """Those whose actions declare the type or a pattern of it."""
    async with agents(tmp_path) as home:
        assert home.coordinator.find_agents(event("e", "inventory.changed")) == [
            Handling("event_analysis", "process_event"),
            Handling("inventory", "process_event"),
        ]
        assert home.coordinator.find_agents(event("e", "order.paid")) == []


async def test_coordinate_agents_goes_through_the_door_once(tmp_path: Path) -> None:
    """Each handling is an execution of its own; the same event again is not handled again."""
    async with agents(tmp_path) as home:
        happened = event("e1", "inventory.changed", data=1, correlationid="c")
        first = await home.coordinator.coordinate_agents(happened)
        again = await home.coordinator.coordinate_agents(happened)
        assert first == again
        assert len(home.inventory.seen) == len(home.analysis.seen) == 1
        started = home.dirigent.engine.read(first[0]).started
        assert (started.passport.correlation, started.passport.cause, started.trigger) == ("c", "e1", "event")


async def test_broadcast_agent_state(tmp_path: Path) -> None:
    """Whoever listens to the channel is told; one that fails disturbs nobody."""
    async with agents(tmp_path) as home:

        def fail(_: Mapping[str, Any]) -> None:
            raise RuntimeError

        home.dirigent.reactions.channels.subscribe(CHANNEL, fail)
        heard: list[str] = []
        stop = home.dirigent.reactions.channels.subscribe(
            CHANNEL, lambda message: heard.append(message["status"])
        )
        home.coordinator.agents["inventory"] = "online"
        home.coordinator.broadcast_agent_state("inventory")
        stop()
        home.coordinator.broadcast_agent_state("inventory")
        assert heard == ["online"]
        assert [message["agent"] for message in home.told] == ["inventory", "inventory"]


async def test_process_events_survives_an_agent_that_fails(tmp_path: Path) -> None:
    """Event 2 of 3 fails: 1 and 3 are handled, 2 is tried and dead-lettered, the loop lives."""
    async with agents(tmp_path) as home:
        events = [
            event(f"e{number}", "inventory.changed", data=data)
            for number, data in enumerate(("a", "broken", "c"))
        ]
        reactions = await home.dirigent.triggers.publish_all(events)
        await home.dealt_with(reactions[-1].position)
        loop = home.dirigent.reactions.event_loop
        assert Counter(one["event"]["id"] for one in home.inventory.seen) == {"e0": 1, "e1": 1, "e2": 1}
        (letter,) = loop.kafka_consumer.dead_letters()
        assert letter.event_id == "e1"
        assert "The shelf is broken" in letter.error
        assert home.coordinator.agents["inventory"] in ("online", "error")
        position = (await home.dirigent.publish(event("e3", "inventory.changed"))).position
        await home.dealt_with(position)
        assert loop.cycles == 3


async def test_handle_event_is_cut_where_causes_go_in_a_circle(tmp_path: Path) -> None:
    """An event too deep in a chain of causes is given up, not handled."""
    async with agents(tmp_path) as home:
        deep = event("deep", "inventory.changed", depth=DEPTH_MAX)
        with pytest.raises(ActionFailed):
            await home.dirigent.reactions.event_loop.handle_event(deep)
        await home.dealt_with((await home.dirigent.publish(deep)).position)
        assert home.inventory.seen == []


async def test_update_event_store(tmp_path: Path) -> None:
    """An event from elsewhere is in the store afterwards; one that is there stays once."""
    async with agents(tmp_path) as home:
        loop = home.dirigent.reactions.event_loop
        for _ in range(2):
            await loop.update_event_store(event("from-elsewhere", "weather"))
        assert len(home.dirigent.event_index.events()) == 1


async def test_killed_between_append_and_handling(tmp_path: Path) -> None:
    """The event is handled after the restart, once."""
    async with agents(tmp_path) as home:
        await home.dirigent.reactions.close()
        await home.dirigent.events.publish(event("e1", "inventory.changed", data=1))
        assert home.inventory.seen == []
    for expected in (1, 0):
        async with agents(tmp_path) as home:
            await home.dealt_with(1)
            assert len(home.inventory.seen) == expected


class Stock:
    """A state: how much of each there is."""

    def __init__(self) -> None:
        self.levels: Counter[str] = Counter()
        self.applied = 0

    def reset(self) -> None:
        self.levels.clear()
        self.applied = 0

    def apply(self, happened: DomainEvent) -> None:
        self.applied += 1
        if happened.type == "stock.moved":
            self.levels[happened.data["sku"]] += happened.data["by"]


def moved(number: int, by: int) -> DomainEvent:
    return event(f"m{number}", "stock.moved", data={"sku": "mug", "by": by})


async def test_store_event_appends_and_then_updates_the_state(tmp_path: Path) -> None:
    """Whoever hands an event in, the state knows it once it is durable; a restart catches up."""
    async with agents(tmp_path) as home:
        store, stock = home.dirigent.reactions.event_store, Stock()
        store.add(stock)
        await store.store_event(moved(1, 5))
        await home.dirigent.publish(moved(2, -2))
        assert stock.levels == {"mug": 3}
    async with agents(tmp_path) as home:
        store, stock = home.dirigent.reactions.event_store, Stock()
        store.add(stock)
        assert stock.levels == {"mug": 3}
        await store.store_event(moved(3, 1))
        assert stock.levels == {"mug": 4}


async def test_replay_has_no_effect_outside(tmp_path: Path) -> None:
    """States and projections are made anew; nothing starts; the shadow tells what would."""
    async with agents(tmp_path) as home:
        home.dirigent.arm(workflow("w", on("stock.moved", filter="event.data.by > 0")))
        store, stock = home.dirigent.reactions.event_store, Stock()
        store.add(stock)
        await home.dirigent.triggers.publish_all(
            [moved(1, 5), moved(2, -1), event("e", "inventory.changed", data=1)]
        )
        await home.dealt_with(3)
        for execution_id in home.dirigent.runtime.running():
            await home.dirigent.engine.rest(execution_id)
        await home.all_is_durable()
        rows, position = home.dirigent.engine.executions(), home.dirigent.journal.position
        stock.levels["mug"] = 99
        home.dirigent.arm(workflow("later", on("stock.moved")))
        replayed = store.replay_events(shadow=True)
        assert (stock.levels, stock.applied) == ({"mug": 4}, 3)
        assert (replayed.events, replayed.applied, replayed.position) == (position, 3, 1)
        assert [(one.workflow, one.event_id, one.started) for one in replayed.foreseen] == [
            ("w", "m1", True),
            ("later", "m1", False),
            ("later", "m2", False),
        ]
        assert home.dirigent.engine.executions() == rows
        assert home.dirigent.journal.position == position
        assert (len(home.inventory.seen), home.dirigent.runtime.running()) == (1, [])


async def test_replay_from_a_time_on(tmp_path: Path) -> None:
    """It begins with the first event at or after the time."""
    async with agents(tmp_path) as home:
        store, stock = home.dirigent.reactions.event_store, Stock()
        positions = []
        for number in range(5):
            positions.append((await home.dirigent.publish(moved(number, 1))).position)
            home.clock.move(1000)
        begin = home.clock.now_ms() - 3000
        store.add(stock)
        stock.reset()
        assert positions[1] < store.replay_events(begin).position <= positions[2]
        assert stock.levels == {"mug": 3}
        assert positions[2] < store.replay_events(begin + 1).position <= positions[3]
        assert store.replay_events(home.clock.now_ms() + 1).events == 0
        assert positions[1] < next(iter(store.get_events(begin))).position <= positions[2]
