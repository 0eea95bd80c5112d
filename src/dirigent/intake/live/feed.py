"""Telling of durable events as they come in: in order, without gap or double, at nobody's cost."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple

import structlog

from dirigent.domain.errors import DirigentError, InvalidInput, NotFound, Overloaded
from dirigent.intake.live.news import Notice, notice_of
from dirigent.ports import FollowedJournal, Recorded

TENANTS_KNOWN_MAX = 10_000
PAST_READERS = 2
RETRY_SECONDS = 10

log = structlog.get_logger("dirigent.live")


class TooSlow(DirigentError):
    """Somebody takes what he is told more slowly than it happens, and is told no more."""

    code = "too_slow"
    http_status = 408


class Stopping(DirigentError):
    """The server stops."""

    code = "server_stops"
    http_status = 503


class Interest(NamedTuple):
    """What somebody wants to be told of: one tenant's events of some channels, or of one run in them."""

    tenant: str
    channels: frozenset[str]
    execution: str = ""

    def wants(self, notice: Notice) -> bool:
        """Whether this is one of them. What an execution started belongs to it."""
        if notice.tenant != self.tenant or self.channels.isdisjoint(notice.channels):
            return False
        whose = notice.execution_id
        return not self.execution or whose == self.execution or whose.startswith(f"{self.execution}/")


class Bounds(NamedTuple):
    """How many may follow, at all and of one tenant; how much waits for one of them, in characters.

    `page` is how many events are read at once.
    """

    at_once: int = 500
    of_tenant: int = 100
    waiting: int = 1_000_000
    page: int = 500


class LiveFeed:
    """Everybody who follows the journal, over one reader of it.

    While nobody follows, nothing is read. A follower from the past reads pages of its own until it is at the
    present. What is told waits in memory for each follower, up to a bound; whoever exceeds it is let go, so
    nobody waits for anybody. `tenant_of` names the tenant of an execution, `begun_at` the position at which
    one began; both raise `NotFound`.
    """

    def __init__(
        self,
        journal: FollowedJournal,
        tenant_of: Callable[[str], str],
        begun_at: Callable[[str], int],
        bounds: Bounds | None = None,
    ) -> None:
        self.bounds = bounds or Bounds()
        self._journal = journal
        self._tenant_of = lru_cache(TENANTS_KNOWN_MAX)(tenant_of)
        self._begun_at = begun_at
        self._open: Counter[str] = Counter()
        self._present: list[Subscription] = []
        self._position = 0
        self._more = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._unfollow: Callable[[], None] = lambda: None
        self._present_reader = ThreadPoolExecutor(1, "dirigent-live")
        self._past_readers = ThreadPoolExecutor(PAST_READERS, "dirigent-live-past")
        self._closed = False

    def subscribe(self, interest: Interest, after: int | None = None) -> Subscription:
        """Follow from now on, or from an event of the past on; the caller closes what it gets.

        Raises `InvalidInput` for an event that is not there yet and `Overloaded` where too many follow.
        """
        self._check_room(interest.tenant)
        durable = self._journal.durable
        if after is not None and after > durable:
            raise InvalidInput(
                f"last_event_id: there is no event {after} yet, the last one is {durable}.",
                fix="Connect without it, and read anew how things stand.",
                field="last_event_id",
            )
        if after is not None and interest.execution:
            after = max(after, self._begun_at(interest.execution) - 1)
        self._open[interest.tenant] += 1
        return Subscription(self, interest, after)

    async def close(self) -> None:
        """Tell nobody any more."""
        self._closed = True
        self._unfollow()
        for subscription in tuple(self._present):
            subscription.end(Stopping("Connect again later."))
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        for readers in (self._present_reader, self._past_readers):
            readers.shutdown(wait=False, cancel_futures=True)

    @property
    def durable(self) -> int:
        """The last position that can be told of."""
        return self._journal.durable

    @property
    def followers(self) -> int:
        """How many follow."""
        return self._open.total()

    def join(self, subscription: Subscription) -> int:
        """Tell somebody of all behind the position that is returned."""
        if not self._present:
            self._position = self._journal.durable
            self._unfollow = self._journal.follow(self._more.set)
            self._reading = asyncio.create_task(self._read(), name="dirigent-live")
        self._present.append(subscription)
        return self._position

    def leave(self, subscription: Subscription) -> None:
        """Tell somebody no more."""
        self._open[subscription.interest.tenant] -= 1
        if not self._open[subscription.interest.tenant]:
            del self._open[subscription.interest.tenant]
        if subscription in self._present:
            self._present.remove(subscription)
            if not self._present:
                self._rest()

    async def page(self, after: int) -> tuple[int, list[Notice]]:
        """The next of the past: how far it was read, and what is told of it."""
        if self._closed:
            raise Stopping("Connect again later.")
        durable = self._journal.durable
        return await self._page(self._past_readers, after, durable)

    def _check_room(self, tenant: str) -> None:
        if self._closed:
            raise Stopping("The server stops.", fix="Connect again later.")
        bounds = self.bounds
        if self.followers >= bounds.at_once or self._open[tenant] >= bounds.of_tenant:
            raise Overloaded(
                f"{self.followers} follow already, {self._open[tenant]} of them of {tenant!r}; "
                f"{bounds.at_once} may, and {bounds.of_tenant} of one organization.",
                retry_after_s=RETRY_SECONDS,
                fix="Close connections that nobody needs.",
            )

    def _rest(self) -> None:
        """Nobody follows; the task that reads ends by itself, or is ended."""
        self._unfollow()
        if self._reading is not None and self._reading is not asyncio.current_task():
            self._reading.cancel()
        self._reading = None

    async def _read(self) -> None:
        try:
            while self._present:
                await self._more.wait()
                self._more.clear()
                while self._present and await self._tell_page():
                    pass
        except DirigentError as error:
            log.error("live.stopped", reason=str(error))
            self._end_all(error)
        except Exception:
            log.exception("live.failed")
            self._end_all(DirigentError("Telling failed; the server's log says why."))

    def _end_all(self, error: DirigentError) -> None:
        self._reading = None
        self._unfollow()
        present, self._present = self._present, []
        for subscription in present:
            subscription.end(error)

    async def _tell_page(self) -> bool:
        durable = self._journal.durable
        if durable <= self._position:
            return False
        self._position, notices = await self._page(self._present_reader, self._position, durable)
        of_tenant: defaultdict[str, list[Notice]] = defaultdict(list)
        for notice in notices:
            of_tenant[notice.tenant].append(notice)
        for subscription in tuple(self._present):
            subscription.offer(of_tenant.get(subscription.interest.tenant, []), self._position)
        return True

    async def _page(self, readers: ThreadPoolExecutor, after: int, durable: int) -> tuple[int, list[Notice]]:
        """Read on; where there is nothing more up to a durable position, that is how far it was read."""
        return await asyncio.get_running_loop().run_in_executor(readers, self._notices, after, durable)

    def _notices(self, after: int, durable: int) -> tuple[int, list[Notice]]:
        page = self._journal.tail(after, self.bounds.page)
        notices = [notice for notice in map(self._notice, page) if notice is not None]
        return (page[-1].position if page else durable), notices

    def _notice(self, recorded: Recorded) -> Notice | None:
        try:
            return notice_of(recorded, self._tenant_of)
        except NotFound:  # nobody knows whose it is, so nobody is told
            return None


