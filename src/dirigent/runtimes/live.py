"""One execution in memory: its machine, its running actions and its timers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from dirigent.domain.command import Command, InvokeAction, RecordEvent, StartChild, StartTimer
from dirigent.domain.errors import IllegalTransition
from dirigent.domain.event import CallEnded, CallStarted, Event, SignalReceived, TimerFired
from dirigent.execution.request import Request
from dirigent.interpreter.machine import Machine
from dirigent.ports import Clock, Journal


class Host(Protocol):
    """What a live execution needs of its runtime."""

    journal: Journal
    clock: Clock

    async def dispatch(self, request: Request, live: LiveExecution, ready: Awaitable[None]) -> None:
        """Take an action through the dispatcher."""
        ...

    async def start_child(self, live: LiveExecution, command: StartChild, ready: Awaitable[None]) -> None:
        """Start or find an execution for a step."""
        ...

    def appended(self, live: LiveExecution, events: Sequence[Event], durable: Awaitable[None]) -> None:
        """Events were handed to the journal."""
        ...

    def idle(self, live: LiveExecution, error: BaseException | None) -> None:
        """Something an execution was doing has ended, with an error if it broke off."""
        ...


class LiveExecution:
    """Feeds events to the machine, appends them, and obeys the commands that come out.

    All events that one event entails go to the journal together. It is the dispatcher's ledger.
    """

    def __init__(self, execution_id: str, machine: Machine, host: Host) -> None:
        self.execution_id = execution_id
        self.machine = machine
        self.undurable = 0
        self.durable: Awaitable[None] = _done()
        self._host = host
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[str, Callable[[], None]] = {}

    @property
    def busy(self) -> bool:
        """Whether an action is under way or an event is not yet durable."""
        return bool(self._tasks) or self.undurable > 0

    def record(self, event: Event) -> Awaitable[None]:
        """Apply and append an event with everything it entails.

        An event that the state cannot take any more (a late result after a cancel) is dropped.
        """
        events: list[Event] = []
        commands: list[Command] = []
        before = self.machine.state.version
        try:
            self._apply(event, events, commands)
        except IllegalTransition:
            if not self.machine.state.ended:
                raise
            return _done()
        self.durable = durable = self._host.journal.append(self.execution_id, before, events)
        self._host.appended(self, events, durable)
        if self.machine.state.ended:
            self.stop()
        else:
            self.obey(commands, durable)
        return durable

    async def receive(self, signal: SignalReceived, *, keep: bool) -> bool:
        """Take in a signal once; without `keep` only where a step waits for it. Tells whether it is there.

        Returns when it is on stable storage, also where an earlier call brought it.
        """
        known = self.machine.knows(signal)
        if not (known or keep or self.machine.awaits(signal)):
            return False
        await (self.durable if known else self.record(signal))
        return True

    def note(self, event: Event) -> None:
        """As `record`, for those who need not wait."""
        _ = self.record(event)

    def call(self, call: str) -> CallStarted | CallEnded | None:
        """What is known of a call that a running action made before."""
        return self.machine.state.calls.get(call)

    def obey(self, commands: Sequence[Command], ready: Awaitable[None]) -> None:
        """Do what the machine asks for."""
        for command in commands:
            if isinstance(command, InvokeAction):
                self._spawn(self._host.dispatch(self._request(command), self, ready))
            elif isinstance(command, StartTimer):
                self._arm(command)
            elif isinstance(command, StartChild):
                self._spawn(self._host.start_child(self, command, ready))
            elif isinstance(command, RecordEvent):
                self.note(command.event)

    def stop(self) -> None:
        """Cancel what is under way; the journal keeps what was asked for."""
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        for cancel in self._timers.values():
            cancel()
        self._timers.clear()

    async def stopped(self) -> None:
        """Return when nothing of this execution runs any more."""
        pending = [task for task in self._tasks if task is not asyncio.current_task()]
        await asyncio.gather(*pending, return_exceptions=True)

    def _apply(self, event: Event, events: list[Event], commands: list[Command]) -> None:
        queue = deque([event])
        while queue:
            current = queue.popleft()
            issued = self.machine.apply(current)
            events.append(current)
            for command in issued:
                if isinstance(command, RecordEvent):
                    queue.append(command.event)
                else:
                    commands.append(command)

    def _request(self, command: InvokeAction) -> Request:
        state = self.machine.state
        assert state.passport is not None, "an execution starts with ExecutionStarted"
        return Request(
            passport=state.passport,
            execution_id=self.execution_id,
            step=command.step,
            attempt=command.attempt,
            agent=command.agent,
            action=command.action,
            inputs=command.inputs,
            now_ms=state.now,
            timeout_ms=command.timeout_ms,
            approved=command.approved,
            started=command.started,
        )

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._host.idle(self, None if task.cancelled() else task.exception())

    def _arm(self, command: StartTimer) -> None:
        name = command.timer
        self._timers[name] = self._host.clock.call_at(command.due, lambda: self._fire(name))

    def _fire(self, timer: str) -> None:
        self._timers.pop(timer, None)
        if f"timer:{timer}" in self.machine.state.outstanding:
            self.note(TimerFired(at=self._host.clock.now_ms(), timer=timer))


def _done() -> Awaitable[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future
