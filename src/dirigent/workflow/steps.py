"""Steps made in Python, and the ways between them.

A step is its keys, named as in a file. `a >> b` is a connection; lists fan out and in:
`check >> [mail, call] >> report`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypedDict, Unpack

from dirigent.workflow.expressions import Expression, literal, plain, source_of

Duration = str | int | timedelta
Condition = Expression | str

_NAME = re.compile(r"[A-Za-z_]\w*")


class Common(TypedDict, total=False):
    """What may be said of every step.

    `when` guards it; `on_error` is fail or continue; `ends_as` is the status that its failure gives the
    run: failed, blocked or rejected.
    """

    when: Condition
    on_error: str
    ends_as: str


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


def agent(
    id: str,
    agent_type: str,
    action: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    foreach: Condition | None = None,
    max_parallel: int | None = None,
    timeout: Duration | None = None,
    retry_policy: Mapping[str, Any] | None = None,
    compensate: Mapping[str, Any] | None = None,
    **common: Unpack[Common],
) -> Step:
    """An action of an agent; with `foreach` once for each item of a list, as `item` and `index`."""
    return step(
        id,
        "agent",
        agent_type=agent_type,
        action=action,
        parameters=parameters,
        foreach=foreach,
        max_parallel=max_parallel,
        timeout=timeout,
        retry_policy=retry_policy,
        compensate=compensate,
        **common,
    )


def validation(
    id: str,
    *conditions: Condition,
    required_fields: Iterable[str] = (),
    code: str | None = None,
    message: str | Expression | None = None,
    **common: Unpack[Common],
) -> Step:
    """Fields that must be there and conditions that must hold; else it fails with a code and a message."""
    needed = list(required_fields) or None
    parameters = {"required_fields": needed, "code": code, "message": message}
    given = {key: value for key, value in parameters.items() if value is not None}
    return step(id, "validation", parameters=given or None, conditions=list(conditions) or None, **common)


def condition(id: str, *conditions: Condition, **common: Unpack[Common]) -> Step:
    """A branch: `true` and `false` are its ways out."""
    return step(id, "condition", conditions=list(conditions), **common)


def transform(id: str, parameters: Mapping[str, Any] | None = None, **common: Unpack[Common]) -> Step:
    """Values worked out from others; they are its output."""
    return step(id, "transform", parameters=parameters, **common)


def approval(
    id: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    timeout: Duration | None = None,
    approvers: Sequence[str | Expression] | None = None,
    roles: Sequence[str] | None = None,
    required: int | None = None,
    reject_after: int | None = None,
    not_requester: bool | None = None,
    on_expiry: str | None = None,
    **common: Unpack[Common],
) -> Step:
    """A decision of one person, or of several; the parameters are what they see."""
    return step(
        id,
        "approval",
        parameters=parameters,
        timeout=timeout,
        approvers=approvers,
        roles=roles,
        required=required,
        reject_after=reject_after,
        not_requester=not_requester,
        on_expiry=on_expiry,
        **common,
    )


def wait(id: str, duration: Duration | None = None, **common: Unpack[Common]) -> Step:
    """Some time."""
    return step(id, "wait", duration=duration, **common)


def wait_for_event(
    id: str,
    event: str | Expression,
    *,
    filter: Condition | None = None,
    timeout: Duration | None = None,
    **common: Unpack[Common],
) -> Step:
    """Something that is told from outside; its data is the output."""
    return step(id, "wait_for_event", event=event, filter=filter, timeout=timeout, **common)


def emit(
    id: str,
    event: str | Expression,
    data: Any = None,
    *,
    subject: str | Expression | None = None,
    **keys: Any,
) -> Step:
    """An event that is published, once."""
    return step(id, "emit", event=event, data=data, subject=subject, **keys)


def http(id: str, url: str | Expression, method: str | None = None, **keys: Any) -> Step:
    """A request to another system; `headers`, `query`, `body` and `effect` as in a file."""
    return step(id, "http", url=url, method=method, **keys)


def notify(
    id: str,
    message: str | Expression,
    *,
    level: str | None = None,
    to: Sequence[str | Expression] | None = None,
    channels: Sequence[str] | None = None,
    **keys: Any,
) -> Step:
    """Something that our own people are told."""
    return step(id, "notify", message=message, level=level, to=to, channels=channels, **keys)


def subworkflow(
    id: str,
    workflow: str | Expression,
    parameters: Mapping[str, Any] | None = None,
    *,
    compensate: Mapping[str, Any] | None = None,
    **common: Unpack[Common],
) -> Step:
    """Another workflow: one that is stored, by its name, or one that an expression gives."""
    return step(id, "subworkflow", workflow=workflow, parameters=parameters, compensate=compensate, **common)


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


def as_data(one: Step) -> dict[str, Any]:
    """The step as a file would have it."""
    return {"id": one.id, "type": one.type} | {key: _written(key, value) for key, value in one.keys.items()}


_EXPRESSIONS = ("when", "foreach", "filter", "on", "repeat_while")
_DURATIONS = ("timeout", "duration", "initial", "max")
_STEPS = ("steps", "branches")


def _written(key: str, value: Any) -> Any:
    if key in _EXPRESSIONS:
        return source_of(value)
    if key == "conditions":
        return [source_of(one) if isinstance(one, Expression) else one for one in value]
    if key in _DURATIONS and isinstance(value, timedelta):
        return f"{round(value / timedelta(milliseconds=1))}ms"
    if key in _STEPS:
        return [as_data(one) if isinstance(one, Step) else _written(key, one) for one in value]
    if key in ("retry_policy", "compensate"):
        return {name: _written(name, inner) for name, inner in value.items()}
    return plain(value)
