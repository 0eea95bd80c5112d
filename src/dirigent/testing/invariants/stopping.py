"""Whether what was stopped, or is over, begins nothing more: S9, S19 and S23.

Races that were lost, time that ran out, blocks that ended, loops that went round often enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dirigent.domain.event import (
    ApprovalRequested,
    CancelRequested,
    ChildEnded,
    Event,
    FanOutStarted,
    IterationStarted,
    SignalAwaited,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepOutcomeResolved,
    StepSkipped,
    StepStarted,
    StepTakenOver,
    TimerFired,
    WaitStarted,
)
from dirigent.domain.ids import child_execution_id
from dirigent.domain.workflow import BLOCKS, Kind
from dirigent.interpreter.graph import Graph, Node
from dirigent.ports import Recorded
from dirigent.testing.invariants.findings import Findings
from dirigent.testing.invariants.history import History, Stream
from dirigent.testing.invariants.naming import (
    ANNOUNCED,
    UNDOES,
    WITH_RESULT,
    around,
    beside,
    node_of,
    ways_to,
)

WHOLE = ""
WAITING = frozenset({Kind.APPROVAL, Kind.WAIT, Kind.WAIT_FOR_EVENT})
TIMEOUT = "timeout:"


class _Stops:
    """What of one execution must not begin any more, and why, told from its events and its definition."""

    def __init__(self, stream: Stream, graph: Graph, history: History, findings: Findings) -> None:
        self._stream = stream
        self._graph = graph
        self._history = history
        self._findings = findings
        self._stopped: dict[str, tuple[str, str]] = {}
        self._over: dict[str, tuple[str, str]] = {}
        self._begun: set[tuple[str, int]] = set()
        self._seen: set[str] = set()
        self._well: set[str] = set()
        self._badly: set[str] = set()
        self._ended: set[str] = set()
        self._left: set[str] = set()
        self._rounds: dict[str, int] = {}
        self._lost: dict[str, str] = {}

    def follow(self) -> None:
        """Look at every event of the stream."""
        for recorded in self._stream.recorded:
            event = recorded.event
            step = getattr(event, "step", "")
            if step.startswith(UNDOES):
                continue
            if step and not isinstance(event, StepSkipped) and getattr(event, "attempt", 1):
                self._first_seen(step, recorded)
            handler = _HANDLERS.get(type(event))
            if handler is not None:
                handler(self, event, recorded)

    def started(self, event: StepStarted, recorded: Recorded) -> None:
        """An attempt begins; one that a crash cut off may begin again."""
        if (event.step, event.attempt) not in self._begun:
            self._begun.add((event.step, event.attempt))
            self._begins(event.step, recorded)

    def asked(self, event: ApprovalRequested, recorded: Recorded) -> None:
        """A person is asked; that a running step's action needs one is no beginning."""
        if event.kind == "step":
            self._begins(event.step, recorded)

    def other_begins(self, event: SignalAwaited | WaitStarted | FanOutStarted, recorded: Recorded) -> None:
        """A step begins."""
        self._begins(event.step, recorded)

    def goes_round(self, event: IterationStarted, recorded: Recorded) -> None:
        """A loop goes round once more: each time is the next one, and there are only so many."""
        step, node = event.step, node_of(self._graph, event.step)
        self._begins(step, recorded)
        self._findings.met("S23")
        self._findings.did("loop")
        due = self._rounds.get(step, 0)
        if event.index != due:
            self._broken("S23", f"{step!r} goes round as {event.index}, {due} was next", recorded)
        if node is not None and event.index >= node.step.max_iterations:
            most = node.step.max_iterations
            self._broken("S23", f"{step!r} goes round {event.index + 1} times, {most} are allowed", recorded)
        if due:
            self._over[f"{step}[{due - 1}]"] = ("S9", "that time round is over")
        self._rounds[step] = event.index + 1

    def timer(self, event: TimerFired, recorded: Recorded) -> None:
        """Time is over: of the whole, or of a step."""
        if event.timer == "execution":
            self._findings.met("S19")
            self._findings.did("time limit")
            self._stopped[WHOLE] = ("S19", "the time of the run is over")
        elif event.timer.startswith(TIMEOUT):
            step = event.timer.removeprefix(TIMEOUT)
            self._findings.met("S19")
            self._findings.did("time limit of a step")
            self._over[step] = ("S19", f"the time of {step!r} is over")
            self._children_stop(step, recorded, f"the time of {step!r} is over")

    def cancel(self, event: CancelRequested, recorded: Recorded) -> None:
        """Nothing begins from here on but undoing."""
        self._findings.met("S19")
        self._stopped[WHOLE] = ("S19", "it was cancelled")

    def ends(self, event: Any, recorded: Recorded) -> None:
        """A step ends, and with it all that stands in it."""
        step = event.step
        node = node_of(self._graph, step)
        if isinstance(event, StepFailed) or (isinstance(event, ChildEnded) and not _went_well(event)):
            if node is not None and node.step.on_error == "continue":
                self._well.add(step)
            self._badly.add(step)
        elif isinstance(event, StepCompleted) or _went_well(event):
            self._well.add(step)
        if step in self._lost and node is not None:
            self._lost_ends(step, node, event, recorded)
        if isinstance(event, StepCompleted | StepFailed):
            self._ends_in_time(step, event, recorded)
        self._ended.add(step)
        if isinstance(event, StepCancelled):
            self._left.add(step)
        if node is not None and (node.step.kind in BLOCKS or node.foreach is not None):
            if node.step.kind is Kind.PARALLEL and isinstance(event, StepCompleted):
                self._findings.did("block")
            self._over.setdefault(step, ("S9", f"{step!r} has ended"))

    def taken_over(self, event: StepTakenOver, recorded: Recorded) -> None:
        """What it gave elsewhere counts here."""
        self._well.add(event.step)
        self._badly.add(event.step)
        self._ended.add(event.step)

    def resolved(self, event: StepOutcomeResolved, recorded: Recorded) -> None:
        """It is known that it happened."""
        if event.happened and not event.call:
            self._well.add(event.step)
            self._ended.add(event.step)

    def _first_seen(self, step: str, recorded: Recorded) -> None:
        """A step that others lead to comes up for the first time: has it been reached?"""
        if step in self._seen:
            return
        self._seen.add(step)
        node = self._graph.nodes.get(step.rpartition(".")[2])
        if node is None or not node.step.join:
            return
        self._findings.met("S9")
        self._findings.did("join")
        ways = ways_to(self._graph, node.step.id)
        there = [
            way
            for way in ways
            if beside(step, way.source) in (self._badly if way.on == "error" else self._well)
        ]
        if len(there) < node.step.join:
            text = f"{step!r} begins after {len(there)} of {len(ways)} ways, {node.step.join} are needed"
            self._broken("S9", text, recorded)
        for other in node.rest:
            self._loses(beside(step, other), f"{step!r} began without it", recorded)

    def _loses(self, step: str, why: str, recorded: Recorded) -> None:
        if step in self._left:
            self._findings.did("race that was lost")
        if step in self._ended:
            return
        self._findings.did("race that was lost")
        self._lost[step] = why
        self._stopped[step] = ("S9", why)
        self._over[step] = ("S9", why)
        self._children_stop(step, recorded, why)

    def _lost_ends(self, step: str, node: Node, event: Any, recorded: Recorded) -> None:
        """Of what lost only an effect that was under way may come to its end."""
        if node.step.kind in WAITING and not isinstance(event, StepCancelled | StepSkipped):
            name = type(event).__name__
            self._broken("S9", f"{name} of {step!r} though {self._lost[step]}", recorded)

    def _ends_in_time(self, step: str, event: Event, recorded: Recorded) -> None:
        """What stands in a block ends before the block does."""
        outer = next((name for name in around(self._graph, step) if name in self._ended), None)
        if outer is not None:
            self._broken("S9", f"{type(event).__name__} of {step!r} though {outer!r} has ended", recorded)

    def _children_stop(self, step: str, recorded: Recorded, why: str) -> None:
        """What a step had started is cancelled with it."""
        for name in self._inside(step):
            child = self._history.executions.get(child_execution_id(self._stream.name, name))
            if child is None or child.recorded[-1].position < recorded.position or name in self._ended:
                continue
            self._findings.met("S19")
            late = next(iter(_begun_after(child, recorded.position)), None)
            if late is not None:
                self._broken("S19", f"{child.name} begins {late!r} though {why}", recorded)

    def _inside(self, step: str) -> Iterator[str]:
        prefix = child_execution_id(self._stream.name, "")
        for name in self._history.executions:
            own = name.removeprefix(prefix)
            if own != name and "/" not in own and step in (own, *around(self._graph, own)):
                yield own

    def _begins(self, step: str, recorded: Recorded) -> None:
        own = self._stopped.get(step) or self._stopped.get(WHOLE)
        outer = (self._over.get(name) for name in around(self._graph, step))
        found = own or next((reason for reason in outer if reason is not None), None)
        if found is not None:
            invariant, why = found
            self._broken(invariant, f"{step!r} begins though {why}", recorded)

    def _broken(self, invariant: str, text: str, recorded: Recorded) -> None:
        self._findings.broken(invariant, text, self._stream.name, recorded.version)


