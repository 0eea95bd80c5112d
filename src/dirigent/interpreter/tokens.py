"""The source of an expression as tokens: what it reads, and how it is handed to CEL."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

Reads: TypeAlias = "dict[str, Reads]"

_TOKEN = re.compile(
    r"""
    (?P<space>   \s+ | //[^\n]* )
  | (?P<string>  (?: [rR][bB]? | [bB][rR] ) (?: \"{3}.*?\"{3} | '{3}.*?'{3} | "[^"\n]*" | '[^'\n]*' )
               | [bB]? (?: \"{3}(?:[^\\]|\\.)*?\"{3} | '{3}(?:[^\\]|\\.)*?'{3}
                         | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' ) )
  | (?P<number>  0[xX][0-9a-fA-F]+[uU]? | (?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?[uU]? )
  | (?P<name>    [A-Za-z_]\w* )
  | (?P<mark>    && | \|\| | [<>=!]= | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_WORDS = {"and": "&& ", "or": "||"}  # of the same length, so that positions in messages stay right
_NOT_DATA = frozenset({"true", "false", "null", "in", *_WORDS}) | frozenset(
    {"bool", "bytes", "double", "dyn", "int", "list", "map", "null_type", "string", "type", "uint"}
)
_MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})
_CLOSING = {")": "(", "]": "[", "}": "{"}


class Token(NamedTuple):
    """A piece of source: its kind (string, number, name or mark), its text and where it starts."""

    kind: str
    text: str
    start: int


def tokenize(source: str) -> list[Token]:
    """The tokens of an expression, without space and comments."""
    found = _TOKEN.finditer(source)
    return [Token(m.lastgroup or "mark", m.group(), m.start()) for m in found if m.lastgroup != "space"]


def bound_names(tokens: Sequence[Token]) -> frozenset[str]:
    """The names that macros such as `items.map(i, ...)` bind."""
    return frozenset(
        tokens[at + 3].text
        for at in _macro_dots(tokens)
        if at + 4 < len(tokens) and tokens[at + 3].kind == "name" and tokens[at + 4].text == ","
    )


def paths_read(tokens: Sequence[Token]) -> Reads:
    """What the expression reads, as a tree of field names below the free names.

    A name without fields below it is read whole. `steps.a.x + steps["b"].y` gives
    `{"steps": {"a": {"x": {}}, "b": {"y": {}}}}`.
    """
    bound = bound_names(tokens)
    tree: Reads = {}
    for at, token in enumerate(tokens):
        if token.kind == "name" and token.text not in bound and _is_free(tokens, at):
            _plant(tree, _path(tokens, at))
    return tree


def narrowed(value: Any, reads: Reads) -> Any:
    """The part of a value that is read, so that handing it over costs no more than that part."""
    if not reads or not isinstance(value, Mapping):
        return dict(value) if isinstance(value, ChainMap) else value
    return {field: narrowed(value[field], below) for field, below in reads.items() if field in value}


def with_marks_for_words(source: str, tokens: Sequence[Token]) -> str:
    """The source with `and` and `or` written as CEL writes them."""
    for at, token in enumerate(tokens):
        if token.text in _WORDS and token.kind == "name" and not _follows_dot(tokens, at):
            source = source[: token.start] + _WORDS[token.text] + source[token.start + len(token.text) :]
    return source


def with_ordered_ranges(source: str, tokens: Sequence[Token], function: str) -> str:
    """The source with `function(...)` around everything that a macro walks over.

    CEL walks over maps in an order that differs between processes; the function fixes the order.
    """
    insertions: list[tuple[int, str]] = []
    for dot in _macro_dots(tokens):
        insertions.append((tokens[_operand_start(tokens, dot)].start, f"{function}("))
        insertions.append((tokens[dot].start, ")"))
    for start, text in sorted(insertions, reverse=True):
        source = source[:start] + text + source[start:]
    return source


def _macro_dots(tokens: Sequence[Token]) -> list[int]:
    """Where the dots of macro calls are."""
    texts = [token.text for token in tokens]
    return [
        at
        for at in range(1, len(texts) - 2)
        if texts[at] == "." and texts[at + 1] in _MACROS and texts[at + 2] == "("
    ]


def _is_free(tokens: Sequence[Token], at: int) -> bool:
    called = at + 1 < len(tokens) and tokens[at + 1].text == "("
    return not called and tokens[at].text not in _NOT_DATA and not _follows_dot(tokens, at)


def _follows_dot(tokens: Sequence[Token], at: int) -> bool:
    return at > 0 and tokens[at - 1].text == "."


def _path(tokens: Sequence[Token], at: int) -> list[str]:
    texts = [token.text for token in tokens[at : at + 128]] + ["", "", ""]
    path, here = [texts[0]], 1
    while True:
        field = texts[here + 1] if here + 2 < len(texts) else ""
        if texts[here] == "." and field.isidentifier() and texts[here + 2] != "(":
            path.append(field)
            here += 2
        elif texts[here] == "[" and texts[here + 2] == "]" and _is_simple_text(field):
            path.append(field[1:-1])
            here += 3
        else:
            return path


def _is_simple_text(text: str) -> bool:
    return len(text) > 2 and text[0] in "\"'" and "\\" not in text and text[1] != text[0]


def _plant(tree: Reads, path: Sequence[str]) -> None:
    for field in path[:-1]:
        if field in tree and not tree[field]:
            return
        tree = tree.setdefault(field, {})
    tree[path[-1]] = {}


def _operand_start(tokens: Sequence[Token], dot: int) -> int:
    """The first token of what stands before a dot: names, calls, indexes and groups, joined by dots."""
    at = dot - 1
    while True:
        if tokens[at].text in _CLOSING:
            at = _opening(tokens, at)
            if at > 0 and tokens[at].text != "{" and _ends_operand(tokens[at - 1]):
                at -= 1
                continue
        if at < 2 or not _follows_dot(tokens, at):
            return at
        at -= 2


def _opening(tokens: Sequence[Token], closing: int) -> int:
    depth, at = 1, closing
    while depth and at > 0:
        at -= 1
        if tokens[at].kind == "mark":
            depth += (tokens[at].text in _CLOSING) - (tokens[at].text in _CLOSING.values())
    return at


def _ends_operand(token: Token) -> bool:
    if token.kind == "name":
        return token.text not in {"in", *_WORDS}
    return token.kind == "string" or token.text in _CLOSING
