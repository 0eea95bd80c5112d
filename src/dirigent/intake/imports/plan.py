"""One file ready to be read: where its fields are, and its rules compiled; checked against its header."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dirigent.intake.imports.fields import HOLDINGS, CellValues, Field, Notation
from dirigent.intake.imports.mapping import Column, FileSpec, ImportMapping
from dirigent.intake.imports.reader import open_source, source_path
from dirigent.intake.imports.rules import CompiledRule, UnfitRule, compile_rule


@dataclass(frozen=True, kw_only=True)
class FilePlan:
    """How one file is read. `cells` are (slot of the field, place in the row, values by cell)."""

    spec: FileSpec
    path: Path
    fields: tuple[Field, ...]
    cells: tuple[tuple[int, int, CellValues], ...]
    rules: tuple[CompiledRule, ...]


def make_plan(mapping: ImportMapping, number: int, folder: Path) -> FilePlan:
    """Plan a file of a mapping; what does not fit together is `InvalidInput`, before anything is read."""
    spec = mapping.files[number]
    fields = HOLDINGS[spec.holds]
    with open_source(folder, spec) as source:
        cells = tuple(
            (slot, source.column(column.column), _values(field, spec, column))
            for slot, field in enumerate(fields)
            if (column := spec.columns.get(field.name)) is not None
        )
    rules = tuple(_compiled_rules(mapping, number, fields))
    return FilePlan(spec=spec, path=source_path(folder, spec), fields=fields, cells=cells, rules=rules)


def _values(field: Field, spec: FileSpec, column: Column) -> CellValues:
    notation = Notation(decimal=spec.decimal, timezone=spec.timezone, time_format=column.format)
    return CellValues(field, notation, column.values)


def _compiled_rules(mapping: ImportMapping, number: int, fields: tuple[Field, ...]) -> Iterator[CompiledRule]:
    for place, rule in enumerate(mapping.files[number].rules):
        try:
            yield compile_rule(rule, fields, mapping.files[number].columns)
        except UnfitRule as unfit:
            raise mapping.problem(("files", number, "rules", place, *unfit.where), unfit.expected) from unfit
