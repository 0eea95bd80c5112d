"""What a bare name in an expression may stand for, and which names can stand for nothing."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable

from dirigent.domain.errors import ExpressionError
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.interpreter.expression import parse_expression
from dirigent.interpreter.parts import Parts, Use
from dirigent.interpreter.problems import Findings, Path, shown
from dirigent.interpreter.state import RESERVED_NAMES

EVERYWHERE = frozenset({"input", "steps", "run"})
_NEAR_MIN = 0.75  # of two words; 1 is the same word

# Words that stand for something in one place only, and where that is.
ELSEWHERE = {
    "event": "event is there in a trigger and in the filter of wait_for_event; read input here",
    "schedule": "schedule is there in a trigger; read input here",
    "result": "result is there in the output of a step; read steps.<id> here",
    "output": "output is there in compensate; read steps.<id> here",
    "error": "error is there in fallback; follow a connection with on: error instead",
    "previous": "previous is there inside a loop",
}
_OF_KEYS: dict[str | int, str] = {
    "output": "result",
    "compensate": "output",
    "fallback": "error",
    "filter": "event",
}

_GIVES: dict[Kind, frozenset[str]] = {
    Kind.CONDITION: frozenset({"result"}),
    Kind.VALIDATION: frozenset({"valid"}),
    Kind.APPROVAL: frozenset({"decision", "by", "comment"}),
    Kind.WAIT: frozenset({"waited"}),
    Kind.SWITCH: frozenset(),  # what it chose is read under its id only
}


def fields_given(step: Step) -> frozenset[str] | None:
    """The fields of a step's output that can be read by bare name; None where its definition does not say."""
    if step.foreach:
        return frozenset({"results", "failures"})
    if step.output is not None or step.fallback is not None:
        return frozenset(step.output) if isinstance(step.output, dict) and not step.fallback else None
    if step.kind is Kind.TRANSFORM:
        return frozenset(step.parameters)
    if step.kind is Kind.PARALLEL:
        return frozenset(one.id for one in step.inner)
    return _GIVES.get(step.kind)


def words_at(use: Use, home: Path) -> frozenset[str]:
    """What an expression may read besides bare names.

    `home` is where its step stands, empty for an expression of the whole.
    """
    words = set(EVERYWHERE)
    if use.of_item:
        words |= {"item", "index"}
    if use.of_loop:
        words |= {"index", "previous"}
    key = use.path[len(home)] if home and len(use.path) > len(home) else ""
    if key in _OF_KEYS:
        words.add(_OF_KEYS[key])
    return frozenset(words)


def nearest(name: str, words: Iterable[str]) -> str:
    """The word that a name looks like, with the same first letter; empty where there is none."""
    alike = sorted(word for word in words if word[:1] == name[:1])
    found = difflib.get_close_matches(name, alike, n=1, cutoff=_NEAR_MIN)
    return found[0] if found else ""


def way_out(name: str, words: Iterable[str]) -> str:
    """What to do about a name that nothing gives, where these words may stand."""
    near = nearest(name, words)
    if near and near != name:
        return f"did you mean {near}?"
    return ELSEWHERE.get(name, "read input.<field>, steps.<id>, or a field that one of these has")


def check_names(definition: Definition, parts: Parts) -> None:
    """Note every bare name that can be nothing, whatever a run is started with and whatever its steps give.

    That can be said where the input has no other fields than those declared, and where every step says
    what it gives: what an action gives is not known here.
    """
    given = _every_name(definition)
    if given is None:
        return
    homes = {path for path, _ in parts.steps}
    for use in parts.uses:
        names = frozenset[str]() if use.only is not None else _names_in(use.source)
        words = words_at(use, home_of(use.path, homes))
        for name in sorted(names - given - words - RESERVED_NAMES):
            _tell(parts.findings, use, name, words | given)


def home_of(path: Path, homes: Container[Path]) -> Path:
    """Where the step stands that a path leads into; empty for the whole."""
    return next((path[:end] for end in range(len(path), 0, -1) if path[:end] in homes), ())


def _every_name(definition: Definition) -> frozenset[str] | None:
    """All bare names that any run can have; None where some cannot be told."""
    schema = definition.input
    if schema.get("additionalProperties") is not False or schema.get("patternProperties"):
        return None
    found = set(schema.get("properties", ()))
    for step in definition.every_step():
        fields = fields_given(step)
        if fields is None:
            return None
        found |= {step.id, *fields}
    return frozenset(found)


def _names_in(source: str) -> frozenset[str]:
    try:
        return parse_expression(source).names
    except ExpressionError:
        return frozenset()


def _tell(findings: Findings, use: Use, name: str, words: frozenset[str]) -> None:
    message = f"{shown(use.source)} reads {name}, which nothing gives"
    expected = "a name that the input or a step gives"
    findings.add("WF029", use.path, message, expected=expected, fix=way_out(name, words))
