"""Workflows drawn by chance: every kind of step, guards, retries, fan-out, people, waits and children."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import definition_from

KINDS = 400
SIGNAL = "order.paid"

INPUT: dict[str, Any] = {
    "n": 3,
    "flag": True,
    "rows": [{"n": 1}, {"n": 2}, {"n": 3}],
    "map": {f"k{number}": number for number in range(4)},
}
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
_WEIGHTS = [weight for _, _, weight in ACTIONS]


@lru_cache(maxsize=2 * KINDS)
def definition(number: int) -> Definition:
    """The workflow of a number, always the same one."""
    return definition_from(written(random.Random(f"workflow {number}")))


@lru_cache(maxsize=2 * KINDS)
def plan(number: int, *, children: bool) -> dict[str, Any]:
    """A small workflow as data, to be started by a step; with `children` it may start another one."""
    chance = random.Random(f"plan {number} {children}")
    steps = [_step(chance, place, children=children) for place in range(chance.randint(1, 3))]
    return {"name": "plan", "type": chance.choice(("sequential", "parallel")), "steps": steps}


def written(chance: random.Random) -> dict[str, Any]:
    """A workflow of six to nine steps without circles, as data."""
    steps = [_step(chance, place, children=True) for place in range(chance.randint(6, 9))]
    kind = chance.choice(("sequential", "parallel", "hybrid", "hybrid"))
    connections = _connections(chance, steps) if kind == "hybrid" else []
    output = chance.choice(({}, {"n": "${input.n}", "all": "${steps}"}))
    root = {"name": "generated", "type": kind, "steps": steps, "output": output}
    return root | ({"connections": connections} if connections else {})


def given(chance: random.Random, plans: Sequence[int]) -> dict[str, Any]:
    """What an execution is started with: among other things, plans of these numbers."""
    outer, inner = plan(chance.choice(plans), children=True), plan(chance.choice(plans), children=False)
    return INPUT | {"n": chance.randint(1, 4), "plan": outer, "inner": inner}


def _step(chance: random.Random, place: int, *, children: bool) -> dict[str, Any]:
    kinds = [kind for kind in _MAKERS if children or kind != "subworkflow"]
    kind = chance.choices(kinds, [_MAKERS[kind][0] for kind in kinds])[0]
    common: dict[str, Any] = {"id": f"s{place}", "on_error": chance.choice(("fail", "continue", "continue"))}
    if chance.random() < 0.15:
        common["when"] = _condition(chance)
    return common | _MAKERS[kind][1](chance)


def _condition(chance: random.Random) -> str:
    return chance.choice(SOUND if chance.random() < 0.8 else ODD)


def _agent(chance: random.Random) -> dict[str, Any]:
    agent, action, _ = chance.choices(ACTIONS, _WEIGHTS)[0]
    step: dict[str, Any] = {
        "type": "agent",
        "agent_type": agent,
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
    return step


def _fan_out(chance: random.Random) -> dict[str, Any]:
    over = chance.choice(("input.rows", "[1, 2, 3]", "input.map.map(k, input.map[k])"))
    bound = chance.randint(1, 3)
    return _agent(chance) | {"foreach": over, "max_parallel": bound, "parameters": {"item": "${item}"}}


def _child(chance: random.Random) -> dict[str, Any]:
    handed_on = {name: f"${{input.{name}}}" for name in INPUT}
    return {
        "type": "subworkflow",
        "workflow": "${input.plan}",
        "parameters": handed_on | {"plan": "${input.inner}"},
    }


def _connections(chance: random.Random, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ways = []
    for place in range(1, len(steps)):
        for source in sorted(chance.sample(range(place), min(place, chance.randint(0, 2)))):
            ways.append(_way(chance, steps[source], steps[place]))
    return ways


def _way(chance: random.Random, source: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    way: dict[str, Any] = {"from": source["id"], "to": target["id"]}
    if source["type"] == "condition" and chance.random() < 0.6:
        way["on"] = chance.choice(("true", "false"))
    elif source["on_error"] == "fail" and chance.random() < 0.2:
        way["on"] = "error"
    elif chance.random() < 0.15:
        way["condition"] = _condition(chance)
    return way


_MAKERS: dict[str, tuple[int, Callable[[random.Random], dict[str, Any]]]] = {
    "agent": (12, _agent),
    "foreach": (2, _fan_out),
    "condition": (1, lambda chance: {"type": "condition", "conditions": [_condition(chance)]}),
    "transform": (1, lambda chance: {"type": "transform", "parameters": {"n": chance.choice(ITEMS)}}),
    "approval": (1, lambda chance: {"type": "approval", "timeout": chance.choice(("20s", "5m", "1h"))}),
    "wait": (1, lambda chance: {"type": "wait", "duration": chance.choice(("50ms", "1s", "10s", "30s"))}),
    "listen": (
        1,
        lambda chance: {
            "type": "wait_for_event",
            "event": chance.choice((SIGNAL, "order.*")),
            "timeout": chance.choice(("10s", "30s")),
        },
    ),
    "subworkflow": (2, _child),
}
