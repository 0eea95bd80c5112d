"""Followers of the log: at least once, in order by subject, alive whatever a handler does."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.errors import ActionFailed, InvalidInput, NotFound, StorageFailure
from dirigent.intake.events.consumers import AT_ONCE, EventConsumer, Handle
from dirigent.intake.events.upcasting import Upcasters
from tests.intake.events.test_log import Store, event


class Group:
    """A consumer over a store, and a handler that notes and fails as it is told."""

    def __init__(self, store: Store, **more: Any) -> None:
        self.store = store
        self.consumer = EventConsumer("group", store.log, store.index, store.journal, store.clock, **more)
        self.handled: list[str] = []
        self.fails: dict[str, int] = {}

    async def handle(self, happened: DomainEvent) -> None:
        left = self.fails.get(happened.id, 0)
        self.handled.append(happened.id)
        if left:
            self.fails[happened.id] = left - 1
            raise RuntimeError(f"{happened.id} broke")

    @asynccontextmanager
    async def running(self, handle: Handle | None = None) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.consumer.run(handle or self.handle))
        try:
            yield task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def caught_up(self) -> None:
        """Let waits pass until everything was dealt with."""
        last = self.store.index.events(newest=True, limit=1)[0].position
        waiting = asyncio.ensure_future(self.consumer.caught_up(last))
        while not waiting.done():
            await asyncio.sleep(0.001)
            self.store.clock.move(500)
        await waiting


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(tmp_path)
    yield made
    await made.close()


async def test_a_failing_handler_does_not_stop_the_loop(store: Store) -> None:
    """It fails on event 2 of 3: 1 and 3 are handled, 2 is tried again and dead-lettered, the loop lives."""
    group = Group(store)
    group.fails["2"] = 99
    async with group.running():
        await store.log.publish_all([event("1"), event("2"), event("3")])
        await group.caught_up()
        assert sorted(set(group.handled)) == ["1", "2", "3"]
        assert group.handled.count("2") == 3
        (letter,) = group.consumer.dead_letters()
        assert (letter.position, letter.event_id, letter.attempts) == (2, "2", 3)
        assert letter.error == "RuntimeError: 2 broke"
        await store.log.publish(event("4"))
        await group.caught_up()
        assert group.handled[-1] == "4"


async def test_a_handler_that_recovers_is_tried_again_later(store: Store) -> None:
    """The wait doubles from try to try; what succeeds in time is no dead letter."""
    group = Group(store, backoff_ms=1000)
    group.fails["1"] = 2
    tried: list[int] = []

    async def handle(happened: DomainEvent) -> None:
        tried.append(store.clock.now_ms())
        await group.handle(happened)

    async with group.running(handle):
        await store.log.publish(event("1"))
        await group.caught_up()
    assert [late - early for early, late in itertools.pairwise(tried)] == [1000, 2000]
    assert group.consumer.dead_letters() == []


async def test_a_dead_letter_is_replayed(store: Store) -> None:
    """Once its handler is mended it is handled and off the list; before, it says that it failed again."""
    group = Group(store, attempts=1)
    group.fails["1"] = 2
    async with group.running():
        await store.log.publish(event("1", data={"a": 1}))
        await group.caught_up()
    with pytest.raises(ActionFailed, match="failed again: 1 broke"):
        await group.consumer.replay(1, group.handle, "ada")
    await group.consumer.replay(1, group.handle, "ada")
    assert group.consumer.dead_letters() == []
    with pytest.raises(NotFound):
        await group.consumer.replay(1, group.handle, "ada")


async def test_order_within_a_subject_and_none_across(store: Store) -> None:
    """A slow event holds up its own subject only."""
    group = Group(store)
    gate = asyncio.Event()

    async def handle(happened: DomainEvent) -> None:
        if happened.id == "a1":
            await gate.wait()
        await group.handle(happened)

    async with group.running(handle):
        named = [
            event(f"{subject}{number}", subject=f"lead/{subject}") for number in (1, 2, 3) for subject in "ab"
        ]
        await store.log.publish_all([*named, event("free")])
        while len(group.handled) < 4:
            await asyncio.sleep(0)
        assert sorted(group.handled) == ["b1", "b2", "b3", "free"]
        assert group.consumer.position == 0
        gate.set()
        await group.caught_up()
    assert [id for id in group.handled if id.startswith("a")] == ["a1", "a2", "a3"]
    assert [id for id in group.handled if id.startswith("b")] == ["b1", "b2", "b3"]
    assert group.consumer.lag == 0


async def test_so_many_at_once(store: Store) -> None:
    """However many events there are, no more than the bound are handled side by side."""
    group = Group(store)
    now = most = 0

    async def handle(happened: DomainEvent) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1

    async with group.running(handle):
        await store.log.publish_all([event(str(number)) for number in range(3000)])
        await group.caught_up()
    assert most == AT_ONCE


async def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Over a restart nothing is left out; only what was not noted comes again."""
    before = Store(tmp_path)
    group = Group(before)
    async with group.running():
        await before.log.publish_all([event(str(number)) for number in range(20)])
        await group.caught_up()
    await before.log.publish_all([event(str(number)) for number in range(20, 30)])
    await before.close()
    after = Store(tmp_path)
    again = Group(after)
    async with again.running():
        await again.caught_up()
        assert again.handled == [str(number) for number in range(20, 30)]
    await after.close()


