"""Steps as they run, by their names: what each stands in, and what leads to it; and what ends are called."""

from __future__ import annotations

from dirigent.domain.ids import compensation_step, defined_step
from dirigent.domain.workflow import Kind
from dirigent.interpreter.graph import Edge, Graph, Node

UNDOES = compensation_step("")
ANNOUNCED = frozenset({"keyed", "queryable", "at_most_once"})  # effects; the rest only computes or reads
WITH_RESULT = frozenset({"completed", "partially_completed"})


def node_of(graph: Graph, step: str) -> Node | None:
    """What a definition says of a step that runs, or of an item of it."""
    return graph.nodes.get(defined_step(step))


def around(graph: Graph, step: str) -> list[str]:
    """Everything that a step stands in, the nearest first: blocks, items, rounds of a loop.

    `refine[2].draft[1]` is an item of `refine[2].draft`, which stands in the round `refine[2]` of `refine`.
    """
    found: list[str] = []
    while step and not step.startswith(UNDOES):
        prefix, _, own = step.rpartition(".")
        plain = own.partition("[")[0]
        node = graph.nodes.get(plain)
        if own != plain:
            step = f"{prefix}.{plain}" if prefix else plain
        elif node is None or not node.block:
            break
        elif graph.nodes[node.block].step.kind is Kind.PARALLEL:
            step = f"{prefix}.{node.block}" if prefix else node.block
        else:
            step = prefix
        found.append(step)
    return found


def beside(step: str, other: str) -> str:
    """The name of another step of the same body, where a step runs."""
    prefix, dot, _ = step.rpartition(".")
    return prefix + dot + other


def ways_to(graph: Graph, step: str) -> list[Edge]:
    """The ways that lead to a step of the definition."""
    return [edge for node in graph.nodes.values() for edge in node.outgoing if edge.target == step]
