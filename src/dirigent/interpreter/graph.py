"""A definition made ready to run: edges by step, readiness counts, compiled expressions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dirigent.domain.ids import compensation_step
from dirigent.domain.workflow import Compensate, Connection, Definition, FlowType, Kind, Step
from dirigent.interpreter.expression import Expression, parse_expression
from dirigent.interpreter.template import Render, as_expression, compile_template, expressions_in
from dirigent.interpreter.ways import only_towards, ways, ways_inside


@dataclass(frozen=True)
class Edge:
    """A way from one step to another, with its compiled condition."""

    source: str
    target: str
    condition: Expression | None
    on: str


@dataclass(frozen=True)
class Template:
    """A compiled value with expressions in it, and the names these read."""

    render: Render
    names: frozenset[str]


@dataclass(frozen=True)
class Node:
    """A step with its edges and everything of it that is compiled once.

    `handled` says that a failure is dealt with by another step or let pass, `awaited` that it only leads
    to joins that may do without it. `rest` are the steps that lead to this join alone, nearest first.
    `block` is the block that the step stands in.
    """

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
    handled: bool
    awaited: bool
    rest: tuple[str, ...]
    on: Expression | None
    cases: tuple[Expression | None, ...]
    until: Expression | None
    repeat_while: Expression | None
    output: Template | None
    fallback: Template | None


@dataclass(frozen=True)
class Body:
    """The steps of the definition, or those of a block.

    `roots` have no way in, `leaves` no way out, save for a failure.
    """

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
    _add_body(
        "", definition.steps, ways(definition.steps, definition.connections, at_once=at_once), nodes, bodies
    )
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
    steps: Sequence[Step],
    connections: Sequence[Connection],
    nodes: dict[str, Node],
    bodies: dict[str, Body],
) -> None:
    outgoing: dict[str, list[Edge]] = {step.id: [] for step in steps}
    sources: dict[str, list[str]] = {step.id: [] for step in steps}
    for connection in connections:
        outgoing[connection.source].append(_edge(connection))
        sources[connection.target].append(connection.source)
    joins = frozenset(step.id for step in steps if step.join)
    for step in steps:
        edges = tuple(outgoing[step.id])
        rest = only_towards(step.id, outgoing, sources) if step.cancel_rest else ()
        nodes[step.id] = _node(step, block, edges, len(sources[step.id]), joins, tuple(rest))
        if step.compensate is not None:
            undoing = _undoing(step.id, step.compensate)
            nodes[undoing.id] = _node(undoing, block, (), 0, frozenset(), ())
    bodies[block] = Body(
        steps=tuple(outgoing),
        roots=tuple(name for name, found in sources.items() if not found),
        leaves=tuple(name for name, out in outgoing.items() if all(edge.on == "error" for edge in out)),
    )
    for step in steps:
        if step.inner:
            _add_body(step.id, step.inner, ways_inside(step), nodes, bodies)


def _edge(connection: Connection) -> Edge:
    condition = parse_expression(as_expression(connection.condition)) if connection.condition else None
    return Edge(connection.source, connection.target, condition, connection.on)


def _node(
    step: Step,
    block: str,
    outgoing: tuple[Edge, ...],
    incoming: int,
    joins: frozenset[str],
    rest: tuple[str, ...],
) -> Node:
    passes = step.on_error == "continue"
    return Node(
        step=step,
        block=block,
        outgoing=outgoing,
        incoming=incoming,
        when=_expression(step.when),
        conditions=tuple(parse_expression(as_expression(text)) for text in step.conditions),
        foreach=_expression(step.foreach),
        workflow=_workflow_expression(step),
        event=compile_template(step.event),
        filter=_expression(step.filter),
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
        handled=passes or any(edge.on == "error" for edge in outgoing),
        awaited=bool(outgoing) and all(edge.target in joins for edge in outgoing),
        rest=rest,
        on=_expression(step.on),
        cases=tuple(_expression(case.when) for case in step.cases),
        until=_expression(step.until),
        repeat_while=_expression(step.repeat_while),
        output=_template(step.output) if step.output is not None else None,
        fallback=_fallback(step),
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


def _expression(text: str) -> Expression | None:
    return parse_expression(as_expression(text)) if text else None


def _template(value: Any) -> Template:
    return Template(compile_template(value), _names(expressions_in(value)))


def _fallback(step: Step) -> Template | None:
    if step.fallback is None:
        return None
    return _template(step.fallback.parameters if step.fallback.action else step.fallback.value)


def _required_fields(step: Step) -> Iterable[str]:
    return step.parameters.get("required_fields", ()) if step.kind is Kind.VALIDATION else ()


def _names(sources: Iterable[str]) -> frozenset[str]:
    return frozenset().union(*(parse_expression(source).names for source in sources))


def _workflow_expression(step: Step) -> Expression | None:
    dynamic = step.kind is Kind.SUBWORKFLOW and step.workflow.strip().startswith("${")
    return parse_expression(as_expression(step.workflow)) if dynamic else None
