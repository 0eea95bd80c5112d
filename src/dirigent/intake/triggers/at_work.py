"""The triggers at work: put in, taken out, fired by hand, paused; and events handed in to them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.errors import Conflict
from dirigent.domain.event import TERMINAL, Event, SignalAwaited, WaitEnded
from dirigent.domain.moments import iso
from dirigent.domain.trigger import ScheduleTrigger
from dirigent.domain.workflow import Definition
from dirigent.engine import Engine
from dirigent.intake.events.log import EventLog
from dirigent.intake.events.upcasting import Upcasters
from dirigent.intake.ingest import Limits
from dirigent.intake.schedules.keeper import ScheduleKeeper
from dirigent.intake.triggers.armed import Armed, arm
from dirigent.intake.triggers.firing import Firer
from dirigent.intake.triggers.matching import TriggerMatcher
from dirigent.intake.triggers.table import TriggerTable
from dirigent.intake.triggers.turns import Firing, firing_for_time
from dirigent.intake.triggers.waiting_names import WaitingNames
from dirigent.ports import Acknowledged, Clock, EventIndex, Firings, Journal

OBSERVED = (*TERMINAL, SignalAwaited, WaitEnded)


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an event: where it is, and which executions it started or woke.

    `matched` is false where that took longer than the caller would wait; it is done all the same.
    """

    event_id: str
    position: int
    duplicate: bool = False
    triggered: tuple[str, ...] = ()
    matched: bool = True


class TriggerState(NamedTuple):
    """How a trigger stands; `next` is when a schedule fires next, milliseconds since the epoch."""

    armed: Armed
    paused: bool
    next: int | None


