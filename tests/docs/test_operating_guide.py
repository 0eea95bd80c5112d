"""docs/operating.md does what it says: its commands run one after the other over one data folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from dirigent.cli.main import COMMANDS
from tests.docs.test_documents import ROOT

TEXT = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<info>\S+))?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(found["language"], found["info"] or "", found["code"]) for found in BLOCK.finditer(TEXT)]


def test_the_commands_do_what_the_guide_says(tmp_path: Path) -> None:
    """The fork publishes once more what it does itself, and nothing of what it took over."""
    for _, info, code in BLOCKS:
        if info.startswith("file="):
            (tmp_path / info.removeprefix("file=")).write_text(code)
    script = "\n".join(["set -e", *(code for language, _, code in BLOCKS if language == "sh")])
    script += "\ndirigent event list -o json --limit 100 > events.json\ndirigent ls -o json > runs.json\n"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DIRIGENT_")} | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    published = Counter(row["event"]["type"] for row in json.loads((tmp_path / "events.json").read_text()))
    assert published == {"offer.researched": 1, "stock.reserved": 1, "offer.sent": 2}
    fork, old = json.loads((tmp_path / "runs.json").read_text())
    assert (fork["forked_from"], old["status"]) == (old["execution_id"], "completed")
    assert "Every effect has a known end." in done.stdout


def test_every_command_it_names_is_there() -> None:
    """No block names a command, or an option of one, that does not exist."""
    known = {name for _, name, *_ in COMMANDS} | {"event", "approvals", "archive", "queue"}
    named = re.findall(r"dirigent ([a-z]+)", TEXT)
    assert {"fork", "retry", "outcomes", "resolve", "pause", "signal", "edit"} <= set(named) <= known
