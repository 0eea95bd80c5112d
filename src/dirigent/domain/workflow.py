"""A workflow definition: immutable, hashed by content."""

from __future__ import annotations

import enum
import functools
from typing import Any

import msgspec

from dirigent.domain.canonical import digest_of


class Kind(enum.StrEnum):
    """What a step does."""

    AGENT = "agent"
    VALIDATION = "validation"
    CONDITION = "condition"
    TRANSFORM = "transform"
    APPROVAL = "approval"
    WAIT = "wait"
    SUBWORKFLOW = "subworkflow"


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


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One node of a definition.

    `parameters` may hold expressions as `${ ... }`. `foreach` is an expression that gives a list; the
    step then runs once per item, at most `max_parallel` at once. `on_error` is `fail` or `continue`:
    with `continue` a failure counts as an empty output and the run ends partially completed.
    `ends_as` is the status a failure of this step gives the run. `workflow` names a workflow or is an
    expression that gives a definition.
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


class Connection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A way from one step to another. `on` is success, error, true or false."""

    source: str
    target: str
    condition: str = ""
    on: str = ""


class Definition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """A whole workflow. `output` maps names to expressions; empty gives the last steps' outputs."""

    name: str
    type: FlowType = FlowType.SEQUENTIAL
    description: str = ""
    steps: tuple[Step, ...] = ()
    connections: tuple[Connection, ...] = ()
    triggers: tuple[dict[str, Any], ...] = ()
    output: dict[str, Any] = {}

    @functools.cached_property
    def content_hash(self) -> str:
        """SHA-256 over everything it says beyond the defaults; names this version for ever."""
        return digest_of(_said(self))


def _said(value: Any) -> Any:
    """The fields that differ from their defaults, by value: equal definitions have equal hashes.

    The encoder omits defaults by identity, so that 2.0 as written and 2.0 as the default would differ.
    """
    if isinstance(value, tuple):
        return [_said(item) for item in value]
    if not isinstance(value, msgspec.Struct):
        return value
    fields = {name: (getattr(value, name), default) for name, default in _defaults(type(value)).items()}
    return {name: _said(said) for name, (said, default) in fields.items() if said != default}


@functools.cache
def _defaults(kind: type[msgspec.Struct]) -> dict[str, Any]:
    fields = msgspec.structs.fields(kind)
    return {
        field.name: field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        for field in fields
    }
