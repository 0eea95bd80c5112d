"""What can run before what: which steps lie before a step, which must have run, which exclude each other.

Sets of steps are bits of whole numbers, so that ten thousand steps fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dirigent.domain.errors import ExpressionError
from dirigent.domain.workflow import Kind
from dirigent.interpreter.expression import Expression
from dirigent.interpreter.graph import Edge, Graph, Node

_ALWAYS = "success"
_TAKEN_MAX = 16
_WAYS_MAX = 100

Taken = frozenset[tuple[str, str]]


@dataclass
class Reach:
    """Per step: those before it, those that have run whenever it runs, and the branches it lies on.

    `before` and `ran` are bit sets over `index`; `branches` says which way out of a step was taken
    whenever this one runs; `dead` are the steps that can never run, `dead_ways` the ways that nobody takes.
    `sure` says which ways out of which steps are enough for a step to run, as long as nothing fails; a
    step that needs none of them is `certain`.
    """

    graph: Graph
    index: dict[str, int] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    ran: dict[str, int] = field(default_factory=dict)
    branches: dict[str, dict[str, str]] = field(default_factory=dict)
    sure: dict[str, Taken] = field(default_factory=dict)
    certain: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    dead_ways: list[Edge] = field(default_factory=list)

    def comes_before(self, first: str, then: str) -> bool:
        """Whether one step lies before another, or around it."""
        return bool(self.before[then] >> self.index[first] & 1)

    def has_run(self, first: str, when: str) -> bool:
        """Whether one step must have succeeded, or failed and been let pass, when another runs."""
        return bool(self.ran[when] >> self.index[first] & 1)

    def at_once(self, one: str, other: str) -> bool:
        """Whether two steps may both run, and nothing says which of them ends first."""
        if one == other or self.comes_before(one, other) or self.comes_before(other, one):
            return False
        ways, other_ways = self.branches[one], self.branches[other]
        return not any(_exclude(ways[name], other_ways[name]) for name in ways.keys() & other_ways.keys())

    def all_before(self, step: str, *, at_its_end: bool = False) -> Iterator[str]:
        """The steps before a step; at the end of a block those inside it too.

        An empty name stands for the whole, of which only the end is read.
        """
        for name in self.index:
            inside = (at_its_end or not step) and self.graph.nodes[name].block == step
            if inside or (step and self.comes_before(name, step)):
                yield name


def reach_of(graph: Graph) -> Reach:
    """Work it out for a sound definition; the cost grows with the ways, not with the paths."""
    written = [name for body in graph.bodies.values() for name in body.steps]
    reach = Reach(graph, index={name: number for number, name in enumerate(written)})
    incoming: dict[str, list[Edge]] = {name: [] for name in written}
    for name in written:
        for edge in graph.nodes[name].outgoing:
            incoming[edge.target].append(edge)
    for block in graph.bodies:
        for name in _in_order(graph, graph.bodies[block].steps, incoming):
            _visit(reach, graph.nodes[name], incoming[name])
    return reach


def constant(edge_or_node: Edge | Node) -> bool | None:
    """What the condition of a way, or the guard of a step, always is; None where that is open."""
    expression = edge_or_node.condition if isinstance(edge_or_node, Edge) else edge_or_node.when
    return None if expression is None else constant_value(expression)


def constant_value(expression: Expression) -> bool | None:
    """What a condition that reads nothing always is; None where it reads something, or errs."""
    if expression.names:
        return None
    try:
        value = expression.evaluate({})
    except ExpressionError:
        return None
    return value if isinstance(value, bool) else None


def _in_order(graph: Graph, steps: Iterable[str], incoming: dict[str, list[Edge]]) -> Iterator[str]:
    left = {name: len(incoming[name]) for name in steps}
    ready = [name for name, count in left.items() if not count]
    for name in ready:
        yield name
        for edge in graph.nodes[name].outgoing:
            left[edge.target] -= 1
            if not left[edge.target]:
                ready.append(edge.target)


def _visit(reach: Reach, node: Node, incoming: list[Edge]) -> None:
    name, outer = node.step.id, node.block
    around = 1 << reach.index[outer] if outer else 0
    reach.before[name] = (reach.before[outer] if outer else 0) | around
    for edge in incoming:
        reach.before[name] |= reach.before[edge.source] | 1 << reach.index[edge.source]
    reach.dead_ways += [edge for edge in incoming if _is_dead(reach, edge)]
    if constant(node) is False or (incoming and all(_is_dead(reach, edge) for edge in incoming)):
        reach.dead.add(name)
    sure = _sure(reach, node, incoming)
    if sure is not None:
        reach.sure[name] = sure
        if not sure:
            reach.certain.add(name)
    reach.ran[name] = _ran_before(reach, node, incoming) | (reach.ran[outer] if outer else 0)
    reach.branches[name] = _branches(reach, outer, incoming)


def _sure(reach: Reach, node: Node, incoming: list[Edge]) -> Taken | None:
    """The fewest ways out of other steps that are enough for this one to run; None where nothing is."""
    if node.step.when:
        return None
    if not incoming:
        return frozenset()
    if node.step.join > 1:
        certain = sum(_is_certain(reach, edge) for edge in incoming)
        return frozenset() if certain >= node.step.join else None
    enough = {taken for edge in incoming if (taken := _enough(reach, edge)) is not None}
    if frozenset() in enough or len(enough) > _WAYS_MAX:
        return min(enough, key=len)
    return min(_with_no_other_way(reach, enough), key=len, default=None)


def _enough(reach: Reach, edge: Edge) -> Taken | None:
    """What is enough for a way to be taken."""
    taken, label = reach.sure.get(edge.source), _label(reach, edge)
    if taken is None or label == _ALWAYS:
        return taken
    outs = _every_way_out(reach, edge.source)
    return taken | {(edge.source, label)} if label in outs and len(taken) < _TAKEN_MAX else None


def _with_no_other_way(reach: Reach, enough: set[Taken]) -> set[Taken]:
    """Where every way out of a step is enough, it does not matter which of them is taken."""
    found = set(enough)
    for step in sorted({step for taken in enough for step, _ in taken}, key=lambda one: -reach.index[one]):
        labels: dict[Taken, set[str]] = {}
        for taken in found:
            for source, label in taken:
                if source == step:
                    labels.setdefault(taken - {(source, label)}, set()).add(label)
        found |= {rest for rest, some in labels.items() if some >= _every_way_out(reach, step)}
    return found


def _every_way_out(reach: Reach, step: str) -> frozenset[str]:
    """The names of the ways out of a condition or a switch, of which exactly one is taken."""
    node = reach.graph.nodes[step]
    if node.step.kind is Kind.SWITCH:
        return frozenset(_label(reach, edge) for edge in node.outgoing if edge.on == "case")
    return frozenset({"true", "false"}) if node.step.kind is Kind.CONDITION else frozenset()


def _ran_before(reach: Reach, node: Node, incoming: list[Edge]) -> int:
    """Who has run for sure: on every way in, and on the ways that are always taken where all are awaited."""
    if not incoming:
        return 0
    by_way = [_ran_by(reach, edge) for edge in incoming]
    common = by_way[0]
    for ran in by_way[1:]:
        common &= ran
    if node.step.join:
        return common
    for edge, ran in zip(incoming, by_way, strict=True):
        if _is_certain(reach, edge):
            common |= ran
    return common


def _ran_by(reach: Reach, edge: Edge) -> int:
    """Who has run for sure when a way is taken; a step whose failure leads here has no output."""
    source = 0 if edge.on == "error" else 1 << reach.index[edge.source]
    return reach.ran[edge.source] | source


def _is_certain(reach: Reach, edge: Edge) -> bool:
    """Whether a way is taken whenever nothing has failed for good."""
    return edge.source in reach.certain and _label(reach, edge) == _ALWAYS


def _is_dead(reach: Reach, edge: Edge) -> bool:
    if edge.source in reach.dead or constant(edge) is False:
        return True
    source = reach.graph.nodes[edge.source]
    if source.step.kind is not Kind.CONDITION or edge.condition is not None or edge.on == "error":
        return False
    results = [constant_value(condition) for condition in source.conditions]
    if edge.on == "false":
        return all(results)
    return False in results


def _branches(reach: Reach, outer: str, incoming: list[Edge]) -> dict[str, str]:
    """The ways out that must have been taken, by the step they lead out of."""
    found = dict(reach.branches[outer]) if outer else {}
    common: dict[str, str] | None = None
    for edge in incoming:
        taken = reach.branches[edge.source] | {edge.source: _label(reach, edge)}
        common = taken if common is None else dict(common.items() & taken.items())
    return found | (common or {})


def _label(reach: Reach, edge: Edge) -> str:
    """Under which name a way excludes the others from the same step."""
    if edge.on in ("error", "true", "false"):
        return edge.on
    if edge.on == "case":
        return f"case {edge.target}"
    if edge.condition is not None:
        return edge.condition.source
    return "true" if reach.graph.nodes[edge.source].step.kind is Kind.CONDITION else _ALWAYS


def _exclude(label: str, other: str) -> bool:
    if _ALWAYS in (label, other):
        return "error" in (label, other)
    return label != other
