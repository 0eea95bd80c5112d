"""docs/agents.md does what it says: its files load, its Python runs, its tables name what there is."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from dirigent import Dirigent
from dirigent.agents.catalogue import catalogue
from dirigent.control.catalogue import control_agents
from dirigent.execution.registry import Registry
from dirigent.intake.imports.mapping import ImportMapping
from dirigent.intake.workflows import inspect_written
from tests.docs.test_documents import ROOT

TEXT = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<info>\S+))?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(found["language"], found["info"] or "", found["code"]) for found in BLOCK.finditer(TEXT)]
FILES = {info.removeprefix("file="): code for _, info, code in BLOCKS if info.startswith("file=")}
SECTIONS = {part.partition("\n")[0].strip(): part for part in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]}
ROW = re.compile(r"^\| `(?P<action>\w+)` \| (?P<risk>R\d), (?P<effect>[\w ]+?)(?:, \w+)* \|", re.MULTILINE)


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    """No block says something that nobody checks."""
    kinds = {(language, info.partition("=")[0]) for language, info, _ in BLOCKS}
    assert kinds <= {("yaml", "file"), ("yaml", "import"), ("python", "")}


@pytest.mark.parametrize("name", FILES)
def test_workflows_load_without_mistake_and_without_advice(name: str, tmp_path: Path) -> None:
    """What a reader copies is as good as it gets."""
    assert inspect_written(FILES[name], Dirigent(tmp_path).registry, source=name).warnings == ()


def test_mappings_load(tmp_path: Path) -> None:
    """They name fields that there are."""
    for _, info, code in BLOCKS:
        if info.startswith("import="):
            (tmp_path / "import.yaml").write_text(code, encoding="utf-8")
            (spec,) = ImportMapping(tmp_path / "import.yaml").files
            assert spec.file == info.removeprefix("import=")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_tells_every_action(section: str) -> None:
    """Each section is an agent, and its table has each action with its risk and effect."""
    spec = Registry([*control_agents(), *catalogue()]).agent(section)
    told = {row["action"]: (row["risk"], row["effect"]) for row in ROW.finditer(SECTIONS[section])}
    assert told == {
        name: (action.risk.value, action.effect.value.replace("_", " "))
        for name, action in spec.actions.items()
    }


def test_the_python_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each block goes on where the one before it ended; `print(...)  # this` prints this."""
    monkeypatch.chdir(tmp_path)
    for name, code in FILES.items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    names: dict[str, Any] = {"__name__": __name__}
    blocks = [code for language, _, code in BLOCKS if language == "python"]
    for code in blocks:
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        awaited = FunctionType(compile(code, "agents.md", "exec", flags=flags, dont_inherit=True), names)()
        if inspect.iscoroutine(awaited):
            asyncio.run(awaited)
    promised = re.findall(r"^print\(.*\)  # (.+)$", "".join(blocks), re.MULTILINE)
    assert [line for line in capsys.readouterr().out.splitlines() if line in promised] == promised