class Triggers:
    """Everything that starts executions by itself, over one log of events.

    `start` begins with what came in while nobody was there; from then on every event that the log
    takes in meets the triggers that were put to work, whoever handed it in.
    """

    def __init__(
        self,
        log: EventLog,
        index: EventIndex,
        journal: Journal,
        firings: Firings,
        engine: Engine,
        clock: Clock,
        limits: Limits,
        upcasters: Upcasters | None = None,
    ) -> None:
        self.table = TriggerTable()
        self.firings = firings
        self._log = log
        self._limits = limits
        self._engine = engine
        self._clock = clock
        self.firer = Firer(engine, journal, firings, clock, limits)
        self.schedules = ScheduleKeeper(journal, self.firer, clock)
        self._names = WaitingNames()
        self.matcher = TriggerMatcher(
            log, index, journal, engine, self.table, self.firer, self._names, clock, upcasters or Upcasters()
        )
        self._closed = False
        self._stop_observing = engine.runtime.observe(self._observe, OBSERVED)

    async def start(self) -> None:
        """Begin to follow the log and the clock; the runtime has taken up its executions before."""
        self._names.take_up(self._engine.waiting())
        await self.matcher.start()
        await self.schedules.start()

    async def close(self) -> None:
        """Stop; what has not been dealt with is dealt with at the next start. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        self._stop_observing()
        await self.schedules.close()
        await self.matcher.close()
        await self.firer.close()

    def put(self, definition: Definition, tenant: str = "") -> list[Armed]:
        """Put the triggers of a workflow to work, in the place of those of an earlier version.

        Raises `ExpressionError` where a filter or an input does not compile; then nothing has changed.
        """
        whose = tenant or self._limits.tenant
        armed = arm(definition, whose)
        self._replace(whose, definition.name, armed)
        self.firer.take_up(armed)
        for added in armed:
            if isinstance(added.trigger, ScheduleTrigger):
                self.schedules.put(added)
        return armed

    def remove(self, workflow: str, tenant: str = "") -> None:
        """Let a workflow's triggers fire no more."""
        self._replace(tenant or self._limits.tenant, workflow, [])

    def _replace(self, tenant: str, workflow: str, armed: list[Armed]) -> None:
        stay = {one.id for one in armed}
        for old in self.table.put(tenant, workflow, armed):
            self.schedules.remove(old)
            if old.id not in stay:
                self.firer.forget(old)

    async def publish(self, event: DomainEvent, *, patience_s: float | None = None) -> Reaction:
        """Take in an event and wait until it has been dealt with, for so many seconds at most."""
        answer = await self._log.publish(event)
        if answer.position <= self.matcher.position:
            return _reaction(answer, self.matcher.known_of(answer.position))
        try:
            return _reaction(
                answer, await asyncio.wait_for(self.matcher.started_by(answer.position), patience_s)
            )
        except TimeoutError:
            return msgspec.structs.replace(_reaction(answer, ()), matched=False)

    async def publish_all(self, events: Sequence[DomainEvent]) -> list[Reaction]:
        """Take in many of one tenant, all or none, and wait until they have been dealt with."""
        answers = await self._log.publish_all(events)
        if answers:
            await self.matcher.started_by(max(answer.position for answer in answers))
        return [_reaction(answer, self.matcher.known_of(answer.position)) for answer in answers]

    async def fire(self, trigger: str, input: Mapping[str, Any] | None = None, *, tenant: str = "") -> str:
        """Fire a trigger by hand; returns the id of its execution. Raises `Conflict` where none is started.

        Without `input` a schedule's own input is taken; that of an event needs one.
        """
        armed = self.table.find(tenant or self._limits.tenant, trigger)
        firing = Firing(
            armed=armed,
            execution_id=self._engine.new_execution_id(),
            cause="manual",
            scope=_scope_by_hand(armed, self._clock.now_ms()),
            given=dict(input) if input is not None else None,
        )
        (execution_id,) = await self.firer.fire([firing])
        if execution_id is None:
            row = self.firings.firings(armed.tenant, trigger=armed.id, limit=1)[0]
            raise Conflict(
                f"The trigger {armed.id!r} started nothing: {row.decision}, {row.reason}.",
                fix="Resume it first." if row.decision == "paused" else "",
            )
        return execution_id

    async def pause(self, trigger: str, actor: str, reason: str = "", *, tenant: str = "") -> None:
        """Let a trigger start nothing until it is resumed."""
        await self.firer.pause(self.table.find(tenant or self._limits.tenant, trigger), actor, reason)

    async def resume(self, trigger: str, actor: str, *, tenant: str = "") -> None:
        """Let a trigger start executions again."""
        await self.firer.resume(self.table.find(tenant or self._limits.tenant, trigger), actor)

    def states(self, tenant: str | None = None) -> list[TriggerState]:
        """How the triggers stand, by workflow."""
        found = [armed for armed in self.table if tenant in (None, armed.tenant)]
        return [self._state(armed) for armed in sorted(found, key=lambda armed: (armed.tenant, armed.id))]

    def state(self, trigger: str, *, tenant: str = "") -> TriggerState:
        """How one trigger stands; raises `NotFound`."""
        return self._state(self.table.find(tenant or self._limits.tenant, trigger))

    def _state(self, armed: Armed) -> TriggerState:
        return TriggerState(armed, self.firer.is_paused(armed), self.schedules.next_of(armed))

    def _observe(self, execution_id: str, event: Event) -> None:
        """Keep up with the executions of this process."""
        kind = type(event)
        if kind in TERMINAL:
            self.firer.ended(execution_id)
            self._names.ended(execution_id)
        elif isinstance(event, SignalAwaited):
            self._names.awaited(execution_id, event.step, event.event)
        elif isinstance(event, WaitEnded):
            self._names.wait_ended(execution_id, event.step)


def _scope_by_hand(armed: Armed, now: int) -> Mapping[str, Any]:
    """What an input can read where there is neither an event nor a time that came."""
    return firing_for_time(armed, now).scope if isinstance(armed.trigger, ScheduleTrigger) else {}


def _reaction(answer: Acknowledged, triggered: Sequence[str]) -> Reaction:
    return Reaction(
        event_id=answer.event_id,
        position=answer.position,
        duplicate=answer.duplicate,
        triggered=() if answer.duplicate else tuple(triggered),
    )


def trigger_told(state: TriggerState) -> dict[str, Any]:
    """A trigger as it is shown outside."""
    armed = state.armed
    return {
        "id": armed.id,
        "org_id": armed.tenant,
        "workflow": armed.definition.name,
        "type": armed.kind,
        "fires_for": armed.fires_for,
        "overlap": armed.overlap.value,
        "paused": state.paused,
        "next": iso(state.next) if state.next else None,
    }
