"""The guard on every action: it runs only when the dispatcher has admitted that very call.

`@action` puts the method behind a guard. Calling it from anywhere but the dispatcher raises
`Refused`, and when that happens inside a running step the refusal is also recorded in the
execution's journal. Adapters that act outside ask `current_admission()` themselves.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, TypeVar

from dirigent.domain.agent import ActionSpec, AgentSpec, Effect, Risk
from dirigent.domain.errors import InvalidInput, Refused

SPEC_ATTRIBUTE = "__action_spec__"
AGENT_ATTRIBUTE = "__agent_spec__"

C = TypeVar("C", bound=type[Any])


class Admission:
    """The dispatcher's leave for one call: the code inside `with` may enter the action, once.

    `held` says why nothing may leave meanwhile, empty where what is declared outward may.
    """

    __slots__ = ("_token", "action", "agent", "entered", "held", "on_refusal")

    def __init__(
        self, agent: str, action: ActionSpec, on_refusal: Callable[[str, str], None], *, held: str = ""
    ) -> None:
        self.agent = agent
        self.action = action
        self.on_refusal = on_refusal
        self.held = held
        self.entered = False
        self._token: Token[Admission | None] | None = None

    def __enter__(self) -> None:
        self._token = _admission.set(self)

    def __exit__(self, *exception: object) -> None:
        assert self._token is not None, "it was entered"
        _admission.reset(self._token)


_admission: ContextVar[Admission | None] = ContextVar("dirigent_admission", default=None)


def current_admission() -> Admission | None:
    """The call that the running code was admitted for, if any."""
    return _admission.get()


def action(
    *,
    risk: Risk = Risk.R1,
    effect: Effect = Effect.AT_MOST_ONCE,
    cost: float = 0.0,
    outward: bool = False,
    timeout_s: float | None = None,
    lookup: str | None = None,
    runs_in: str = "",
    heartbeat_s: float | None = None,
    handles: tuple[str, ...] = (),
    tells_held: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a method as an action of its agent.

    `risk` and `effect` decide what autonomy allows and how a crash is treated; `cost` bounds what one
    call may cost; `outward` marks what leaves the house; `timeout_s` bounds how long it may take,
    `heartbeat_s` how long it may go without `ctx.progress` or `ctx.heartbeat`. An action that `handles`
    types of events (`inventory.changed`, `order.*`) gets each of them as its input `event`. One that
    `tells_held` is not held while nothing may leave, but run without a way out: `ctx.held` says why.

    An async method runs on the event loop. A plain one blocks, so it runs in a thread or, with
    `runs_in="process"`, in a process of its own: for what keeps the processor busy. There it gets no
    `ctx`, and its agent's class is made anew, without arguments.
    """

    def declare(method: Callable[..., Any]) -> Callable[..., Any]:
        spec = ActionSpec(
            name=method.__name__,
            risk=risk,
            effect=effect,
            cost=cost,
            outward=outward,
            timeout_s=timeout_s,
            lookup=lookup,
            runs_in=_place_of(method, runs_in),
            heartbeat_s=heartbeat_s,
            handles=handles,
            tells_held=tells_held,
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
            raise InvalidInput(f"The agent {key!r} has no action.", fix="Put @action on a method.")
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


def _place_of(method: Callable[..., Any], asked: str) -> str:
    possible = ("loop",) if inspect.iscoroutinefunction(method) else ("thread", "process")
    place = asked or possible[0]
    if place not in possible:
        kind = "an async" if possible == ("loop",) else "a plain"
        raise InvalidInput(
            f"The action {method.__qualname__}, {kind} method, cannot run in {place!r}.",
            fix=f"It runs in {' or '.join(possible)}.",
            field="runs_in",
        )
    if place == "process" and "ctx" in inspect.signature(method).parameters:
        raise InvalidInput(
            f"The action {method.__qualname__} takes ctx, which another process cannot have.",
            fix="Leave ctx out, or run it in a thread.",
            field="runs_in",
        )
    return place


def _guarded(method: Callable[..., Any], spec: ActionSpec) -> Callable[..., Any]:
    async def enter(self: Any, *args: Any, **kwargs: Any) -> Any:
        _enter(type(self), spec)
        return await method(self, *args, **kwargs)

    def enter_blocking(self: Any, *args: Any, **kwargs: Any) -> Any:
        _enter(type(self), spec)
        return method(self, *args, **kwargs)

    guard: Callable[..., Any] = enter if spec.runs_in == "loop" else enter_blocking
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
