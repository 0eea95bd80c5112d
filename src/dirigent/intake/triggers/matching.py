"""Matching: every event that was taken in meets the triggers and the steps that wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from dirigent.domain.domain_event import DEPTH_MAX, DomainEvent
from dirigent.domain.errors import Conflict, ExpressionError, InvalidInput
from dirigent.domain.event import ConsumerAdvanced
from dirigent.engine import Engine
from dirigent.intake.events.feed import Feed
from dirigent.intake.events.log import EventLog, Taken
from dirigent.intake.events.upcasting import Upcasters
from dirigent.intake.triggers.armed import Armed, event_scope
from dirigent.intake.triggers.firing import Firer
from dirigent.intake.triggers.table import TriggerTable
from dirigent.intake.triggers.turns import Firing, firing_for_event
from dirigent.intake.triggers.waiting_names import WaitingNames
from dirigent.ports import Clock, EventIndex, Firings, Journal

CONSUMER = "triggers"
STREAM = f"consumers/{CONSUMER}"
CYCLE_CUT = "dirigent.cycle_cut"
BATCH_EVENTS = 1000
REMEMBERED_MAX = 10_000

log = structlog.get_logger("dirigent.triggers")


class Foreseen(NamedTuple):
    """What an event would start, and whether that is there already."""

    trigger: str
    tenant: str
    workflow: str
    event_id: str
    execution_id: str
    started: bool


class TriggerMatcher:
    """Follows the log from where it stopped, also before a crash, and lets nothing start twice.

    `position` is the last event that has been dealt with. A filter or an input that fails starts nothing
    and is on record; so is a chain of causes that was cut.
    """

    def __init__(
        self,
        log: EventLog,
        index: EventIndex,
        journal: Journal,
        engine: Engine,
        table: TriggerTable,
        firer: Firer,
        names: WaitingNames,
        clock: Clock,
        upcasters: Upcasters,
    ) -> None:
        self.position = 0
        self.failure: BaseException | None = None
        self._log = log
        self._index = index
        self._journal = journal
        self._engine = engine
        self._table = table
        self._firer = firer
        self._names = names
        self._clock = clock
        self._upcasters = upcasters
        self._missed_until = 0
        self._started: OrderedDict[int, list[str]] = OrderedDict()
        self._waiters: dict[int, list[asyncio.Future[None]]] = {}
        self._feed: Feed | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow, after what was dealt with before; what came in meanwhile is dealt with first."""
        self.position = _position(self._journal)
        newest = self._index.events(newest=True, limit=1)
        self._missed_until = newest[0].position if newest else 0
        self._feed = Feed(self._log, self._index, self.position, self._dismiss)
        self._task = asyncio.create_task(self._follow(self._feed), name="dirigent-triggers")

    async def close(self) -> None:
        """Stop following. What has not been dealt with is dealt with at the next start."""
        if self._task is None or self._feed is None:
            return
        self._feed.close()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None

    async def started_by(self, position: int) -> Sequence[str]:
        """Wait until the event at a position has been dealt with; the executions it started or woke."""
        if position > self.position:
            if self.failure is not None:
                raise self.failure
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.setdefault(position, []).append(waiter)
            await waiter
        return self.known_of(position)

    def known_of(self, position: int) -> Sequence[str]:
        """The executions that the event at a position started or woke, as far as is remembered."""
        return self._started.get(position, ())

    async def _follow(self, feed: Feed) -> None:
        try:
            while True:
                await self._deal_with(await feed.next(BATCH_EVENTS))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("triggers.stopped")
            self.failure = error
            for waiter in [waiter for waiters in self._waiters.values() for waiter in waiters]:
                if not waiter.done():
                    waiter.set_exception(error)

    def _dismiss(self, batch: Sequence[Taken]) -> bool:
        """Deal at once with events that nobody wants; tells whether they were such."""
        if self._matched(batch).anything or any(self._names.may_wait_for(one.event.type) for one in batch):
            return False
        self._advance(batch[-1].position)
        return True

    async def _deal_with(self, batch: Sequence[Taken]) -> None:
        matched = self._matched(batch)
        known: set[str] = set()
        if batch[0].position <= self._missed_until:
            known = self._firer.decided([*matched.firings, *matched.cut])
        await self._fire([firing for firing in matched.firings if firing.execution_id not in known])
        for firing in matched.cut:
            if firing.execution_id not in known:
                await self._cut(firing)
        for failure in matched.failed.values():
            await self._firer.decide(failure.first, "failed", failure.reason, count=failure.count)
        await self._wake(batch)
        self._advance(batch[-1].position)

    def _matched(self, batch: Sequence[Taken]) -> _Matched:
        matched = _Matched(self._upcasters)
        find = self._table.for_event
        for taken in batch:
            triggers = find(taken.event)
            if triggers:
                matched.take(taken, triggers)
        return matched

    async def _fire(self, firings: Sequence[Firing]) -> None:
        if not firings:
            return
        started = await self._firer.fire(firings)
        for firing, execution_id in zip(firings, started, strict=True):
            if execution_id is not None:
                self._remember(firing.position, execution_id)

    async def _wake(self, batch: Sequence[Taken]) -> None:
        """Hand the events to the steps that wait for them."""
        for taken in batch:
            if self._names.may_wait_for(taken.event.type):
                for execution_id in await self._engine.deliver_event(taken.event.tenant, taken.event):
                    self._remember(taken.position, execution_id)

    async def _cut(self, firing: Firing) -> None:
        """Start nothing, and tell once per chain of causes that it goes in a circle."""
        event = firing.event
        assert event is not None, "only chains of events are cut"
        reason = f"{event.depth} events caused one another, the last one of type {event.type}"
        chain = event.correlationid or event.id
        told = DomainEvent(
            id=f"cut/{hashlib.sha256(chain.encode()).hexdigest()[:24]}/{firing.armed.id}",
            source="dirigent",
            type=CYCLE_CUT,
            tenant=event.tenant,
            subject=firing.armed.definition.name,
            correlationid=event.correlationid,
            causationid=event.id,
            data={"trigger": firing.armed.id, "workflow": firing.armed.definition.name, "reason": reason},
        )
        await self._firer.decide(firing, "cut", reason)
        with contextlib.suppress(Conflict):  # told before, of another event of the same chain
            await self._log.publish(told)

    def _remember(self, position: int, execution_id: str) -> None:
        self._started.setdefault(position, []).append(execution_id)
        if len(self._started) > REMEMBERED_MAX:
            self._started.popitem(last=False)

    def _advance(self, position: int) -> None:
        self.position = position
        event = ConsumerAdvanced(at=self._clock.now_ms(), consumer=CONSUMER, position=position)
        _ = self._journal.append(STREAM, self._journal.head(STREAM), [event])
        for reached in [waited for waited in self._waiters if waited <= position]:
            for waiter in self._waiters.pop(reached):
                if not waiter.done():
                    waiter.set_result(None)


