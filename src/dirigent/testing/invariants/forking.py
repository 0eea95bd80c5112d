"""Whether what takes over from another run says so, and does nothing again: S1, S11, S12 and S25."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeGuard

from dirigent.domain.event import (
    ChildEnded,
    Event,
    StepCompleted,
    StepOutcomeResolved,
    StepStarted,
    StepTakenOver,
)
from dirigent.domain.ids import child_execution_id
from dirigent.interpreter.graph import Graph
from dirigent.testing.invariants.evidence import ACKNOWLEDGED, Answered, Called, Entry
from dirigent.testing.invariants.findings import Findings
from dirigent.testing.invariants.history import History, Stream
from dirigent.testing.invariants.naming import ANNOUNCED, UNDOES, WITH_RESULT, around

FORKS = ("fork", "retry")


def check_forks(
    history: History, client: Iterable[Entry], recorder: Sequence[Called], findings: Findings
) -> None:
    """Lay every run that was forked beside the one that it was forked from."""
    asked = _acknowledged(history, client, findings)
    calls: dict[str, list[Called]] = defaultdict(list)
    for called in recorder:
        calls[called.execution].append(called)
    for stream in history.executions.values():
        if not stream.started.forked_from:
            continue
        findings.met("S25")
        findings.did("retry" if stream.started.trigger == "retry" else "fork")
        before = history.executions.get(stream.started.forked_from)
        graph = history.graph(stream.started.definition)
        if before is None or before.started.definition != stream.started.definition or graph is None:
            text = (
                f"it was forked from {stream.started.forked_from}, and that is not there, or another workflow"
            )
            findings.broken("S25", text, stream.name)
            continue
        pair = _Pair(before, stream, graph, asked.get(stream.name), findings)
        pair.compare(calls[before.name], calls[stream.name])
        pair.compare_children(history)


def _acknowledged(history: History, client: Iterable[Entry], findings: Findings) -> dict[str, str]:
    """At what those were forked whose fork was acknowledged; each is there and says where it comes from."""
    asked: dict[str, str] = {}
    for entry in client:
        if not isinstance(entry, Answered) or entry.request not in FORKS or entry.result != ACKNOWLEDGED:
            continue
        findings.met("S1")
        asked[entry.made] = entry.subject
        made = history.executions.get(entry.made)
        if made is None:
            findings.broken(
                "S1", f"a {entry.request} was acknowledged and {entry.made} is not there", entry.execution
            )
        elif (made.started.forked_from, made.started.trigger) != (entry.execution, entry.request):
            said = f"{made.started.trigger or 'start'} of {made.started.forked_from or 'nothing'}"
            findings.broken("S1", f"it is a {entry.request} of {entry.execution} and says {said}", entry.made)
    return asked


class _Pair:
    """A run and its fork. `at` is what was asked for: a step, a version, nothing; or None, unknown."""

    def __init__(
        self, before: Stream, after: Stream, graph: Graph, at: str | None, findings: Findings
    ) -> None:
        self._before, self._after, self._graph = before, after, graph
        self._findings = findings
        self._again = _from_on(graph, at) if at in graph.nodes else frozenset()
        self._known = at is not None or bool(after.started.parent)
        self._by_version = bool(at) and at not in graph.nodes

    def compare(self, calls_before: Sequence[Called], calls_after: Sequence[Called]) -> None:
        """Nothing that is kept is done, nothing that was done is done again."""
        kept, done = self._after.started.kept, self._done() if self._known else {}
        for recorded in self._after.of(StepStarted):
            event = recorded.event
            assert isinstance(event, StepStarted), "only these are looked at"
            names = (event.step, *around(self._graph, event.step))
            self._findings.met("S11")
            held = next((name for name in names if name in kept and not kept[name].item), None)
            if held is not None:
                self._broken(f"{event.step!r} is done, and {held!r} was taken over", recorded.version)
            elif event.effect in ANNOUNCED and event.step in done:
                self._broken(f"{event.step!r} is done again", recorded.version)
        if self._known and not self._by_version:
            self._outside(calls_before, calls_after)

    def compare_children(self, history: History) -> None:
        """What a step had started and that had no result is taken up by what the step starts here."""
        if not self._known or self._by_version:
            return
        gone = self._undone() | {one.step for one in self._before if _is_good_end(one)}
        for name, child in history.executions.items():
            if child.started.parent != self._after.name:
                continue
            step = child.started.parent_step
            old = history.executions.get(child_execution_id(self._before.name, step))
            same = old is not None and old.started.definition == child.started.definition
            again = any(one in self._again for one in (step, *around(self._graph, step)))
            if old is not None and same and not again and step not in gone:
                self._findings.met("S11")
                if child.started.forked_from != old.name:
                    self._broken(f"{name} begins anew, and {old.name} had begun", 1)

    def _done(self) -> dict[str, int]:
        """Steps outside of blocks whose effect is settled there, and was not undone."""
        done: dict[str, int] = {}
        started: set[str] = set()
        for recorded in self._before.recorded[: self._after.started.forked_at]:
            event = recorded.event
            if isinstance(event, StepStarted) and event.effect in ANNOUNCED:
                started.add(event.step)
            elif isinstance(event, StepTakenOver) or (_is_result(event) and event.step in started):
                done[event.step] = recorded.version
        undone = self._undone()
        return {step: at for step, at in done.items() if self._stays(step) and step not in undone}

    def _stays(self, step: str) -> bool:
        return step in self._graph.bodies[""].steps and step not in self._again

    def _undone(self) -> set[str]:
        """What was undone, as far as anybody knows, may be done again."""
        return {
            event.step.removeprefix(UNDOES)
            for event in self._before
            if isinstance(event, StepStarted) and event.step.startswith(UNDOES)
        }

    def _outside(self, calls_before: Sequence[Called], calls_after: Sequence[Called]) -> None:
        """The very same effect of a step does not happen there and here."""
        undone = self._undone()
        happened = {
            (called.step, called.action, called.payload)
            for called in calls_before
            if called.applied and called.effect in ANNOUNCED and called.step.partition("/")[0] not in undone
            if not called.step.startswith(UNDOES)
        }
        for called in calls_after:
            home = called.step.partition("/")[0]
            names = (home, *around(self._graph, home))
            again = any(name in self._again for name in names)
            if called.applied and not again and (called.step, called.action, called.payload) in happened:
                self._broken(f"{called.action} of {called.step!r} happened there, and again here", 0)

    def _broken(self, text: str, version: int) -> None:
        self._findings.broken("S11", f"{text} (forked from {self._before.name})", self._after.name, version)


def _is_good_end(event: Event) -> TypeGuard[ChildEnded]:
    return isinstance(event, ChildEnded) and event.status in WITH_RESULT


def _is_result(event: Event) -> TypeGuard[StepCompleted | StepOutcomeResolved]:
    if isinstance(event, StepOutcomeResolved):
        return event.happened and not event.call
    return isinstance(event, StepCompleted)


def _from_on(graph: Graph, step: str | None) -> frozenset[str]:
    """A step and everything behind it."""
    found: set[str] = set()
    ahead = [step] if step else []
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += [edge.target for edge in graph.nodes[name].outgoing]
    return frozenset(found)
