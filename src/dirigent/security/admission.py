"""The guard on every action: it runs only when the dispatcher has admitted that very call.

`@action` puts the method behind a guard. Calling it from anywhere but the dispatcher raises
`Refused`, and when that happens inside a running step the refusal is also recorded in the
execution's journal. Adapters that act outside ask `current_admission()` themselves.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from dirigent.domain.agent import ActionSpec, AgentSpec, Effect, Risk
from dirigent.domain.errors import InvalidInput, Refused

SPEC_ATTRIBUTE = "__action_spec__"
AGENT_ATTRIBUTE = "__agent_spec__"

C = TypeVar("C", bound=type[Any])


@dataclass(eq=False)
class Admission:
    """The dispatcher's leave for one call. `entered` makes it good for one entry."""

    agent: str
    action: ActionSpec
    on_refusal: Callable[[str, str], None]
    entered: bool = False


_admission: ContextVar[Admission | None] = ContextVar("dirigent_admission", default=None)


def current_admission() -> Admission | None:
    """The call that the running code was admitted for, if any."""
    return _admission.get()


@contextmanager
def admitted(admission: Admission) -> Iterator[None]:
    """Let the code inside enter the admitted action once."""
    token = _admission.set(admission)
    try:
        yield
    finally:
        _admission.reset(token)


def action(
    *,
    risk: Risk = Risk.R1,
    effect: Effect = Effect.AT_MOST_ONCE,
    cost: float = 0.0,
    outward: bool = False,
    timeout_s: float | None = None,
    lookup: str | None = None,
) -> Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]]:
    """Declare an async method as an action of its agent.

    `risk` and `effect` decide what autonomy allows and how a crash is treated; `cost` bounds what one
    call may cost; `outward` marks what leaves the house; `timeout_s` bounds how long it may take.
    """

    def declare(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        if not inspect.iscoroutinefunction(method):
            raise InvalidInput(f"The action {method.__qualname__} is not async.", fix="Write `async def`.")
        spec = ActionSpec(
            name=method.__name__,
            risk=risk,
            effect=effect,
            cost=cost,
            outward=outward,
            timeout_s=timeout_s,
            lookup=lookup,
            description=(inspect.getdoc(method) or "").split("\n\n")[0],
        )
        return _guarded(method, spec)

    return declare


def agent(
    key: str, *, domain: str, description: str = "", aliases: tuple[str, ...] = (), max_concurrency: int = 64
) -> Callable[[C], C]:
    """Declare a class as an agent; its actions are its methods under `@action`."""

    def declare(cls: C) -> C:
        actions = {
            name: spec
            for name, member in inspect.getmembers(cls)
            if isinstance(spec := getattr(member, SPEC_ATTRIBUTE, None), ActionSpec)
        }
        if not actions:
            raise InvalidInput(f"The agent {key!r} has no action.", fix="Put @action on an async method.")
        spec = AgentSpec(
            key=key,
            domain=domain,
            description=description or (inspect.getdoc(cls) or "").split("\n\n")[0],
            aliases=aliases,
            max_concurrency=max_concurrency,
            actions=actions,
            implementation=cls,
        )
        setattr(cls, AGENT_ATTRIBUTE, spec)
        return cls

    return declare


def _guarded(method: Callable[..., Awaitable[Any]], spec: ActionSpec) -> Callable[..., Awaitable[Any]]:
    async def guard(self: Any, *args: Any, **kwargs: Any) -> Any:
        _enter(type(self), spec)
        return await method(self, *args, **kwargs)

    functools.update_wrapper(guard, method)
    del guard.__wrapped__  # type: ignore[attr-defined]  # the bare method is not to be had
    setattr(guard, SPEC_ATTRIBUTE, spec)
    guard.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]
    return guard


def _enter(cls: type[Any], spec: ActionSpec) -> None:
    admission = _admission.get()
    owner: AgentSpec | None = getattr(cls, AGENT_ATTRIBUTE, None)
    key = owner.key if owner else cls.__name__
    if admission and not admission.entered and admission.agent == key and admission.action is spec:
        admission.entered = True
        return
    if admission:
        admission.on_refusal(key, spec.name)
    raise Refused(
        f"{key}.{spec.name} was called directly.",
        rules=("dispatcher.only_way",),
        fix="Call it with ctx.call(agent, action, ...), which asks for permission first.",
    )
