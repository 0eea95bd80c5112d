"""The nodes of a flow: functions with policies, and the definition that they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dirigent.domain.errors import InvalidInput
from dirigent.domain.workflow import Definition, FlowType, Kind, Retry, Step

NODES_MAX = 1000
FLOW = "flow"

Flow = Sequence["Callable[..., Any] | Node"]


@dataclass(frozen=True, kw_only=True)
class Node:
    """One function of a flow and how it is treated; each function takes what the one before it gave.

    `each` runs it once per item of a list, at most `max_parallel` at once: True where the value is the
    list, else the name of the list in it. `agent` says in whose places it runs (else the node's own
    name). After the last attempt `fallback`, where there is one, gives the result instead. `on_error`
    is fail or continue: the flow then goes on with null, or without the items that failed.
    """

    func: Callable[..., Any]
    name: str = ""
    agent: str = ""
    each: bool | str = False
    max_parallel: int = 16
    retry: Retry = field(default_factory=Retry)
    timeout_s: float = 0.0
    on_error: str = "fail"
    fallback: Callable[..., Any] | None = None


def checked_nodes(flow: Flow) -> list[Node]:
    """The flow as nodes with names of their own; raises `InvalidInput` naming the place."""
    if not 0 < len(flow) <= NODES_MAX:
        raise InvalidInput(f"The flow has {len(flow)} nodes.", fix=f"Give 1 to {NODES_MAX}.", field="flow")
    nodes: list[Node] = []
    taken: set[str] = set()
    for number, item in enumerate(flow):
        node = item if isinstance(item, Node) else Node(func=item)
        if not callable(node.func):
            raise InvalidInput(
                f"flow[{number}] is {node.func!r}.", fix="Give a function or a Node.", field=f"flow[{number}]"
            )
        if node.on_error not in ("fail", "continue"):
            raise InvalidInput(
                f"on_error is {node.on_error!r}.",
                fix="Use fail or continue.",
                field=f"flow[{number}].on_error",
            )
        nodes.append(_named(node, taken))
    return nodes


def _named(node: Node, taken: set[str]) -> Node:
    base = node.name or getattr(node.func, "__name__", "node")
    letters = (letter if letter.isascii() and letter.isalnum() else "_" for letter in base)
    plain = "".join(letters).strip("_") or "node"
    first = f"n{plain}" if plain[0].isdigit() else plain
    name, number = first, 1
    while name in taken:
        number += 1
        name = f"{first}_{number}"
    taken.add(name)
    return replace(node, name=name, agent=node.agent or name)


def definition_of(nodes: Sequence[Node]) -> Definition:
    """The workflow that a flow is: one step a node, each fed by the one before it."""
    steps: list[Step] = []
    value, before = "input.payload", ""
    for node in nodes:
        each = ""
        if node.each:
            each = value if node.each is True else f"{value}.{node.each}"
        steps.append(
            Step(
                id=node.name,
                kind=Kind.AGENT,
                agent=node.agent,
                action=node.name,
                parameters={"value": "${item}" if each else f"${{{value}}}"},
                foreach=each,
                max_parallel=node.max_parallel,
                retry=node.retry,
                on_error=node.on_error,
            )
        )
        before = node.name
        value = f"steps.{before}.results" if each else f"steps.{before}"
    return Definition(name=FLOW, type=FlowType.SEQUENTIAL, steps=tuple(steps))
