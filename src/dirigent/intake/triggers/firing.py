"""Firing: a trigger becomes an execution, once per event or time, whatever comes between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any

import structlog

from dirigent.domain.errors import Conflict, DirigentError, NotFound, Overloaded, StorageFailure
from dirigent.domain.event import (
    Event,
    EventPublished,
    FiringDecided,
    TriggerPaused,
    TriggerResumed,
)
from dirigent.domain.policy import clamp
from dirigent.engine import Engine, Start
from dirigent.intake.events.log import Taken
from dirigent.intake.ingest import Limits
from dirigent.intake.triggers.armed import Armed
from dirigent.intake.triggers.turns import START, Firing, Turn, Turns, firing_for_event, firing_for_time
from dirigent.ports import Clock, FiringRow, Firings, Journal

REASON_LENGTH_MAX = 500

log = structlog.get_logger("dirigent.triggers")


class Firer:
    """Starts executions for triggers and keeps on record why one was not started.

    An execution's id follows from its trigger and what it fired for, so firing twice starts one. What
    waits for its turn is on stable storage and taken up again by `take_up`.
    """

    def __init__(
        self, engine: Engine, journal: Journal, firings: Firings, clock: Clock, limits: Limits
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._firings = firings
        self._clock = clock
        self._limits = limits
        self._turns = Turns()
        self._paused: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[str | None]] = set()

    async def fire(self, firings: Sequence[Firing]) -> list[str | None]:
        """Start what may start; returns per firing the id of its execution, None where there is none."""
        started = [self._fire_one(firing) for firing in firings]
        return await asyncio.gather(*started)

    def decided(self, firings: Sequence[Firing]) -> set[str]:
        """Those that were decided before, by their executions' ids."""
        return self._firings.decided([firing.execution_id for firing in firings]) if firings else set()

    def take_up(self, triggers: Iterable[Armed]) -> None:
        """Know again what runs, waits and is paused of triggers that were just put to work."""
        known = {(armed.tenant, armed.id): armed for armed in triggers}
        self._paused |= {key for key in known if self._is_paused(*key)}
        for row in self._firings.running():
            key = (row.tenant, row.trigger)
            if key in known:
                self._turns.runs(key, row.execution_id)
        for row in self._firings.queued():
            firing = self._queued(row, known.get((row.tenant, row.trigger)))
            if firing is not None:
                self._turns.waits(firing)
        for key in known:
            self._start_next(self._turns.next_of(key))

    def forget(self, armed: Armed) -> None:
        """Let nothing wait for a trigger that is no longer at work; it is taken up when it is again."""
        self._turns.forget((armed.tenant, armed.id))

    def is_paused(self, armed: Armed) -> bool:
        """Whether a trigger was paused by a person."""
        return (armed.tenant, armed.id) in self._paused

    async def pause(self, armed: Armed, actor: str, reason: str = "") -> None:
        """Let a trigger start nothing until it is resumed; what it would have started stays away."""
        event = TriggerPaused(
            at=self._clock.now_ms(), tenant=armed.tenant, trigger=armed.id, actor=actor, reason=reason
        )
        self._paused.add((armed.tenant, armed.id))
        await self._append(pause_stream(armed.tenant, armed.id), event)

    async def resume(self, armed: Armed, actor: str) -> None:
        """Let a trigger start executions again."""
        event = TriggerResumed(at=self._clock.now_ms(), tenant=armed.tenant, trigger=armed.id, actor=actor)
        await self._append(pause_stream(armed.tenant, armed.id), event)
        self._paused.discard((armed.tenant, armed.id))

    def decide(self, firing: Firing, decision: str, reason: str = "", *, count: int = 1) -> Awaitable[None]:
        """Put on record why a firing started nothing, or not yet."""
        armed = firing.armed
        log.info(
            f"trigger.{decision}", trigger=armed.id, tenant=armed.tenant, cause=firing.cause, reason=reason
        )
        event = FiringDecided(
            at=self._clock.now_ms(),
            execution_id=firing.execution_id,
            tenant=armed.tenant,
            trigger=armed.id,
            workflow=armed.definition.name,
            cause=firing.cause,
            decision=decision,
            reason=reason[:REASON_LENGTH_MAX],
            event_position=firing.position,
            due=firing.due,
            count=count,
        )
        return self._append(f"firings/{armed.tenant}", event)

    def ended(self, execution_id: str) -> None:
        """An execution has ended; whatever waited for that is started."""
        self._start_next(self._turns.ended(execution_id))

    async def close(self) -> None:
        """Stop starting what waits; it is taken up again at the next opening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _fire_one(self, firing: Firing) -> Awaitable[str | None]:
        """Whose turn it is is settled at once, in the order of the calls; starting takes its time."""
        if self.is_paused(firing.armed):
            return self._stays_away(firing, Turn("paused", "the trigger is paused"))
        turn = self._turns.decide(firing)
        return (
            self._start(firing, turn) if turn.decision == START.decision else self._stays_away(firing, turn)
        )

    async def _stays_away(self, firing: Firing, turn: Turn) -> None:
        await self.decide(firing, turn.decision, turn.reason)

    async def _start(self, firing: Firing, turn: Turn = START) -> str | None:
        for other in turn.replaces:
            await self._cancel(other, firing)
        try:
            await self._start_when_there_is_room(firing)
        except StorageFailure:
            raise
        except Overloaded:
            self.ended(firing.execution_id)
            raise
        except DirigentError as error:
            if not self._engine.is_known(firing.execution_id):
                await self.decide(firing, "failed", str(error))
                self.ended(firing.execution_id)
                return None
        return firing.execution_id

    async def _start_when_there_is_room(self, firing: Firing) -> None:
        """Wait as long as too many executions are pending; a person is told so instead."""
        start = self._start_of(firing)
        while True:
            try:
                await self._engine.start(start)
            except Overloaded as error:
                if not (firing.position or firing.due):
                    raise
                log.warning("trigger.waits", trigger=firing.armed.id, reason=error.message)
                await self._sleep(error.retry_after_s)
            else:
                return

    async def _sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        cancel = self._clock.call_at(self._clock.now_ms() + round(seconds * 1000), woken.set)
        try:
            await woken.wait()
        finally:
            cancel()

    def _start_of(self, firing: Firing) -> Start:
        armed, event = firing.armed, firing.event
        limits, definition = self._limits, armed.definition
        labels: dict[str, Any] = {
            "summary": definition.description or definition.name,
            "trigger": armed.id,
            "cause": firing.cause,
            **firing.labels,
        }
        return Start(
            definition=definition,
            tenant=armed.tenant,
            actor=f"trigger:{armed.id}",
            input=firing.given
            if firing.given is not None
            else armed.input(firing.scope, event.data if event is not None else None),
            autonomy=clamp(limits.default_autonomy, limits.max_autonomy(armed.tenant)),
            trigger=armed.kind,
            labels=labels,
            execution_id=firing.execution_id,
            correlation=(event.correlationid or event.id) if event is not None else "",
            cause=event.id if event is not None else "",
            cause_depth=event.depth if event is not None else 0,
        )

    async def _cancel(self, execution_id: str, firing: Firing) -> None:
        try:
            await self._engine.cancel(execution_id, f"trigger:{firing.armed.id}", "replaced by a newer one")
        except (Conflict, NotFound):
            log.info("trigger.replaced_had_ended", execution=execution_id)

    def _start_next(self, firing: Firing | None) -> None:
        if firing is not None:
            task = asyncio.ensure_future(self._start(firing))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _queued(self, row: FiringRow, armed: Armed | None) -> Firing | None:
        """A firing that waits, as it was; None where its trigger is not at work."""
        if armed is None:
            return None
        if not row.event_position:
            return firing_for_time(armed, row.due)
        event = self._journal.tail(row.event_position - 1, 1)[0].event
        assert isinstance(event, EventPublished), "a firing names the position of its event"
        return firing_for_event(armed, Taken(row.event_position, event.at, event.event))

    def _is_paused(self, tenant: str, trigger: str) -> bool:
        events = self._journal.read(pause_stream(tenant, trigger))
        return bool(events) and isinstance(events[-1], TriggerPaused)

    def _append(self, stream: str, event: Event) -> Awaitable[None]:
        return self._journal.append(stream, self._journal.head(stream), [event])


def pause_stream(tenant: str, trigger: str) -> str:
    """Where the journal says whether a trigger is paused."""
    return f"triggers/{tenant}/{trigger}"
