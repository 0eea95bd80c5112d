"""What is wrong with the ways between steps: ends that are not there, circles, joins that cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from dirigent.domain.workflow import Connection, Kind, Step
from dirigent.interpreter.parts import Body, Parts
from dirigent.interpreter.problems import Findings, Path, shown
from dirigent.interpreter.ways import find_cycle, named_ways, ways

_CIRCLE_SHOWN = 12


def check_ways(parts: Parts, steps: Mapping[str, Step]) -> None:
    """Note what is wrong with the ways of every body; `steps` are all steps by id."""
    for body in parts.bodies:
        _check_body(body, steps, parts.findings)


def _check_body(body: Body, steps: Mapping[str, Step], findings: Findings) -> None:
    own = {step.id: (path, step) for path, step in reversed(body.steps)}
    named = {(way.source, way.target) for _, step in body.steps for way in named_ways(step)}
    sound: dict[Connection, Path] = {}
    for path, connection in body.connections:
        known = [
            _check_end(connection.source, (*path, "from"), own, steps, findings),
            _check_end(connection.target, (*path, "to"), own, steps, findings),
        ]
        if all(known):
            _check_on(connection, path, own[connection.source][1], findings)
            if (connection.source, connection.target) in named:
                _add_twice(connection, path, findings)
            sound.setdefault(connection, path)
    named_are_sound = [_check_named(step, path, own, steps, findings) for path, step in body.steps]
    if all(named_are_sound):
        _check_shape(body, own, sound, findings)


def _check_end(
    name: str,
    path: Path,
    own: Mapping[str, tuple[Path, Step]],
    steps: Mapping[str, Step],
    findings: Findings,
) -> bool:
    if not name or name in own:
        return bool(name)
    if name in steps:
        message = f"{shown(name)} stands in another block, or around this one"
        expected = "a step of the same block"
        fix = "connect the blocks themselves"
        findings.add("WF024", path, message, expected=expected, fix=fix)
        return False
    near = findings.near(name, steps)
    fix = f"did you mean {near}?" if near else "name a step, or add this one"
    findings.add("WF016", path, f"there is no step {shown(name)}", expected="the id of a step", fix=fix)
    return False


def _check_named(
    step: Step,
    path: Path,
    own: Mapping[str, tuple[Path, Step]],
    steps: Mapping[str, Step],
    findings: Findings,
) -> bool:
    """Whether the steps that a switch or a failure leads to are there."""
    ends = [(case.to, (*path, "cases", number, "to")) for number, case in enumerate(step.cases)]
    ends += [(step.default, (*path, "default"))] if step.default else []
    ends += [(step.fallback_step, (*path, "on_error", "fallback"))] if step.fallback_step else []
    sound = [_check_end(name, here, own, steps, findings) for name, here in ends]
    return all(sound)


def _check_on(connection: Connection, path: Path, source: Step, findings: Findings) -> None:
    here = (*path, "on")
    if connection.on in ("true", "false") and source.kind is not Kind.CONDITION:
        message = f"on {connection.on} asks a condition, {source.id} is of type {source.kind}"
        fix = "remove on, or write a condition"
        findings.add("WF014", here, message, expected="success or error", fix=fix, at_key=True)
    if connection.on == "error" and source.on_error == "continue":
        message = f"{source.id} goes on after an error, so this way is never taken"
        fix = f"remove on_error from {source.id}, or this connection"
        findings.add("WF015", here, message, expected="one of the two", fix=fix, at_key=True)


def _add_twice(connection: Connection, path: Path, findings: Findings) -> None:
    message = f"{connection.source} leads to {connection.target} by itself"
    findings.add("WF015", path, message, expected="one of the two", fix="remove this connection")


def _check_shape(
    body: Body, own: Mapping[str, tuple[Path, Step]], sound: Mapping[Connection, Path], findings: Findings
) -> None:
    in_order = list(own.values())[::-1]
    all_ways = ways([step for _, step in in_order], tuple(sound), at_once=body.at_once)
    circle = find_cycle(own, all_ways)
    if circle:
        _add_circle(circle, own, sound, findings)
    incoming = Counter(way.target for way in all_ways)
    for path, step in in_order:
        _check_join(step, incoming[step.id], path, findings)
    if not body.connections and not body.at_once:
        _check_reached(in_order, incoming, findings)


def _add_circle(
    circle: list[str],
    own: Mapping[str, tuple[Path, Step]],
    sound: Mapping[Connection, Path],
    findings: Findings,
) -> None:
    source, target = circle[-1], circle[0]
    names = circle[:_CIRCLE_SHOWN] + (["..."] if len(circle) > _CIRCLE_SHOWN else []) + [target]
    places = (path for way, path in sound.items() if (way.source, way.target) == (source, target))
    message = f"the connections run in a circle: {' -> '.join(names)}"
    fix = f"remove the connection from {source} to {target}"
    findings.add("WF017", next(places, own[source][0]), message, expected="no circle", fix=fix)


def _check_join(step: Step, ways_in: int, path: Path, findings: Findings) -> None:
    """A join of some ways needs more than one, and no more than there are."""
    if step.join and (ways_in < 2 or step.join > ways_in):
        message = f"{step.id} joins {step.join} of {ways_in} ways in"
        expected = "fewer than the ways that lead to it"
        fix = "add connections, or remove join"
        findings.add("WF026", (*path, "join"), message, expected=expected, fix=fix, at_key=True)


def _check_reached(
    steps: Sequence[tuple[Path, Step]], incoming: Mapping[str, int], findings: Findings
) -> None:
    """Without connections only the first step may have no way in."""
    for path, step in steps[1:]:
        if not incoming[step.id]:
            message = f"no way leads to {step.id}: the switch before it names other steps"
            fix = "let the switch name it, or write connections"
            findings.add("WF027", path, message, expected="a way in", fix=fix)
