"""`dirigent queue` and `dirigent worker` from a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.terminal import dirigent

HELLO = Path(__file__).parents[2] / "examples" / "workflows" / "hello.yaml"
FLOWS = """
from dirigent.domain.envelope import Envelope

METADATA = {"run_id": "r", "tenant_id": "t", "status": "ok", "created_at": "now"}

def greet(payload):
    if payload.get("name") == "Nobody":
        raise ValueError("there is nobody")
    provenance = {"source": "me", "agent": "me", "run_id": "r", "node": "greet", "created_at": "now"}
    data = {"text": f"Hello {payload['name']}"}
    record = {"id": "1", "type": "greeting", "data": data, "provenance": provenance}
    return Envelope.from_records([record], METADATA)

FLOWS = {"greet": greet}

def register(registry):
    registry.register_flow("greet", greet)

NOTHING = 3
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder the user is in, with a module of flows; under a name of its own in every test."""
    name = f"flows_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(FLOWS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWS_MODULE", name)
    return tmp_path


def _added(home: Path, name: str) -> dict[str, str]:
    """Hand in a greeting."""
    words = ("queue", "add", "greet", "-i", f"name={name}", "-f", _flows(home), "-o", "json")
    found: dict[str, str] = dirigent(*words, data=home / "data").data
    return found


def _flows(home: Path, name: str = "FLOWS") -> str:
    return f"flows_of_{home.name}:{name}"


def test_a_job_from_hand_in_to_envelope(home: Path) -> None:
    """Handed in, listed, worked on, and what its run did can be read."""
    data = home / "data"
    added = _added(home, "Ada")
    assert added["status"] == "queued"
    (waiting,) = dirigent("queue", "list", "--state", "ready", "-o", "json", data=data).data
    assert (waiting["job_id"], waiting["topic"]) == (added["job_id"], "runs.greet")
    assert waiting["message"]["payload"] == {"name": "Ada"}
    worked = dirigent("worker", "--once", "--apart", "-f", _flows(home, "register"), data=data)
    assert worked.code == 0, worked.err
    assert worked.out.startswith(f"done   greet  {added['job_id']}  1 record in ")
    (run,) = dirigent("queue", "runs", added["run_id"], "-o", "json", data=data).data
    assert run["envelope"]["records"][0]["data"] == {"text": "Hello Ada"}
    assert [stage["n"] for stage in run["stages"]] == [1, 2, 3, 4, 5, 7, 8, 9]
    told = dirigent("queue", "runs", added["run_id"], data=data).out
    assert "3   enqueue" in told
    assert "Envelope: ok, 1 record" in told
    assert dirigent("worker", "--once", "--apart", "-f", _flows(home), data=data).out == "There is no job.\n"


def test_dead_jobs_are_listed_shown_and_replayed(home: Path) -> None:
    """With the reason and the command that takes them back; exit code 1 where the one job failed."""
    data = home / "data"
    added = _added(home, "Nobody")
    failed = dirigent("worker", "--once", "--apart", "-f", _flows(home), data=data)
    assert failed.code == 1
    assert f"dirigent queue show {added['job_id']}" in failed.out
    assert "Dead jobs wait for you: dirigent queue dead" in dirigent("queue", data=data).out
    dead = dirigent("queue", "dead", data=data).out
    assert "ValueError: there is nobody" in dead
    assert f"dirigent queue replay {added['job_id']}" in dead
    shown = dirigent("queue", "show", added["job_id"], data=data).out
    assert "1 of 3" in shown
    assert "Attempts on record" in shown
    detail = dirigent("queue", "show", added["job_id"], "-o", "json", data=data).data
    assert (detail["state"], detail["runs"][0]["status"]) == ("dead", "failed")
    assert dirigent("queue", "replay", "--all", data=data).out.startswith("1 back in the queue.")
    again = dirigent("queue", "list", "-o", "json", data=data).data[0]
    assert (again["state"], again["replays"], again["attempts"]) == ("ready", 1, 0)


def test_what_has_ended_is_forgotten_when_asked(home: Path) -> None:
    """Done or dead jobs of an age, and the runs with them."""
    data = home / "data"
    _added(home, "Ada")
    dirigent("worker", "--once", "--apart", "-f", _flows(home), data=data)
    assert dirigent("queue", "purge", "--days", "1", data=data).out == "Forgotten: 0 jobs.\n"
    assert dirigent("queue", "purge", "--runs", data=data).out == "Forgotten: 1 job, 1 attempt at runs.\n"
    assert dirigent("queue", "runs", data=data).out == "No run is on record.\n"
    assert dirigent("queue", "purge", "--dead", "-o", "json", data=data).data == {"jobs": 0, "attempts": 0}


def test_the_engine_works_on_workflows_and_goals(tmp_path: Path) -> None:
    """Handed in by its file; the run is an execution that `ls` and `show` know."""
    data = tmp_path / "data"
    added = dirigent("queue", "add", HELLO, "-i", "name=Ada", "-o", "json", data=data).data
    done = dirigent("worker", HELLO, "--once", "-o", "json", data=data)
    assert done.code == 0, done.err
    events = [json.loads(line) for line in done.out.splitlines()]
    assert [event["event"] for event in events] == ["worker.job.start", "worker.job.success"]
    (row,) = dirigent("ls", "-o", "json", data=data).data
    assert (row["execution_id"], row["status"], row["trigger"]) == (added["run_id"], "completed", "cli")
    told = dirigent("queue", "runs", added["run_id"], data=data).out
    assert f"dirigent show {added['run_id']}" in told


def test_the_same_id_is_one_job(home: Path) -> None:
    """Handed in twice, it is there once."""
    words = ("queue", "add", "greet", "-i", "name=Ada", "--id", "monday", "-f", _flows(home), "-o", "json")
    first, second = (dirigent(*words, data=home / "data").data for _ in range(2))
    assert first == second
    assert len(dirigent("queue", "list", "-o", "json", data=home / "data").data) == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("queue", "show", "job_1"), 2, "There is no queue in"),
        (("queue", "replay", "job_1"), 2, "There is no queue in"),
        (("queue", "runs", "run_1"), 2, "`dirigent queue runs` lists the runs there are."),
        (("queue", "add", "nothing"), 2, "The flows: delivery, goal, workflow."),
        (("queue", "add", "goal", "--priority", "12"), 2, "Give a whole number from 0 to 9."),
        (("queue", "replay"), 2, "Name them, or say --all."),
        (("queue", "purge", "--days", "-1"), 0, ""),
        (("worker", "--once", "-f", "nonsense"), 2, "Write package.module:name"),
        (("worker", "--once", "-f", "no_such_module:FLOWS"), 2, "No module named 'no_such_module'"),
        (("worker", HELLO, "--apart", "--once"), 2, "Leave out --apart, or the files."),
    ],
    ids=str,
)
def test_mistakes(tmp_path: Path, words: tuple[object, ...], code: int, said: str) -> None:
    """Each with what to do about it, and nothing is made where there was nothing."""
    done = dirigent(*words, data=tmp_path / "data")
    assert done.code == code, done.err
    assert said in done.err
    assert not (tmp_path / "data" / "queue.db").exists() or "--priority" in words


def test_looking_makes_nothing(tmp_path: Path) -> None:
    """An empty place stays empty."""
    data = tmp_path / "data"
    assert "The queue is empty." in dirigent("queue", data=data).out
    assert dirigent("queue", "list", data=data).out == "There are no such jobs.\n"
    assert dirigent("queue", "dead", data=data).out == "No job is dead.\n"
    assert not data.exists()
