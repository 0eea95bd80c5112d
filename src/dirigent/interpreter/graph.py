"""A definition made ready to run: edges by step, readiness counts, compiled expressions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from dirigent.domain.ids import compensation_step
from dirigent.domain.workflow import Compensate, Connection, Definition, FlowType, Kind, Step
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
    """A step with its edges and everything of it that is compiled once. `block` is the block it stands in."""

    step: Step
    block: str
    outgoing: tuple[Edge, ...]
    incoming: int
    when: Expression | None
    conditions: tuple[Expression, ...]
    foreach: Expression | None
    workflow: Expression | None
    event: Render
    filter: Expression | None
    approvers: Render
    parameters: Render
    names: frozenset[str]
    compensate: str


@dataclass(frozen=True)
class Body:
    """The steps of the definition, or those of a block; `roots` have no way in, `leaves` no way out."""

    steps: tuple[str, ...]
    roots: tuple[str, ...]
    leaves: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """All nodes by id, bodies by the block they are in, and the compiled output mapping.

    The body of the definition itself stands under the empty name. What undoes a step is a node as well,
    in no body; `compensated` says whether there is one.
    """

    definition: Definition
    nodes: dict[str, Node]
    bodies: dict[str, Body]
    compensated: bool
    output: dict[str, Render]
    output_names: frozenset[str]


def build_graph(definition: Definition) -> Graph:
    """Compile a checked definition; the definition is taken to be sound."""
    nodes: dict[str, Node] = {}
    bodies: dict[str, Body] = {}
    at_once = definition.type is FlowType.PARALLEL
    _add_body("", definition.steps, definition.connections, at_once, nodes, bodies)
    return Graph(
        definition=definition,
        nodes=nodes,
        bodies=bodies,
        compensated=any(node.compensate for node in nodes.values()),
        output={name: compile_template(value) for name, value in definition.output.items()},
        output_names=_names(expressions_in(definition.output)),
    )


def _add_body(
    block: str,
    steps: tuple[Step, ...],
    connections: tuple[Connection, ...],
    at_once: bool,
    nodes: dict[str, Node],
    bodies: dict[str, Body],
) -> None:
    outgoing: dict[str, list[Edge]] = {step.id: [] for step in steps}
    incoming = dict.fromkeys(outgoing, 0)
    for connection in ways(steps, connections, at_once=at_once):
        outgoing[connection.source].append(_edge(connection))
        incoming[connection.target] += 1
    for step in steps:
        nodes[step.id] = _node(step, block, outgoing[step.id], incoming[step.id])
        if step.compensate is not None:
            undoing = _undoing(step.id, step.compensate)
            nodes[undoing.id] = _node(undoing, block, [], 0)
    bodies[block] = Body(
        steps=tuple(outgoing),
        roots=tuple(name for name, count in incoming.items() if count == 0),
        leaves=tuple(name for name, out in outgoing.items() if not out),
    )


def ways(
    steps: tuple[Step, ...], connections: tuple[Connection, ...], *, at_once: bool
) -> tuple[Connection, ...]:
    """The connections as written, or those that are meant where none are.

    Then one step follows the other, unless all of them are to start at once.
    """
    if connections or at_once:
        return connections
    return tuple(Connection(source=a.id, target=b.id) for a, b in itertools.pairwise(steps))


def find_cycle(definition: Definition) -> list[str]:
    """The steps of one cycle in order, or an empty list."""
    targets: dict[str, list[str]] = {step.id: [] for step in definition.steps}
    at_once = definition.type is FlowType.PARALLEL
    for connection in ways(definition.steps, definition.connections, at_once=at_once):
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


def _node(step: Step, block: str, outgoing: list[Edge], incoming: int) -> Node:
    return Node(
        step=step,
        block=block,
        outgoing=tuple(outgoing),
        incoming=incoming,
        when=parse_expression(as_expression(step.when)) if step.when else None,
        conditions=tuple(parse_expression(as_expression(text)) for text in step.conditions),
        foreach=parse_expression(as_expression(step.foreach)) if step.foreach else None,
        workflow=_workflow_expression(step),
        event=compile_template(step.event),
        filter=parse_expression(as_expression(step.filter)) if step.filter else None,
        parameters=compile_template(step.parameters),
        names=_names(
            [
                *expressions_in([step.parameters, step.event, *step.deciders.approvers]),
                *map(as_expression, step.conditions),
            ]
        )
        | frozenset(_required_fields(step)),
        approvers=compile_template(list(step.deciders.approvers)),
        compensate=compensation_step(step.id) if step.compensate is not None else "",
    )


def _undoing(step: str, compensate: Compensate) -> Step:
    return Step(
        id=compensation_step(step),
        kind=Kind.AGENT,
        agent=compensate.agent,
        action=compensate.action,
        parameters=compensate.parameters,
        timeout_ms=compensate.timeout_ms,
        retry=compensate.retry,
    )


def _required_fields(step: Step) -> Iterable[str]:
    return step.parameters.get("required_fields", ()) if step.kind is Kind.VALIDATION else ()


def _names(sources: Iterable[str]) -> frozenset[str]:
    return frozenset().union(*(parse_expression(source).names for source in sources))


def _workflow_expression(step: Step) -> Expression | None:
    dynamic = step.kind is Kind.SUBWORKFLOW and step.workflow.strip().startswith("${")
    return parse_expression(as_expression(step.workflow)) if dynamic else None
