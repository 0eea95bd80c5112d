"""A workflow definition: immutable, hashed by content."""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterator
from typing import Any

import msgspec

from dirigent.domain.approval import ANYBODY, Deciders
from dirigent.domain.canonical import digest_of
from dirigent.domain.trigger import Trigger


class Kind(enum.StrEnum):
    """What a step does."""

    AGENT = "agent"
    VALIDATION = "validation"
    CONDITION = "condition"
    SWITCH = "switch"
    TRANSFORM = "transform"
    APPROVAL = "approval"
    WAIT = "wait"
    WAIT_FOR_EVENT = "wait_for_event"
    SUBWORKFLOW = "subworkflow"
    EMIT = "emit"
    HTTP = "http"
    NOTIFY = "notify"
    PARALLEL = "parallel"
    LOOP = "loop"
    FOREACH = "foreach"


BLOCKS = frozenset({Kind.PARALLEL, Kind.LOOP, Kind.FOREACH})


class FlowType(enum.StrEnum):
    """How missing connections are read: one after the other, or all at once."""

    SEQUENTIAL = "sequential"
    PARALLEL = "parallel"
    CONDITIONAL = "conditional"
    EVENT_DRIVEN = "event_driven"
    HYBRID = "hybrid"


class Retry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How often a step is tried, the first time included, and how long it waits in between.

    The wait before attempt n+1 is `initial_ms * backoff_factor ** (n - 1)`, at most `max_ms`, spread
    by up to `jitter` of itself.
    """

    max_attempts: int = 1
    initial_ms: int = 1000
    backoff_factor: float = 2.0
    max_ms: int = 60_000
    jitter: float = 0.1


class Case(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One way out of a `switch`: taken where `when` holds, or where the step's `on` gives `value`."""

    to: str
    when: str = ""
    value: Any = None


class Fallback(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What takes the place of a step's result after its last attempt: another action, or a value.

    Without an action `value` is the output; it and `parameters` may hold expressions.
    """

    agent: str = ""
    action: str = ""
    parameters: dict[str, Any] = {}
    value: Any = None


class Compensate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The action that undoes a completed step where the run ends without its result.

    `parameters` may hold expressions; they are read when the step completes, its output as `output`.
    """

    agent: str
    action: str
    parameters: dict[str, Any] = {}
    timeout_ms: int = 0
    retry: Retry = Retry(max_attempts=3)


class Connection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A way from one step to another. `on` is success, error, true or false."""

    source: str
    target: str
    condition: str = ""
    on: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One node of a definition.

    `parameters` may hold expressions as `${ ... }`. `foreach` is an expression that gives a list; the
    step then runs once per item, at most `max_parallel` at once. `on_error` is `fail` or `continue`:
    with `continue` a failure counts as an empty output and the run ends partially completed.
    `ends_as` is the status a failure of this step gives the run. `workflow` names a workflow or is an
    expression that gives a definition. `event` is the name, or the pattern, of the signal that is waited
    for, and `filter` a condition on it. Steps of the kinds `emit`, `http` and `notify` hold the action of
    the built-in agent that carries them out.

    `join` is how many taken ways in begin the step; 0 means that all of them must be decided. With
    `cancel_rest` what still runs and leads only here is then cancelled. A `switch` takes the first of
    `cases` that holds (compared with what `on` gives, where that is said), else `default`. A block
    (`parallel`, `loop`, `foreach`) holds `steps` of its own with their `connections`, or `branches`, each
    a sequence. A `loop` repeats them while `repeat_while` holds, until `until` holds, at most
    `max_iterations` times; `until` of a `wait` gives the time to wait for. `fallback` takes the place of
    the result after the last attempt, else `fallback_step` is where a failure leads. `output` makes the
    step's output from what its action gave, named `result`.
    """

    id: str
    kind: Kind
    agent: str = ""
    action: str = ""
    parameters: dict[str, Any] = {}
    conditions: tuple[str, ...] = ()
    when: str = ""
    foreach: str = ""
    max_parallel: int = 16
    timeout_ms: int = 0
    retry: Retry = Retry()
    on_error: str = "fail"
    ends_as: str = "failed"
    workflow: str = ""
    wait_ms: int = 0
    until: str = ""
    join: int = 0
    cancel_rest: bool = False
    fallback: Fallback | None = None
    fallback_step: str = ""
    output: Any = None
    event: str = ""
    filter: str = ""
    compensate: Compensate | None = None
    deciders: Deciders = ANYBODY
    on: str = ""
    cases: tuple[Case, ...] = ()
    default: str = ""
    repeat_while: str = ""
    max_iterations: int = 0
    steps: tuple[Step, ...] = ()
    branches: tuple[tuple[Step, ...], ...] = ()
    connections: tuple[Connection, ...] = ()

    @property
    def actions(self) -> Iterator[tuple[str, str]]:
        """Agent and action of everything that the step may ask for."""
        for asked in (self, self.fallback, self.compensate):
            if asked is not None and asked.agent:
                yield asked.agent, asked.action

    @property
    def inner(self) -> tuple[Step, ...]:
        """The steps inside a block, in the order in which they are written."""
        return self.steps or tuple(step for branch in self.branches for step in branch)


class Definition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """A whole workflow. `output` maps names to expressions; empty gives the last steps' outputs.

    `input` is a JSON Schema (2020-12) of what it is started with; empty takes any mapping. `timeout_ms`
    bounds a whole run; 0 means no bound.
    """

    name: str
    type: FlowType = FlowType.SEQUENTIAL
    description: str = ""
    steps: tuple[Step, ...] = ()
    connections: tuple[Connection, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    output: dict[str, Any] = {}
    input: dict[str, Any] = {}
    timeout_ms: int = 0

    def every_step(self) -> Iterator[Step]:
        """All steps, those inside blocks included, each block before what it holds."""
        return _walk(self.steps)

    @functools.cached_property
    def content_hash(self) -> str:
        """SHA-256 over everything it says beyond the defaults; names this version for ever."""
        return digest_of(said(self))


def _walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from _walk(step.inner)


def said(value: Any) -> Any:
    """The fields that differ from their defaults, by value: equal definitions have equal hashes.

    The encoder omits defaults by identity, so that 2.0 as written and 2.0 as the default would differ.
    """
    if isinstance(value, tuple):
        return [said(item) for item in value]
    if not isinstance(value, msgspec.Struct):
        return value
    config = value.__struct_config__
    named = {config.tag_field: config.tag} if config.tag_field else {}
    fields = {name: (getattr(value, name), default) for name, default in _defaults(type(value)).items()}
    return named | {name: said(own) for name, (own, default) in fields.items() if own != default}


@functools.cache
def _defaults(kind: type[msgspec.Struct]) -> dict[str, Any]:
    fields = msgspec.structs.fields(kind)
    return {
        field.name: field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        for field in fields
    }
