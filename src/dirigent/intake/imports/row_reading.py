"""From the cells of a row to a record, by converters and rules; and the count of what happened."""

from __future__ import annotations

from typing import Any

from dirigent.intake.imports.plan import FilePlan
from dirigent.intake.imports.report import Example, FileReport, RuleTally

_BUILTIN = (
    ("broken-row", "The row has not as many cells as the header, or its quotes are wrong."),
    ("unreadable-value", "A cell cannot be read as what its field holds."),
    ("missing-value", "A required field is blank."),
    ("repeated-key", "An earlier row of the file has the same key."),
)


class RowReading:
    """Reads the rows of one file. `refused_keys` collects the keys of rows that a rule refused."""

    def __init__(self, plan: FilePlan) -> None:
        self._plan = plan
        self._defaults = [field.default for field in plan.fields]
        slots = list(enumerate(plan.fields))
        self._otherwise = [(slot, field.otherwise) for slot, field in slots if field.otherwise is not None]
        self._required = [slot for slot, field in slots if field.required]
        self._tallies = [RuleTally(rule.name, rule.action, rule.reason) for rule in plan.rules]
        self._rules = list(zip(plan.rules, self._tallies, strict=True))
        self._broken, self._unreadable, self._missing, self._repeated = self._builtin = [
            RuleTally(name, "refuse", reason) for name, reason in _BUILTIN
        ]
        self._taken = self._mended = self._refused = 0
        self.refused_keys: list[str] = []

    def take(self, line: int, cells: list[str] | str) -> list[Any] | None:
        """The row as the loader stages it, or None when it is refused."""
        if isinstance(cells, str):
            self._refuse(self._broken, line, cells)
            return None
        row = self._defaults.copy()
        try:
            for slot, place, values in self._plan.cells:
                row[slot] = values[cells[place]]
        except ValueError as problem:
            self._refuse(self._unreadable, line, str(problem))
            return None
        mended = self._apply_rules(line, row)
        if mended is None:
            return None
        for slot, value in self._otherwise:
            if row[slot] is None:
                row[slot] = value
        for slot in self._required:
            if row[slot] is None:
                self._refuse(self._missing, line, f"{self._plan.fields[slot].name} is blank")
                return None
        self._taken += 1
        self._mended += mended
        return [line, *row]

    def refuse_repeated(self, rows: int, examples: list[tuple[int, int]]) -> None:
        """Count rows, taken at first, whose key an earlier row has; examples are (line, earlier line)."""
        stands = f"{self._plan.fields[0].name} stands already on line"
        found = [Example(line=line, detail=f"{stands} {earlier}") for line, earlier in examples]
        self._repeated.hit_many(rows, found)
        self._taken -= rows
        self._refused += rows

    def report(self, sha256: str) -> FileReport:
        """What happened so far. Rules of the mapping are listed even if no row met them."""
        tallies = [*self._tallies, *(tally for tally in self._builtin if tally.rows)]
        return FileReport(
            source=self._plan.spec.file,
            holds=self._plan.spec.holds,
            state="imported",
            sha256=sha256,
            rows_taken=self._taken,
            rows_mended=self._mended,
            rows_refused=self._refused,
            rules=tuple(tally.report() for tally in tallies),
        )

    def _apply_rules(self, line: int, row: list[Any]) -> bool | None:
        """Whether the row was mended; None when a rule refuses it."""
        mended = False
        for rule, tally in self._rules:
            if not rule.test(row):
                continue
            if rule.action == "refuse":
                if row[0] is not None:
                    self.refused_keys.append(row[0])
                self._refuse(tally, line)
                return None
            tally.hit(line)
            for slot, value in rule.changes:
                row[slot] = value
            mended = mended or rule.action == "mend"
        return mended

    def _refuse(self, tally: RuleTally, line: int, detail: str = "") -> None:
        tally.hit(line, detail)
        self._refused += 1
