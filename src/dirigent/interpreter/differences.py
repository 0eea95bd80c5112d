"""What has changed between two definitions, in the words of the format."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from dirigent.domain.canonical import canonical_bytes
from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import definition_to_dict
from dirigent.interpreter.problems import shown

_LISTS_OF_PARTS = ("connections", "triggers", "cases")
_LISTS_OF_STEPS = ("steps",)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference. `path` names the part by the ids of its steps: `steps.score.retry_policy.max_attempts`.

    `kind` is added, removed, changed or moved (a step at another place in the order). `before` and `after`
    are the values as written; None where there is none.
    """

    path: str
    kind: str
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        if self.kind == "added":
            return f"+ {self.path}: {_told(self.after)}"
        if self.kind == "removed":
            return f"- {self.path}: {_told(self.before)}"
        if self.kind == "moved":
            return f"~ {self.path}: moved behind {self.after or 'nothing'}"
        return f"~ {self.path}: {_told(self.before)} -> {_told(self.after)}"


def differences(before: Definition, after: Definition) -> list[Change]:
    """Every difference, in the order of the format; none where both mean the same."""
    return list(_mappings(_written(before), _written(after), ""))


def text_difference(before: str, after: str, *, names: tuple[str, str]) -> str:
    """The lines that differ, as `diff -u` shows them; empty where the texts are equal."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), *names, lineterm="\n"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _written(definition: Definition) -> dict[str, Any]:
    root: dict[str, Any] = definition_to_dict(definition)["workflow"]
    return root


def _mappings(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> Iterator[Change]:
    for key in dict.fromkeys((*before, *after)):
        here = f"{path}.{key}" if path else key
        if key in _LISTS_OF_STEPS:
            yield from _steps(before.get(key, []), after.get(key, []), here)
        elif key in _LISTS_OF_PARTS:
            yield from _parts(before.get(key, []), after.get(key, []), here)
        elif key not in before:
            yield Change(path=here, kind="added", after=after[key])
        elif key not in after:
            yield Change(path=here, kind="removed", before=before[key])
        else:
            yield from _values(before[key], after[key], here)


def _values(before: Any, after: Any, path: str) -> Iterator[Change]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _mappings(before, after, path)
    elif canonical_bytes(before) != canonical_bytes(after):
        yield Change(path=path, kind="changed", before=before, after=after)


def _steps(before: Sequence[Any], after: Sequence[Any], path: str) -> Iterator[Change]:
    """Steps are told by their ids; where only their order changed, that is told too."""
    if not all(isinstance(step, Mapping) and "id" in step for step in (*before, *after)):
        yield from _values(list(before), list(after), path)
        return
    old, new = ({step["id"]: step for step in steps} for steps in (before, after))
    for name in dict.fromkeys((*old, *new)):
        here = f"{path}.{name}"
        if name not in new:
            yield Change(path=here, kind="removed", before=_without_id(old[name]))
        elif name not in old:
            yield Change(path=here, kind="added", after=_without_id(new[name]))
        else:
            yield from _mappings(_without_id(old[name]), _without_id(new[name]), here)
    yield from _moved([name for name in old if name in new], [name for name in new if name in old], path)


def _moved(old: list[str], new: list[str], path: str) -> Iterator[Change]:
    """The fewest steps that have to be taken out and put elsewhere to make the one order of the other."""
    kept = {
        old[block.a + offset]
        for block in difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
        for offset in range(block.size)
    }
    for place, name in enumerate(new):
        if name not in kept:
            yield Change(path=f"{path}.{name}", kind="moved", after=new[place - 1] if place else None)


def _parts(before: Sequence[Any], after: Sequence[Any], path: str) -> Iterator[Change]:
    """Connections, triggers and cases have no names: each is there or it is not."""
    old = {canonical_bytes(part): part for part in before}
    new = {canonical_bytes(part): part for part in after}
    for key, part in old.items():
        if key not in new:
            yield Change(path=path, kind="removed", before=part)
    for key, part in new.items():
        if key not in old:
            yield Change(path=path, kind="added", after=part)


def _without_id(step: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in step.items() if key != "id"}


def _told(value: Any) -> str:
    return shown(value) if isinstance(value, str) else shown(canonical_bytes(value).decode())
