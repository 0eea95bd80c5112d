"""The wiring as printed, the example that ships, and that everything imports with the core alone."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest

import dirigent
from dirigent import CampaignManager, Dispatcher, Envelope, InMemoryQueue, LeadOrchestrator, Registry, Worker
from dirigent.domain.errors import InvalidInput

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "tests" / "fixtures" / "examples"

NO_NETWORK = """
import socket
def refuse(*args, **kwargs):
    raise RuntimeError("the network was used")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""
ONLY_THE_CORE = """
import sys
class Refuse:
    blocked = {blocked!r}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.blocked:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refuse())
"""


class Counting(Dispatcher):
    """A dispatcher that looks at how many calls of an agent run at once."""

    def __init__(self, limits: dict[str, int]) -> None:
        super().__init__(limits)
        self.most: dict[str, int] = {}
        self._here: dict[str, int] = {}
        self._lock = threading.Lock()

    async def submit(self, agent_name: str, func: Any, *args: Any, **kwargs: Any) -> Any:
        async def counted() -> Any:
            self._come(agent_name, 1)
            for _ in range(3):
                await asyncio.sleep(0)
            result = func(*args, **kwargs)
            self._come(agent_name, -1)
            return result

        counted.__name__ = func.__name__
        return await super().submit(agent_name, counted)

    def _come(self, agent: str, by: int) -> None:
        with self._lock:
            self._here[agent] = self._here.get(agent, 0) + by
            self.most[agent] = max(self.most.get(agent, 0), self._here[agent])


def test_the_printed_wiring_runs_as_it_stands() -> None:
    """With the printed names, taken from the package: the envelope is there and valid."""
    names = {name: getattr(dirigent, name) for name in dirigent.__all__}
    exec(compile((EXAMPLES / "004-07-wiring.py").read_text(), "004-07-wiring.py", "exec"), names)  # noqa: S102
    envelope, worker, run = names["envelope"], names["worker"], names["run"]
    assert isinstance(envelope, Envelope)
    assert envelope.metadata["tenant_id"] == "org_123"
    (record,) = worker.audit.attempts(run.run_id)
    assert record.envelope == envelope.as_dict()
    assert {stage.n: stage.facts for stage in record.stages}[6] == {"nodes": 1}


def test_at_most_two_writers_at_once() -> None:
    """Fifty leads: fifty records with score and draft, each with its provenance; two drafts at once."""
    queue, registry, dispatcher = InMemoryQueue(), Registry(), Counting({"writer": 2})
    manager = CampaignManager(queue=queue, registry=registry, allow_delivery=False)
    registry.register_flow("lead", LeadOrchestrator(dispatcher=dispatcher))
    worker = Worker(queue=queue, registry=registry)
    leads = [
        {"lead_id": f"L{number}", "name": f"Lead {number}", "company": f"C{number}"} for number in range(50)
    ]
    run = manager.ingest_event({"flow": "lead", "payload": {"org_id": "org_123", "leads": leads}})
    envelope = worker.run_once()
    assert envelope is not None
    assert len(envelope.validate().records) == 50
    assert dispatcher.most["writer"] == 2
    assert dispatcher.most["lead_scorer"] > 2
    for number, record in enumerate(envelope.records):
        assert 0 <= record.data["score"] <= 100
        assert record.data["draft"]["body"].startswith(f"Dear Lead {number},")
        assert f"C{number}" in record.data["draft"]["body"]
        assert record.provenance["run_id"] == run.run_id
    (kept,) = worker.audit.attempts(run.run_id)
    assert {stage.n: stage.facts for stage in kept.stages}[6] == {"nodes": 101}


def test_leads_that_are_none_are_named() -> None:
    """The job is dead at once, with the place of the fault."""
    queue, registry = InMemoryQueue(), Registry()
    registry.register_flow("lead", LeadOrchestrator(dispatcher=Dispatcher()))
    manager = CampaignManager(queue=queue, registry=registry)
    worker = Worker(queue=queue, registry=registry)
    manager.ingest_event(
        {"flow": "lead", "payload": {"leads": [{"lead_id": "a"}, {"engagement_score": 300}]}}
    )
    assert worker.run_once() is None
    assert worker.last is not None
    assert isinstance(worker.last.error, InvalidInput)
    assert worker.last.error.field == "payload.leads.1.engagement_score"


def test_the_shipped_example_runs(tmp_path: Path) -> None:
    """In a fresh interpreter, with exit code 0 and without the network."""
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK)
    done = _run([sys.executable, str(ROOT / "examples" / "wiring.py")], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("A word to ") == 6
    assert [line for line in done.stdout.splitlines() if line[:1].isdigit()][
        -1
    ] == "9. deliver: allow_delivery"


@pytest.mark.parametrize("package", ["dirigent", "are"])
def test_every_module_imports_with_the_core_alone(tmp_path: Path, package: str) -> None:
    """The printed check, in a fresh interpreter that knows no package but the core's own."""
    (tmp_path / "sitecustomize.py").write_text(ONLY_THE_CORE.format(blocked=_not_core()))
    done = _run(["bash", str(EXAMPLES / "004-08-import-check.sh")], tmp_path, PACKAGE=package)
    assert done.returncode == 0, done.stderr


def test_the_import_check_finds_what_does_not_import(tmp_path: Path) -> None:
    """A module that needs more than the core fails the check by its name."""
    (tmp_path / "sitecustomize.py").write_text(ONLY_THE_CORE.format(blocked=_not_core()))
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "__init__.py").write_text("")
    (tmp_path / "planted" / "needy.py").write_text("import pytest\n")
    done = _run(["bash", str(EXAMPLES / "004-08-import-check.sh")], tmp_path, PACKAGE="planted")
    assert done.returncode != 0
    assert "needy.py" in done.stderr


def _run(command: list[str], first: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(first), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PYTHONPATH": paths, "PATH": path, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def _not_core() -> list[str]:
    """The top-level names of every installed distribution that the core does not require."""
    core = _required("dirigent", {"dirigent"})
    return sorted(
        name
        for name, owners in packages_distributions().items()
        if not {_normal(owner) for owner in owners} & core
    )


def _required(name: str, seen: set[str]) -> set[str]:
    """`seen` with everything that a distribution requires, directly or not, without its extras."""
    for line in distribution(name).requires or []:
        needed = _normal(re.split(r"[ ;<>=!\[~(]", line)[0])
        if "extra ==" not in line and needed not in seen and _is_installed(needed):
            seen.add(needed)
            _required(needed, seen)
    return seen


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:  # for another platform
        return False
    return True


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")
