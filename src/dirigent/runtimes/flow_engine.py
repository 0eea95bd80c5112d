"""Flows of plain functions on the machine that runs every workflow, within a dispatcher's bounds."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dirigent.domain.canonical import storable
from dirigent.domain.command import Command, InvokeAction, RecordEvent, StartTimer
from dirigent.domain.envelope import Envelope, looks_like_envelope, records_from
from dirigent.domain.errors import ActionFailed
from dirigent.domain.event import (
    AnyEvent,
    ChildEnded,
    Event,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionStarted,
    Passport,
    StepCompleted,
    StepFailed,
    StepStarted,
    TimerFired,
)
from dirigent.execution.failures import failure_of
from dirigent.execution.submitting import Dispatcher
from dirigent.interpreter.machine import Machine
from dirigent.interpreter.reading import Reading, read_execution
from dirigent.observability.run_trace import RunTrace, current_run, unnoted
from dirigent.ports import Clock
from dirigent.ports.queueing import DispatcherProtocol
from dirigent.runtimes.clock import SystemClock
from dirigent.runtimes.flow_nodes import FLOW, Flow, Node, checked_nodes, definition_of


class OrchestrationEngine:
    """Runs flows of functions; every run is an execution like any other, with its events and its reading.

    A flow is a sequence of functions, sync or async, or of `Node`s where one needs more than its
    place. Inside a run of a worker the execution is kept with that run; `last` reads the latest one.
    """

    def __init__(self, dispatcher: DispatcherProtocol | None = None, *, clock: Clock | None = None) -> None:
        self._dispatcher = dispatcher or Dispatcher()
        self._clock = clock or SystemClock()
        self.last: Reading | None = None

    async def run_flow(self, flow: Flow, payload: Mapping[str, Any]) -> Envelope:
        """Hand the payload to the first node, each result to the next; the last result as an envelope.

        Raises what a node raised, where the flow ends with its failure.
        """
        nodes = checked_nodes(flow)
        run = current_run()
        step, execution_id = run.child_name(FLOW) if run else (FLOW, f"run_{uuid.uuid4().hex}")
        tenant = run.tenant if run else str(payload.get("org_id") or "default")
        driver = _Driver(nodes, self._dispatcher, self._clock)
        started = ExecutionStarted(
            at=self._clock.now_ms(),
            execution_id=execution_id,
            workflow=FLOW,
            definition=driver.definition.content_hash,
            input={"payload": storable(dict(payload), "The payload")},
            passport=Passport(
                tenant=tenant, actor="engine", correlation=run.correlation_id if run else execution_id
            ),
            trigger="parent" if run else "manual",
            parent=run.execution_id if run else "",
            parent_step=step if run else "",
        )
        try:
            await driver.run(started)
        finally:
            self.last = read_execution(driver.events)
            if run is not None:
                _told(run, step, execution_id, driver, self._clock.now_ms())
        return _envelope(driver, self.last, run)


def run_flow(
    flow: Flow,
    payload: Mapping[str, Any],
    dispatcher: DispatcherProtocol | None = None,
) -> Envelope:
    """Run a flow where no event loop runs, and return its envelope; see `OrchestrationEngine`."""
    return asyncio.run(OrchestrationEngine(dispatcher).run_flow(flow, payload))


class _Driver:
    """Obeys the machine for one execution: invokes functions, sets timers, keeps the events."""

    def __init__(self, nodes: Sequence[Node], dispatcher: DispatcherProtocol, clock: Clock) -> None:
        self.nodes = {node.name: node for node in nodes}
        self.definition = definition_of(nodes)
        self.events: list[AnyEvent] = []
        self.errors: dict[str, BaseException] = {}
        self._machine = Machine(self.definition)
        self._dispatcher = dispatcher
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[str, Callable[[], None]] = {}
        self._ended = asyncio.Event()
        self._broken: BaseException | None = None

    async def run(self, started: ExecutionStarted) -> None:
        """Return when the execution has ended; raises what made it fail."""
        try:
            self._take(started)
            await self._ended.wait()
        finally:
            for cancel in self._timers.values():
                cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        last = self.events[-1]
        if self._broken is not None:
            raise self._broken
        if isinstance(last, ExecutionFailed):
            raise self._failure(last)

    def _take(self, event: Event) -> None:
        """Apply an event with everything it entails, then do what the machine asks for."""
        entailed, commands = deque([event]), list[Command]()
        while entailed and not self._machine.state.ended:
            current = entailed.popleft()
            for command in self._machine.apply(current):
                if isinstance(command, RecordEvent):
                    entailed.append(command.event)
                else:
                    commands.append(command)
            self.events.append(current)  # type: ignore[arg-type]  # every event has its place in the union
        if self._machine.state.ended:
            self._ended.set()
            return
        for command in commands:
            self._obey(command)

    def _obey(self, command: Command) -> None:
        if isinstance(command, InvokeAction):
            task = asyncio.ensure_future(self._invoke(command))
            self._tasks.add(task)
            task.add_done_callback(self._done)
        elif isinstance(command, StartTimer):
            name = command.timer
            self._timers[name] = self._clock.call_at(command.due, lambda: self._fire(name))

    def _done(self, task: asyncio.Task[None]) -> None:
        """A node that broke off without an outcome breaks off the flow; nobody would ever end it."""
        self._tasks.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None and not self._ended.is_set():
            self._broken = error
            self._ended.set()

    def _fire(self, timer: str) -> None:
        self._timers.pop(timer, None)
        if not self._machine.state.ended:
            self._take(TimerFired(at=self._clock.now_ms(), timer=timer))

    async def _invoke(self, command: InvokeAction) -> None:
        node = self.nodes[command.action]
        step, attempt = command.step, command.attempt
        self._take(
            StepStarted(
                at=self._clock.now_ms(), step=step, attempt=attempt, agent=node.agent, action=node.name
            )
        )
        ended: Event
        try:
            output, mode = await self._output(node, command)
        except Exception as error:
            self.errors[step] = error
            ended = StepFailed(at=self._clock.now_ms(), step=step, attempt=attempt, error=failure_of(error))
        else:
            ended = StepCompleted(
                at=self._clock.now_ms(), step=step, attempt=attempt, output=output, mode=mode
            )
        if not self._machine.state.ended:
            self._take(ended)

    async def _output(self, node: Node, command: InvokeAction) -> tuple[Any, str]:
        """What the node gives, or its fallback in its place, as plain data."""
        value = command.inputs["value"]
        try:
            async with asyncio.timeout(node.timeout_s or None):
                return await self._submitted(node, node.func, value), ""
        except Exception:
            if node.fallback is None or command.attempt < node.retry.max_attempts:
                raise
            return await self._submitted(node, node.fallback, value), "fallback"

    async def _submitted(self, node: Node, func: Callable[..., Any], value: Any) -> Any:
        with unnoted():
            result = await self._dispatcher.submit(node.agent, func, value)
        return storable(_plain(result), f"The output of {node.name}")

    def _failure(self, last: ExecutionFailed) -> BaseException:
        """What the step that failed raised, or the first of its items that did."""
        for event in reversed(self.events):
            if isinstance(event, StepFailed):
                items = (error for name, error in self.errors.items() if name.startswith(f"{event.step}["))
                raised = self.errors.get(event.step) or next(items, None)
                return raised or ActionFailed(f"{event.step}: {event.error.message}")
        return ActionFailed(last.error.message)


def _plain(result: Any) -> Any:
    if isinstance(result, Envelope):
        return result.validate().as_dict()
    if isinstance(result, list | tuple):
        return [_plain(item) for item in result]
    return result


def _told(run: RunTrace, step: str, execution_id: str, driver: _Driver, now: int) -> None:
    """The run learns what its flow did; one that was broken off has no end of its own."""
    last = driver.events[-1]
    status = last.status if isinstance(last, ExecutionCompleted | ExecutionFailed) else "cancelled"
    error = last.error if isinstance(last, ExecutionFailed) else None
    output = last.output if isinstance(last, ExecutionCompleted) else None
    ended = ChildEnded(at=now, step=step, child=execution_id, status=status, output=output, error=error)
    run.child_ended(step, execution_id, driver.events, ended)


def _envelope(driver: _Driver, reading: Reading, run: RunTrace | None) -> Envelope:
    """The last node's result as an envelope; what it says of itself, where it is one, stands."""
    node = list(driver.nodes.values())[-1]
    output = reading.steps[node.name].output
    if node.each:
        output = [item for item in output["results"] if item is not None]
    metadata = _metadata(reading, run)
    provenance = {
        "source": node.agent,
        "agent": node.agent,
        "run_id": metadata["run_id"],
        "node": node.name,
        "created_at": metadata["created_at"],
    }
    own = dict(output["metadata"]) if looks_like_envelope(output) else {}
    return Envelope.from_records(records_from(output, node.name, provenance), {**metadata, **own})


def _metadata(reading: Reading, run: RunTrace | None) -> dict[str, Any]:
    ended = datetime.fromtimestamp(reading.ended_at / 1000, UTC)
    errors = [
        {"node": step.id, "code": step.error.code, "message": step.error.message}
        for step in reading.steps.values()
        if step.error is not None and step.status == "failed"
    ]
    return {
        "run_id": run.run_id if run else reading.execution_id,
        **({"job_id": run.job_id} if run and run.job_id else {}),
        "flow": run.flow if run else FLOW,
        "tenant_id": reading.started.passport.tenant,
        "correlation_id": reading.started.passport.correlation,
        "status": "ok" if reading.status == "completed" else "partial",
        "created_at": ended.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration_ms": reading.ended_at - reading.started.at,
        "errors": errors,
    }