class Subscription:
    """One who is told. `next` gives what there is, oldest first; `position` is how far he has been told.

    `ended` completes with the reason when he is told no more, also while he still takes in what came before.
    """

    def __init__(self, feed: LiveFeed, interest: Interest, after: int | None) -> None:
        self.interest = interest
        self.ended: asyncio.Future[DirigentError] = asyncio.get_running_loop().create_future()
        self._feed = feed
        self._waiting: deque[Notice] = deque()
        self._waiting_characters = 0
        self._some = asyncio.Event()
        self._heard = self._told = feed.join(self) if after is None else after
        self._joined_at = self._heard if after is None else None
        self._kept_from = self._heard
        self._closed = False

    @property
    def position(self) -> int:
        """All that is wanted up to here was given by `next`."""
        return self._told if self._waiting or self._behind else self._heard

    async def next(self) -> list[Notice]:
        """What comes next; an empty list where some of the past was looked through in vain."""
        if self._behind:
            return await self._catch_up()
        await asyncio.sleep(0)  # a fast receiver of much is not to keep the others from their turn
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        notices = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._feed.bounds.page))]
        self._waiting_characters -= sum(len(notice.text) for notice in notices)
        self._told = notices[-1].position
        return notices

    def offer(self, notices: list[Notice], position: int) -> None:
        """The present has come to a position; these are all there was of the tenant on the way."""
        wanted = self._wanted(notices, self._kept_from)
        self._waiting += wanted
        self._waiting_characters += sum(len(notice.text) for notice in wanted)
        self._heard = max(self._heard, position)
        if self._waiting_characters > self._feed.bounds.waiting:
            self.end(TooSlow("More waits than is kept.", fix="Connect again with last_event_id."))
        elif wanted:
            self._some.set()

    def end(self, reason: DirigentError) -> None:
        """Tell no more."""
        if not self.ended.done():
            self.ended.set_result(reason)

    def close(self) -> None:
        """Give up the place. Closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._waiting.clear()
            self._feed.leave(self)

    @property
    def _behind(self) -> bool:
        return self._joined_at is None or self._told < self._joined_at

    async def _catch_up(self) -> list[Notice]:
        """A page of the past. Close to the present he is told of that, too, and keeps it for later."""
        if self._joined_at is None and self._feed.durable - self._told <= self._feed.bounds.page:
            self._joined_at = self._feed.join(self)
            self._heard = self._kept_from = max(self._joined_at, self._told)
            if not self._behind:
                return []
        position, notices = await self._feed.page(self._told)
        if self._joined_at is not None:
            position = min(position, self._joined_at)
        after, self._told = self._told, position
        return [one for one in self._wanted(notices, after) if one.position <= position]

    def _wanted(self, notices: list[Notice], after: int) -> list[Notice]:
        return [one for one in notices if one.position > after and self.interest.wants(one)]
