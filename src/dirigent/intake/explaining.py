"""What a code means: why it is told, an example that causes it, and the example mended."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Literal

import msgspec
import yaml

from dirigent.domain.errors import DirigentError, NotFound
from dirigent.interpreter.problems import CODES, WARNINGS

_FILES = {"mistake": "definitions.yaml", "warning": "warnings.yaml", "error": "errors.yaml"}


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A code told at length.

    A `mistake` keeps a definition from loading and a `warning` does not: their examples are workflow
    files. An `error` is what a call raises or a step ends with: its examples are Python.
    """

    code: str
    kind: Literal["mistake", "warning", "error"]
    summary: str
    why: str
    wrong: str
    right: str


def explain_code(code: str) -> Explanation:
    """The explanation of a code, in any case; raises `NotFound` with the nearest codes.

    What was looked for and not found has many codes (`execution_not_found`); they share one.
    """
    known = explanations()
    wanted = code.strip()
    for name in (wanted.upper(), wanted.lower()):
        if name in known:
            return known[name]
    if wanted.lower().endswith("_not_found"):
        return known["not_found"]
    nearest = difflib.get_close_matches(wanted.upper(), known, n=3) or difflib.get_close_matches(
        wanted.lower(), known, n=3
    )
    raise NotFound(f"There is no code {code!r}.", code="code_not_found", nearest=nearest)


@functools.cache
def explanations() -> Mapping[str, Explanation]:
    """Every code there is, in the order in which they are listed."""
    found: dict[str, Explanation] = {}
    for kind, summaries in (("mistake", CODES), ("warning", WARNINGS), ("error", _error_summaries())):
        told = _read(_FILES[kind])
        for code, summary in summaries.items():
            found[code] = msgspec.convert(
                {"code": code, "kind": kind, "summary": summary, **told.get(code, _NOTHING)}, Explanation
            )
    return found


_NOTHING = {"why": "", "wrong": "", "right": ""}


def _read(name: str) -> dict[str, Any]:
    text = files("dirigent.intake").joinpath("explanations", name).read_text(encoding="utf-8")
    told: dict[str, Any] = yaml.safe_load(text)
    return told


def _error_summaries() -> dict[str, str]:
    return {kind.code: _first_sentence(kind) for kind in _below(DirigentError)}


def _below(kind: type[DirigentError]) -> Iterator[type[DirigentError]]:
    """The classes of the tree that is drawn in `domain.errors`, each once."""
    for one in kind.__subclasses__():
        if one.__module__ == DirigentError.__module__:
            yield one
            yield from _below(one)


def _first_sentence(kind: type[DirigentError]) -> str:
    return " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
