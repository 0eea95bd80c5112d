"""Steps drawn by chance that hold others: loops, blocks, items, and races that one of several wins."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from dirigent.testing.simulation.drawing import agent, approval, condition, listen, transform, wait

Maker = Callable[[random.Random], dict[str, Any]]

INSIDE: tuple[tuple[Maker, int], ...] = ((agent, 8), (transform, 2), (wait, 1), (approval, 1), (listen, 1))
RACERS: tuple[tuple[Maker, int], ...] = ((agent, 5), (wait, 3), (approval, 2), (listen, 2))


def loop(chance: random.Random, name: str) -> dict[str, Any]:
    """The same steps again and again."""
    step: dict[str, Any] = {
        "type": "loop",
        "max_iterations": chance.randint(1, 3),
        "steps": _several(chance, name, chance.randint(1, 2)),
    }
    if chance.random() < 0.4:
        step["until"] = chance.choice(("index >= 1", "index >= 2", condition(chance)))
    if chance.random() < 0.2:
        step["while"] = chance.choice(("index < 1", "index < 2"))
    return step | _limit(chance)


def block(chance: random.Random, name: str) -> dict[str, Any]:
    """Steps side by side."""
    inner = _several(chance, name, chance.randint(2, 3))
    if chance.random() < 0.3:
        return {"type": "parallel", "branches": [inner[:1], inner[1:]]} | _limit(chance)
    return {"type": "parallel", "steps": inner} | _limit(chance)


def each(chance: random.Random, name: str) -> dict[str, Any]:
    """Steps for each item."""
    return {
        "type": "foreach",
        "foreach": chance.choice(("[1, 2]", "[1]", "input.rows")),
        "max_parallel": chance.randint(1, 2),
        "steps": _several(chance, name, chance.randint(1, 2)),
    } | _limit(chance)


def race(chance: random.Random, name: str) -> dict[str, Any]:
    """Some begin together, and as soon as one, or some, of them are there another step follows."""
    racers = _several(chance, name, chance.randint(2, 3), RACERS)
    goal = chance.choice((agent, transform))(chance) | {"id": f"{name}z", "on_error": "continue"}
    goal["join"] = chance.choice(("any", len(racers) - 1))
    goal["cancel_rest"] = chance.random() < 0.8
    ways = [{"from": racer["id"], "to": goal["id"]} for racer in racers]
    return {"type": "parallel", "steps": [*racers, goal], "connections": ways} | _limit(chance)


def _several(
    chance: random.Random, name: str, count: int, kinds: tuple[tuple[Maker, int], ...] = INSIDE
) -> list[dict[str, Any]]:
    makers, weights = [maker for maker, _ in kinds], [weight for _, weight in kinds]
    return [
        {"id": f"{name}{'abc'[place]}", "on_error": chance.choice(("fail", "continue"))}
        | chance.choices(makers, weights)[0](chance)
        for place in range(count)
    ]


def _limit(chance: random.Random) -> dict[str, Any]:
    return {"timeout": chance.choice(("2s", "10s", "30s"))} if chance.random() < 0.3 else {}
