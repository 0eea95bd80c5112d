"""What an import did: how many rows were taken, mended and refused, by which rule, on which lines."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

EXAMPLES_MAX = 100


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One row that a rule applied to."""

    line: int
    detail: str = ""


class RuleReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule did. `rows` counts all, `examples` holds the first ones.

    `action` is refuse, mend (it changed what the file says), classify or note.
    """

    name: str
    action: str
    reason: str
    rows: int
    examples: tuple[Example, ...]


class FileReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one file: every row is either taken or refused; some were mended on the way.

    `state` is imported, or nothing_new: then the counts are those of the import on record.
    """

    source: str
    holds: str
    state: str
    sha256: str
    rows_taken: int
    rows_mended: int
    rows_refused: int
    rules: tuple[RuleReport, ...]


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a folder's files, in the order of its mapping."""

    tenant: str
    files: tuple[FileReport, ...]

    @property
    def rows_taken(self) -> int:
        """Rows taken from all files."""
        return sum(file.rows_taken for file in self.files)

    @property
    def rows_mended(self) -> int:
        """Rows mended in all files."""
        return sum(file.rows_mended for file in self.files)

    @property
    def rows_refused(self) -> int:
        """Rows refused in all files."""
        return sum(file.rows_refused for file in self.files)

    @property
    def nothing_new(self) -> bool:
        """Whether every file had been taken in before, with the same mapping."""
        return all(file.state == "nothing_new" for file in self.files)


class RuleTally:
    """Counts one rule's rows while a file is read."""

    __slots__ = ("action", "examples", "name", "reason", "rows")

    def __init__(self, name: str, action: str, reason: str) -> None:
        self.name = name
        self.action = action
        self.reason = reason
        self.rows = 0
        self.examples: list[Example] = []

    def hit(self, line: int, detail: str = "") -> None:
        """Count a row; the first ones become examples."""
        self.rows += 1
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append(Example(line=line, detail=detail))

    def hit_many(self, rows: int, examples: Sequence[Example]) -> None:
        """Count rows that were found together."""
        self.rows += rows
        self.examples.extend(examples)

    def report(self) -> RuleReport:
        """The frozen result."""
        return RuleReport(
            name=self.name,
            action=self.action,
            reason=self.reason,
            rows=self.rows,
            examples=tuple(self.examples),
        )
