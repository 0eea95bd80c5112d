"""Whoever opens a file of a data folder says with which key."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOMS = Path(__file__).parents[2] / "src" / "dirigent"
WIRED = ("bootstrap", "cli", "api")
OPENERS = frozenset({"Reader", "verify_folder", "open", "connect_reader", "connect_writer"})


def openings(source: str) -> Iterator[str]:
    """Every call that opens a file of a data folder without a word about its key."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        name = called.rpartition(".")[2]
        opens = name.startswith("Sqlite") or (name in OPENERS and ("ournal" in called or name != "open"))
        given = " ".join(ast.unparse(part) for part in (*node.args, *node.keywords))
        if opens and "key" not in given:
            yield ast.unparse(node)


def test_whoever_opens_a_file_hands_the_key_on() -> None:
    """A command that forgets it works in a plain folder, and fails in an encrypted one."""
    files = [file for room in WIRED for file in (ROOMS / room).rglob("*.py")]
    assert [(file.name, found) for file in files for found in openings(file.read_text())] == []


def test_a_key_that_is_forgotten_is_found() -> None:
    """The check fails on what it is there for."""
    source = "with SqliteRecords(folder / NAME): self.journals.open(folder)\nReader(path, key)\nfile.open()"
    assert list(openings(source)) == ["SqliteRecords(folder / NAME)", "self.journals.open(folder)"]
