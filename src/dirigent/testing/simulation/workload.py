"""Workflows drawn by chance: every kind of step, guards, retries, people, waits, blocks and children.

What a seed draws changes with what there is to draw. `VERSION` counts that, so that a seed that was red once
says in which workload it was.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import definition_from
from dirigent.testing.simulation import drawing, shapes
from dirigent.testing.simulation.drawing import INPUT, SIGNAL, condition

VERSION = 3
KINDS = 400
LIMITS = ("5s", "20s", "1m", "5m")

__all__ = ["KINDS", "SIGNAL", "VERSION", "definition", "given", "plan", "written"]


@lru_cache(maxsize=2 * KINDS)
def definition(number: int) -> Definition:
    """The workflow of a number, always the same one."""
    return definition_from(written(random.Random(f"workflow {number}")))


@lru_cache(maxsize=2 * KINDS)
def plan(number: int, *, children: bool) -> dict[str, Any]:
    """A small workflow as data, to be started by a step; with `children` it may start another one."""
    chance = random.Random(f"plan {number} {children}")
    steps = [_step(chance, place, inside=True, children=children) for place in range(chance.randint(1, 3))]
    return {"name": "plan", "type": chance.choice(("sequential", "parallel")), "steps": steps}


def written(chance: random.Random) -> dict[str, Any]:
    """A workflow of five to seven steps without circles, as data."""
    steps = [_step(chance, place) for place in range(chance.randint(5, 7))]
    kind = chance.choice(("sequential", "parallel", "hybrid", "hybrid"))
    connections = _connections(chance, steps) if kind == "hybrid" else []
    output = chance.choice(({}, {"n": "${input.n}", "all": "${steps}"}))
    root: dict[str, Any] = {"name": "generated", "type": kind, "steps": steps, "output": output}
    if chance.random() < 0.2:
        root["timeout"] = chance.choice(LIMITS)
    return root | ({"connections": connections} if connections else {})


def given(chance: random.Random, plans: Sequence[int]) -> dict[str, Any]:
    """What an execution is started with: among other things, plans of these numbers."""
    outer, inner = plan(chance.choice(plans), children=True), plan(chance.choice(plans), children=False)
    return INPUT | {"n": chance.randint(1, 4), "plan": outer, "inner": inner}


def _step(
    chance: random.Random, place: int, *, inside: bool = False, children: bool = True
) -> dict[str, Any]:
    kinds = {name: maker for name, maker in _MAKERS.items() if children or name != "subworkflow"}
    weights = [weight for weight, _ in kinds.values()]
    blocks = {} if inside else _BLOCKS
    names = [*kinds, *blocks]
    kind = chance.choices(names, [*weights, *(weight for weight, _ in blocks.values())])[0]
    common: dict[str, Any] = {"id": f"s{place}", "on_error": chance.choice(("fail", "continue", "continue"))}
    if chance.random() < 0.15:
        common["when"] = condition(chance)
    if kind in blocks:
        return common | blocks[kind][1](chance, common["id"])
    return common | kinds[kind][1](chance)


def _connections(chance: random.Random, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ways = []
    for place in range(1, len(steps)):
        sources = sorted(chance.sample(range(place), min(place, chance.randint(0, 2))))
        ways += [_way(chance, steps[source], steps[place]) for source in sources]
        if len(sources) > 1 and chance.random() < 0.3:
            steps[place] |= {"join": "any", "cancel_rest": chance.random() < 0.7}
    return ways


def _way(chance: random.Random, source: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    way: dict[str, Any] = {"from": source["id"], "to": target["id"]}
    if source["type"] == "condition" and chance.random() < 0.6:
        way["on"] = chance.choice(("true", "false"))
    elif source["on_error"] == "fail" and chance.random() < 0.2:
        way["on"] = "error"
    elif chance.random() < 0.15:
        way["condition"] = condition(chance)
    return way


_MAKERS: dict[str, tuple[int, Callable[[random.Random], dict[str, Any]]]] = {
    "agent": (22, drawing.agent),
    "foreach": (2, drawing.fan_out),
    "condition": (2, drawing.branch),
    "transform": (2, drawing.transform),
    "approval": (3, drawing.approval),
    "wait": (2, drawing.wait),
    "listen": (2, drawing.listen),
    "subworkflow": (3, drawing.child),
}
_BLOCKS: dict[str, tuple[int, Callable[[random.Random, str], dict[str, Any]]]] = {
    "loop": (1, shapes.loop),
    "block": (1, shapes.block),
    "each": (1, shapes.each),
    "race": (2, shapes.race),
}
