"""What the engine is given to do: one definition and one plan of interference per execution, by seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from campaigns.crash.outside import AGENT, COST, UNWELL

EFFECT_SHARE = 0.1
EFFECTS = {"keyed": 60, "queryable": 20, "once": 20}
RETRY = {"max_attempts": 8, "initial": "20ms", "max": "400ms"}

SIGNAL = "go.on"
FEW_BUDGET = 2.5 * COST
LARGE_SHARE, LARGE_BYTES = 0.15, 12_000
LONG_EVERY, LONG_ITEMS = 130, 450

Data = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One execution: its definition and what the client does to it meanwhile; times in seconds.

    `decides` says what becomes of approvals: approve, reject, or wait until they expire.
    """

    execution: str
    tenant: str
    definition: Data
    input: Data
    cancel_after: float | None = None
    pause_after: float | None = None
    pause_for: float = 0.0
    signal_after: float | None = None
    decides: str = "approve"
    budget: float | None = None


def plan(seed: str, number: int) -> Plan:
    """The plan of the execution with a number: the same for the same seed."""
    chance = random.Random(f"{seed}/{number}")
    shape = "long" if number % LONG_EVERY == LONG_EVERY - 1 else list(SHAPES)[number % len(SHAPES)]
    parts = Parts(chance)
    given = _long(parts) if shape == "long" else SHAPES[shape](parts)
    if chance.random() < LARGE_SHARE:
        given["ballast"] = "x" * LARGE_BYTES
    return Plan(
        execution=f"{shape}-{number:05}",
        tenant=f"tenant-{number % 3}",
        definition={"workflow": {"name": shape, "type": "hybrid", **parts.definition()}},
        input={"number": number, **given},
        cancel_after=chance.uniform(0.0, 0.6) if shape == "cancel" else None,
        pause_after=chance.uniform(0.0, 0.4) if shape == "pause" else None,
        pause_for=chance.uniform(0.05, 0.4),
        signal_after=chance.uniform(0.0, 0.5) if shape == "signal" else None,
        decides=given.get("decides", "approve"),
        budget=FEW_BUDGET if chance.random() < 0.1 else None,
    )


class Parts:
    """The steps of one definition as they are put together; each follows the one before unless it says so.

    `within` is what stands before the names of steps as they run, where they belong to a block.
    """

    def __init__(self, chance: random.Random, within: str = "") -> None:
        self.chance = chance
        self._within = within
        self._steps: list[Data] = []
        self._connections: list[Data] = []
        self._last: tuple[str, ...] = ()

    def definition(self) -> Data:
        """Steps and connections."""
        return {"steps": self._steps, "connections": self._connections}

    def any(self, **more: Any) -> str:
        """An action: pure, or by chance one with an effect."""
        return self.act("think", **more) if self.chance.random() > EFFECT_SHARE else self.effect(**more)

    def thoughts(self, times: int) -> None:
        """Actions without an effect, one after the other."""
        for _ in range(times):
            self.act("think")

    def effect(self, **more: Any) -> str:
        """An action with an effect of a class by chance."""
        (name,) = self.chance.choices(list(EFFECTS), weights=list(EFFECTS.values()))
        return self.act(name, **more)

    def act(self, action: str, *, foreach: str = "", undone: bool = False, **more: Any) -> str:
        """An action; its effect can be told from all others by its place, `execution:step`."""
        place = "[${index}]" if foreach else ""
        name = self._name(action)
        said: Data = {
            "agent_type": AGENT,
            "action": action,
            "parameters": {"what": f"${{run.id}}:{self._within}{name}{place}"},
        }
        if action in ("keyed", "queryable", "once", "grave"):
            said["retry_policy"] = RETRY
        if undone:
            undo = {"what": f"${{run.id}}:compensate:{name}"}
            said["compensate"] = {"agent_type": AGENT, "action": "keyed", "parameters": undo}
        if foreach:
            said |= {"foreach": foreach, "max_parallel": 3}
        return self.step("agent", name=name, **said, **more)

    def step(
        self, kind: str, *, name: str = "", after: tuple[str, ...] | None = None, on: str = "", **more: Any
    ) -> str:
        """A step of any kind."""
        name = name or self._name(kind)
        self._steps.append({"id": name, "type": kind, **more})
        for source in self._last if after is None else after:
            self._connections.append({"from": source, "to": name, **({"on": on} if on else {})})
        self._last = (name,)
        return name

    def join(self, *steps: str) -> None:
        """What comes next follows all of these."""
        self._last = steps

    def _name(self, what: str) -> str:
        return f"{what}{len(self._steps)}{'_inside' if self._within else ''}"


