"""Everything an execution knows, as a fold over its events."""

from __future__ import annotations

from typing import Any

import msgspec

from dirigent.domain.canonical import digest_of, plain
from dirigent.domain.command import Command
from dirigent.domain.event import CallEnded, CallStarted, Failure, Passport
from dirigent.domain.ids import item_step
from dirigent.interpreter.graph import Graph, Node

RESERVED_NAMES = frozenset({"input", "steps", "item", "index", "run"})


class StepState(msgspec.Struct, kw_only=True):
    """One step, or one item of a `foreach` step, as it stands.

    `status` is pending, running, waiting (a person or a time), outcome_unknown, succeeded, failed or
    skipped. `undecided` and `taken` count the ways in; `cut` names the failed step behind which nothing
    runs.
    """

    status: str = "pending"
    attempt: int = 0
    undecided: int = 0
    taken: int = 0
    cut: str = ""
    inputs: dict[str, Any] | None = None
    started: bool = False
    approved: str = ""
    error: Failure | None = None
    approval: str = ""
    approvals: int = 0
    calls: list[str] = msgspec.field(default_factory=list)
    parent: str = ""
    index: int = -1
    started_at: int = 0


class Timing(msgspec.Struct, kw_only=True):
    """How often a step or its items ran, how often that failed, and how long it took in all."""

    runs: int = 0
    failures: int = 0
    duration_ms: int = 0


class FanState(msgspec.Struct, kw_only=True):
    """A `foreach` step under way: its items, how many have begun, run and ended.

    `ready` are the items that a person let go on and that wait until fewer than the bound run.
    """

    items: list[Any]
    begun: int = 0
    running: int = 0
    ended: int = 0
    results: list[Any]
    failures: list[dict[str, Any]]
    ready: list[str] = msgspec.field(default_factory=list)


class State(msgspec.Struct, kw_only=True):
    """The state of one execution.

    `outstanding` holds every command that no event has answered yet; `held` the steps that a paused
    execution has not begun. `calls` holds what running
    actions asked for, so that a repeated attempt finds what it already has.
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
    steps: dict[str, StepState] = msgspec.field(default_factory=dict)
    outputs: dict[str, Any] = msgspec.field(default_factory=dict)
    latest: dict[str, str] = msgspec.field(default_factory=dict)
    fans: dict[str, FanState] = msgspec.field(default_factory=dict)
    calls: dict[str, CallStarted | CallEnded] = msgspec.field(default_factory=dict)
    outstanding: dict[str, Command] = msgspec.field(default_factory=dict)
    paused: bool = False
    held: list[str] = msgspec.field(default_factory=list)
    remaining: int = 0
    degraded: bool = False
    failure: Failure | None = None
    failure_status: str = ""
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
        """The command under this name needs no doing any more."""
        self.state.outstanding.pop(name, None)

    def node_of(self, step: str) -> Node:
        """The node of a step, or of the step that an item belongs to."""
        return self.graph.nodes[self.state.steps[step].parent or step]

    def scope(self, names: frozenset[str], *, step: str = "") -> dict[str, Any]:
        """What these names stand for: input, steps, run, item and index, and bare names.

        A bare name is the value of that name in the latest step output that has it, else in the input.
        """
        state = self.state
        scope: dict[str, Any] = {"input": state.input, "steps": state.outputs, "run": {}}
        if "run" in names:
            scope["run"] = _run_facts(state)
        for name in names - RESERVED_NAMES:
            if name in state.latest:
                scope[name] = state.outputs[state.latest[name]][name]
            elif name in state.input:
                scope[name] = state.input[name]
        item = state.steps.get(step)
        if item is not None and item.parent:
            scope["item"] = state.fans[item.parent].items[item.index]
            scope["index"] = item.index
        return scope


def remember_output(state: State, step: str, output: Any) -> None:
    """Keep a step's output and let its fields be read by bare name."""
    state.outputs[step] = output
    if isinstance(output, dict):
        for name in output:
            state.latest[name] = step


def open_item(state: State, fan_step: str, index: int) -> str:
    """Make the state of one item of a `foreach` step."""
    name = item_step(fan_step, index)
    state.steps[name] = StepState(parent=fan_step, index=index)
    return name


def note_timing(state: State, step: str, *, failed: bool) -> None:
    """Count one run of a step, or of an item of it, that began with `StepStarted`."""
    attempt = state.steps[step]
    if not attempt.started_at:
        return
    timing = state.timings.setdefault(attempt.parent or step, Timing())
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
