"""Whether what was done is undone where a run ends without its result: S18."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dirigent.domain.event import (
    ActionRefused,
    ApprovalRequested,
    CancelRequested,
    ChildEnded,
    Compensation,
    CompensationStarted,
    Event,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    FallbackStarted,
    FanOutStarted,
    OutputMapped,
    StepCompleted,
    StepFailed,
    StepOutcomeResolved,
    StepOutcomeUnknown,
    StepSkipped,
    StepStarted,
)
from dirigent.interpreter.graph import Graph
from dirigent.ports import Recorded
from dirigent.testing.invariants.findings import Findings
from dirigent.testing.invariants.history import History, Stream
from dirigent.testing.invariants.naming import UNDOES, WITH_RESULT, node_of

OF_UNDOING = (
    StepStarted,
    ApprovalRequested,
    ActionRefused,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepOutcomeUnknown,
    StepOutcomeResolved,
)


class _Undoing:
    """What a run has done and not undone, the last on top, told from its events alone.

    What is undone now is `current`. Of what is known only in hindsight to be done, or not to be undone, the
    order is open: another may have been taken up meanwhile. What came of it goes into `outcomes`, as the end
    has to say it. An undo that is refused, fails for good or costs more than is left has come to nothing, and
    the end says that.
    """

    def __init__(self, stream: Stream, graph: Graph, findings: Findings) -> None:
        self._stream = stream
        self._graph = graph
        self._findings = findings
        self._done: list[str] = []
        self._unclear: set[str] = set()
        self._instead: set[str] = set()
        self._fans: set[str] = set()
        self._current = ""
        self._outcomes: list[tuple[str, bool]] = []
        self._begun: CompensationStarted | None = None
        self._cancelled = False

    def follow(self) -> None:
        """Look at every event of the stream."""
        for recorded in self._stream.recorded:
            event = recorded.event
            step = getattr(event, "step", "")
            if step.startswith(UNDOES):
                if isinstance(event, OF_UNDOING):
                    self._undo(step.removeprefix(UNDOES), event, recorded)
            elif (handler := _HANDLERS.get(type(event))) is not None:
                handler(self, event, recorded)

    def completed(self, event: StepCompleted, recorded: Recorded) -> None:
        """A step has its result; where an output is made of it, it is done with that."""
        node = node_of(self._graph, event.step)
        mapped = node is not None and node.output is not None and not self._cancelled
        if event.step not in self._fans and not mapped:
            self._did(event.step)

    def mapped(self, event: OutputMapped, recorded: Recorded) -> None:
        """A step has its output."""
        self._did(event.step)

    def child_ended(self, event: ChildEnded, recorded: Recorded) -> None:
        """What a step started has ended."""
        node = node_of(self._graph, event.step)
        mapped = node is not None and node.output is not None and not self._cancelled
        if event.status in WITH_RESULT and not mapped:
            self._did(event.step)

    def resolved(self, event: StepOutcomeResolved, recorded: Recorded) -> None:
        """It is known that an effect happened."""
        if event.happened and not event.call:
            self._did(event.step)

    def fell_back(self, event: FallbackStarted, recorded: Recorded) -> None:
        """What comes now is not what could be undone."""
        self._instead.add(event.step)

    def fanned_out(self, event: FanOutStarted, recorded: Recorded) -> None:
        """Its items are undone, each by itself."""
        self._fans.add(event.step)

    def cancelled(self, event: CancelRequested, recorded: Recorded) -> None:
        """Nothing follows any more but undoing."""
        self._cancelled = True

    def begins(self, event: CompensationStarted, recorded: Recorded) -> None:
        """What will be undone is said beforehand."""
        self._findings.met("S18")
        self._findings.did("compensation")
        if event.steps != tuple(reversed(self._done)):
            text = f"it says that it undoes {', '.join(event.steps)}; done was {', '.join(self._done)}"
            self._broken(text, recorded)
        self._begun = event

    def ends_well(self, event: ExecutionCompleted, recorded: Recorded) -> None:
        """A run with a result undoes nothing."""
        if self._begun is not None:
            self._broken("it has its result and undid what it did", recorded)

    def ends_badly(self, event: ExecutionFailed | ExecutionCancelled, recorded: Recorded) -> None:
        """Everything that was done is undone, or it is said why not."""
        left = [*self._done, *([self._current] if self._current else [])]
        if left:
            self._broken(f"it ends and {', '.join(left)} is not undone", recorded)
        said = [(one.step, one.error is None) for one in event.compensations]
        if said != self._outcomes:
            self._broken(f"it says {_told(event.compensations)}; it was {self._outcomes}", recorded)
        status = event.status if isinstance(event, ExecutionFailed) else "cancelled"
        if self._begun is not None and status != self._begun.status:
            self._broken(f"it undid as {self._begun.status} and ends as {status}", recorded)

    def _did(self, step: str) -> None:
        node = node_of(self._graph, step)
        if node is not None and node.compensate and step not in self._instead:
            self._done.append(step)
            if self._begun is not None:
                self._unclear.add(step)

    def _undo(self, step: str, event: Event, recorded: Recorded) -> None:
        if isinstance(event, StepOutcomeResolved):
            self._settled(step, event)
            return
        if self._current != step:
            self._next(step, recorded)
        if isinstance(event, StepCompleted):
            self._came_to(step, undone=True)
        elif isinstance(event, StepSkipped) or (isinstance(event, StepFailed) and self._is_final(event)):
            self._came_to(step, undone=False)
        elif isinstance(event, StepOutcomeUnknown):
            self._current = ""

    def _next(self, step: str, recorded: Recorded) -> None:
        """Another one is undone: the one that was done last, and when nothing else is being undone."""
        self._findings.met("S18")
        clear = [name for name in self._done if name not in self._unclear]
        last = clear[-1] if clear else "nothing"
        if self._begun is None:
            self._broken(f"{step!r} is undone and the run goes on", recorded)
        elif self._current:
            self._broken(f"{step!r} is undone while {self._current!r} is", recorded)
        elif step != last and not (step in self._unclear and step in self._done):
            self._broken(f"{step!r} is undone, and {last} was done last", recorded)
        if step in self._done:
            self._done.remove(step)
        self._current = step

    def _settled(self, step: str, event: StepOutcomeResolved) -> None:
        if event.happened:
            self._outcomes.append((step, True))
        else:
            self._done.append(step)
            self._unclear.add(step)

    def _came_to(self, step: str, *, undone: bool) -> None:
        self._outcomes.append((step, undone))
        self._current = ""

    def _is_final(self, event: StepFailed) -> bool:
        node = node_of(self._graph, event.step)
        most = node.step.retry.max_attempts if node is not None else 1
        return not (event.error.retryable and event.attempt < most)

    def _broken(self, text: str, recorded: Recorded) -> None:
        self._findings.broken("S18", text, self._stream.name, recorded.version)


_HANDLERS: dict[type[Event], Callable[[_Undoing, Any, Recorded], None]] = {
    StepCompleted: _Undoing.completed,
    OutputMapped: _Undoing.mapped,
    ChildEnded: _Undoing.child_ended,
    StepOutcomeResolved: _Undoing.resolved,
    FallbackStarted: _Undoing.fell_back,
    FanOutStarted: _Undoing.fanned_out,
    CancelRequested: _Undoing.cancelled,
    CompensationStarted: _Undoing.begins,
    ExecutionCompleted: _Undoing.ends_well,
    ExecutionFailed: _Undoing.ends_badly,
    ExecutionCancelled: _Undoing.ends_badly,
}


def check_undoing(history: History, findings: Findings) -> None:
    """Follow what every execution did, and what it undid of that."""
    for stream in history.executions.values():
        graph = history.graph(stream.started.definition)
        if graph is not None and graph.compensated:
            _Undoing(stream, graph, findings).follow()


def _told(compensations: tuple[Compensation, ...]) -> list[tuple[str, bool]]:
    return [(one.step, one.error is None) for one in compensations]