def _sequence(parts: Parts) -> Data:
    parts.thoughts(2)
    parts.effect()
    parts.any()
    parts.any()
    return {}


def _parallel(parts: Parts) -> Data:
    parts.thoughts(1)
    first = parts.act("think")
    parts.join(*(parts.any(after=(first,)) for _ in range(3)), parts.effect(after=(first,)))
    parts.any()
    return {}


def _condition(parts: Parts) -> Data:
    parts.thoughts(2)
    fork = parts.step("condition", conditions=["input.number % 2 == 0"])
    yes = parts.effect(on="true")
    no = parts.any(after=(fork,), on="false")
    parts.join(yes, no)
    parts.any()
    return {}


def _foreach(parts: Parts) -> Data:
    parts.act("think")
    parts.effect(foreach="${input.items}")
    parts.act("think", foreach="${input.items}")
    parts.act("think", foreach="${input.items}")
    return {"items": list(range(parts.chance.randint(2, 4)))}


def _timer(parts: Parts) -> Data:
    parts.any()
    parts.step("wait", duration=f"{parts.chance.randint(20, 300)}ms")
    parts.effect()
    parts.step("wait", duration=f"{parts.chance.randint(20, 100)}ms")
    parts.thoughts(2)
    return {}


def _approval(parts: Parts) -> Data:
    (decides,) = parts.chance.choices(("approve", "reject", "wait"), weights=(70, 15, 15))
    parts.any(undone=True)
    timeout = "300ms" if decides == "wait" else "1h"
    parts.step("approval", parameters={"reason": "go on?"}, timeout=timeout, ends_as="rejected")
    parts.effect()
    parts.act("grave")
    return {"decides": decides}


def _child(parts: Parts) -> Data:
    below = Parts(parts.chance)
    below.act("think")
    below.effect()
    below.any()
    parts.thoughts(2)
    parts.step("subworkflow", workflow="${input.child}")
    parts.any()
    return {"child": {"workflow": {"name": "below", "type": "hybrid", **below.definition()}}}


def _cancel(parts: Parts) -> Data:
    parts.effect()
    parts.step("wait", duration=f"{parts.chance.randint(50, 300)}ms")
    parts.thoughts(3)
    parts.step("wait", duration=f"{parts.chance.randint(50, 300)}ms")
    parts.effect()
    return {}


def _pause(parts: Parts) -> Data:
    parts.thoughts(3)
    parts.effect(foreach="${input.items}")
    parts.step("wait", duration=f"{parts.chance.randint(20, 200)}ms")
    parts.effect()
    return {"items": list(range(3))}


def _signal(parts: Parts) -> Data:
    parts.any()
    timeout = parts.chance.choice(("150ms", "5s"))
    parts.step("wait_for_event", event=SIGNAL, timeout=timeout, on_error="continue")
    parts.thoughts(2)
    parts.effect()
    return {}


def _undo(parts: Parts) -> Data:
    parts.thoughts(2)
    parts.effect(undone=True)
    parts.any(undone=True)
    parts.act("break_down")
    return {}


def _unwell(parts: Parts) -> Data:
    parts.any()
    for _ in range(2):
        parts.step(
            "agent",
            agent_type=UNWELL,
            action="ask",
            parameters={"what": "anything"},
            retry_policy={"max_attempts": 3, "initial": "10ms"},
            on_error="continue",
        )
    parts.effect()
    return {}


def _loop(parts: Parts) -> Data:
    inside = Parts(parts.chance, within="rounds[${index}].")
    inside.thoughts(1)
    inside.effect()
    parts.thoughts(1)
    parts.step("loop", name="rounds", max_iterations=parts.chance.randint(2, 3), **inside.definition())
    parts.thoughts(1)
    return {}


def _long(parts: Parts) -> Data:
    """So many events that the engine keeps a snapshot on the way."""
    parts.act("think", foreach="${input.items}")
    parts.effect()
    return {"items": list(range(LONG_ITEMS))}


SHAPES: dict[str, Callable[[Parts], Data]] = {
    "sequence": _sequence,
    "parallel": _parallel,
    "condition": _condition,
    "foreach": _foreach,
    "timer": _timer,
    "approval": _approval,
    "child": _child,
    "cancel": _cancel,
    "pause": _pause,
    "signal": _signal,
    "undo": _undo,
    "unwell": _unwell,
    "loop": _loop,
}
