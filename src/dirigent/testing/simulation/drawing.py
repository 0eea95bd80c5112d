"""Steps drawn by chance that hold no other steps: actions, decisions, waits and children."""

from __future__ import annotations

import random
from typing import Any

SIGNAL = "order.paid"
INPUT: dict[str, Any] = {
    "n": 3,
    "flag": True,
    "rows": [{"n": 1}, {"n": 2}, {"n": 3}],
    "map": {f"k{number}": number for number in range(4)},
}
REQUESTER = "anna"
COLLEAGUES = ("ben", "cleo", "dora", REQUESTER)
SOUND = ("input.n > 2", "input.flag or n < 3", "size(steps) >= 0", "input.map.exists(k, input.map[k] == 3)")
ODD = ("input.n > 5", "steps.s0.n > 50", "input.missing > 1", "n >= 1")
ITEMS: tuple[Any, ...] = (
    "${input.n}",
    "all of ${input.map}",
    "${input.rows[0]}",
    7,
    {"deep": ["${input.n}"]},
)
ACTIONS = (
    ("outside", "think", 3),
    ("outside", "look", 3),
    ("outside", "send", 6),
    ("outside", "book", 3),
    ("outside", "fire", 3),
    ("outside", "dare", 2),
    ("outside", "tell", 1),
    ("outside", "sin", 1),
    ("outside", "beg", 1),
    ("narrow", "queue", 1),
    ("narrow", "post", 2),
    ("narrow", "delegate", 2),
)
UNDOING = ("send", "send", "send", "book", "fire", "look", "dare", "sin")
STANDING_IN: tuple[dict[str, Any], ...] = (
    {"value": {"n": 0}},
    {"value": {"code": "${error.code}"}},
    {"value": "${input.missing}"},
    {"agent_type": "narrow", "action": "queue", "parameters": {"item": "instead"}},
    {"agent_type": "outside", "action": "seen", "parameters": {"item": "${error.code}"}},
    {"agent_type": "narrow", "action": "post", "parameters": {"item": "instead"}},
)
_WEIGHTS = [weight for _, _, weight in ACTIONS]


def condition(chance: random.Random) -> str:
    """A condition, which now and then has no value."""
    return chance.choice(SOUND if chance.random() < 0.8 else ODD)


def agent(chance: random.Random) -> dict[str, Any]:
    """A step that takes an action; some can be undone, and for some there is a second means."""
    agent_type, action, _ = chance.choices(ACTIONS, _WEIGHTS)[0]
    step: dict[str, Any] = {
        "type": "agent",
        "agent_type": agent_type,
        "action": action,
        "parameters": {"item": chance.choice(ITEMS)},
        "timeout": chance.choice(("5s", "15s", "30s")),
    }
    if chance.random() < 0.7:
        step["retry_policy"] = {
            "max_attempts": chance.randint(2, 4),
            "initial": chance.choice(("100ms", "1s", "5s")),
            "backoff_factor": chance.choice((1, 2, 3)),
        }
    if chance.random() < 0.3:
        step["compensate"] = undoing(chance)
    if chance.random() < 0.15:
        step["fallback"] = chance.choice([one for one in STANDING_IN if one.get("action") != action])
    return step


def undoing(chance: random.Random) -> dict[str, Any]:
    """What undoes a step; the parameters of some cannot be worked out where nothing was really done."""
    return {
        "agent_type": "outside",
        "action": chance.choice(UNDOING),
        "parameters": {"item": chance.choice(("undo", "${output}", "${output.n}"))},
        "timeout": chance.choice(("5s", "15s")),
    }


def fan_out(chance: random.Random) -> dict[str, Any]:
    """An action once for each item."""
    over = chance.choice(("input.rows", "[1, 2, 3]", "input.map.map(k, input.map[k])"))
    bound = chance.randint(1, 3)
    return agent(chance) | {"foreach": over, "max_parallel": bound, "parameters": {"item": "${item}"}}


def child(chance: random.Random) -> dict[str, Any]:
    """A step that starts another execution."""
    handed_on = {name: f"${{input.{name}}}" for name in INPUT}
    step: dict[str, Any] = {
        "type": "subworkflow",
        "workflow": "${input.plan}",
        "parameters": handed_on | {"plan": "${input.inner}"},
    }
    if chance.random() < 0.2:
        step["timeout"] = chance.choice(("5s", "30s"))
    if chance.random() < 0.2:
        step["compensate"] = undoing(chance)
    return step


def transform(chance: random.Random) -> dict[str, Any]:
    """A step that works something out."""
    return {"type": "transform", "parameters": {"n": chance.choice(ITEMS)}}


def branch(chance: random.Random) -> dict[str, Any]:
    """A step that decides a way."""
    return {"type": "condition", "conditions": [condition(chance)]}


def approval(chance: random.Random) -> dict[str, Any]:
    """A person decides, or several do."""
    step: dict[str, Any] = {"type": "approval", "timeout": chance.choice(("20s", "5m", "1h"))}
    return step | (votes(chance) if chance.random() < 0.5 else {})


def votes(chance: random.Random) -> dict[str, Any]:
    """Who of several decides, and how many it takes."""
    people = chance.sample(COLLEAGUES, chance.randint(2, 4))
    others = [name for name in people if name != REQUESTER]
    said: dict[str, Any] = {"not_requester": chance.random() < 0.5, "reject_after": chance.randint(1, 2)}
    if chance.random() < 0.75:
        said["approvers"] = people
    required = chance.randint(1, len(others))
    return said | {"required": required, "on_expiry": chance.choice(("fail", "reject", "approve"))}


def wait(chance: random.Random) -> dict[str, Any]:
    """A step that lets time pass."""
    return {"type": "wait", "duration": chance.choice(("50ms", "1s", "10s", "30s"))}


def listen(chance: random.Random) -> dict[str, Any]:
    """A step that waits for a signal."""
    return {
        "type": "wait_for_event",
        "event": chance.choice((SIGNAL, "order.*")),
        "timeout": chance.choice(("10s", "30s")),
    }
