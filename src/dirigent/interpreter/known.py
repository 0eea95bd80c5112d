"""What an execution knows where a step stands, by name: for a step that writes no parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dirigent.interpreter.graph import Body, Graph
from dirigent.interpreter.state import State


def known(graph: Graph, state: State, step: str, names: Iterable[str]) -> dict[str, Any]:
    """The values of those of these names that have one.

    A name is the field of the output of the nearest step that leads here, then around the block and so on,
    else of the input. What runs beside the step says nothing, so that every attempt finds the same.
    """
    wanted, found = set(names), dict[str, Any]()
    for output in _outputs_before(graph, state, step):
        for name in sorted(wanted & output.keys()):
            found[name] = output[name]
            wanted.discard(name)
    return found | {name: state.input[name] for name in sorted(wanted) if name in state.input}


def _outputs_before(graph: Graph, state: State, step: str) -> Iterator[dict[str, Any]]:
    """The outputs that are mappings, of the steps that lead to a step, the nearest first."""
    place = state.steps.get(step)
    while place is not None:
        region = state.regions[place.region]
        body = graph.bodies[graph.nodes[place.node].block]
        for name in _leading_to(graph, body, place.node):
            if isinstance(output := region.outputs.get(name), dict):
                yield output
        place = None if region.outer is None else state.steps[place.region]


def _leading_to(graph: Graph, body: Body, node: str) -> Iterator[str]:
    """The steps of a body that lead to one of them, by distance; of those as near the last written first."""
    sources: dict[str, list[str]] = {}
    for name in reversed(body.steps):
        for edge in graph.nodes[name].outgoing:
            sources.setdefault(edge.target, []).append(name)
    seen, near = {node}, [node]
    while near:
        nearest = dict.fromkeys(name for one in near for name in sources.get(one, ()))
        near = [name for name in nearest if name not in seen]
        seen.update(near)
        yield from near
