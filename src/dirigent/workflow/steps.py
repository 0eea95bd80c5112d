"""Steps made in Python, and the ways between them.

A step is its keys, named as in a file. `a >> b` is a connection; lists fan out and in:
`check >> [mail, call] >> report`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypedDict

from dirigent.workflow.expressions import Expression, literal, plain, source_of

Duration = str | int | timedelta
Condition = Expression | str

_NAME = re.compile(r"[A-Za-z_]\w*")


class Common(TypedDict, total=False):
    """What may be said of every step.

    `when` guards it; `on_error` is fail, continue, or the step that a failure leads to; `ends_as` is the
    status that its failure gives the run: failed, blocked or rejected. `join` is how many of its ways in
    begin it (any, or a number), and with `cancel_rest` the others are then stopped.
    """

    when: Condition
    on_error: str | Step
    ends_as: str
    join: str | int
    cancel_rest: bool


class Yielding(Common, total=False):
    """What may be said of a step that has a result of its own.

    `fallback` takes its place after the last attempt: continue (nothing), or what `instead` makes;
    `output` makes the step's output from it, named `result`.
    """

    fallback: str | Mapping[str, Any]
    output: Mapping[str, Any] | Expression


class Acting(Yielding, total=False):
    """What may be said of a step that takes an action: how long, how often, for how many items."""

    foreach: Condition
    max_parallel: int
    timeout: Duration
    retry_policy: Mapping[str, Any]
    compensate: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Step:
    """One step: its id, its type, and its keys as a file would have them."""

    id: str
    type: str
    keys: Mapping[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> Expression:
        """What it gives, for the expressions of later steps."""
        return Expression(f"steps.{self.id}" if _NAME.fullmatch(self.id) else f"steps[{literal(self.id)}]")

    @property
    def true(self) -> Way:
        """The way out of a condition that holds."""
        return Way((self,), on="true")

    @property
    def false(self) -> Way:
        """The way out of a condition that does not hold."""
        return Way((self,), on="false")

    @property
    def error(self) -> Way:
        """The way out after its last attempt has failed."""
        return Way((self,), on="error")

    def where(self, condition: Condition) -> Way:
        """A way out that is taken where a condition holds."""
        return Way((self,), condition=source_of(condition))

    def __rshift__(self, then: Target) -> Chain:
        return Way((self,)) >> then

    def __rrshift__(self, before: Sequence[Step]) -> Chain:
        return Way(tuple(before)) >> self


@dataclass(frozen=True)
class Way:
    """A way out of some steps that still needs where it leads."""

    sources: tuple[Step, ...]
    on: str = ""
    condition: str = ""

    def __rshift__(self, then: Target) -> Chain:
        chain = chain_of(then)
        ways = tuple(
            Connection(source.id, head.id, self.on, self.condition)
            for source in self.sources
            for head in chain.heads
        )
        return Chain((*self.sources, *chain.steps), (*ways, *chain.connections), self.sources, chain.tails)


@dataclass(frozen=True)
class Connection:
    """A way between two steps, by their ids."""

    source: str
    target: str
    on: str = ""
    condition: str = ""

    def as_data(self) -> dict[str, Any]:
        """As a file would have it."""
        keys = {"from": self.source, "to": self.target, "condition": self.condition, "on": self.on}
        return {key: value for key, value in keys.items() if value}


@dataclass(frozen=True)
class Chain:
    """Steps joined by connections; what comes next is joined to its tails."""

    steps: tuple[Step, ...]
    connections: tuple[Connection, ...]
    heads: tuple[Step, ...]
    tails: tuple[Step, ...]

    def __rshift__(self, then: Target) -> Chain:
        after = Way(self.tails) >> then
        return Chain(
            (*self.steps, *after.steps), (*self.connections, *after.connections), self.heads, after.tails
        )

    def __rrshift__(self, before: Sequence[Step]) -> Chain:
        return Way(tuple(before)) >> self


Target = Step | Chain | Sequence["Step | Chain"]


def chain_of(part: Target) -> Chain:
    """Anything that can stand beside `>>` as a chain."""
    if isinstance(part, Chain):
        return part
    if isinstance(part, Step):
        return Chain((part,), (), (part,), (part,))
    chains = [chain_of(one) for one in part]
    return Chain(
        tuple(step for chain in chains for step in chain.steps),
        tuple(way for chain in chains for way in chain.connections),
        tuple(step for chain in chains for step in chain.heads),
        tuple(step for chain in chains for step in chain.tails),
    )


def step(id: str, type: str, /, **keys: Any) -> Step:
    """A step of any type, with its keys as in a file; the functions for each type are built on it.

    Expressions may stand for themselves; durations may be a `timedelta`; where a file has steps inside a
    step, steps stand.
    """
    return Step(id, type, {key: value for key, value in keys.items() if value is not None})


def retry(
    max_attempts: int = 3,
    *,
    initial: Duration | None = None,
    backoff_factor: float | None = None,
    max: Duration | None = None,
    jitter: float | None = None,
) -> dict[str, Any]:
    """A retry policy: how often a step is tried in all, and how long it waits in between."""
    keys = {
        "max_attempts": max_attempts,
        "initial": initial,
        "backoff_factor": backoff_factor,
        "max": max,
        "jitter": jitter,
    }
    return {key: value for key, value in keys.items() if value is not None}


def undo(
    agent_type: str,
    action: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    timeout: Duration | None = None,
    retry_policy: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What takes back a step that has succeeded, where the run ends without its result."""
    keys = {
        "agent_type": agent_type,
        "action": action,
        "parameters": parameters,
        "timeout": timeout,
        "retry_policy": retry_policy,
    }
    return {key: value for key, value in keys.items() if value is not None}


def instead(
    agent_type: str | None = None,
    action: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    *,
    value: Any = None,
) -> dict[str, Any]:
    """What takes the place of a result after the last attempt: another action, or a value."""
    if action is None:
        return {"value": value}
    keys = {"agent_type": agent_type, "action": action, "parameters": parameters}
    return {key: value for key, value in keys.items() if value is not None}


def case(to: Step | str, *, when: Condition | None = None, value: Any = None) -> dict[str, Any]:
    """A way out of a switch: taken where a condition holds, or where `on` of the switch gives a value."""
    said: dict[str, Any] = {"value": value} if when is None else {"when": source_of(when)}
    return said | {"to": name_of(to)}


def name_of(one: Step | str) -> str:
    """The id of a step, given as such or as the step itself."""
    return one.id if isinstance(one, Step) else one


def as_data(one: Step) -> dict[str, Any]:
    """The step as a file would have it."""
    return {"id": one.id, "type": one.type} | {key: written(key, value) for key, value in one.keys.items()}


_EXPRESSIONS = ("when", "foreach", "filter", "on", "while", "until")
_DURATIONS = ("timeout", "duration", "initial", "max")
_INSIDE = ("retry_policy", "compensate")


def written(key: str, value: Any) -> Any:
    """The value of a key as a file would have it."""
    if key in _EXPRESSIONS:
        return source_of(value)
    if key in _DURATIONS and isinstance(value, timedelta):
        return f"{round(value / timedelta(milliseconds=1))}ms"
    if key in _INSIDE:
        return {name: written(name, inner) for name, inner in value.items()}
    if key == "conditions":
        return [source_of(one) if isinstance(one, Expression) else one for one in value]
    if key == "steps":
        return [as_data(one) for one in value]
    if key == "branches":
        return [[as_data(one) for one in branch] for branch in value]
    if key == "on_error" and isinstance(value, Step):
        return {"fallback": value.id}
    return plain(value)
