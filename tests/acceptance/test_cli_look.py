"""`dirigent ls`, `show`, `logs`, `approvals`, `agents`: reading beside whoever holds the folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dirigent.storage.sqlite.lock import DataFolderLock
from tests.acceptance.terminal import DORMANT, TENANT, dirigent, write_books, write_goal

HELLO = Path(__file__).parents[2] / "examples" / "workflows" / "hello.yaml"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a goal that waits for a person, and a workflow that is done."""
    folder = tmp_path_factory.mktemp("look")
    dirigent("import", write_books(folder / "books"), "--org", TENANT, data=folder / "data")
    dirigent("goal", "run", write_goal(folder), data=folder / "data")
    dirigent("run", HELLO, data=folder / "data")
    return folder / "data"


@pytest.fixture(scope="module")
def goal(data: Path) -> str:
    """The id of the goal's execution."""
    [row] = dirigent("ls", "--org", TENANT, "-o", "json", data=data).data
    return str(row["execution_id"])


def test_ls(data: Path, goal: str) -> None:
    """The newest is first; status and tenant narrow the list; children are listed when asked for."""
    said = dirigent("ls", data=data)
    assert said.out.index("Score one lead") < said.out.index(goal)
    assert "awaiting_approval" in said.out
    assert goal not in dirigent("ls", "--status", "completed", data=data).out
    assert "some that are awaiting_approval" in dirigent("ls", "--status", "waiting", data=data).out
    assert f"{goal}/work" in dirigent("ls", "--children", data=data).out
    assert "1 more: --limit 2" in dirigent("ls", "--limit", "1", data=data).out
    assert [row["workflow"] for row in dirigent("ls", "-o", "json", data=data).data] == ["hello", "goal"]


def test_a_narrow_screen_keeps_ids_whole(data: Path, goal: str) -> None:
    """In eighty columns an id can still be copied."""
    assert goal in dirigent("ls", data=data, COLUMNS="80").out


def test_show_a_child(data: Path, goal: str) -> None:
    """Any execution can be shown: its steps, the first items of a fan-out, and where to look next."""
    said = dirigent("show", f"{goal}/work", data=data)
    assert said.code == 0, said.err
    assert "revival_engine.find_dormant" in said.out
    assert "draft[9]" not in said.out
    assert "more: dirigent show" in said.out
    whole = dirigent("show", f"{goal}/work", "--all", data=data)
    assert f"draft[{DORMANT - 1}]" in whole.out


def test_show_leaves_out_the_steps_inside_most_items(tmp_path: Path) -> None:
    """Of a block over many items the steps of the first are listed, and what failed in the others."""
    file, data = tmp_path / "many.yaml", tmp_path / "data"
    file.write_text(
        "name: many\nsteps:\n  - id: each\n    type: foreach\n    foreach: input.ns\n    on_error: continue\n"
        "    steps:\n      - {id: odd, type: validation, conditions: ['item != 33']}\n"
        "      - {id: half, type: transform, parameters: {n: '${item / 2}'}}\n"
    )
    ran = dirigent("run", file, "-i", f"ns={list(range(40))}", data=data)
    assert "each  succeeded  40/40, 1 failed" in ran.out
    assert "each[9].half" in ran.out
    assert "each[10].half" not in ran.out
    assert "each[33].odd" in ran.out
    assert "more: dirigent show" in ran.out


def test_a_narrow_screen_has_room_for_what_happened(data: Path, goal: str) -> None:
    """In eighty columns a moment is not broken, and descriptions are not squeezed into a few characters."""
    lines = dirigent("logs", goal, data=data, COLUMNS="80").out.splitlines()
    assert any(re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ   StepStarted", line) for line in lines)
    agents = dirigent("agents", data=data, COLUMNS="80").out
    assert re.search(r"(?m)^  check_draft +R0, read: Whether a stored message may go to its contact", agents)


def test_show_as_json(data: Path, goal: str) -> None:
    """A goal gives its report, another execution its steps."""
    assert dirigent("show", goal, "-o", "json", data=data).data["approvals"]["open"] == DORMANT
    steps = dirigent("show", f"{goal}/work", "-o", "json", data=data).data["steps"]
    assert {"select", "draft[0]"} <= {step["id"] for step in steps}


def test_logs(data: Path, goal: str) -> None:
    """Every event with its number, time, step and facts; as JSON all of it."""
    said = dirigent("logs", goal, data=data)
    assert "ExecutionStarted" in said.out
    assert f"It started {goal}/work" in said.out
    events = dirigent("logs", goal, "-o", "json", data=data).data
    assert [event["version"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "ExecutionStarted"


def test_approvals(data: Path, goal: str) -> None:
    """What waits, with the subject of the message and how to decide."""
    said = dirigent("approvals", data=data)
    assert f"{DORMANT} open" in said.out
    assert "allow_delivery is off" in said.out
    assert "dirigent approvals show apr_" in said.out
    of_goal = dirigent("approvals", "--execution", goal, "-o", "json", data=data).data
    assert len(of_goal) == DORMANT
    assert "There are none." in dirigent("approvals", "--state", "rejected", data=data).out


def test_the_exact_message(data: Path) -> None:
    """An approval shows headers and body as stored; their hash is the one that was asked about."""
    first = dirigent("approvals", "-o", "json", data=data).data[0]
    said = dirigent("approvals", "show", first["approval_id"], data=data)
    assert "To: Ann Buyer <ann@" in said.out
    assert "Dear Ann Buyer," in said.out
    assert first["preview"]["sha256"] in said.out
    found = dirigent("approvals", "show", first["approval_id"], "-o", "json", data=data).data
    assert found["message"]["sha256"] == first["preview"]["sha256"]
    assert "Dear Ann Buyer," in found["message"]["body"]


def test_reading_while_another_process_holds_the_folder(data: Path, goal: str) -> None:
    """Whoever only looks needs no lock; whoever acts is told who has it: exit code 3."""
    with DataFolderLock(data, command="the other one"):
        for looking in (("ls",), ("show", goal), ("logs", goal), ("approvals",), ("verify",), ("doctor",)):
            assert dirigent(*looking, data=data).code == 0
        assert "the other one" in dirigent("doctor", data=data).out
        said = dirigent("run", HELLO, data=data)
    assert said.code == 3
    assert "is held by process" in said.err
    assert "`dirigent resume` goes on with what it was at" in said.err
    assert "the other one" in said.err
    assert "fix:" in said.err


def test_agents() -> None:
    """Every agent with its actions, risk and effect; one of them with its inputs."""
    said = dirigent("agents")
    assert "find_dormant" in said.out
    assert "R3" in said.out
    one = dirigent("agents", "LeadScoringSpecialist")
    assert "lead_scorer.score_lead   R0, pure" in one.out
    assert "lead.website_visits" in one.out
    described = dirigent("agents", "writer", "-o", "json").data
    assert described["actions"][0]["inputs"]["required"] == ["lead", "dossier", "brief"]
    assert len(dirigent("agents", "-o", "json").data) >= 10


def test_words_from_strangers_do_not_steer_the_terminal(tmp_path: Path) -> None:
    """Control characters in data are shown as what they are, in tables and in texts."""
    said = dirigent("run", HELLO, "-i", 'name="Ada\\u001b[2J\\u202e"', data=tmp_path / "data")
    assert said.code == 0
    assert "\x1b" not in said.out
    assert "\u202e" not in said.out
