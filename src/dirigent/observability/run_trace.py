"""The trace of a run while it is under way: stages by hand, nodes by whoever submits them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import msgspec

from dirigent.domain.canonical import storable
from dirigent.domain.envelope import Envelope
from dirigent.domain.errors import DirigentError
from dirigent.domain.event import (
    AnyEvent,
    ChildEnded,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionStarted,
    Failure,
    Passport,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from dirigent.domain.ids import child_execution_id, item_step
from dirigent.domain.job import PRIORITY
from dirigent.domain.run import COMPLETED, FAILED, NODES, RunRecord, Stage

OUTPUT_BYTES_MAX = 64 * 1024
MESSAGE_LENGTH_MAX = 500

STATUS_OF_RUN = {"ok": "completed", "simulated": "completed", "held": "completed"}


class RunTrace:
    """Collects what one attempt at a run does. Made by whoever runs it; found with `current_run`.

    Nodes are noted in the form of executions: the run is one, each node a step of it, each flow that a
    node engine runs inside it a child. Any thread may note.
    """

    def __init__(
        self,
        now_ms: Callable[[], int],
        *,
        run_id: str,
        flow: str,
        tenant: str,
        trace_id: str,
        job_id: str = "",
        correlation_id: str = "",
        attempt: int = 1,
        trigger: str = "manual",
        payload: Mapping[str, Any] | None = None,
        allow_delivery: bool = False,
        priority: int = PRIORITY,
        execution_id: str = "",
    ) -> None:
        self.now_ms = now_ms
        self.run_id = run_id
        self.execution_id = execution_id or run_id
        self.flow = flow
        self.tenant = tenant
        self.trace_id = trace_id
        self.job_id = job_id
        self.correlation_id = correlation_id or run_id
        self.attempt = attempt
        self.trigger = trigger
        self.payload = dict(payload or {})
        self.allow_delivery = allow_delivery
        self.priority = priority
        self.started_at = now_ms()
        self._stages: list[Stage] = []
        self._names: Counter[str] = Counter()
        self._events: list[AnyEvent] = []
        self._children: dict[str, tuple[AnyEvent, ...]] = {}
        self._first_node = self._last_node = 0
        self._journalled: int | None = None

    def passed(self, n: int, at: int | None = None, **facts: Any) -> None:
        """A stage was passed, now or then."""
        moment = self.now_ms() if at is None else at
        self._stages.append(Stage(n=n, at=moment, ended_at=moment, facts=facts))

    @contextmanager
    def stage(self, n: int, **facts: Any) -> Iterator[None]:
        """A stage that takes a while."""
        at = self.now_ms()
        try:
            yield
        finally:
            self._stages.append(Stage(n=n, at=at, ended_at=self.now_ms(), facts=facts))

    def node_started(self, agent: str, name: str) -> str:
        """A node begins; returns the name it goes by in this run."""
        self._names[name] += 1
        step = name if self._names[name] == 1 else item_step(name, self._names[name] - 1)
        at = self.now_ms()
        self._first_node = self._first_node or at
        self._events.append(StepStarted(at=at, step=step, attempt=1, agent=agent, action=name))
        return step

    def node_ended(self, step: str, result: Any) -> None:
        """A node has its result."""
        self._last_node = self.now_ms()
        self._events.append(StepCompleted(at=self._last_node, step=step, attempt=1, output=_told(result)))

    def node_failed(self, step: str, error: BaseException) -> None:
        """A node ended without a result."""
        self._last_node = self.now_ms()
        self._events.append(StepFailed(at=self._last_node, step=step, attempt=1, error=failure_told(error)))

    def child_name(self, name: str) -> tuple[str, str]:
        """A step for a flow that runs inside this run, and the id of its execution."""
        self._names[name] += 1
        step = name if self._names[name] == 1 else item_step(name, self._names[name] - 1)
        return step, child_execution_id(self.execution_id, step)

    def child_ended(self, step: str, child: str, events: Sequence[AnyEvent], ended: ChildEnded) -> None:
        """A flow that ran inside this run has ended; its own events are kept beside the run's."""
        self._first_node = self._first_node or events[0].at
        self._last_node = ended.at
        self._children[child] = tuple(events)
        self._events.append(StepStarted(at=events[0].at, step=step, attempt=1))
        self._events.append(ended)

    def journalled(self, nodes: int, at: int) -> None:
        """The run is an execution in the journal: its events are kept there, and only counted here."""
        self._first_node, self._last_node = at, self.now_ms()
        self._journalled = nodes

    def record(
        self, status: str, envelope: Envelope | None = None, error: BaseException | None = None
    ) -> RunRecord:
        """What is known now, as it is kept: stages in their order, events of the run and what ran in it."""
        ended = self.now_ms()
        stages = [*self._stages]
        if self._first_node:
            nodes = Stage(
                n=NODES, at=self._first_node, ended_at=self._last_node, facts={"nodes": self._nodes()}
            )
            stages.append(nodes)
        plain = envelope.as_dict() if envelope is not None else None
        return RunRecord(
            trace_id=self.trace_id,
            run_id=self.run_id,
            job_id=self.job_id,
            flow=self.flow,
            tenant=self.tenant,
            correlation_id=self.correlation_id,
            attempt=self.attempt,
            status=status,
            started_at=self.started_at,
            ended_at=ended,
            stages=tuple(sorted(stages, key=lambda stage: stage.n)),
            envelope=plain,
            error="" if error is None else error_told(error),
            events={} if self._journalled is not None else self._streams(status, ended, plain, error),
        )

    def _nodes(self) -> int:
        if self._journalled is not None:
            return self._journalled
        children = [event for events in self._children.values() for event in events]
        return sum(isinstance(event, StepStarted) for event in [*self._events, *children]) - len(
            self._children
        )

    def _streams(
        self, status: str, ended: int, envelope: dict[str, Any] | None, error: BaseException | None
    ) -> dict[str, tuple[AnyEvent, ...]]:
        return {self.execution_id: self._stream(status, ended, envelope, error), **self._children}

    def _stream(
        self, status: str, ended: int, envelope: dict[str, Any] | None, error: BaseException | None
    ) -> tuple[AnyEvent, ...]:
        started = ExecutionStarted(
            at=self.started_at,
            execution_id=self.execution_id,
            workflow=self.flow,
            definition="",
            input=self.payload,
            passport=Passport(tenant=self.tenant, actor="worker", correlation=self.correlation_id),
            trigger=self.trigger,
            labels={"job_id": self.job_id, "attempt": self.attempt, "trace_id": self.trace_id},
        )
        if status == COMPLETED:
            held = (envelope or {}).get("metadata", {}).get("status", "ok")
            last: AnyEvent = ExecutionCompleted(
                at=ended, status=STATUS_OF_RUN.get(held, "partially_completed"), output=envelope
            )
        else:
            failure = failure_told(error) if error else Failure(code=status, message=status)
            last = ExecutionFailed(at=ended, status=FAILED, error=failure)
        return (started, *self._events, last)