def _begun_after(child: Stream, position: int) -> Iterator[str]:
    """Effects that an execution let begin after a position, and before it was cancelled."""
    begun: set[tuple[str, int]] = set()
    for recorded in child.of(StepStarted, CancelRequested):
        event = recorded.event
        if not isinstance(event, StepStarted):
            return
        new = (event.step, event.attempt) not in begun and not event.step.startswith(UNDOES)
        begun.add((event.step, event.attempt))
        if new and recorded.position > position and event.effect in ANNOUNCED:
            yield event.step


def _went_well(event: Event) -> bool:
    return isinstance(event, ChildEnded) and event.status in WITH_RESULT


_HANDLERS: dict[type[Event], Callable[[_Stops, Any, Recorded], None]] = {
    StepStarted: _Stops.started,
    ApprovalRequested: _Stops.asked,
    SignalAwaited: _Stops.other_begins,
    WaitStarted: _Stops.other_begins,
    FanOutStarted: _Stops.other_begins,
    IterationStarted: _Stops.goes_round,
    TimerFired: _Stops.timer,
    CancelRequested: _Stops.cancel,
    StepTakenOver: _Stops.taken_over,
    StepOutcomeResolved: _Stops.resolved,
    StepCompleted: _Stops.ends,
    StepFailed: _Stops.ends,
    StepSkipped: _Stops.ends,
    StepCancelled: _Stops.ends,
    ChildEnded: _Stops.ends,
}


def check_stops(history: History, findings: Findings) -> None:
    """Follow what every execution lets begin."""
    for stream in history.executions.values():
        graph = history.graph(stream.started.definition)
        if graph is not None:
            _Stops(stream, graph, history, findings).follow()
