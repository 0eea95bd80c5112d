"""A definition as people write it: which keys there are, and of which type their values are.

Every key may be left out here, so that one wrong key does not hide what is wrong with the others; what
has to be there is told when the parts are built.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dirigent.interpreter.problems import Findings, Path, shown

STEPS_MAX = 10_000
ATTEMPTS_MAX = 100
DECIDERS = ("approvers", "roles", "required", "reject_after", "not_requester", "on_expiry")
PARALLEL_MAX = 1000
ITERATIONS_MAX = 10_000
BLOCK_DEPTH_MAX = 8
ON_ERROR = ("fail", "continue")
ENDS_AS = ("failed", "blocked", "rejected")
WAYS_OUT = ("success", "error", "true", "false")
JOINS = {"all": 0, "any": 1}
CASES_MAX = 1000


class Written(BaseModel):
    """Base of everything written: unknown keys are refused, nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    nullable: ClassVar[frozenset[str]] = frozenset()


class WrittenWorkflow(Written):
    """The mapping under `workflow`."""

    name: str = Field(default="", min_length=1, max_length=200)
    type: str = "sequential"
    description: str = Field(default="", max_length=10_000)
    triggers: list[Any] = []
    steps: list[Any] = Field(default=[], min_length=1, max_length=STEPS_MAX)
    connections: list[Any] = []
    output: dict[str, Any] = {}
    input: dict[str, Any] = {}
    timeout: Any = None


class WrittenTrigger(Written):
    """One of `triggers`; of type api or manual it says nothing more than this."""

    type: str = Field(default="", min_length=1)
    input: dict[str, Any] = {}


class WrittenSchedule(WrittenTrigger):
    """A trigger of type schedule."""

    schedule: str = Field(default="", min_length=1, max_length=200)
    every: str = Field(default="", min_length=1, max_length=30)
    at: str = Field(default="", min_length=1, max_length=50)
    timezone: str = Field(default="UTC", min_length=1, max_length=100)
    catch_up: bool | int = False
    jitter: str = Field(default="", min_length=1, max_length=30)
    overlap: str = "allow"


class WrittenEventTrigger(WrittenTrigger):
    """A trigger of type event."""

    event_type: str = Field(default="", min_length=1, max_length=200)
    filter: str = Field(default="", min_length=1)
    overlap: str = "allow"


class WrittenWebhook(WrittenEventTrigger):
    """A trigger of type webhook."""

    webhook: str = Field(default="", min_length=1)


class WrittenStep(Written):
    """One of `steps`. Parts that are mappings or may have several forms are read on their own."""

    id: str = Field(default="", min_length=1)
    type: str = Field(default="", min_length=1)
    agent_type: str = Field(default="", min_length=1)
    agent: str = Field(default="", min_length=1)
    action: str = Field(default="", min_length=1)
    parameters: dict[str, Any] = {}
    conditions: list[Any] = Field(default=[], min_length=1)
    when: str = Field(default="", min_length=1)
    foreach: str = Field(default="", min_length=1)
    max_parallel: int = Field(default=16, ge=1, le=PARALLEL_MAX)
    timeout: Any = None
    retry_policy: Any = None
    on_error: Any = "fail"
    fallback: Any = None
    output: Any = None
    join: Any = None
    cancel_rest: bool = False
    ends_as: str = "failed"
    workflow: str = Field(default="", min_length=1)
    duration: Any = None
    event: str = Field(default="", min_length=1)
    filter: str = Field(default="", min_length=1)
    compensate: Any = None
    data: Any = None
    subject: Any = None
    method: Any = None
    url: Any = None
    headers: Any = None
    query: Any = None
    body: Any = None
    effect: Any = None
    message: Any = None
    level: Any = None
    to: Any = None
    channels: Any = None
    approvers: Any = None
    roles: Any = None
    required: Any = None
    reject_after: Any = None
    not_requester: Any = None
    on_expiry: Any = None
    until: str = Field(default="", min_length=1)
    while_: str = Field(default="", alias="while", min_length=1)
    max_iterations: int = Field(default=0, ge=1, le=ITERATIONS_MAX)
    on: str = Field(default="", min_length=1)
    cases: list[Any] = Field(default=[], min_length=1, max_length=CASES_MAX)
    default: str = Field(default="", min_length=1)
    steps: list[Any] = Field(default=[], min_length=1, max_length=STEPS_MAX)
    branches: list[Any] = Field(default=[], min_length=1, max_length=STEPS_MAX)
    connections: list[Any] = []