class _Failure:
    """How often a trigger's filter failed in a batch, and the first of it."""

    __slots__ = ("count", "first", "reason")

    def __init__(self, first: Firing, reason: str) -> None:
        self.first = first
        self.reason = reason
        self.count = 0


class _Matched:
    """What a batch of events makes of the triggers."""

    __slots__ = ("_upcasters", "cut", "failed", "firings")

    def __init__(self, upcasters: Upcasters) -> None:
        self._upcasters = upcasters
        self.firings: list[Firing] = []
        self.cut: list[Firing] = []
        self.failed: dict[Armed, _Failure] = {}

    @property
    def anything(self) -> bool:
        """Whether something follows from the events."""
        return bool(self.firings or self.cut or self.failed)

    def take(self, taken: Taken, triggers: Sequence[Armed]) -> None:
        """Ask the filters of the triggers that have the event's type."""
        try:
            said = self._upcasters.current(taken.event)
        except InvalidInput as error:
            for armed in triggers:
                self._fail(armed, taken, str(error))
            return
        taken = taken if said is taken.event else taken._replace(event=said)
        scope = event_scope(said)
        for armed in triggers:
            try:
                if armed.accepts is not None and not armed.accepts(scope):
                    continue
            except ExpressionError as error:
                self._fail(armed, taken, f"filter: {error}")
                continue
            firing = firing_for_event(armed, taken)
            (self.firings if said.depth < DEPTH_MAX else self.cut).append(firing)

    def _fail(self, armed: Armed, taken: Taken, reason: str) -> None:
        failure = self.failed.get(armed)
        if failure is None:
            failure = self.failed[armed] = _Failure(firing_for_event(armed, taken), reason)
        failure.count += 1


def foresee(table: TriggerTable, firings: Firings, upcasters: Upcasters, taken: Taken) -> list[Foreseen]:
    """What an event would start by these triggers; nothing is started, and nothing noted."""
    matched = _Matched(upcasters)
    matched.take(taken, table.for_event(taken.event))
    known = firings.decided([firing.execution_id for firing in matched.firings]) if matched.firings else ()
    return [
        Foreseen(
            trigger=firing.armed.id,
            tenant=firing.armed.tenant,
            workflow=firing.armed.definition.name,
            event_id=taken.event.id,
            execution_id=firing.execution_id,
            started=firing.execution_id in known,
        )
        for firing in matched.firings
    ]


def _position(journal: Journal) -> int:
    """How far the events had been dealt with."""
    head = journal.head(STREAM)
    events = journal.read(STREAM, head - 1) if head else []
    if not events:
        return 0
    assert isinstance(events[-1], ConsumerAdvanced), "nothing else is in this stream"
    return events[-1].position
