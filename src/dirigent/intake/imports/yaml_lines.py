"""A YAML file as plain data, together with the line on which each value stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dirigent.domain.errors import InvalidInput

FILE_BYTES_MAX = 1024 * 1024


class _Loader(yaml.SafeLoader):
    """Takes only true and false for truth values: NO is Norway, and `no` may be a column."""


_BOOL = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


@dataclass(frozen=True, kw_only=True)
class LinedYaml:
    """What a YAML file says, and where it says it."""

    data: Any
    root: yaml.Node

    def line_of(self, path: Sequence[int | str]) -> int:
        """The line of the deepest part of a path that exists."""
        node = self.root
        for part in path:
            step = _child(node, part)
            if step is None:
                break
            node = step
        return int(node.start_mark.line) + 1


def read_yaml(path: Path) -> LinedYaml:
    """Read a file safely; what is not YAML, and a key given twice, is `InvalidInput` with its line."""
    if path.stat().st_size > FILE_BYTES_MAX:
        raise InvalidInput(f"{path.name} is larger than {FILE_BYTES_MAX} bytes.", field=path.name)
    loader: _Loader | None = None
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        if root is None:
            raise InvalidInput(f"{path.name} is empty.", field=path.name)
        _forbid_repeated_keys(root, path.name)
        return LinedYaml(data=loader.construct_document(root), root=root)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _not_yaml(path.name, error) from error
    finally:
        if loader is not None:
            loader.dispose()


def _not_yaml(name: str, error: Exception) -> InvalidInput:
    mark = getattr(error, "problem_mark", None)
    place = f"{name} line {mark.line + 1}, column {mark.column + 1}" if mark else name
    problem = getattr(error, "problem", None) or str(error)
    fix = "Check indentation and quotes there."
    return InvalidInput(f"{place}: this is not YAML: {problem}.", fix=fix, field=name)


def _child(node: yaml.Node, part: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        found = node.value[part]
        return found if isinstance(found, yaml.Node) else None
    return None


def _forbid_repeated_keys(root: yaml.Node, name: str) -> None:
    waiting, done = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in done:
            continue
        done.add(id(node))
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, name)
            waiting.extend(value for _, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)


def _check_keys(node: yaml.MappingNode, name: str) -> None:
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        first = seen.setdefault(str(key.value), line)
        if first != line:
            message = f"{name} line {line}: the key {key.value!r} stands already on line {first}."
            raise InvalidInput(message, fix="Remove one of the two.", field=str(key.value))
