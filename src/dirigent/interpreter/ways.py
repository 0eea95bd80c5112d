"""The ways between steps: those that are written, those that steps name, and those that are meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dirigent.domain.workflow import Connection, Kind, Step

CASE = "case"  # what a way that a switch names is on; nobody can write it


def ways(
    steps: Sequence[Step], connections: Sequence[Connection], *, at_once: bool = False
) -> tuple[Connection, ...]:
    """All ways between the steps of one body.

    Where no connections are written one step follows the other, unless all are to start at once. Steps
    that a switch or a failure leads to are branches then: each of them goes on with the first step
    behind them that is none.
    """
    named = [way for step in steps for way in named_ways(step)]
    if connections or at_once:
        return (*connections, *named)
    return (*_in_order(steps, frozenset(way.target for way in named)), *named)


def ways_inside(block: Step) -> tuple[Connection, ...]:
    """All ways between the steps of a block; each branch is a sequence of its own."""
    if block.branches:
        return tuple(way for branch in block.branches for way in ways(branch, ()))
    return ways(block.steps, block.connections, at_once=block.kind is Kind.PARALLEL)


def named_ways(step: Step) -> Iterator[Connection]:
    """The ways that a step names itself: those of a switch, and where its failure leads."""
    targets = [case.to for case in step.cases] + ([step.default] if step.default else [])
    for target in dict.fromkeys(targets):
        yield Connection(source=step.id, target=target, on=CASE)
    if step.fallback_step:
        yield Connection(source=step.id, target=step.fallback_step, on="error")


def _in_order(steps: Sequence[Step], branches: frozenset[str]) -> Iterator[Connection]:
    """One step after the other; what a switch leads to is said by the switch."""
    ends: list[str] = []
    for step in steps:
        if step.id not in branches:
            for end in ends:
                yield Connection(source=end, target=step.id)
            ends = []
        if step.kind is not Kind.SWITCH:
            ends.append(step.id)


def find_cycle(steps: Iterable[str], connections: Iterable[Connection]) -> list[str]:
    """The steps of one circle in order, or an empty list."""
    targets: dict[str, list[str]] = {step: [] for step in steps}
    for connection in connections:
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


def only_towards(
    target: str, outgoing: Mapping[str, Sequence[object]], sources: Mapping[str, Sequence[str]]
) -> list[str]:
    """The steps from which every way ends at a step, nearest first; costs no more than what is found."""
    left: dict[str, int] = {}
    found: list[str] = []
    reached = [target]
    for step in reached:
        for source in sources[step]:
            left[source] = left.get(source, len(outgoing[source])) - 1
            if left[source] == 0:
                found.append(source)
                reached.append(source)
    return found


def _without_way_in_removed(targets: dict[str, list[str]]) -> set[str]:
    """What is left after steps on no circle are peeled off, from the start and from the end."""
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
