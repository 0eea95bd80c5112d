"""Everything an execution knows, as a fold over its events."""

from __future__ import annotations

from collections import ChainMap
from typing import Any

import msgspec

from dirigent.domain.approval import Deciders
from dirigent.domain.canonical import digest_of, plain
from dirigent.domain.command import Command
from dirigent.domain.event import (
    CallEnded,
    CallStarted,
    Compensation,
    ExecutionCancelled,
    ExecutionFailed,
    Failure,
    Kept,
    Passport,
    SignalReceived,
    StepCompleted,
    StepFailed,
    Unsettled,
)
from dirigent.domain.ids import item_step
from dirigent.interpreter.graph import Body, Graph, Node

RESERVED_NAMES = frozenset({"input", "steps", "item", "index", "run"})


Ended = StepCompleted | StepFailed


class StepState(msgspec.Struct, kw_only=True):
    """One step, or one item of a `foreach` step or of a loop, as it stands.

    `node` is its id in the definition and `region` where it stands; `parent` is the step that it is an
    item of. `status` is pending, running, waiting (a person or a time), outcome_unknown, succeeded,
    succeeded_by_fallback, failed, skipped or cancelled. `undecided` and `taken` count the ways in; `cut`
    names the failed step behind which nothing runs. `votes` are what people said about the approval that
    it waits for, `payload` is what that is about. `effect` is the class of what an attempt that was let
    through does, `reserved` what it may cost while it is not settled. `fell_back` says that its fallback
    acts, `let_go` why nobody waits for it any more, and `overdue` that this is so because its time is
    over. An item that has given its place back is `away`; `parked` are the steps that go on when it has
    one again, each with what is recorded then.
    """

    node: str
    region: str = ""
    parent: str = ""
    index: int = -1
    status: str = "pending"
    attempt: int = 0
    undecided: int = 0
    taken: int = 0
    cut: str = ""
    inputs: dict[str, Any] | None = None
    started: bool = False
    effect: str = ""
    approved: str = ""
    error: Failure | None = None
    approval: str = ""
    approvals: int = 0
    deciders: Deciders | None = None
    votes: dict[str, str] = msgspec.field(default_factory=dict)
    payload: str = ""
    reference: str = ""
    lookup: bool = False
    looks: int = 0
    unclear_call: str = ""
    calls: list[str] | None = None
    started_at: int = 0
    reserved: float = 0.0
    fell_back: bool = False
    let_go: str = ""
    overdue: bool = False
    away: bool = False
    parked: dict[str, Ended | None] | None = None

    @property
    def success(self) -> str:
        """The status with which it has its result."""
        return "succeeded_by_fallback" if self.fell_back else "succeeded"


class Timing(msgspec.Struct, kw_only=True):
    """How often a step or its items ran, how often that failed, and how long it took in all."""

    runs: int = 0
    failures: int = 0
    duration_ms: int = 0


class FanState(msgspec.Struct, kw_only=True):
    """A `foreach` step under way: its items, how many have begun, run and ended.

    `ready` are the items that may go on and wait until fewer than the bound run; those before `served`
    have had their turn. With `stopped` no further item begins.
    """

    items: list[Any]
    begun: int = 0
    running: int = 0
    ended: int = 0
    results: list[Any]
    failures: list[dict[str, Any]]
    ready: list[str] = msgspec.field(default_factory=list)
    served: int = 0
    stopped: bool = False


class LoopState(msgspec.Struct, kw_only=True):
    """A loop under way: how often its steps have run, and the output of the last time."""

    count: int = 0
    previous: Any = None


class RegionState(msgspec.Struct, kw_only=True):
    """The steps of the definition as they run, or those of a block, each time it runs.

    `outer` is the region around it, None for the whole, and `prefix` what the names of its steps begin
    with. `names` are what expressions inside it may read besides. `outputs` are by id, and `latest` says
    whose output has a name last. `remaining` counts the steps that have not ended, `open` those of them
    that have begun, `waiting` those that wait for a person. `failure` is the first that nobody handled.
    With `stopping` nothing begins any more.
    """

    outer: str | None = None
    prefix: str = ""
    names: dict[str, Any] = msgspec.field(default_factory=dict)
    outputs: dict[str, Any] = msgspec.field(default_factory=dict)
    latest: dict[str, str] = msgspec.field(default_factory=dict)
    remaining: int = 0
    open: int = 0
    waiting: int = 0
    stopping: bool = False
    failure: Failure | None = None
    failure_status: str = ""


def _whole() -> dict[str, RegionState]:
    return {"": RegionState()}


