"""YAML text as plain data, with the place of every key and value.

Only what JSON can say is read: mappings with text keys, lists, text, numbers, true, false, null. Words
are read as YAML 1.2 does, so `on`, `yes` and `2024-01-01` are text. Everything is bounded: bytes and depth
are limited and aliases are refused, so no text can grow while it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from dirigent.interpreter.problems import Findings, Path, Place, shown

BYTES_MAX = 256 * 1024
DEPTH_MAX = 64

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]{1,2})?|[0-9]+[eE][-+]?[0-9]{1,2})")
_LEADING_TAB = re.compile(r" *\t")
_WORDS = {"null": None, "Null": None, "NULL": None, "~": None, "": None} | {
    word: value
    for text, value in (("true", True), ("false", False))
    for word in (text, text.title(), text.upper())
}
_FIXES = (
    ("that cannot start any token", "put the text in quotes"),
    ("mapping values are not allowed", "put text that holds ': ' in quotes, or begin a new line"),
    ("could not find expected ':'", "write it as key: value"),
    ("quoted scalar", "close the quotes"),
    ("flow sequence", "close the list with ]"),
    ("flow mapping", "close the mapping with }"),
    ("did not find expected", "indent what belongs together by the same number of spaces"),
    ("expected <block end>", "indent what belongs together by the same number of spaces"),
)


class _Stop(Exception):
    """The text cannot be read any further; why is among the findings."""


def read_yaml(text: str, findings: Findings) -> Any:
    """The data of a YAML text, or None; problems and places go into the findings."""
    if not _is_readable(text, findings):
        return None
    reader = _Reader(text, findings)
    findings.places = reader.places
    try:
        return reader.read()
    except _Stop:
        return None
    except yaml.MarkedYAMLError as error:
        _add_syntax(text, error, findings)
    except yaml.YAMLError as error:
        line, column = _line_and_column(text, getattr(error, "position", 0))
        _add_not_yaml(findings, line, column, str(error).splitlines()[0], "remove the character")
    return None


def read_data(data: Any, findings: Findings) -> Any:
    """A plain copy of data that came without text; what is not JSON data goes into the findings."""
    try:
        return _plain_copy(data, (), findings)
    except _Stop:
        return None


def _is_readable(text: str, findings: Findings) -> bool:
    found = re.search("[\ud800-\udfff]", text)
    if found:
        line, column = _line_and_column(text, found.start())
        _add_not_yaml(findings, line, column, "half of a character pair", "save the file as UTF-8")
        return False
    size = len(text.encode())
    if size > BYTES_MAX:
        message = f"the text has {size} bytes"
        findings.add_at(
            "WF002", 1, 1, message, expected=f"at most {BYTES_MAX}", fix="split it into subworkflows"
        )
        return False
    return True


class _Reader:
    """Builds the data from the events of the YAML parser."""

    def __init__(self, text: str, findings: Findings) -> None:
        self.places: dict[Path, Place] = {(): Place(1, 1, 1, 1)}
        self._findings = findings
        self._events: Iterator[Event] = yaml.parse(text, Loader=_LOADER)

    def read(self) -> Any:
        """The one document of the text."""
        value, documents = None, 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(event, (), "a second document begins", "one document", "write one per file")
            elif isinstance(event, NodeEvent):
                value = self._node(event, (), event)
        return value

    def _node(self, event: Event, path: Path, key: Event) -> Any:
        self.places[path] = Place(*_start(event), *_start(key))
        if len(path) > DEPTH_MAX:
            message = f"it is nested more than {DEPTH_MAX} deep"
            self._findings.add(
                "WF005", path, message, expected=f"at most {DEPTH_MAX} levels", fix="flatten it"
            )
            raise _Stop
        if isinstance(event, AliasEvent):
            self._refuse(
                event, path, f"*{event.anchor} is an alias", "the value itself", "write the value out"
            )
            return None
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag is not None:
            self._refuse(event, path, f"{event.tag} is a tag", "a plain value", "remove the tag")
        if isinstance(event, ScalarEvent):
            return _scalar(event)
        return self._mapping(path) if isinstance(event, MappingStartEvent) else self._sequence(path)

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        for event in self._events:
            if isinstance(event, SequenceEndEvent):
                break
            items.append(self._node(event, (*path, len(items)), event))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key in self._events:
            if isinstance(key, MappingEndEvent):
                break
            name = self._key(key, path)
            twice = name in mapping
            earlier = self.places.get((*path, name))
            value = self._node(next(self._events), (*path, name), key)
            if twice and earlier is not None:
                message = f"the key {shown(name)} is already in line {earlier.key_line}"
                fix = "remove one of the two"
                self._findings.add(
                    "WF004", (*path, name), message, expected="each key once", fix=fix, at_key=True
                )
            mapping[name] = value
        return mapping

    def _key(self, event: Event, path: Path) -> str:
        if isinstance(event, ScalarEvent):
            return event.value
        line, column = _start(event)
        fix = "write it as key: value; put text that begins with { or [ in quotes"
        self._findings.add_at(
            "WF008", line, column, "the key is not a word", expected="text as the key", fix=fix, path=path
        )
        raise _Stop

    def _refuse(self, event: Event, path: Path, message: str, expected: str, fix: str) -> None:
        line, column = _start(event)
        self._findings.add_at("WF003", line, column, message, expected=expected, fix=fix, path=path)


def _start(event: Event) -> tuple[int, int]:
    assert event.start_mark is not None, "the parser marks every event"
    return event.start_mark.line + 1, event.start_mark.column + 1


def is_read_as_text(text: str) -> bool:
    """Whether a word without quotes is text, and not a number, a truth value or nothing."""
    return bool(_plain_word(text) == text)


def _scalar(event: ScalarEvent) -> Any:
    text: str = event.value
    return _plain_word(text) if event.implicit[0] else text


def _plain_word(text: str) -> Any:
    """What a word means that stands without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _add_syntax(text: str, error: yaml.MarkedYAMLError, findings: Findings) -> None:
    said = " ".join(filter(None, (error.context, error.problem)))
    opened = any(word in said for word in ("quoted scalar", "flow sequence", "flow mapping"))
    mark = (error.context_mark if opened else None) or error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if _LEADING_TAB.match("".join(text.split("\n")[line - 1 : line])):
        message, fix = "the line is indented by a tab", "use spaces, not tabs"
    else:
        message = said
        fix = next((fix for sign, fix in _FIXES if sign in said), "check indentation (use spaces) and colons")
    _add_not_yaml(findings, line, column, message, fix)


def _add_not_yaml(findings: Findings, line: int, column: int, message: str, fix: str) -> None:
    findings.add_at("WF001", line, column, message, expected="YAML", fix=fix)


def _line_and_column(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _plain_copy(value: Any, path: Path, findings: Findings) -> Any:
    if len(path) > DEPTH_MAX:
        message = f"it is nested more than {DEPTH_MAX} deep"
        findings.add("WF005", path, message, expected=f"at most {DEPTH_MAX} levels", fix="flatten it")
        raise _Stop
    if isinstance(value, str | int | None):
        return value
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                message = f"the key {shown(key)} is not text"
                findings.add("WF008", path, message, expected="text as the key", fix="write the key as text")
        return {str(key): _plain_copy(item, (*path, str(key)), findings) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_copy(item, (*path, index), findings) for index, item in enumerate(value)]
    if not isinstance(value, float) or not isfinite(value):
        expected = "text, a number, true, false, null, a list or a mapping"
        findings.add("WF008", path, f"{shown(value)} is not JSON data", expected=expected, fix="convert it")
    return value