_current: ContextVar[RunTrace | None] = ContextVar("dirigent_run", default=None)
_noting: ContextVar[bool] = ContextVar("dirigent_run_noting", default=True)


def current_run() -> RunTrace | None:
    """The run that the running code belongs to, if any."""
    return _current.get()


def noting_run() -> RunTrace | None:
    """The run in which a node that begins now is to be noted."""
    return _current.get() if _noting.get() else None


@contextmanager
def unnoted() -> Iterator[None]:
    """Let the code inside belong to its run without noting nodes: somebody else keeps their events."""
    token = _noting.set(False)
    try:
        yield
    finally:
        _noting.reset(token)


@contextmanager
def running(trace: RunTrace | None) -> Iterator[None]:
    """Let the code inside belong to a run, or to none."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)


def error_told(error: BaseException) -> str:
    """An exception in one line: its kind, and what it says."""
    said = str(error).split("\n", 1)[0]
    return f"{type(error).__name__}: {said}"[:MESSAGE_LENGTH_MAX] if said else type(error).__name__


def failure_told(error: BaseException) -> Failure:
    """An exception as events tell it."""
    code = error.code if isinstance(error, DirigentError) else "agent_error"
    return Failure(code=code, message=error_told(error))


def _told(result: Any) -> Any:
    """A node's result as JSON; what is none, or too large to keep with a trace, is only described."""
    value = result.as_dict() if isinstance(result, Envelope) else result
    try:
        kept = storable(value, "The result")
        size = len(msgspec.json.encode(kept))
    except DirigentError:
        return {"type": type(result).__name__}
    return kept if size <= OUTPUT_BYTES_MAX else {"type": type(result).__name__, "bytes": size}
