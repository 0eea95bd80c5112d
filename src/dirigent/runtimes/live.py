"""One execution in memory: its machine, what is ready to be done, and its timers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

import structlog

from dirigent.domain.command import (
    BreakOff,
    CancelChild,
    Command,
    InvokeAction,
    RecordEvent,
    StartChild,
    StartTimer,
)
from dirigent.domain.errors import IllegalTransition
from dirigent.domain.event import (
    ActionRefused,
    ApprovalRequested,
    CallEnded,
    CallStarted,
    ChildEnded,
    Event,
    OutcomeObserved,
    SignalReceived,
    StepCompleted,
    StepFailed,
    StepOutcomeUnknown,
    StepSkipped,
    TimerFired,
)
from dirigent.execution.request import Request
from dirigent.interpreter.machine import Machine
from dirigent.interpreter.outcomes import unclear_call
from dirigent.ports import Clock, Journal

LATE = (
    ActionRefused,
    ApprovalRequested,
    CallEnded,
    ChildEnded,
    OutcomeObserved,
    StepCompleted,
    StepFailed,
    StepOutcomeUnknown,
    StepSkipped,
    TimerFired,
)
SNAPSHOT_EVENTS = 1_000
TO_BE_DONE = (InvokeAction, StartChild)


log = structlog.get_logger("dirigent.runtime")


class Host(Protocol):
    """What a live execution needs of its runtime."""

    journal: Journal
    clock: Clock

    def schedule(self, live: LiveExecution) -> None:
        """Give the execution a turn, in which its ready commands are done and its events handed on."""
        ...

    def appended(self, live: LiveExecution, events: Sequence[Event], durable: Awaitable[None]) -> None:
        """Events were handed to the journal."""
        ...

    def cancel_child(self, live: LiveExecution, command: CancelChild) -> None:
        """Cancel an execution that a step started, before anything else begins in it."""
        ...


class LiveExecution:
    """Feeds events to the machine and keeps the commands that come out until their turn.

    Events gather until `flush` hands them to the journal together. It is the dispatcher's ledger.
    """

    __slots__ = (
        "_appended",
        "_durable",
        "_events",
        "_host",
        "_timers",
        "execution_id",
        "machine",
        "queued",
        "ready",
        "snapshot_at",
        "tasks",
        "undurable",
    )

    def __init__(self, execution_id: str, machine: Machine, host: Host) -> None:
        self.execution_id = execution_id
        self.machine = machine
        self.ready: deque[Command] = deque()
        self.tasks: dict[asyncio.Task[None], Command] = {}
        self.queued = False
        self.undurable = 0
        self.snapshot_at = machine.state.version + SNAPSHOT_EVENTS
        self._host = host
        self._events: list[Event] = []
        self._appended = machine.state.version
        self._durable: Awaitable[None] | None = None
        self._timers: dict[str, Callable[[], None]] = {}

    @property
    def tenant(self) -> str:
        """Whose execution it is."""
        passport = self.machine.state.passport
        return passport.tenant if passport is not None else ""

    @property
    def priority(self) -> int:
        """How soon it is wanted, 0 to 9."""
        passport = self.machine.state.passport
        return passport.priority if passport is not None else 0

    @property
    def working(self) -> bool:
        """Whether an action is under way, or ready to be."""
        return bool(self.tasks or self.ready)

    @property
    def busy(self) -> bool:
        """Whether an action is under way or ready, or an event is not yet durable."""
        return bool(self.tasks or self.queued or self._events) or self.undurable > 0

    @property
    def gathered(self) -> int:
        """How many events have not been handed to the journal yet."""
        return len(self._events)

    def record(self, event: Event) -> Awaitable[None]:
        """Apply an event with everything it entails and hand it to the journal at once."""
        self.note(event)
        return self.durable()

    def note(self, event: Event) -> None:
        """Apply an event with everything it entails; it goes to the journal with the present turn.

        What came of something that was broken off (a late result after a cancel) is dropped.
        """
        try:
            self._apply(event)
        except IllegalTransition:
            state = self.machine.state
            over = state.ended or state.ending or self.machine.has_cancelled(getattr(event, "step", ""))
            if not over or not isinstance(event, LATE):
                raise
            return
        if self.machine.state.ended:
            self.stop()
        self._host.schedule(self)

    async def receive(self, signal: SignalReceived, *, keep: bool) -> bool:
        """Take in a signal once; without `keep` only where a step waits for it. Tells whether it is there.

        Returns when it is on stable storage, also where an earlier call brought it.
        """
        known = self.machine.knows(signal)
        if not (known or keep or self.machine.awaits(signal)):
            for step, reason in self.machine.misfits(signal).items():
                place = {"execution": self.execution_id, "step": step}
                log.warning("event.unreadable", **place, event_id=signal.event_id, reason=f"filter: {reason}")
            return False
        await (self.durable() if known else self.record(signal))
        return True

    def durable(self) -> Awaitable[None]:
        """Completes when everything noted so far is on stable storage."""
        self.flush()
        return self._durable or _done()

    def flush(self) -> None:
        """Hand the journal what has been noted since the last time."""
        if not self._events:
            return
        events = self._events  # they stay until the journal has taken them in: nothing is durable without
        self._durable = self._host.journal.append(self.execution_id, self._appended, events)
        self._events, self._appended = [], self._appended + len(events)
        self._host.appended(self, events, self._durable)

    def call(self, call: str) -> CallStarted | CallEnded | None:
        """What is known of a call that a running action made before."""
        return self.machine.state.calls.get(call)

    def known(self, step: str, names: Iterable[str]) -> dict[str, Any]:
        """What the execution knows under these names where a step stands."""
        return self.machine.known(step, names)

    def unclear_call(self, step: str) -> CallStarted | None:
        """A call of a step's action that may have acted and of whose end nobody knows."""
        return unclear_call(self.machine.state, step)

    def obey(self, commands: Sequence[Command]) -> None:
        """Take up what the machine asks for."""
        for command in commands:
            if type(command) is StartTimer:
                self._arm(command)
            elif type(command) is RecordEvent:
                self.note(command.event)
            elif type(command) is CancelChild:
                self._host.cancel_child(self, command)
            elif type(command) in TO_BE_DONE:
                self.ready.append(command)
        if self.ready:
            self._host.schedule(self)

    def stop(self) -> None:
        """Cancel what is under way; the journal keeps what was asked for."""
        self.ready.clear()
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        for cancel in self._timers.values():
            cancel()
        self._timers.clear()

    async def stopped(self) -> None:
        """Return when nothing of this execution runs any more."""
        pending = [task for task in self.tasks if task is not asyncio.current_task()]
        await asyncio.gather(*pending, return_exceptions=True)

    def _apply(self, event: Event) -> None:
        entailed, stopped = [event], []
        for current in entailed:
            commands = self.machine.apply(current)
            self._events.append(current)
            for command in commands:
                if type(command) is RecordEvent:
                    entailed.append(command.event)
                elif type(command) is StartTimer:
                    self._arm(command)
                elif type(command) in TO_BE_DONE:
                    self.ready.append(command)
                elif type(command) is BreakOff:
                    self._break_off(command.step)
                elif type(command) is CancelChild:
                    stopped.append(command)
        for command in stopped:
            self._host.cancel_child(self, command)

    def _break_off(self, step: str) -> None:
        kept = [command for command in self.ready if not _is_action_of(command, step)]
        self.ready = deque(kept)
        for task, command in self.tasks.items():
            if _is_action_of(command, step) and task is not asyncio.current_task():
                task.cancel()

    def _arm(self, command: StartTimer) -> None:
        name = command.timer
        if name in self._timers:  # of an earlier wait that ended otherwise; this one is due at its own time
            self._timers[name]()
        self._timers[name] = self._host.clock.call_at(command.due, lambda: self._fire(name))

    def _fire(self, timer: str) -> None:
        self._timers.pop(timer, None)
        if f"timer:{timer}" in self.machine.state.outstanding:
            self.note(TimerFired(at=self._host.clock.now_ms(), timer=timer))


def request_of(live: LiveExecution, command: InvokeAction) -> Request:
    """What the dispatcher is asked for a command of an execution."""
    state = live.machine.state
    assert state.passport is not None, "an execution starts with ExecutionStarted"
    return Request(
        passport=state.passport,
        execution_id=live.execution_id,
        step=command.step,
        attempt=command.attempt,
        agent=command.agent,
        action=command.action,
        inputs=command.inputs,
        now_ms=state.now,
        timeout_ms=command.timeout_ms,
        approved=command.approved,
        started=command.started,
        key=command.key,
        key_payload=command.payload,
        sent_at=command.sent_at,
        reference=command.reference,
        look=command.look,
    )


def _is_action_of(command: Command, step: str) -> bool:
    return isinstance(command, InvokeAction) and command.step == step


def _done() -> Awaitable[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future
