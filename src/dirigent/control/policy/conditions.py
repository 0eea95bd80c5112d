"""The `when` of a rule: a CEL expression over facts, which fails when it reads what is not there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from dirigent.control.policy.facts import FACTS, SEND_MESSAGE, Scene
from dirigent.domain.errors import ExpressionError
from dirigent.interpreter.expression import Expression

REMEMBERED_MAX = 1_000
SHORT_LENGTH_MAX = 40

_SHORT = (bool, int, float, str, type(None))
_PIECE = re.compile(r"""(r?"(?:[^"\\]|\\.)*+"|r?'(?:[^'\\]|\\.)*+')|\b(and|or|not)\b""")
_SIGNS = {"and": "&&", "or": "||", "not": "!"}
_FACT = re.compile(r"(?<![\w.])(action|plan|result|message|org)\b(?:\.([A-Za-z_]\w*))?")
_TEXT = re.compile(r"""r?"(?:[^"\\]|\\.)*+"|r?'(?:[^'\\]|\\.)*+'""")


class Condition:
    """A compiled `when`. `and`, `or` and `not` may stand for `&&`, `||` and `!`.

    Its value follows from the facts it reads and nothing else, so a bounded number of values is remembered
    where these are short. Most rules read two or three flags, and every action is asked about.
    """

    def __init__(self, source: str) -> None:
        self._expression = Expression(in_cel(source))
        self._reads = _facts_read(in_cel(source))
        self._known: dict[tuple[object, ...], bool] = {}

    def holds(self, scene: Scene) -> bool:
        """Whether it is true of a scene; raises `ExpressionError` where that cannot be told."""
        return any(self._value(data) for data in self._readings(scene))

    def _value(self, data: dict[str, Any]) -> bool:
        key = _key(data)
        if key is None:
            return self._expression.holds(data)
        if key not in self._known:
            value = self._expression.holds(data)
            if len(self._known) < REMEMBERED_MAX:
                self._known[key] = value
            return value
        return self._known[key]

    def reads_only(self, root: str, fields: frozenset[str]) -> bool:
        """Whether all that is read under a root is among these fields."""
        read = self._reads.get(root, frozenset())
        return read is not None and read <= fields

    def unknown_names(self, point: str) -> Iterator[tuple[str, str]]:
        """Names that no check at this point has, each with what was probably meant."""
        known = {point, "org", "tenant"}
        for name in sorted(self._expression.names - known):
            yield name, _nearest(name, known)
        for root, fields in self._reads.items():
            for field in sorted((fields or frozenset()) - FACTS[root]):
                yield f"{root}.{field}", _nearest(field, FACTS[root], f"{root}.")

    def _readings(self, scene: Scene) -> Iterator[dict[str, Any]]:
        data = {name: self._reading(scene, name) for name in self._expression.names}
        yield data
        # An action that carries a message goes by two names; a rule may use either.
        if "type" in (self._reads.get("action") or ()) and scene.action["carries_message"]:
            yield {**data, "action": {**data["action"], "type": SEND_MESSAGE}}

    def _reading(self, scene: Scene, name: str) -> Any:
        if name not in FACTS and name != "tenant":
            raise ExpressionError(
                f"There is no fact {name!r}.", fix=f"Use one of {', '.join(FACTS)}, tenant."
            )
        whole = scene.facts(name)
        fields = self._reads.get(name)
        if fields is None or not isinstance(whole, Mapping):
            return whole
        return {field: whole[field] for field in fields if field in whole}


def _key(data: Mapping[str, Any]) -> tuple[object, ...] | None:
    """Names and values with their types (1, 1.0 and true are equal in Python); None when one is long."""
    parts: list[object] = []
    for name, value in data.items():
        fields = value.items() if isinstance(value, dict) else ((name, value),)
        for field, item in fields:
            if not isinstance(item, _SHORT) or (isinstance(item, str) and len(item) > SHORT_LENGTH_MAX):
                return None
            parts += (field, item.__class__, item)
    return tuple(parts)


def in_cel(source: str) -> str:
    """The expression with the words `and`, `or` and `not` as CEL signs; texts in it stay as they are."""
    return _PIECE.sub(lambda piece: piece[1] or _SIGNS[piece[2]], source)


def _facts_read(source: str) -> dict[str, frozenset[str] | None]:
    """Which fields are read under each root; None where the root is used as a whole."""
    reads: dict[str, set[str] | None] = {}
    for root, field in _FACT.findall(_TEXT.sub('""', source)):
        fields = reads.setdefault(root, set())
        if not field:
            reads[root] = None
        elif fields is not None:
            fields.add(field)
    return {root: None if fields is None else frozenset(fields) for root, fields in reads.items()}


def _nearest(name: str, known: frozenset[str] | set[str], prefix: str = "") -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"did you mean {prefix}{close[0]}?" if close else f"use one of {', '.join(sorted(known))}"
