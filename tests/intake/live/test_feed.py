"""Telling over a journal in the test's hands: damage, unknown runs, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from dirigent.domain.errors import DirigentError, JournalDamaged, NotFound
from dirigent.domain.event import CircuitClosed, Event, ExecutionPaused, FiringDecided, WebhookKept
from dirigent.intake.live.feed import Bounds, Interest, LiveFeed, Stopping, TooSlow
from dirigent.intake.live.news import CHANNELS, Notice
from dirigent.ports import FollowedJournal, Recorded

MINE = Interest("mine", frozenset(CHANNELS))
SECONDS_MAX = 20.0


class Journal:
    """The port `FollowedJournal` over a list; position `damaged` cannot be read."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Event]] = []
        self.damaged = 0
        self.error: Exception = JournalDamaged("broken", streams=("x",))
        self.followers: list[Callable[[], None]] = []

    @property
    def durable(self) -> int:
        return len(self.events)

    def tail(self, after: int, limit: int = 1000) -> list[Recorded]:
        if after + 1 == self.damaged:
            raise self.error
        last = min(after + limit, self.damaged - 1 if self.damaged > after else self.durable)
        return [
            Recorded(position=n + 1, stream=self.events[n][0], version=1, event=self.events[n][1], digest=b"")
            for n in range(after, min(last, self.durable))
        ]

    def follow(self, follower: Callable[[], None]) -> Callable[[], None]:
        self.followers.append(follower)
        return lambda: self.followers.remove(follower) if follower in self.followers else None

    def add(self, stream: str, *events: Event) -> None:
        """Events come in."""
        self.events += [(stream, event) for event in events]
        for follower in self.followers:
            follower()


def paused(count: int) -> list[Event]:
    return [ExecutionPaused(at=1, actor=str(number)) for number in range(count)]


def tenant_of(execution_id: str) -> str:
    if execution_id == "nobodys":
        raise NotFound("There is none.", code="execution_not_found")
    return execution_id.partition("_")[0]


def feed_of(journal: Journal, **bounds: int) -> LiveFeed:
    assert isinstance(journal, FollowedJournal)
    return LiveFeed(journal, tenant_of, lambda _: 0, Bounds(**bounds))


async def soon(feed_next: asyncio.Future[list[Notice]]) -> list[int]:
    return [notice.position for notice in await asyncio.wait_for(feed_next, SECONDS_MAX)]


async def test_nobody_follows_nothing_is_read() -> None:
    """The journal is asked for its news only while somebody wants to know."""
    journal = Journal()
    feed = feed_of(journal)
    assert not journal.followers
    one, other = feed.subscribe(MINE), feed.subscribe(MINE)
    assert (len(journal.followers), feed.followers) == (1, 2)
    for subscription in (one, other, other):
        subscription.close()
    assert (len(journal.followers), feed.followers) == (0, 0)
    again = feed.subscribe(MINE)
    journal.add("mine_1", *paused(1))
    assert await soon(asyncio.ensure_future(again.next())) == [1]
    again.close()
    await feed.close()


@pytest.mark.parametrize("error", [JournalDamaged("broken", streams=("x",)), ZeroDivisionError("a bug")])
async def test_what_cannot_be_read_ends_the_telling(error: Exception) -> None:
    """All who follow are told that it ends, and later ones begin behind the damage."""
    journal = Journal()
    journal.error = error
    feed = feed_of(journal)
    subscription = feed.subscribe(MINE)
    journal.damaged = 2
    journal.add("mine_1", *paused(2))
    assert await soon(asyncio.ensure_future(subscription.next())) == [1]
    reason = await asyncio.wait_for(subscription.ended, SECONDS_MAX)
    assert type(reason) in (JournalDamaged, DirigentError)
    subscription.close()
    behind = feed.subscribe(MINE)
    journal.add("mine_1", *paused(1))
    assert await soon(asyncio.ensure_future(behind.next())) == [3]
    from_before = feed.subscribe(MINE, 1)
    with pytest.raises(type(error)):
        await from_before.next()
    await feed.close()


async def test_more_than_may_wait() -> None:
    """Whoever takes nothing is let go at the bound; who takes what comes is not."""
    journal = Journal()
    feed = feed_of(journal, waiting=5_000, page=3)
    lazy, quick = feed.subscribe(MINE), feed.subscribe(MINE)
    told = 0
    while not lazy.ended.done():
        journal.add("mine_1", *paused(3))
        while told < journal.durable:
            told = (await soon(asyncio.ensure_future(quick.next())))[-1]
    assert isinstance(lazy.ended.result(), TooSlow)
    assert not quick.ended.done()
    await feed.close()


async def test_what_is_nobodys_is_told_to_nobody() -> None:
    """An event whose tenant is not known is left out; what follows is told."""
    journal = Journal()
    feed = feed_of(journal)
    journal.add("nobodys", *paused(1))
    journal.add("yours_1", *paused(1))
    journal.add("mine_1", *paused(1))
    for after in (0, 1):
        subscription = feed.subscribe(MINE, after)
        found: list[int] = []
        while not found:
            found = await soon(asyncio.ensure_future(subscription.next()))
        assert (found, subscription.position) == ([3], 3)
    await feed.close()


async def test_events_of_the_house_go_to_the_tenant_they_name() -> None:
    """Circuits, firings that are worth a look and calls that fit no mapping; not a firing that waits."""
    journal = Journal()
    feed = feed_of(journal)
    firing = FiringDecided(
        at=1, execution_id="e", tenant="mine", trigger="t", workflow="w", cause="c", decision="queued"
    )
    journal.add("dirigent:circuits", CircuitClosed(at=1, tenant="yours", agent="a"))
    journal.add("dirigent:circuits", CircuitClosed(at=1, tenant="mine", agent="a"))
    for decision in ("queued", "cut"):
        journal.add("triggers/t", msgspec.structs.replace(firing, decision=decision))
    journal.add("webhooks/w", WebhookKept(at=1, tenant="mine", webhook="w", call="c", body="{}", error="e"))
    subscription = feed.subscribe(Interest("mine", frozenset({"alerts"})), 0)
    found: list[Notice] = []
    while not found:
        found = await subscription.next()
    assert [notice.position for notice in found] == [2, 4, 5]
    assert ['"trigger.cut"' in notice.text for notice in found] == [False, True, False]
    of_run = feed.subscribe(Interest("mine", frozenset({"alerts"}), "e"), 0)
    assert await of_run.next() == []
    await feed.close()


async def test_the_end() -> None:
    """Whoever follows is told that the server stops, and nobody is taken any more."""
    journal = Journal()
    journal.add("mine_1", *paused(2))
    feed = feed_of(journal, page=1)
    subscription, behind = feed.subscribe(MINE), feed.subscribe(MINE, 0)
    await feed.close()
    assert isinstance(subscription.ended.result(), Stopping)
    with pytest.raises(Stopping):
        await behind.next()
    with pytest.raises(Stopping):
        feed.subscribe(MINE)
