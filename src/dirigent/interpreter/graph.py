"""A definition made ready to run: edges by step, readiness counts, compiled expressions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from dirigent.domain.workflow import Connection, Definition, FlowType, Kind, Step
from dirigent.interpreter.expression import Expression, parse_expression
from dirigent.interpreter.template import Render, as_expression, compile_template, expressions_in


@dataclass(frozen=True)
class Edge:
    """A way from one step to another, with its compiled condition."""

    source: str
    target: str
    condition: Expression | None
    on: str


@dataclass(frozen=True)
class Node:
    """A step with its edges and everything of it that is compiled once."""

    step: Step
    outgoing: tuple[Edge, ...]
    incoming: int
    when: Expression | None
    conditions: tuple[Expression, ...]
    foreach: Expression | None
    workflow: Expression | None
    parameters: Render
    names: frozenset[str]


@dataclass(frozen=True)
class Graph:
    """All nodes by id, those without a way in, and the compiled output mapping with the names it reads."""

    definition: Definition
    nodes: dict[str, Node]
    roots: tuple[str, ...]
    leaves: tuple[str, ...]
    output: dict[str, Render]
    output_names: frozenset[str]


def build_graph(definition: Definition) -> Graph:
    """Compile a checked definition; the definition is taken to be sound."""
    edges = [_edge(connection) for connection in effective_connections(definition)]
    outgoing: dict[str, list[Edge]] = {step.id: [] for step in definition.steps}
    incoming = dict.fromkeys(outgoing, 0)
    for edge in edges:
        outgoing[edge.source].append(edge)
        incoming[edge.target] += 1
    nodes = {step.id: _node(step, outgoing[step.id], incoming[step.id]) for step in definition.steps}
    return Graph(
        definition=definition,
        nodes=nodes,
        roots=tuple(name for name, count in incoming.items() if count == 0),
        leaves=tuple(name for name, out in outgoing.items() if not out),
        output={name: compile_template(value) for name, value in definition.output.items()},
        output_names=_names(expressions_in(definition.output)),
    )


def effective_connections(definition: Definition) -> tuple[Connection, ...]:
    """The connections as written, or those that the workflow's type implies.

    Without any: one after the other, except `parallel`, where all start at once.
    """
    if definition.connections or definition.type is FlowType.PARALLEL:
        return definition.connections
    ids = [step.id for step in definition.steps]
    return tuple(Connection(source=a, target=b) for a, b in itertools.pairwise(ids))


def find_cycle(definition: Definition) -> list[str]:
    """The steps of one cycle in order, or an empty list."""
    targets: dict[str, list[str]] = {step.id: [] for step in definition.steps}
    for connection in effective_connections(definition):
        targets.get(connection.source, []).append(connection.target)
    remaining = _without_way_in_removed(targets)
    if not remaining:
        return []
    path = {min(remaining): 0}
    following = next(iter(path))
    while True:
        following = min(name for name in targets[following] if name in remaining)
        if following in path:
            return list(path)[path[following] :]
        path[following] = len(path)


def _without_way_in_removed(targets: dict[str, list[str]]) -> set[str]:
    """What is left after steps on no cycle are peeled off, from the start and from the end."""
    forward = _peel(targets)
    kept = {name: [t for t in targets[name] if t in forward] for name in forward}
    backward: dict[str, list[str]] = {name: [] for name in kept}
    for name, outs in kept.items():
        for target in outs:
            backward[target].append(name)
    return _peel(backward)


def _peel(targets: dict[str, list[str]]) -> set[str]:
    counts = dict.fromkeys(targets, 0)
    for outs in targets.values():
        for target in outs:
            if target in counts:
                counts[target] += 1
    free = [name for name, count in counts.items() if count == 0]
    remaining = set(targets)
    while free:
        name = free.pop()
        remaining.discard(name)
        free += _release(counts, targets[name])
    return remaining


def _release(counts: dict[str, int], names: Iterable[str]) -> list[str]:
    released = []
    for name in names:
        if name in counts:
            counts[name] -= 1
            if counts[name] == 0:
                released.append(name)
    return released


def _edge(connection: Connection) -> Edge:
    condition = parse_expression(as_expression(connection.condition)) if connection.condition else None
    return Edge(connection.source, connection.target, condition, connection.on)


def _node(step: Step, outgoing: list[Edge], incoming: int) -> Node:
    return Node(
        step=step,
        outgoing=tuple(outgoing),
        incoming=incoming,
        when=parse_expression(as_expression(step.when)) if step.when else None,
        conditions=tuple(parse_expression(as_expression(text)) for text in step.conditions),
        foreach=parse_expression(as_expression(step.foreach)) if step.foreach else None,
        workflow=_workflow_expression(step),
        parameters=compile_template(step.parameters),
        names=_names([*expressions_in(step.parameters), *map(as_expression, step.conditions)])
        | frozenset(_required_fields(step)),
    )


def _required_fields(step: Step) -> Iterable[str]:
    return step.parameters.get("required_fields", ()) if step.kind is Kind.VALIDATION else ()


def _names(sources: Iterable[str]) -> frozenset[str]:
    return frozenset().union(*(parse_expression(source).names for source in sources))


def _workflow_expression(step: Step) -> Expression | None:
    dynamic = step.kind is Kind.SUBWORKFLOW and step.workflow.strip().startswith("${")
    return parse_expression(as_expression(step.workflow)) if dynamic else None
