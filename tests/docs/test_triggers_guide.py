"""docs/triggers.md does what it says: its files load, its Python runs, and so do its commands."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from dirigent.intake.connectors.definition import load_connector
from dirigent.intake.webhooks.definition import load_webhook
from dirigent.intake.workflows import Workflow
from tests.docs.test_documents import ROOT

TEXT = (ROOT / "docs" / "triggers.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<info>\S+))?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(found["language"], found["info"] or "", found["code"]) for found in BLOCK.finditer(TEXT)]
FILES = {info.removeprefix("file="): code for _, info, code in BLOCKS if info.startswith("file=")}
SHELL = [code for language, _, code in BLOCKS if language == "sh"]


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    """No block says something that nobody checks."""
    kinds = {(language, info.partition("=")[0]) for language, info, _ in BLOCKS}
    kinds -= {("sh", ""), ("python", ""), ("text", "")}
    assert kinds == {("yaml", "file"), ("yaml", "webhook"), ("yaml", "connector")}


@pytest.mark.parametrize("name", FILES)
def test_the_files_load(name: str) -> None:
    """Each is a workflow without a mistake, and has triggers."""
    assert Workflow.parse(FILES[name], source=name).definition.triggers


def test_the_web_hook_loads() -> None:
    """It maps what the guide says it maps."""
    (code,) = (code for _, info, code in BLOCKS if info.startswith("webhook="))
    hook = load_webhook(code)
    body = {"event": "order.paid", "order": {"no": "A-17", "total": "49.00"}}
    assert hook.attributes(body, {})["data"] == {"no": "A-17", "total": 49.0}


def test_the_connector_loads() -> None:
    """It maps what the guide says it maps."""
    (code,) = (code for _, info, code in BLOCKS if info.startswith("connector="))
    connector = load_connector(code)
    assert (connector.name, connector.every_ms, connector.event["type"]) == ("crm", 60_000, "crm.deal_won")


def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block goes on where the one before it ended, over one data folder."""
    monkeypatch.chdir(tmp_path)
    for name, code in FILES.items():
        (tmp_path / name).write_text(code)
    names: dict[str, Any] = {"__name__": __name__}
    for language, _, code in BLOCKS:
        if language == "python":
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            awaited = FunctionType(
                compile(code, "triggers.md", "exec", flags=flags, dont_inherit=True), names
            )()
            if inspect.iscoroutine(awaited):
                asyncio.run(awaited)
    assert (names["again"].duplicate, names["again"].triggered) == (True, ())
    assert names["thanks"].output["text"] == "Thank you for order/A-17"
    assert names["heard"] == ["busy", "online"]
    assert names["indexed"] == ["A-17"]


def test_the_commands_run(tmp_path: Path) -> None:
    """Every command ends well, in the order of the guide, over one data folder."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DIRIGENT_")}
    environment |= {"PATH": path, "COLUMNS": "200", "DIRIGENT_DATA": str(tmp_path / "data")}
    done = subprocess.run(
        ["bash", "-c", "set -e\n" + "\n".join(SHELL)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "the clock goes forward to 03:00" in done.stdout
    assert "It started or woke exec_" in done.stdout
    assert "started" in done.stdout
    assert '"type":"execution.completed"' in done.stdout
    (shown,) = (code for language, _, code in BLOCKS if language == "text")
    told = re.sub(r"\s+", " ", done.stdout)
    assert re.sub(r"\s+", " ", shown.strip()) in told
