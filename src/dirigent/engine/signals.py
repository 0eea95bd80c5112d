"""What running executions are told."""

from __future__ import annotations

from typing import Any, NamedTuple

from dirigent.domain.canonical import canonical_bytes, storable
from dirigent.domain.domain_event import DomainEvent, event_key
from dirigent.domain.errors import Conflict, InvalidInput, SignalRefused
from dirigent.domain.event import ExecutionStarted, SignalReceived
from dirigent.domain.patterns import is_name
from dirigent.engine.readings import Readings
from dirigent.interpreter.machine import Machine

SIGNAL_BYTES_MAX = 256 * 1024


class Prospect(NamedTuple):
    """What a signal would do now: whether a step takes it, and whose filters cannot be evaluated for it."""

    taken: bool
    unreadable: dict[str, str]


class Signals(Readings):
    """Signals to one execution, and events to all that wait for them."""

    async def signal(
        self, execution_id: str, name: str, data: Any = None, *, signal_id: str = "", sender: str = ""
    ) -> str:
        """Tell a running execution something; returns the id of the signal once it is on stable storage.

        The step that waits for a signal of this name takes it; until one does it is kept. The same
        signal under the same id counts once, also after the end. Raises `SignalRefused` where the id
        stands for another signal or where too many are kept, `Conflict` where the execution has ended.
        """
        if not is_name(name):
            raise InvalidInput(
                f"{name!r} is no name of a signal.", fix="Write it as order.paid.", field="name"
            )
        now = self._clock.now_ms()
        signal = SignalReceived(
            at=now,
            name=name,
            signal_id=signal_id or f"sig_{self._fresh_id(now).partition('_')[2]}",
            data=_bounded(data),
            sender=sender,
        )
        try:
            await self.runtime.deliver(execution_id, signal)
        except SignalRefused:
            raise
        except Conflict:
            if not self._was_received(execution_id, signal):
                raise
        return signal.signal_id

    def foresee(self, execution_id: str, name: str, data: Any = None, *, signal_id: str = "") -> Prospect:
        """What a signal would do to a running execution as its journal stands; nothing is told.

        One that was received before does nothing, and so does one to an execution that has ended. Raises
        `NotFound`.
        """
        events = self.events(execution_id)
        started = events[0]
        assert isinstance(started, ExecutionStarted), "every execution starts with its start"
        machine = Machine(self._definition(started.definition))
        for event in events:
            machine.apply(event)
        now = self._clock.now_ms()
        signal = SignalReceived(at=now, name=name, signal_id=signal_id or "new", data=data, to_all=True)
        if machine.state.ended_at or signal.signal_id in machine.state.signals.seen:
            return Prospect(taken=True, unreadable={})
        return Prospect(taken=machine.awaits(signal), unreadable=machine.misfits(signal))

    async def deliver_event(self, tenant: str, event: DomainEvent) -> list[str]:
        """Hand a domain event to every execution of the tenant that waits for one like it; returns their ids.

        Each takes it once, however often it is handed in.
        """
        signal = SignalReceived(
            at=self._clock.now_ms(),
            name=event.type,
            signal_id=event_key(tenant, event.source, event.id).hex(),
            data=event.data,
            event_id=event.id,
            source=event.source,
            subject=event.subject,
            time=event.time,
            to_all=True,
        )
        waiting = self._projections.waiting(tenant, event=event.type)
        executions = dict.fromkeys(row.execution_id for row in waiting)
        return [name for name in executions if await self.runtime.offer(name, signal)]

    def _was_received(self, execution_id: str, signal: SignalReceived) -> bool:
        """Whether an execution that has ended took this very signal; raises `SignalRefused` for another."""
        received = [event for event in self.events(execution_id) if isinstance(event, SignalReceived)]
        found = next((event for event in received if event.signal_id == signal.signal_id), None)
        if found is not None and (found.name, found.data) != (signal.name, signal.data):
            raise SignalRefused(
                f"The signal {signal.signal_id!r} was received before and said something else."
            )
        return found is not None


def _bounded(data: Any) -> Any:
    """What a signal says, as the journal will give it back."""
    kept = storable(data, "The data of the signal")
    size = len(canonical_bytes(kept))
    if size > SIGNAL_BYTES_MAX:
        raise InvalidInput(
            f"The data of the signal has {size:,} bytes.",
            fix=f"Keep it under {SIGNAL_BYTES_MAX:,} and refer to it.",
            field="data",
        )
    return kept
