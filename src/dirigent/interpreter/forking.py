"""What an execution that is forked from another one takes over from it, and what it does itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from dirigent.domain.canonical import digest_of
from dirigent.domain.command import InvokeAction, StartChild
from dirigent.domain.effect_event import OUTCOME_UNKNOWN
from dirigent.domain.errors import Conflict, InvalidInput
from dirigent.domain.event import (
    CallEnded,
    CallStarted,
    Event,
    ExecutionStarted,
    Failure,
    FallbackStarted,
    FanOutStarted,
    Kept,
    StepCompleted,
    StepFailed,
    StepOutcomeResolved,
    StepStarted,
    Unsettled,
)
from dirigent.domain.ids import child_execution_id, compensation_step, defined_step
from dirigent.domain.workflow import Kind
from dirigent.interpreter.graph import Graph, Node
from dirigent.interpreter.machine import Machine
from dirigent.interpreter.reading import StepReading, read_execution
from dirigent.interpreter.state import State

UNDOES = compensation_step("")
DECIDED_ANEW = frozenset({Kind.CONDITION, Kind.SWITCH, Kind.VALIDATION, Kind.TRANSFORM})
SETTLED = frozenset({"succeeded", "succeeded_by_fallback"})
UNFIT = frozenset({"bad_output", "agent_error", OUTCOME_UNKNOWN})  # it may have happened all the same


class Fork(msgspec.Struct, frozen=True, kw_only=True):
    """Where an execution is forked, and what is known there; see `ExecutionStarted`."""

    version: int
    kept: dict[str, Kept]
    unsettled: dict[str, Unsettled]


def fork_of(
    graph: Graph,
    events: Sequence[Event],
    *,
    at: int | str | None = None,
    edits: Mapping[str, Any] | None = None,
    again: Collection[str] = (),
    exists: Callable[[str], bool],
) -> Fork:
    """What an execution takes over that is forked from the one with these events.

    `at` is an event's version, or a step before which it is forked; without it everything that was
    settled is kept. What was undone is not kept, and what only computes is computed anew. `edits` gives
    steps other outputs; `again` names steps of unknown outcome that may be done again all the same.
    `exists` tells whether there is an execution.
    Raises `InvalidInput` for what does not exist and `Conflict` where an effect might be repeated.
    """
    _check_names(graph, events, at, [*(edits or {}), *again])
    version = at if isinstance(at, int) else len(events)
    whole = Machine(graph)
    for event in events:
        whole.apply(event)
    story, then = _Story(events), _Then(graph, events[:version])
    _refuse_what_is_under_way(whole)
    _refuse_what_is_unknown(graph, whole.state, story, {*(edits or {}), *again})
    anew = story.undone | {*again}
    dropped = _from_on(graph, at) if isinstance(at, str) else frozenset()
    kept = {step: found for step, found in then.settled(dropped) if step not in anew}
    kept |= {step: Kept(output=output) for step, output in (edits or {}).items()}
    ended = {name for name, step in whole.state.steps.items() if step.status in SETTLED}
    unsettled = {
        step: found
        for step, found in story.unsettled()
        if step in story.open or step in story.calls_of or _home(graph, step) not in ended
    }
    for step, child in _children_begun(whole):
        if exists(child):
            unsettled[step] = msgspec.structs.replace(unsettled.get(step, Unsettled()), child=child)
    open_still = {step: found for step, found in unsettled.items() if step not in kept and step not in again}
    return Fork(version=version, kept=kept, unsettled=open_still)


def _children_begun(whole: Machine) -> Iterator[tuple[str, str]]:
    """Executions that steps had started and that did not come to their result."""
    for name, step in whole.state.steps.items():
        if (
            step.status not in SETTLED
            and step.attempt
            and whole.graph.nodes[step.node].step.kind is Kind.SUBWORKFLOW
        ):
            yield name, child_execution_id(whole.state.execution_id, name)


class _Then:
    """How the steps stood after some of the events."""

    def __init__(self, graph: Graph, events: Sequence[Event]) -> None:
        self._graph = graph
        self._steps = read_execution(events).steps
        self._versions = {
            step: number for number, event in enumerate(events, 1) if (step := getattr(event, "step", ""))
        }
        self._items = {event.step: event.items for event in events if isinstance(event, FanOutStarted)}

    def settled(self, dropped: Collection[str]) -> Iterator[tuple[str, Kept]]:
        """What steps gave, save for those dropped; of what was not settled as a whole, its parts."""
        for name, step in self._steps.items():
            home, node = _home(self._graph, name), self._graph.nodes.get(defined_step(name))
            if node is None or _is_decided_anew(step, node) or name.startswith(UNDOES):
                continue
            if self._is_over(home) if home != name else home in dropped:
                continue
            if node.step.kind is Kind.LOOP and name.endswith("]"):
                continue  # whether there is another round is decided by what is inside this one
            if step.status in SETTLED:
                yield name, self._kept(name, step)
            elif home == name and self._is_over(name):
                yield name, Kept(error=step.error, version=self._versions[name])

    def _is_over(self, name: str) -> bool:
        """Whether a step of the definition itself has come to a result, or to a failure that leads on."""
        step, node = self._steps.get(name), self._graph.nodes.get(name)
        if step is None or node is None:
            return False
        return step.status in SETTLED or (step.status == "failed" and node.handled and _is_final(step, node))

    def _kept(self, name: str, step: StepReading) -> Kept:
        item = name.partition("[")[0], name.partition("[")[2].partition("]")[0]
        items = self._items.get(item[0], ())
        return Kept(
            output=step.output,
            version=self._versions[name],
            child=step.child,
            item=digest_of(items[int(item[1])]) if items and item[1] else "",
        )


class _Story:
    """What the events of an execution say of effects that were announced and of their ends."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.open: dict[str, StepStarted] = {}
        self.instead: dict[str, StepStarted] = {}
        self.undone: set[str] = set()
        self.calls: dict[str, CallStarted | CallEnded] = {}
        self.calls_of: dict[str, dict[str, None]] = {}
        self._fell_back: set[str] = set()
        self._handed_on: dict[str, Unsettled] = {}
        for event in events:
            self._take(event)

    def unknown(self) -> Iterator[str]:
        """Steps whose effect may have happened, or been undone, and cannot be asked for again by its key."""
        for step, started in [*self.open.items(), *self.instead.items()]:
            if step.startswith(UNDOES):
                yield step.removeprefix(UNDOES)
            elif started.key and started.effect != "keyed":
                yield step

    def unsettled(self) -> Iterator[tuple[str, Unsettled]]:
        """What a step that is done again has to know."""
        for step in dict.fromkeys([*self.open, *self.instead, *self.calls_of, *self._handed_on]):
            before = self._handed_on.get(step, Unsettled())
            started, instead = self.open.get(step), self.instead.get(step)
            calls = (self.calls.get(call) for call in self.calls_of.get(step, ()))
            yield (
                step,
                Unsettled(
                    key=started.key if started is not None else before.key,
                    payload=started.payload if started is not None else before.payload,
                    instead_key=instead.key if instead is not None else before.instead_key,
                    instead_payload=instead.payload if instead is not None else before.instead_payload,
                    calls=tuple(call for call in calls if call is not None),
                    child=before.child,
                ),
            )

    def _take(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            (self.instead if event.step in self._fell_back else self.open)[event.step] = event
        elif isinstance(event, FallbackStarted):
            self._fell_back.add(event.step)
        elif isinstance(event, ExecutionStarted):
            self._take_over(event)
        elif isinstance(event, StepOutcomeResolved) and event.call:
            self._settle_call(event)
        elif isinstance(event, StepCompleted | StepOutcomeResolved | StepFailed):
            self._end_step(event)
        elif isinstance(event, CallStarted):
            self.calls[event.call] = event
            self.calls_of.setdefault(event.step, {})[event.call] = None
        elif isinstance(event, CallEnded):
            self._end_call(event)

    def _end_step(self, event: StepCompleted | StepOutcomeResolved | StepFailed) -> None:
        step = event.step
        if isinstance(event, StepFailed):
            for begun in (self.open, self.instead):
                tried = begun.get(step)
                if (
                    tried is not None
                    and tried.attempt == event.attempt
                    and not _may_have_happened(event.error)
                ):
                    del begun[step]
            return
        for known in (self.open, self.instead, self._handed_on):
            known.pop(step, None)
        if isinstance(event, StepOutcomeResolved) and not event.happened:
            return
        for call in self.calls_of.pop(step, ()):
            self.calls.pop(call, None)
        if step.startswith(UNDOES):
            self.undone.add(step.removeprefix(UNDOES))

    def _take_over(self, event: ExecutionStarted) -> None:
        """What a fork was to take over itself, and may not have come to, is handed on to the next one."""
        self._handed_on = dict(event.unsettled)
        for step, found in event.unsettled.items():
            for call in found.calls:
                self.calls[call.call] = call
                self.calls_of.setdefault(step, {})[call.call] = None

    def _settle_call(self, event: StepOutcomeResolved) -> None:
        """A person said what became of a call; the step that made it has not ended by that."""
        before = self.calls.pop(event.call, None)
        if event.happened and before is not None:
            done = CallEnded(at=event.at, call=event.call, payload=before.payload, output=event.output)
            self.calls[event.call] = done

    def _end_call(self, event: CallEnded) -> None:
        """A call that failed is made again; one that may have happened all the same, under its key."""
        if event.error is None:
            self.calls[event.call] = event
        elif not _may_have_happened(event.error):
            self.calls.pop(event.call, None)


def _is_decided_anew(step: StepReading, node: Node) -> bool:
    """Whether a step only computed; one that fell back to an action did something."""
    fallback = node.step.fallback if step.status == "succeeded_by_fallback" else None
    return node.step.kind in DECIDED_ANEW and not (fallback and fallback.agent)


def _may_have_happened(error: Failure) -> bool:
    """Whether an effect that ended like this may have happened all the same, so that it keeps its key."""
    return error.retryable or error.code in UNFIT


def _check_names(graph: Graph, events: Sequence[Event], at: int | str | None, named: Sequence[str]) -> None:
    steps = graph.bodies[""].steps
    for step in [*named, *([at] if isinstance(at, str) else [])]:
        if step.partition("[")[0] not in steps:
            raise InvalidInput(
                f"There is no step {step!r} in {graph.definition.name!r}.",
                fix=f"Its steps: {', '.join(steps[:20])}.",
                field="step",
            )
    if isinstance(at, int) and not 1 <= at <= len(events):
        raise InvalidInput(
            f"There is no event {at}.", fix=f"Its events are numbered from 1 to {len(events)}.", field="at"
        )


def _from_on(graph: Graph, step: str) -> frozenset[str]:
    """A step and everything behind it."""
    found, ahead = {step}, [step]
    while ahead:
        for edge in graph.nodes[ahead.pop()].outgoing:
            if edge.target not in found:
                found.add(edge.target)
                ahead.append(edge.target)
    return frozenset(found)


def _home(graph: Graph, name: str) -> str:
    """The step outside all blocks that a step, an item or a step inside a block belongs to."""
    home = defined_step(name.partition(".")[0])
    while home in graph.nodes and graph.nodes[home].block:
        home = graph.nodes[home].block
    return home


def _is_final(step: StepReading, node: Node) -> bool:
    """Whether nothing more was tried; one that was taken over was not tried at all."""
    retryable = step.error is not None and step.error.retryable
    return not retryable or not step.attempts or step.attempts >= node.step.retry.max_attempts


def _refuse_what_is_under_way(machine: Machine) -> None:
    state = machine.state
    under_way = [
        command.step for command in machine.outstanding if isinstance(command, InvokeAction | StartChild)
    ]
    if under_way or (state.ending is not None and not state.ended):
        what = f"{under_way[0]} runs" if under_way else f"it is {state.status}"
        raise Conflict(
            f"{state.execution_id} cannot be forked while {what}.", fix="Pause or cancel it, or wait."
        )


def _refuse_what_is_unknown(graph: Graph, state: State, story: _Story, decided: Collection[str]) -> None:
    unknown = {name for name, step in state.steps.items() if step.status == "outcome_unknown"}
    for step in sorted(unknown | set(story.unknown())):
        if step not in decided and _home(graph, step) not in decided:
            raise Conflict(
                f"Nobody knows what became of {step!r} in {state.execution_id}.",
                fix="Give its output in edits if it happened, or name it in again if it did not.",
            )
