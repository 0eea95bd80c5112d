"""The embedded driver: every execution of this process, resumed on start, durable at every step."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from functools import partial
from typing import Any

import msgspec
import structlog

from dirigent.domain.command import AwaitSignal, CancelChild, Command, InvokeAction, StartChild, StartTimer
from dirigent.domain.errors import Conflict, DirigentError, JournalDamaged, NotFound
from dirigent.domain.event import (
    TERMINAL,
    CancelRequested,
    Event,
    ExecutionAdmitted,
    ExecutionPassivated,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionStarted,
    SignalReceived,
    StepFailed,
)
from dirigent.domain.workflow import Definition
from dirigent.execution.failures import failure_of
from dirigent.execution.request import claim_of
from dirigent.execution.step_executor import StepExecutor
from dirigent.interpreter.machine import Machine
from dirigent.interpreter.state import set_aside
from dirigent.ports import Clock, Journal, Passive, Projections, Snapshots
from dirigent.runtimes.children import child_ended, child_lost, child_started, fork_of_child, never_begun
from dirigent.runtimes.clock import last_recorded_at
from dirigent.runtimes.definitions import Definitions, Library
from dirigent.runtimes.families import Families, is_pending, moves, root_of
from dirigent.runtimes.folding import Folding
from dirigent.runtimes.idling import SOON_MS, Alarms, Idling
from dirigent.runtimes.live import LiveExecution, request_of
from dirigent.runtimes.observers import Observer, Observers
from dirigent.runtimes.places import Crowd, Places
from dirigent.runtimes.pump import Pump

log = structlog.get_logger("dirigent.runtime")

FAMILY_EVENTS = (CancelRequested, ExecutionPaused, ExecutionResumed)
OF_CHILDREN = (StartChild, CancelChild)


class LocalRuntime:
    """Runs executions on one event loop over one journal.

    `start` resumes everything that was accepted and has not ended. Observers are told of events only
    when these are durable. An execution whose history is damaged is left alone and named in `damaged`.
    """

    def __init__(
        self,
        journal: Journal,
        projections: Projections,
        executor: StepExecutor,
        clock: Clock,
        library: Library,
        crowd: Crowd | None = None,
        snapshots: Snapshots | None = None,
    ) -> None:
        self.journal = journal
        self.clock = clock
        self.damaged: dict[str, str] = {}
        self._projections = projections
        self._executor = executor
        self._definitions = Definitions(journal, projections, clock, library)
        self._folding = Folding(journal, self._definitions, snapshots)
        self._live = Families()
        self._idling = Idling(clock, self._put_out)
        self._alarms = Alarms(clock, self._wake)
        self._places = Places(crowd := crowd or Crowd())
        self._pump = Pump(self._perform, self._performed, crowd.weight_of)
        self._committing: asyncio.Future[None] | None = None
        self._handed_in: list[tuple[LiveExecution, Sequence[Event]]] = []
        self._observers = Observers()
        self._closing = False
        self._failure: BaseException | None = None

    async def start(self) -> list[str]:
        """Take up every unfinished execution where its journal ends; returns their ids.

        Those that were put out of memory stay there until their time comes or something happens to them.
        """
        self.clock.not_before(last_recorded_at(self.journal))
        passive = self._projections.passive()
        for one in passive:
            self._keep_out(one)
        waiting = {one.execution_id for one in passive}
        resumed = [
            execution_id
            for execution_id in self._projections.unfinished()
            if execution_id in waiting or self._load(execution_id)
        ]
        for live in self._live:
            self._count_ended_children(live)
        for live in self._live:
            if live.machine.state.pending:
                self._places.queue(live.tenant, live.priority, live.execution_id)
            live.obey(live.machine.outstanding)
        self._admit()
        return resumed

    async def close(self) -> None:
        """Stop everything that runs; the journal keeps what is needed to go on."""
        self._closing = True
        self._idling.stop()
        self._alarms.stop()
        await self._pump.stop()
        for live in self._live:
            live.stop()
            await live.stopped()
            live.flush()
            self._live.remove(live.execution_id)

    async def submit(self, definition: Definition, started: ExecutionStarted) -> None:
        """Accept an execution; returns when it is on stable storage.

        It begins at once or, where too many are under way, when its turn has come. Raises `Overloaded`
        where too many wait for that.
        """
        live = await self._accept(definition, started)
        await live.durable()

    async def run(self, definition: Definition, started: ExecutionStarted) -> None:
        """Accept an execution and return when it is at rest; what it begins with goes out with its start."""
        await self._accept(definition, started)
        await self.rest(started.execution_id)

    async def deliver(self, execution_id: str, event: Event) -> None:
        """Hand an event from outside to a running execution; returns when it is durable."""
        live = self._awake(execution_id)
        if live is None:
            raise self._absent(execution_id)
        if isinstance(event, SignalReceived):
            await live.receive(event, keep=True)
            return
        told = [self._tell(live, event)]
        if isinstance(event, FAMILY_EVENTS):
            told += self._tell_children(live, event)
        for durable in told:
            await durable

    async def offer(self, execution_id: str, signal: SignalReceived) -> bool:
        """Hand over a signal where a step waits for one like it; tells whether one did."""
        live = self._awake(execution_id)
        return live is not None and await live.receive(signal, keep=False)

    async def rest(self, execution_id: str, *, before: int = 0) -> None:
        """Return when the execution has ended, or waits for a person or a signal and nothing else moves.

        With `before`, a moment, also where nothing but a later timer is waited for.
        """
        while self._failure is None and self._moves(execution_id, before):
            await self._live.changed(execution_id)
        if self._failure is not None:
            raise self._failure

    def observe(self, observer: Observer, kinds: Collection[type[Event]] = ()) -> Callable[[], None]:
        """Be told of every durable event of this process, or only of some kinds; returns how to stop."""
        return self._observers.add(observer, kinds)

    def running(self) -> list[str]:
        """Ids of the executions in memory."""
        return [live.execution_id for live in self._live]

    def schedule(self, live: LiveExecution) -> None:
        """Give an execution its turn."""
        if live.queued or self._closing:
            return
        if not live.machine.state.pending:
            self._places.enter(root_of(live.execution_id), live.tenant)
        self._pump.schedule(live)

    def appended(self, live: LiveExecution, events: Sequence[Event], durable: Awaitable[None]) -> None:
        """Tell observers, waiters and the parent once the events are durable."""
        live.undurable += 1
        future = asyncio.ensure_future(durable)
        if future is not self._committing:
            self._committing, self._handed_in = future, []
            future.add_done_callback(partial(self._durable, self._handed_in))
        self._handed_in.append((live, events))
        if live.machine.state.version >= live.snapshot_at:
            self._folding.keep(live)
        if isinstance(events[-1], TERMINAL):
            self._tell_parent(live, events[-1])

    def _perform(self, live: LiveExecution, command: Command) -> Coroutine[Any, Any, None]:
        if isinstance(command, InvokeAction):
            return self._executor.dispatch(request_of(live, command), live)
        assert isinstance(command, StartChild), "timers and events are not queued"
        return self._start_child(live, command)

    async def _start_child(self, live: LiveExecution, command: StartChild) -> None:
        """Start the execution that a step asked for; one that is there already is not started again."""
        await live.durable()
        asked = live.machine.state.outstanding.get(f"step:{command.step}")
        if asked is None:
            return
        if self.journal.head(command.child):
            self._take_up(live, command)
            return
        if live.machine.state.ending is not None or isinstance(asked, CancelChild):
            live.note(never_begun(command, self.clock.now_ms()))
            return
        if live.machine.state.paused:  # nothing begins; it is asked for again once the pause is over
            return
        try:
            definition = self._definitions.of_child(command, live.machine.state.passport)
            graph = self._definitions.graph(definition.content_hash, definition)
            fork = fork_of_child(command, graph, self.journal)
            state, registry = live.machine.state, self._executor.registry
            started = child_started(state, command, definition, registry, fork, self.clock.now_ms())
        except DirigentError as error:
            step = live.machine.state.steps[command.step]
            failure = failure_of(error)
            live.note(
                StepFailed(at=self.clock.now_ms(), step=command.step, attempt=step.attempt, error=failure)
            )
            return
        await self._begin(definition, started).durable()

    def cancel_child(self, live: LiveExecution, command: CancelChild) -> None:
        """Cancel what a step started, at once; why goes to the journal first. Its end ends the step."""
        try:
            live.flush()
        except DirigentError:  # nothing is recorded any more; the turn that follows says so
            return
        child = self._awake(command.child)
        if child is None and self.journal.head(command.child):
            self._take_up(live, command)
        elif child is None:
            live.note(never_begun(command, self.clock.now_ms()))
        elif not (child.machine.state.ended or child.machine.state.ending):
            wish = CancelRequested(at=self.clock.now_ms(), actor="parent", reason=command.reason)
            child.note(wish)
            self._tell_children(child, wish)

    def _performed(self, live: LiveExecution, error: BaseException | None) -> None:
        """A broken driver wakes everybody with its error."""
        self._came_to_rest(live)
        if not (live.working or self._closing):
            self._make_room(live)
        if error is not None:
            self._failure = self._failure or error
            self._live.touch_all()

    async def _accept(self, definition: Definition, started: ExecutionStarted) -> LiveExecution:
        await self._pump.room()
        if self._places.has_room(started.passport.tenant):
            return self._begin(definition, started)
        self._places.check_backlog(started.passport.tenant)
        return self._begin(definition, msgspec.structs.replace(started, pending=True))

    def _begin(self, definition: Definition, started: ExecutionStarted) -> LiveExecution:
        if self.journal.head(started.execution_id):
            raise Conflict(f"There is an execution {started.execution_id!r} already.")
        self._definitions.store(definition)
        machine = Machine(self._definitions.graph(started.definition, definition))
        live = LiveExecution(started.execution_id, machine, self)
        self._live.add(live)
        passport = started.passport
        self._executor.budgets.open(passport.root or started.execution_id, passport.budget)
        if started.pending:
            self._places.queue(passport.tenant, passport.priority, started.execution_id)
        live.note(started)
        return live

    def _awake(self, execution_id: str) -> LiveExecution | None:
        """An execution in memory, fetched where it was put out; None where there is none or it is damaged."""
        member = self._live.get(execution_id)
        if isinstance(member, Passive):
            member = self._load(execution_id, again=True)
            if member is not None:
                member.obey(member.machine.outstanding)
        return member

    def _load(self, execution_id: str, *, again: bool = False) -> LiveExecution | None:
        """Fold the stream of an execution; `again` where its account was kept while it was out of memory."""
        try:
            machine, _ = self._folding.fold(execution_id)
        except (JournalDamaged, NotFound) as error:
            self.damaged[execution_id] = str(error)
            self._live.remove(execution_id)
            log.error("execution.damaged", execution=execution_id, reason=str(error))
            return None
        live = LiveExecution(execution_id, machine, self)
        self._live.add(live)
        passport = machine.state.passport
        assert passport is not None, "an execution starts with ExecutionStarted"
        root = passport.root or execution_id
        self._executor.budgets.open(root, passport.budget)
        if not again:
            open_costs = {
                claim_of(execution_id, name): cost for name, cost in set_aside(machine.state).items()
            }
            self._executor.budgets.restore(root, machine.state.spent, open_costs)
        return live

    def _keep_out(self, passive: Passive) -> None:
        self._live.add(passive)
        self._alarms.set(passive)
        if passive.budget is not None or passive.spent:
            root = root_of(passive.execution_id)
            self._executor.budgets.open(root, passive.budget)
            self._executor.budgets.restore(root, passive.spent)

    def _put_out(self, live: LiveExecution) -> None:
        """Let an execution that only waits out of memory, unless it goes on soon or a call may still cost."""
        state, commands = live.machine.state, live.machine.state.outstanding.values()
        waits = all(isinstance(command, StartTimer | StartChild | AwaitSignal) for command in commands)
        if not waits or state.pending or set_aside(state):
            return
        now = self.clock.now_ms()
        until = min((command.due for command in commands if isinstance(command, StartTimer)), default=0)
        passport = live.machine.state.passport
        assert passport is not None, "an execution starts with ExecutionStarted"
        if not 0 < until < now + SOON_MS:
            live.note(
                ExecutionPassivated(
                    at=now,
                    until=until,
                    moving=is_pending(live),
                    budget=passport.budget,
                    spent=live.machine.state.spent,
                )
            )

    def _let_out(self, live: LiveExecution, event: ExecutionPassivated) -> None:
        """That an execution only waits is on stable storage; it goes, if it still does."""
        if live.busy or self._closing:
            return
        live.stop()
        passive = Passive(
            execution_id=live.execution_id,
            until=event.until,
            moving=event.moving,
            budget=event.budget,
            spent=event.spent,
        )
        self._live.add(passive)
        self._alarms.set(passive)
        self._live.touch(live.execution_id)
        root = root_of(live.execution_id)
        if event.budget is None and root == live.execution_id and not self._live.any_in_memory(root):
            self._executor.budgets.let_go(root)

    def _count_ended_children(self, live: LiveExecution) -> None:
        """Book what those spent that have ended and whose end was not told any more."""
        for command in live.machine.outstanding:
            if not isinstance(command, StartChild) or self._live.get(command.child) is not None:
                continue
            if self.journal.head(command.child) and command.child not in self.damaged:
                machine, _ = self._folding.fold(command.child)
                self._executor.budgets.restore(root_of(live.execution_id), machine.state.spent)

    def _wake(self, execution_id: str, due: int) -> None:
        member = self._live.get(execution_id)
        if isinstance(member, Passive) and member.until == due:
            self._awake(execution_id)

    def _take_up(self, live: LiveExecution, command: StartChild | CancelChild) -> None:
        """The child was started before: it is live, or it has ended and its end is told now.

        One whose stream is damaged is waited for, until that is mended or whoever waits is cancelled.
        """
        if self._live.get(command.child) is not None:
            return
        if reason := self.damaged.get(command.child):
            if live.machine.state.ending is not None:
                live.note(child_lost(command, reason, self.clock.now_ms()))
            return
        machine, last = self._folding.fold(command.child)
        assert last is not None, "no snapshot is kept of what has ended"
        live.note(child_ended(machine, last, self.clock.now_ms()))

    def _durable(
        self, handed_in: list[tuple[LiveExecution, Sequence[Event]]], done: asyncio.Future[None]
    ) -> None:
        error = None if done.cancelled() else done.exception()
        for live, events in handed_in:
            live.undurable -= 1
            if error is not None:
                self._performed(live, error)
            else:
                self._settled(live, events)

    def _came_to_rest(self, live: LiveExecution) -> None:
        """Wake those who wait for the family, where there may be something to see."""
        if live.busy:
            return
        self._live.touch(live.execution_id)
        if self._closing:
            return
        if not live.machine.state.ended:
            self._idling.rests(live)

    def _make_room(self, live: LiveExecution) -> None:
        """A family in which no action is under way, nor ready to be, takes no place."""
        root = root_of(live.execution_id)
        if not any(isinstance(member, LiveExecution) and member.working for member in self._live.below(root)):
            self._places.leave(root)
            self._admit()

    def _admit(self) -> None:
        """Let those begin for whom there is room now."""
        while (execution_id := self._places.next()) is not None:
            live = self._awake(execution_id)
            if live is not None and live.machine.state.pending:
                live.note(ExecutionAdmitted(at=self.clock.now_ms()))

    def _settled(self, live: LiveExecution, events: Sequence[Event]) -> None:
        self._observers.tell(live.execution_id, events)
        last = events[-1]
        if isinstance(last, TERMINAL):
            self._ended(live)
        elif type(last) is ExecutionPassivated:
            self._let_out(live, last)
            return
        self._came_to_rest(live)

    def _ended(self, live: LiveExecution) -> None:
        self._live.remove(live.execution_id)
        self._folding.forget(live)
        if not self._live.below(root := root_of(live.execution_id)):  # the last of a family closes it
            self._executor.budgets.close(root)

    def _tell_parent(self, live: LiveExecution, last: Event) -> None:
        """The end of an execution goes to the journal together with what it means to its parent.

        Were it told only once it is durable, a crash in between could leave a parent that is out of memory
        waiting for ever.
        """
        parent = self._awake(live.machine.state.parent)
        if parent is not None and not parent.machine.state.ended:
            parent.note(child_ended(live.machine, last, self.clock.now_ms()))
            parent.flush()

    def _tell_children(self, parent: LiveExecution, event: Event) -> list[Awaitable[None]]:
        """Tell everybody below in the same turn, so that a crash finds all of them told or none."""
        told = []
        for member in self._live.below(parent.execution_id):
            live = self._awake(member.execution_id)
            if live is None:
                continue
            state = live.machine.state
            repeated = state.paused is isinstance(event, ExecutionPaused) and not isinstance(
                event, CancelRequested
            )
            if live is not parent and state.ending is None and not state.ended and not repeated:
                told.append(self._tell(live, event))
        return told

    def _tell(self, live: LiveExecution, event: Event) -> Awaitable[None]:
        durable = live.record(event)
        if isinstance(event, ExecutionResumed | CancelRequested):
            live.obey([command for command in live.machine.outstanding if isinstance(command, OF_CHILDREN)])
        return durable

    def _moves(self, execution_id: str, before: int) -> bool:
        return any(moves(member, before) for member in self._live.below(execution_id))

    def _absent(self, execution_id: str) -> DirigentError:
        if execution_id in self.damaged:
            return JournalDamaged(self.damaged[execution_id], streams=[execution_id])
        row = self._projections.execution(execution_id)
        if row is None:
            return NotFound(f"There is no execution {execution_id!r}.", code="execution_not_found")
        return Conflict(f"The execution {execution_id!r} has ended ({row.status}).")
