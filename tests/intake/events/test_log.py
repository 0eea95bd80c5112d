"""Taking in events: durable, once per name, told in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.errors import Conflict, InvalidInput, StorageFailure
from dirigent.intake.events.feed import LIVE_EVENTS_MAX, Feed
from dirigent.intake.events.log import EventLog, Taken
from dirigent.ports import EventSink
from dirigent.storage.sqlite.event_index import SqliteEventIndex
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.testing.frozen_clock import FrozenClock
from dirigent.testing.memory_event_index import MemoryEventIndex
from dirigent.testing.memory_journal import MemoryJournal


def event(id: str, *, tenant: str = "t", type: str = "deal.won", **more: Any) -> DomainEvent:
    return DomainEvent(id=id, source="crm", type=type, tenant=tenant, **more)


class Store:
    """A journal, its index and a log over both."""

    def __init__(self, folder: Path | None) -> None:
        self.journal = SqliteJournal.open(folder) if folder else MemoryJournal()
        self.index = SqliteEventIndex(folder) if folder else MemoryEventIndex(self.journal)
        self.clock = FrozenClock()
        self.log = EventLog(self.journal, self.index, self.clock)
        self.told: list[Taken] = []
        self.log.follow(self.told.extend)

    async def close(self) -> None:
        await self.journal.close()
        getattr(self.index, "close", lambda: None)()


@pytest.fixture(params=["sqlite", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(tmp_path if request.param == "sqlite" else None)
    yield made
    await made.close()


def positions(told: Sequence[Taken]) -> list[int]:
    return [one.position for one in told]


async def test_what_is_acknowledged_is_in_the_journal(store: Store) -> None:
    """The answer names the position, and there the event is, with the time it was taken in."""
    answer = await store.log.publish(event("1", data={"value": 3}))
    assert isinstance(store.log, EventSink)
    assert (answer.event_id, answer.position, answer.duplicate) == ("1", 1, False)
    (recorded,) = store.index.events()
    assert recorded.stream == "events/t"
    assert recorded.event.at == store.clock.now_ms()
    assert store.told == [Taken(1, store.clock.now_ms(), event("1", data={"value": 3}))]


async def test_a_repetition_is_acknowledged_and_changes_nothing(store: Store) -> None:
    """The same event again gives the first one's position and is told to nobody."""
    await store.log.publish(event("1", data={"a": 1}))
    again = await store.log.publish(event("1", data={"a": 1}))
    assert (again.position, again.duplicate) == (1, True)
    assert len(store.index.events()) == len(store.told) == 1


async def test_a_repetition_at_the_same_moment_waits_for_the_first(store: Store) -> None:
    """Callers that hand in one event at once all get the one position, and only one is no duplicate."""
    answers = await asyncio.gather(*(store.log.publish(event("1")) for _ in range(5)))
    assert {answer.position for answer in answers} == {1}
    assert sorted(answer.duplicate for answer in answers) == [False, True, True, True, True]
    assert positions(store.told) == [1]