async def test_what_was_under_way_comes_again(store: Store) -> None:
    """Broken off in the middle, an event is handed over at the next run: at least once."""
    group = Group(store)
    begun = asyncio.Event()

    async def hang(happened: DomainEvent) -> None:
        if happened.id == "2":
            begun.set()
            await asyncio.Event().wait()
        await group.handle(happened)

    async with group.running(hang):
        await store.log.publish_all([event("1"), event("2"), event("3")])
        await begun.wait()
        while len(group.handled) < 2:
            await asyncio.sleep(0)
    assert group.consumer.position == 1
    async with group.running():
        await group.caught_up()
    assert sorted(group.handled) == ["1", "2", "3", "3"]


async def test_groups_do_not_disturb_each_other(store: Store) -> None:
    """Each has its own place, tenant and types."""
    one = Group(store)
    other = EventConsumer(
        "other", store.log, store.index, store.journal, store.clock, tenant="u", types=("order.*",)
    )
    seen: list[str] = []

    async def note(happened: DomainEvent) -> None:
        seen.append(happened.id)

    async with one.running():
        task = asyncio.create_task(other.run(note))
        await store.log.publish_all([event("1"), event("2", type="order.paid")])
        await store.log.publish_all([event("3", tenant="u"), event("4", tenant="u", type="order.paid.late")])
        await one.caught_up()
        await other.caught_up(4)
        task.cancel()
    assert (len(one.handled), seen) == (4, ["4"])


async def test_one_by_one(store: Store) -> None:
    """Who goes through them alone says himself when one is done."""
    consumer = EventConsumer(
        "serial", store.log, store.index, store.journal, store.clock, types=("deal.won",)
    )
    await store.log.publish_all([event("1"), event("x", type="other"), event("2")])
    first = await consumer.get_event()
    assert (first.id, consumer.position) == ("1", 0)
    consumer.done(first)
    second = await consumer.get_event()
    assert (second.id, consumer.position) == ("2", 2)
    consumer.done(second)
    assert consumer.position == 3


async def test_an_older_schema_is_read_as_today_s(store: Store) -> None:
    """Version 1 is handed over as version 3, stored as it was; a bad cast is a dead letter."""
    upcasters = Upcasters()
    upcasters.register("deal.won", 1, lambda data: {**data, "currency": "EUR"})
    upcasters.register(
        "deal.won", 2, lambda data: {"value": {"amount": data.pop("value"), "in": data["currency"]}}
    )
    group = Group(store, upcasters=upcasters, attempts=1)
    seen: list[DomainEvent] = []

    async def note(happened: DomainEvent) -> None:
        seen.append(happened)

    async with group.running(note):
        await store.log.publish_all([event("1", data={"value": 3}), event("2", data=5)])
        await store.log.publish(event("3", data={"value": {}}, schemaversion=3))
        await group.caught_up()
    assert [(one.id, one.schemaversion, one.data) for one in seen] == [
        ("1", 3, {"value": {"amount": 3, "in": "EUR"}}),
        ("3", 3, {"value": {}}),
    ]
    assert store.told[0].event == event("1", data={"value": 3})
    assert [letter.event_id for letter in group.consumer.dead_letters()] == ["2"]
    with pytest.raises(InvalidInput):
        upcasters.register("deal.won", 1, lambda data: data)


async def test_the_loop_ends_with_the_journal(store: Store) -> None:
    """Where nothing can be put on record any more, it does not go on as if it could."""
    group = Group(store, attempts=1)
    group.fails["1"] = 99
    await store.log.publish(event("1"))
    await store.journal.close()
    with pytest.raises(StorageFailure):
        await group.consumer.run(group.handle)


@pytest.mark.parametrize("name", ["", "triggers"])
async def test_names_that_are_taken(store: Store, name: str) -> None:
    """The place of the triggers is theirs."""
    with pytest.raises(InvalidInput):
        EventConsumer(name, store.log, store.index, store.journal, store.clock)


async def test_what_is_not_wanted_costs_one_note_a_second(store: Store) -> None:
    """A thousand events are passed by: one entry says so; a follower that is stopped leaves one as well."""
    group = Group(store, wanted=lambda happened: happened.id == "wanted")
    stream = "consumers/group"
    async with group.running():
        await store.log.publish_all([event(str(number)) for number in range(1000)])
        await group.caught_up()
        store.clock.move(2000)
        assert (group.handled, store.journal.head(stream)) == ([], 1)
        await store.log.publish_all([event("other"), event("wanted"), event("another")])
        await group.caught_up()
        assert group.handled == ["wanted"]
    await store.log.publish(event("last"))
    last = store.index.events(newest=True, limit=1)[0].position
    assert Group(store).consumer.position == last - 2  # between them stands the note itself
