"""What an agent is: a class with typed async methods, each with a risk and an effect class."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any


class Risk(enum.StrEnum):
    """How much an action can do, from computing (R0) to money and law (R4)."""

    R0 = "R0"
    R1 = "R1"
    R2 = "R2"
    R3 = "R3"
    R4 = "R4"


class Effect(enum.StrEnum):
    """What a repetition of an action would do outside. Undeclared means `AT_MOST_ONCE`."""

    PURE = "pure"
    READ = "read"
    KEYED = "keyed"
    QUERYABLE = "queryable"
    AT_MOST_ONCE = "at_most_once"

    @property
    def repeatable(self) -> bool:
        """Whether calling again is harmless without looking first."""
        return self in (Effect.PURE, Effect.READ, Effect.KEYED)

    @property
    def needs_intent(self) -> bool:
        """Whether a durable intent must stand in the journal before the action runs."""
        return self not in (Effect.PURE, Effect.READ)


@dataclass(frozen=True, kw_only=True)
class ActionSpec:
    """The declaration of one action: its name, risk, effect class and bounds.

    `cost` is the most one call may cost, in the tenant's currency. `outward` marks a message to a
    person or a write to a system outside: the delivery gate holds it while delivery is off.
    `lookup` names the action of the same agent that reads back whether a queryable effect happened.
    `runs_in` is loop, thread or process; `heartbeat_s` the longest it may go without a sign of life.
    `handles` are the types of events, or patterns of types, that are brought to it as `event`. An outward
    one that `tells_held` runs while nothing may leave, without a way out, and says itself what it held.
    """

    name: str
    risk: Risk = Risk.R1
    effect: Effect = Effect.AT_MOST_ONCE
    cost: float = 0.0
    outward: bool = False
    timeout_s: float | None = None
    lookup: str | None = None
    runs_in: str = "loop"
    heartbeat_s: float | None = None
    handles: tuple[str, ...] = ()
    tells_held: bool = False
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class AgentSpec:
    """The declaration of one agent: its key, business domain, aliases and actions."""

    key: str
    domain: str
    description: str
    aliases: tuple[str, ...] = ()
    max_concurrency: int = 64
    actions: dict[str, ActionSpec] = field(default_factory=dict)
    implementation: type[Any] | None = None
