"""docs/queue.md does what it says: its Python runs from top to bottom, and so do its commands."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import pytest

from tests.docs.test_documents import ROOT, blocks

DOCUMENT = ROOT / "docs" / "queue.md"
BLOCKS = blocks(DOCUMENT.read_text(encoding="utf-8"))
HELLO = "name: hello\nsteps:\n  - {id: greet, type: transform, parameters: {text: 'Hello ${input.name}'}}\n"


def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block goes on where the one before it ended."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "document"}
    for line, language, code in BLOCKS:
        if language == "python":
            compiled = compile(code, f"queue.md:{line}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            awaited = FunctionType(compiled, names)()
            if inspect.iscoroutine(awaited):
                asyncio.run(awaited)
    assert [record.id for record in names["envelope"].records] == [  # type: ignore[attr-defined]
        f"{names['envelope'].metadata['run_id']}/greet/{number}"  # type: ignore[attr-defined]
        for number in (1, 2)
    ]


def test_the_commands_run(tmp_path: Path) -> None:
    """Every command of the first shell block ends well, in this order."""
    (tmp_path / "hello.yaml").write_text(HELLO)
    script = "set -e\n" + next(code for _, language, code in BLOCKS if language == "sh")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DIRIGENT_")}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**environment, "PATH": path, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "done   hello" in done.stdout
    assert "No job is dead." in done.stdout