class WrittenCase(Written):
    """One of `cases` of a switch."""

    nullable: ClassVar[frozenset[str]] = frozenset({"value"})

    when: str = Field(default="", min_length=1)
    value: Any = None
    to: str = Field(default="", min_length=1)


class WrittenFallback(Written):
    """The mapping under `fallback`."""

    nullable: ClassVar[frozenset[str]] = frozenset({"value"})

    agent_type: str = Field(default="", min_length=1)
    agent: str = Field(default="", min_length=1)
    action: str = Field(default="", min_length=1)
    parameters: dict[str, Any] = {}
    value: Any = None


class WrittenOnError(Written):
    """The mapping under `on_error`: the step that a failure leads to."""

    fallback: str = Field(default="", min_length=1)


class WrittenJoin(Written):
    """The mapping under `join`: how many of the ways in."""

    n: int = Field(default=0, ge=1, le=STEPS_MAX)


class WrittenRetry(Written):
    """The mapping under `retry_policy`; `initial` and `max` are durations."""

    max_attempts: int = Field(default=3, ge=1, le=ATTEMPTS_MAX)
    initial: Any = None
    backoff_factor: float = Field(default=2.0, ge=1, le=100)
    max: Any = None
    jitter: float = Field(default=0.1, ge=0, le=1)


class WrittenCompensate(Written):
    """The mapping under `compensate`."""

    agent_type: str = Field(default="", min_length=1)
    agent: str = Field(default="", min_length=1)
    action: str = Field(default="", min_length=1)
    parameters: dict[str, Any] = {}
    timeout: Any = None
    retry_policy: Any = None


class WrittenCondition(Written):
    """One of `conditions`: a comparison, or an expression with an operator and a value."""

    nullable: ClassVar[frozenset[str]] = frozenset({"value"})

    expression: str = Field(default="", min_length=1)
    operator: str = Field(default="", min_length=1)
    value: Any = None


class WrittenConnection(Written):
    """One of `connections`. YAML reads `on: true` as a truth value, which is meant here as the word."""

    from_: str = Field(default="", alias="from", min_length=1)
    to: str = Field(default="", min_length=1)
    condition: str = Field(default="", min_length=1)
    on: str | bool = Field(default="", union_mode="left_to_right")


W = TypeVar("W", bound=Written)

_TYPES = {
    "string_type": ("text", "put it in quotes"),
    "int_type": ("a whole number", "write a number without quotes and without a point"),
    "float_type": ("a number", "write a number without quotes"),
    "bool_type": ("true or false", "write true or false without quotes"),
    "list_type": ("a list", "begin each item with '- ', or put the items in [ ]"),
    "dict_type": ("a mapping", "write key: value lines below it"),
}


def read_written(model: type[W], data: Any, path: Path, findings: Findings) -> W:
    """The part as a model; keys that are wrong go into the findings and count as left out."""
    if not isinstance(data, dict):
        message = f"{shown(data)} is not a mapping"
        findings.add("WF008", path, message, expected="a mapping", fix="write key: value lines")
        return model()
    given = {key: value for key, value in data.items() if value is not None or key in model.nullable}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        wrong = {str(found["loc"][0]): found for found in reversed(error.errors(include_url=False))}
    for key, found in wrong.items():
        _report(model, key, found, path, findings)
    return model.model_validate({key: value for key, value in given.items() if key not in wrong})


def _report(model: type[Written], key: str, found: Any, path: Path, findings: Findings) -> None:
    here, kind, value = (*path, key), found["type"], found["input"]
    if kind == "extra_forbidden":
        known = [field.alias or name for name, field in model.model_fields.items()]
        near = findings.near(key, known)
        fix = f"did you mean {near}?" if near else "remove it"
        message = f"the key {shown(key)} is not known here"
        findings.add("WF006", here, message, expected=f"one of {', '.join(known)}", fix=fix, at_key=True)
    elif kind in _TYPES:
        expected, fix = _TYPES[kind]
        what = "an empty value" if value is None else f"{shown(value)}"
        findings.add("WF008", here, f"{key} is {what}", expected=expected, fix=fix)
    else:
        size = f"has {len(value)}" if isinstance(value, list) else f"is {shown(value)}"
        expected = "some text" if kind == "string_too_short" else _limit(found)
        findings.add("WF009", here, f"{key} {size}", expected=expected, fix=f"make it {expected}")


def _limit(found: Any) -> str:
    limits = found.get("ctx", {})
    least = limits.get("ge", limits.get("min_length"))
    if least is not None:
        return f"at least {least:g}"
    return f"at most {limits.get('le', limits.get('max_length')):g}"
