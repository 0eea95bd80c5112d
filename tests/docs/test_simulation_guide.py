"""docs/simulation.md does what it says: its commands run over its workflow, and it knows the options."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

from dirigent.cli.rehearsal_options import OfAWorkflow
from tests.acceptance.terminal import dirigent
from tests.docs.test_documents import ROOT, blocks

TEXT = (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8")
BLOCKS = blocks(TEXT)
FEW = {"1000": "15", "200": "3"}


def commands() -> list[list[str]]:
    """Every `dirigent` command of its shell blocks, with fewer runs."""
    lines = [line for _, language, code in BLOCKS if language == "sh" for line in code.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines if line.startswith("dirigent ")]
    return [[FEW.get(word, word) for word in line[1:]] for line in words]


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order, over the workflow above them."""
    monkeypatch.chdir(tmp_path)
    [workflow] = [code for _, language, code in BLOCKS if language == "yaml"]
    Path("orders.yaml").write_text(workflow, encoding="utf-8")
    assert len(commands()) == 3
    for command in commands():
        said = dirigent(*command)
        assert said.code == 0, (command, said.err)
    many = dirigent(*commands()[0])
    assert "15 runs of orders" in many.out
    assert re.search(r"again: dirigent simulate orders.yaml .*--seed \d+", many.out)


def test_every_option_of_a_workflow_is_in_the_table() -> None:
    """And the table names none that there is not."""
    there = set(re.findall(r"--[a-z]+", dirigent("simulate", "--help").out))
    rows = [row for row in TEXT.splitlines() if row.startswith("| `-")]
    told = {name for row in rows for name in re.findall(r"--[a-z]+", row)}
    assert told <= there
    assert {f"--{field.name}" for field in fields(OfAWorkflow)} - {"--input"} <= told
