"""What can be wrong with a definition: stable codes, and findings with their place in the file."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from dirigent.domain.errors import InvalidDefinition

Path: TypeAlias = tuple[str | int, ...]

SHOWN_MAX = 100  # problems told in full; those behind them are counted
_NEAR_MAX = 200  # names looked at to find near ones
_VALUE_LENGTH = 60

CODES: dict[str, str] = {
    "WF001": "The text is not YAML.",
    "WF002": "The definition is too large.",
    "WF003": "Anchors with aliases, tags and several documents are not read: they can hide what a file says.",
    "WF004": "A key is written twice in one mapping; only one of them could count.",
    "WF005": "The nesting is too deep.",
    "WF006": "A key is not known here.",
    "WF007": "A key that has to be there is missing.",
    "WF008": "A value has the wrong type.",
    "WF009": "A value or a number of things is outside its limits.",
    "WF010": "A word is not one of those that may stand here.",
    "WF011": "A name is not well formed.",
    "WF012": "Two steps have the same id.",
    "WF013": "A duration is not well formed: 250ms, 30s, 5m, 1h, 2d, or whole seconds.",
    "WF014": "A key says nothing for a step of this type.",
    "WF015": "Two keys say the same thing, or exclude each other.",
    "WF016": "A connection names a step that does not exist.",
    "WF017": "The connections run in a circle; such a workflow would never begin or never end.",
    "WF018": "An expression is not valid CEL, or cannot give what is needed here.",
    "WF019": "An expression reads a step that does not exist.",
    "WF020": "An expression reads `item` or `index` where there is none.",
    "WF021": "An operator contradicts its expression, or lacks a value.",
    "WF022": "No agent of this name is registered.",
    "WF023": "The agent has no action of this name.",
    "WF024": "A way leads into a block or out of it.",
    "WF025": "An expression reads a step inside a block from outside it.",
    "WF026": "A join asks for more ways than lead to its step, or there is nothing to join.",
    "WF027": "No way leads to a step: without connections a step behind a switch has to be one of its ways.",
    "WF028": "A fallback is the very action it stands in for.",
    "WF029": "An expression reads a name that nothing gives.",
    "WF030": "A schedule is no time that can be read, or its time never comes.",
    "WF031": "There is no time zone of this name.",
    "WF032": "A trigger reads a name that is not there when a workflow is started.",
    "WF033": "The input is not described by a JSON Schema (2020-12).",
    "WF040": "The name of an event or a signal, or the pattern of such names, is not well formed.",
    "WF041": "More people have to approve than may decide.",
    "WF042": "A request to another system does not fit together: its url, method, body or effect.",
}


WARNINGS: dict[str, str] = {
    "WL001": "A trigger starts the workflow without a field that is required.",
    "WL002": "A bare name may come from several steps that run at the same time.",
    "WL003": "A step can never run, or a way is never taken.",
    "WL004": "A condition is always true, or always false.",
    "WL005": "An action that happens at most once has no time limit of its own.",
    "WL006": "An action that happens at most once is to be retried.",
    "WL007": "An approval does not say how long a person has.",
    "WL008": "A step only computes something, and nobody reads it.",
    "WL009": "A field of the input is never read.",
    "WL010": "The input of a trigger does not fit the schema of the workflow's input.",
    "WL011": "An event-driven workflow names no event.",
    "WL012": "The same trigger stands twice.",
    "WL013": "An expression reads the output of a step that may have failed.",
    "WL014": "An expression reads the output of a step that may not have run.",
    "WL015": "A step stands apart from all connections.",
    "WL016": "A parameter is not what the action takes.",
    "WL017": "A word in the input's schema looks misspelt, and says nothing.",
    "WL018": "An expression reads a name that nobody gives.",
}


def explain(code: str) -> str:
    """One sentence on what a code means; an unknown code gives an empty text."""
    return CODES.get(code) or WARNINGS.get(code, "")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. `line` and `column` count from 1; they are 0 where a definition came as data.

    `step` is the id of the step it is in; empty where it is in none, or in one without an id.

    A code that begins with `WL` is a warning: advice, which keeps nothing from happening.
    """

    code: str
    file: str
    line: int
    column: int
    path: str
    message: str
    expected: str
    fix: str
    step: str = ""

    @property
    def is_warning(self) -> bool:
        """Whether it is advice only."""
        return self.code in WARNINGS

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else f"{self.file}:{self.path or '.'}"
        return f"{place} {self.code} {self.message} — expected {self.expected}; fix: {self.fix}"