class Signals(msgspec.Struct, kw_only=True):
    """What was told from outside, and who waits for it.

    `awaited` holds the name or pattern by step, in the order in which they began to wait; `kept` what
    nobody has taken yet; `taken` what a step is about to end with; `seen` a digest by the id of every
    signal there ever was.
    """

    awaited: dict[str, str] = msgspec.field(default_factory=dict)
    kept: list[SignalReceived] = msgspec.field(default_factory=list)
    taken: dict[str, SignalReceived] = msgspec.field(default_factory=dict)
    seen: dict[str, str] = msgspec.field(default_factory=dict)


class Undo(msgspec.Struct, kw_only=True):
    """How to undo what a completed step did: by which node and with what inputs, or why that cannot be."""

    step: str
    node: str
    inputs: dict[str, Any] = msgspec.field(default_factory=dict)
    error: Failure | None = None


class State(msgspec.Struct, kw_only=True):
    """The state of one execution.

    `regions` are the whole, under the empty name, and every block that runs, under its step's name.

    `kept` and `unsettled` are what a forked execution takes over, by step, until that begins.

    `outstanding` holds every command that no event has answered yet; `held` the steps that a paused
    execution has not begun. `calls` holds what running actions asked for, so that a repeated attempt
    finds what it already has. `undo` is what completed steps left to be undone, oldest first. `ending` is
    how the execution will end, once all is settled: `settling` are the steps whose end is waited for,
    `undoing` those among them that undo others, `unclear` those of unknown outcome; `undone` is what came
    of it.
    """

    execution_id: str = ""
    workflow: str = ""
    status: str = "new"
    passport: Passport | None = None
    input: dict[str, Any] = msgspec.field(default_factory=dict)
    labels: dict[str, Any] = msgspec.field(default_factory=dict)
    parent: str = ""
    parent_step: str = ""
    trigger: str = ""
    kept: dict[str, Kept] = msgspec.field(default_factory=dict)
    unsettled: dict[str, Unsettled] = msgspec.field(default_factory=dict)
    steps: dict[str, StepState] = msgspec.field(default_factory=dict)
    regions: dict[str, RegionState] = msgspec.field(default_factory=_whole)
    fans: dict[str, FanState] = msgspec.field(default_factory=dict)
    loops: dict[str, LoopState] = msgspec.field(default_factory=dict)
    calls: dict[str, CallStarted | CallEnded] = msgspec.field(default_factory=dict)
    signals: Signals = msgspec.field(default_factory=Signals)
    outstanding: dict[str, Command] = msgspec.field(default_factory=dict)
    paused: bool = False
    pending: bool = False
    held: list[str] = msgspec.field(default_factory=list)
    undo: list[Undo] = msgspec.field(default_factory=list)
    undoing: dict[str, Undo] = msgspec.field(default_factory=dict)
    undone: list[Compensation] = msgspec.field(default_factory=list)
    settling: list[str] = msgspec.field(default_factory=list)
    unclear: list[str] = msgspec.field(default_factory=list)
    ending: ExecutionFailed | ExecutionCancelled | None = None
    degraded: bool = False
    output: Any = None
    spent: float = 0.0
    timings: dict[str, Timing] = msgspec.field(default_factory=dict)
    now: int = 0
    started_at: int = 0
    ended_at: int = 0
    version: int = 0

    @property
    def ended(self) -> bool:
        """Whether a terminal event has been applied."""
        return self.ended_at > 0

    @property
    def outputs(self) -> dict[str, Any]:
        """The outputs of the steps of the definition, those inside blocks left out."""
        return self.regions[""].outputs

    @property
    def failure(self) -> Failure | None:
        """The first failure that nobody handled."""
        return self.regions[""].failure

    def digest(self) -> str:
        """Hex SHA-256 over the whole state; equal states give equal digests in every process."""
        return digest_of(plain(self))


