"""The table of docs/patterns.md is whole, and every row of it is shown by a test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from dirigent import Dirigent
from dirigent.intake.workflows import inspect_written
from tests.patterns.recipes import RECIPES, TEXT

ROW = re.compile(
    r"^\| (?P<number>\d+) \| (?P<pattern>[^|]+) \| (?P<level>\w+) \| (?P<how>[^|]+) \| `(?P<test>\w+)` \|$",
    re.MULTILINE,
)
ROWS = [found.groupdict() for found in ROW.finditer(TEXT)]
TESTS = {
    node.name
    for path in Path(__file__).parent.glob("test_*.py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
}


def test_every_pattern_has_its_row() -> None:
    """All 43, in their order, each with one of three answers."""
    assert [int(row["number"]) for row in ROWS] == list(range(1, 44))
    assert {row["level"] for row in ROWS} == {"yes", "partly", "no"}
    assert TEXT.count("\n| ") == len(ROWS) + 2, "a row of the table is not of its form"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["number"])
def test_every_row_is_shown_by_a_test_of_its_own(row) -> None:
    """What is not wholly there says what happens instead, or where it ends."""
    assert row["test"] in TESTS
    assert [other["test"] for other in ROWS].count(row["test"]) == 1
    if row["level"] != "yes":
        assert row["how"].count(".") + row["how"].count(";") >= 1, "say what happens, and what to do instead"


def test_every_example_is_named_in_the_table_and_the_other_way_round() -> None:
    """No link leads nowhere, and no example is left over."""
    headings = {found.lower().replace(" ", "-") for found in re.findall(r"^### (.+)$", TEXT, re.MULTILINE)}
    assert headings == set(re.findall(r"\]\(#([\w-]+)\)", TEXT))


@pytest.mark.parametrize("name", RECIPES)
def test_every_example_is_without_mistake_and_deserves_no_advice(name, tmp_path) -> None:
    """What a reader copies is as good as it gets."""
    assert inspect_written(RECIPES[name], Dirigent(tmp_path).registry).warnings == ()