class Place(msgspec.Struct, frozen=True):
    """Line and column of a value, and of the key it stands under."""

    line: int
    column: int
    key_line: int
    key_column: int


class Findings:
    """Collects every problem of one definition; `data` is what it holds, so that its steps can be named."""

    def __init__(self, file: str, places: Mapping[Path, Place] | None = None, data: Any = None) -> None:
        self.file = file
        self.data = data
        self.places: Mapping[Path, Place] = places or {}
        self.problems: list[Problem] = []

    @property
    def full(self) -> bool:
        """Whether there is more than will be told, so that looking for fixes is not worth its time."""
        return len(self.problems) >= SHOWN_MAX

    def add(
        self, code: str, path: Path, message: str, *, expected: str, fix: str, at_key: bool = False
    ) -> None:
        """Note a problem with the value at a path, or with the key above it."""
        place = self._place(path)
        line, column = (place.key_line, place.key_column) if at_key else (place.line, place.column)
        self.add_at(code, line, column, message, expected=expected, fix=fix, path=path)

    def add_at(
        self, code: str, line: int, column: int, message: str, *, expected: str, fix: str, path: Path = ()
    ) -> None:
        """Note a problem with a place in the text."""
        assert code in CODES or code in WARNINGS, f"{code} is not in the table"
        self.problems.append(
            Problem(
                code=code,
                file=self.file,
                line=line,
                column=column,
                path=written_path(path),
                message=message,
                expected=expected,
                fix=fix,
                step=self._step(path),
            )
        )

    def near(self, name: str, known: Iterable[str]) -> str:
        """The nearest known name, or an empty text; not looked for when there is much to tell already."""
        if self.full:
            return ""
        similar = (other for other in known if abs(len(other) - len(name)) <= 4)
        found = difflib.get_close_matches(name, itertools.islice(similar, _NEAR_MAX), n=1)
        return found[0] if found else ""

    def drop(self, path: Path) -> None:
        """Forget what is wrong at a path and below it."""
        above = written_path(path)
        self.problems = [
            problem
            for problem in self.problems
            if not (problem.path == above or problem.path.startswith((f"{above}.", f"{above}[")))
        ]

    def in_order(self) -> list[Problem]:
        """Every problem, in the order of the file."""
        return sorted(self.problems, key=lambda problem: (problem.line, problem.column))

    def raise_if_any(self) -> None:
        """Raise `InvalidDefinition` with every problem, in the order of the file."""
        if self.problems:
            ordered = self.in_order()
            lines = [str(problem) for problem in ordered[:SHOWN_MAX]]
            if len(ordered) > SHOWN_MAX:
                lines.append(f"{self.file}: and {len(ordered) - SHOWN_MAX} more problems")
            raise InvalidDefinition("\n".join(lines), problems=ordered)

    def _step(self, path: Path) -> str:
        """The id of the innermost step on a path."""
        found, value = "", self.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                break
            named = value.get("id") if isinstance(value, dict) else None
            found = named if isinstance(named, str) else found
        return found

    def _place(self, path: Path) -> Place:
        """The place of a path, or of the nearest thing around it."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return Place(0, 0, 0, 0)


def written_path(path: Path) -> str:
    """`steps[2].retry_policy.max_attempts`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def shown(value: Any) -> str:
    """A value as a message shows it: short, on one line."""
    text = repr(value) if isinstance(value, str) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= _VALUE_LENGTH else f"{text[:_VALUE_LENGTH]}..."