async def test_a_repetition_under_way_is_one(store: Store) -> None:
    """Between handing in and stable storage a repetition is recognised, too."""
    first = asyncio.ensure_future(store.log.publish(event("1")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    again = await store.log.publish(event("1"))
    assert again.duplicate
    assert (await first).position == again.position == 1
    assert len(store.index.events()) == 1


async def test_other_content_under_the_same_name_is_refused(store: Store) -> None:
    """What was said stays said, whether it is stored or just being handed in."""
    await store.log.publish(event("1", data=1))
    with pytest.raises(Conflict, match="another event '1'"):
        await store.log.publish(event("1", data=2))
    with pytest.raises(Conflict):
        await store.log.publish_all([event("2", data=1), event("2", data=2)])
    answers = await asyncio.gather(
        store.log.publish(event("3", data=1)), store.log.publish(event("3", data=2)), return_exceptions=True
    )
    assert [type(answer).__name__ for answer in answers] == ["Acknowledged", "Conflict"]
    assert [one.event.id for one in store.told] == ["1", "3"]


async def test_a_batch_is_taken_in_whole_or_not_at_all(store: Store) -> None:
    """One event that contradicts refuses the batch; its others can be handed in again."""
    await store.log.publish(event("2", data="then"))
    with pytest.raises(Conflict):
        await store.log.publish_all([event("1"), event("2", data="now"), event("3")])
    answers = await store.log.publish_all([event("1"), event("2", data="then"), event("3"), event("1")])
    assert [(answer.event_id, answer.position, answer.duplicate) for answer in answers] == [
        ("1", 2, False),
        ("2", 1, True),
        ("3", 3, False),
        ("1", 2, True),
    ]
    assert await store.log.publish_all([]) == []


async def test_tenants_are_apart(store: Store) -> None:
    """The same name of another tenant is another event; a batch is of one tenant."""
    answers = await asyncio.gather(*(store.log.publish(event("1", tenant=name)) for name in "abc"))
    assert [answer.position for answer in answers] == [1, 2, 3]
    assert positions(store.told) == [1, 2, 3]
    assert {recorded.stream for recorded in store.index.events()} == {"events/a", "events/b", "events/c"}
    with pytest.raises(InvalidInput, match="2 tenants"):
        await store.log.publish_all([event("2", tenant="a"), event("2", tenant="b")])


async def test_followers_are_told_in_order_and_of_what_is_durable(store: Store) -> None:
    """Whatever the order in which callers wait, positions come without a gap, one after the other."""
    seen: list[bool] = []
    store.log.follow(
        lambda told: seen.extend(bool(store.index.events(after=one.position - 1)) for one in told)
    )
    for start in range(0, 60, 20):
        await asyncio.gather(*(store.log.publish(event(str(start + number))) for number in range(20)))
    assert positions(store.told) == list(range(1, 61))
    assert seen == [True] * 60


async def test_a_cancelled_caller_leaves_the_event_taken_in(store: Store) -> None:
    """What was handed in cannot be taken back; the others of the same turn are not disturbed."""
    cancelled = asyncio.ensure_future(store.log.publish(event("1")))
    kept = asyncio.ensure_future(store.log.publish(event("2")))
    await asyncio.sleep(0)
    cancelled.cancel()
    assert (await kept).position == 2
    assert (await store.log.publish(event("1"))).duplicate


async def test_a_stopped_journal_refuses_and_says_why(tmp_path: Path) -> None:
    """Nothing is acknowledged by a journal that takes nothing."""
    store = Store(tmp_path)
    await store.journal.close()
    with pytest.raises(StorageFailure):
        await store.log.publish(event("1"))
    await store.close()


async def test_a_new_process_recognises_what_an_old_one_took_in(tmp_path: Path) -> None:
    """Names are kept in the journal's file, not in memory."""
    before = Store(tmp_path)
    await before.log.publish_all([event(str(number), data=number) for number in range(50)])
    await before.close()
    after = Store(tmp_path)
    assert (await after.log.publish(event("17", data=17))).duplicate
    with pytest.raises(Conflict):
        await after.log.publish(event("17", data=18))
    assert (await after.log.publish(event("50"))).position == 51
    assert not after.journal.verify().damages
    await after.close()


async def test_a_feed_reads_on_from_a_position(store: Store) -> None:
    """What was missed comes from the journal, what comes in afterwards follows, each once."""
    await store.log.publish_all([event(str(number)) for number in range(5)])
    feed = Feed(store.log, store.index, after=2)
    assert positions(feed.nowait(limit=2)) == [3, 4]
    await store.log.publish_all([event("5"), event("6")])
    assert positions(await feed.next()) == [5, 6, 7]
    waiting = asyncio.ensure_future(feed.next())
    await store.log.publish(event("7"))
    assert positions(await waiting) == [8]
    assert feed.nowait() == []
    assert feed.position == 8


async def test_a_slow_reader_goes_back_to_the_journal(store: Store) -> None:
    """More than fits into memory is read from the journal; nothing is lost and nothing comes twice."""
    feed = Feed(store.log, store.index, after=0)
    total = 0
    while total <= LIVE_EVENTS_MAX:
        await store.log.publish_all([event(str(total + number)) for number in range(3000)])
        total += 3000
    assert feed.waiting < total
    found: list[int] = []
    while page := feed.nowait(700):
        found += positions(page)
        if len(found) == 700:
            await store.log.publish(event("late"))
    assert found == list(range(1, total + 2))