class Turn:
    """One application of one event: the state, its graph, and the commands that come out."""

    __slots__ = ("commands", "graph", "state")

    def __init__(self, state: State, graph: Graph) -> None:
        self.state = state
        self.graph = graph
        self.commands: list[Command] = []

    def order(self, name: str, command: Command) -> None:
        """Emit a command; it stays outstanding under this name."""
        self.state.outstanding[name] = command
        self.commands.append(command)

    def answered(self, name: str) -> None:
        """The command under this name needs no doing any more, not even once a pause is over."""
        self.state.outstanding.pop(name, None)
        if self.state.held:
            self.state.held = [step for step in self.state.held if name != f"step:{step}"]

    def node_of(self, step: str) -> Node:
        """The node of a step, or of the step that an item belongs to."""
        return self.graph.nodes[self.state.steps[step].node]

    def region_of(self, step: str) -> RegionState:
        """The region that a step stands in."""
        return self.state.regions[self.state.steps[step].region]

    def scope(self, names: frozenset[str], *, step: str = "", inside: str | None = None) -> dict[str, Any]:
        """What these names stand for where a step stands, or `inside` a region.

        These are input, steps, run, what belongs to an item or a loop, and bare names. A bare name is the
        value of that name in the latest step output that has it, first inside the step's own block, then
        around it, else in the input, else the output of the step of that name.
        """
        state = self.state
        found = state.steps.get(step)
        if inside is None:
            inside = found.region if found is not None else ""
        region = state.regions[inside]
        scope: dict[str, Any] = {"input": state.input, "steps": region.outputs, "run": {}}
        around = [region]
        while around[-1].outer is not None:
            around.append(state.regions[around[-1].outer])
        if len(around) > 1:
            scope["steps"] = ChainMap(*(each.outputs for each in around))
        if "run" in names:
            scope["run"] = _run_facts(state)
        for name in names - RESERVED_NAMES:
            holder = next((each for each in around if name in each.latest), None)
            if holder is not None:
                scope[name] = holder.outputs[holder.latest[name]][name]
            elif name in state.input:
                scope[name] = state.input[name]
            elif (given := next((each for each in around if name in each.outputs), None)) is not None:
                scope[name] = given.outputs[name]
        if region.names:
            scope |= region.names
        if found is not None and found.parent:
            scope |= names_of_item(state, found)
        return scope


def names_of_item(state: State, item: StepState) -> dict[str, Any]:
    """What only the expressions of one item of a `foreach` step, or of one time round a loop, may read."""
    loop = state.loops.get(item.parent)
    if loop is not None:
        return {"index": item.index, "previous": loop.previous}
    return {"item": state.fans[item.parent].items[item.index], "index": item.index}


def calls_under_way(state: State, step: StepState) -> float:
    """What the calls of a step may cost that were let through and of whose end nothing is known."""
    calls = (state.calls[call] for call in step.calls or ())
    return sum(call.reserved for call in calls if isinstance(call, CallStarted))


def set_aside(state: State) -> dict[str, float]:
    """What steps and calls that were let through, and have no outcome yet, may cost."""
    steps = {
        name: step.reserved
        for name, step in state.steps.items()
        if step.reserved and step.status == "running"
    }
    calls = {call.call: call.reserved for call in state.calls.values() if isinstance(call, CallStarted)}
    return steps | {name: cost for name, cost in calls.items() if cost}


def remember_output(state: State, step: str, output: Any, *, by_name: bool = True) -> None:
    """Keep a step's output and let its fields be read by bare name."""
    node = state.steps[step].node
    region = state.regions[state.steps[step].region]
    region.outputs[node] = output
    if by_name and isinstance(output, dict):
        for name in output:
            region.latest[name] = node


def open_region(turn: Turn, key: str, region: RegionState, body: Body) -> None:
    """Make the states of all steps of a body."""
    turn.state.regions[key] = region
    region.remaining = len(body.steps)
    for step in body.steps:
        opened = StepState(node=step, region=key, undecided=turn.graph.nodes[step].incoming)
        turn.state.steps[region.prefix + step] = opened


def close_region(turn: Turn, key: str) -> None:
    """Forget a block that has ended, with everything inside it."""
    region = turn.state.regions.pop(key)
    for step in turn.graph.bodies[turn.state.steps[key].node].steps:
        name = region.prefix + step
        close_items(turn.state, name)
        del turn.state.steps[name]


def close_items(state: State, step: str) -> None:
    """Forget the items of a step."""
    state.loops.pop(step, None)
    fan = state.fans.pop(step, None)
    for index in range(fan.begun if fan is not None else 0):
        del state.steps[item_step(step, index)]


def open_item(state: State, fan_step: str, index: int) -> str:
    """Make the state of one item of a `foreach` step, or of one time round a loop."""
    name = item_step(fan_step, index)
    fan = state.steps[fan_step]
    state.steps[name] = StepState(node=fan.node, region=fan.region, parent=fan_step, index=index)
    return name


def note_timing(state: State, step: str, *, failed: bool) -> None:
    """Count one run of a step that began with `StepStarted`, under its id in the definition."""
    attempt = state.steps[step]
    if not attempt.started_at:
        return
    timing = state.timings.get(attempt.node)
    if timing is None:
        timing = state.timings[attempt.node] = Timing()
    timing.runs += 1
    timing.failures += failed
    timing.duration_ms += state.now - attempt.started_at


def _run_facts(state: State) -> dict[str, Any]:
    passport = state.passport
    assert passport is not None, "an execution starts with ExecutionStarted"
    return {
        "id": state.execution_id,
        "tenant": passport.tenant,
        "actor": passport.actor,
        "autonomy": passport.autonomy,
        "budget": passport.budget,
        "workflow": state.workflow,
        "timings": plain(state.timings),
    }
