"""docs/remote-agents.md does what it says: a server is started, used and asked, by its own commands."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from dirigent.settings import AGENT_ADDRESSES
from tests.docs.test_documents import ROOT

TEXT = (ROOT / "docs" / "remote-agents.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<info>\S+))?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(found["language"], found["info"] or "", found["code"]) for found in BLOCK.finditer(TEXT)]
UP = """
for try in $(seq 300); do curl -sf http://127.0.0.1:8084/health > up.json && break; sleep 0.1; done
"""


def free_port() -> int:
    """A port on which nobody listens, in place of the documented one, which may be taken here."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def test_the_commands_do_what_the_guide_says(tmp_path: Path) -> None:
    """The alert that the workflow raises is in the records of the server, and curl gets its answer."""
    for _, info, code in BLOCKS:
        if info.startswith("file="):
            (tmp_path / info.removeprefix("file=")).write_text(code)
    shell = [code for language, _, code in BLOCKS if language == "sh"]
    script = "\n".join(["set -e", "trap 'kill $!; wait' EXIT", shell[0].replace("\n\n", UP, 1), *shell[1:]])
    port = str(free_port())
    script = script.replace("agent serve notifier", f"agent serve notifier --port {port}").replace(
        "8084", port
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DIRIGENT_")}
    environment = kept | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert f"at http://127.0.0.1:{port}: online" in " ".join(done.stdout.split())
    assert "Stock is low" in done.stdout
    assert '"status":"reached"' in done.stdout.replace(" ", "")
    assert (tmp_path / ".dirigent" / "agents" / "notifier" / "records.db").is_file()


def test_the_table_is_that_of_the_settings() -> None:
    """Every printed agent stands there with its variable and its port."""
    for agent, (variable, address) in AGENT_ADDRESSES.items():
        assert f"| `{agent}` | `{variable}` | {address.rpartition(':')[2]} |" in TEXT
