"""A function for each type of step; what they take is named as in a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Unpack

from dirigent.workflow.expressions import Expression, literal
from dirigent.workflow.steps import (
    Acting,
    Chain,
    Common,
    Condition,
    Duration,
    Step,
    Target,
    Yielding,
    chain_of,
    name_of,
    step,
)


def agent(
    id: str,
    agent_type: str,
    action: str,
    parameters: Mapping[str, Any] | None = None,
    **more: Unpack[Acting],
) -> Step:
    """An action of an agent; with `foreach` once for each item of a list, as `item` and `index`."""
    return step(id, "agent", agent_type=agent_type, action=action, parameters=parameters, **more)


def validation(
    id: str,
    *conditions: Condition,
    required_fields: Iterable[str] = (),
    code: str | None = None,
    message: str | Expression | None = None,
    **more: Unpack[Common],
) -> Step:
    """Fields that must be there and conditions that must hold; else it fails with a code and a message."""
    needed = list(required_fields) or None
    parameters = {"required_fields": needed, "code": code, "message": message}
    given = {key: value for key, value in parameters.items() if value is not None}
    return step(id, "validation", parameters=given or None, conditions=list(conditions) or None, **more)


def condition(id: str, *conditions: Condition, **more: Unpack[Common]) -> Step:
    """A branch: `true` and `false` are its ways out."""
    return step(id, "condition", conditions=list(conditions), **more)


def switch(
    id: str,
    *cases: Mapping[str, Any],
    on: Condition | None = None,
    default: Step | str | None = None,
    **more: Unpack[Common],
) -> Step:
    """A branch with many ways: the first `case` that fits is taken, else `default`."""
    return step(id, "switch", on=on, cases=list(cases), default=default and name_of(default), **more)


def transform(
    id: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    fallback: str | Mapping[str, Any] | None = None,
    **more: Unpack[Common],
) -> Step:
    """Values worked out from others; they are its output."""
    return step(id, "transform", parameters=parameters, fallback=fallback, **more)


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
    **more: Unpack[Yielding],
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
        **more,
    )


def wait(
    id: str,
    duration: Duration | None = None,
    *,
    until: datetime | Condition | None = None,
    **more: Unpack[Common],
) -> Step:
    """Some time, or until a point in time; a `datetime` needs its offset."""
    moment = literal(until.isoformat()) if isinstance(until, datetime) else until
    return step(id, "wait", duration=duration, until=moment, **more)


def wait_for_event(
    id: str,
    event: str | Expression,
    *,
    filter: Condition | None = None,
    timeout: Duration | None = None,
    **more: Unpack[Yielding],
) -> Step:
    """Something that is told from outside; its data is the output."""
    return step(id, "wait_for_event", event=event, filter=filter, timeout=timeout, **more)


def subworkflow(
    id: str,
    workflow: str | Expression,
    parameters: Mapping[str, Any] | None = None,
    *,
    timeout: Duration | None = None,
    compensate: Mapping[str, Any] | None = None,
    **more: Unpack[Yielding],
) -> Step:
    """Another workflow: one that is stored, by its name, or one that an expression gives."""
    return step(
        id,
        "subworkflow",
        workflow=workflow,
        parameters=parameters,
        timeout=timeout,
        compensate=compensate,
        **more,
    )


def emit(
    id: str,
    event: str | Expression,
    data: Any = None,
    *,
    subject: str | Expression | None = None,
    **more: Unpack[Acting],
) -> Step:
    """An event of the business, published once."""
    return step(id, "emit", event=event, data=data, subject=subject, **more)


def http(
    id: str,
    url: str | Expression,
    method: str | None = None,
    *,
    headers: Mapping[str, Any] | Expression | None = None,
    query: Mapping[str, Any] | Expression | None = None,
    body: Any = None,
    effect: str | None = None,
    **more: Unpack[Acting],
) -> Step:
    """A request to another system; one that changes something carries an idempotency key."""
    return step(
        id,
        "http",
        url=url,
        method=method,
        headers=headers,
        query=query,
        body=body,
        effect=effect,
        **more,
    )


def notify(
    id: str,
    message: str | Expression,
    *,
    subject: str | Expression | None = None,
    level: str | Expression | None = None,
    to: Sequence[str | Expression] | Expression | None = None,
    channels: Sequence[str] | None = None,
    **more: Unpack[Acting],
) -> Step:
    """Telling people: inside the house, or by e-mail or web hook."""
    return step(id, "notify", message=message, subject=subject, level=level, to=to, channels=channels, **more)


def parallel(
    id: str,
    *parts: Target,
    branches: Sequence[Sequence[Step]] | None = None,
    timeout: Duration | None = None,
    **more: Unpack[Yielding],
) -> Step:
    """Steps side by side, or `branches`, each a sequence; the output is that of the last steps, by id."""
    return step(id, "parallel", branches=branches, timeout=timeout, **_inside(parts), **more)


def loop(
    id: str,
    *parts: Target,
    max_iterations: int,
    while_: Condition | None = None,
    until: Condition | None = None,
    timeout: Duration | None = None,
    **more: Unpack[Yielding],
) -> Step:
    """The same steps again and again, while a condition holds or until one does, and so often at most."""
    bounds = {"while": while_, "until": until, "max_iterations": max_iterations, "timeout": timeout}
    return step(id, "loop", **bounds, **_inside(parts), **more)


def foreach(
    id: str,
    of: Condition,
    *parts: Target,
    max_parallel: int | None = None,
    timeout: Duration | None = None,
    **more: Unpack[Yielding],
) -> Step:
    """Steps for each item of a list, as `item` and `index`; the output has `results` and `failures`."""
    return step(
        id,
        "foreach",
        foreach=of,
        max_parallel=max_parallel,
        timeout=timeout,
        **_inside(parts),
        **more,
    )


def _inside(parts: Sequence[Target]) -> dict[str, Any]:
    """The steps of a block and the ways between them."""
    inside: Chain = chain_of([chain_of(part) for part in parts])
    steps = list(dict.fromkeys(inside.steps))
    ways = [way.as_data() for way in dict.fromkeys(inside.connections)]
    return {"steps": steps or None, "connections": ways or None}
