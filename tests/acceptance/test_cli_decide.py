"""`dirigent approve`, `reject`, `edit`, `cancel`, `resolve` and `resume`."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.terminal import DORMANT, TENANT, dirigent, write_books, write_goal

WAITS = """\
workflow:
  name: waits
  steps:
    - {id: ask, type: approval, parameters: {reason: "Shall we?"}, ends_as: rejected}
"""


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a goal whose messages are all held."""
    folder = tmp_path_factory.mktemp("held")
    dirigent("import", write_books(folder / "books"), "--org", TENANT, data=folder / "data")
    dirigent("goal", "run", write_goal(folder), data=folder / "data")
    return folder / "data"


@pytest.fixture
def data(held: Path, tmp_path: Path) -> Path:
    """A copy of one's own."""
    shutil.copytree(held, tmp_path / "data")
    return tmp_path / "data"


def _approvals(data: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dirigent("approvals", "-o", "json", data=data).data
    return found


def _letters(data: Path) -> list[Path]:
    return sorted((data / "outbox").glob("*.eml"))


def test_held_messages_need_the_switch(data: Path) -> None:
    """Without delivery an approval is refused: exit code 1, with the switch named, and nothing leaves."""
    first = _approvals(data)[0]
    said = dirigent("approve", first["approval_id"], data=data)
    assert said.code == 1
    assert "delivery is off" in said.err
    assert "DIRIGENT_ALLOW_DELIVERY=1" in said.err
    assert not _letters(data)


def test_approve_one(data: Path) -> None:
    """One approved message leaves with the approved bytes; deciding it again is refused."""
    first = _approvals(data)[0]
    said = dirigent("approve", first["approval_id"], "--allow-delivery", "--comment", "good", data=data)
    assert said.code == 0, said.err
    assert "approved" in said.out
    assert "succeeded" in said.out
    [letter] = _letters(data)
    assert hashlib.sha256(letter.read_bytes()).hexdigest() == first["preview"]["sha256"]
    again = dirigent("approve", first["approval_id"], "--allow-delivery", data=data)
    assert again.code == 1
    assert "approved already" in again.err


def test_the_environment_turns_delivery_on(data: Path) -> None:
    """DIRIGENT_ALLOW_DELIVERY=1 does what the option does."""
    first = _approvals(data)[0]
    said = dirigent("approve", first["approval_id"], data=data, DIRIGENT_ALLOW_DELIVERY="1")
    assert said.code == 0, said.err
    assert len(_letters(data)) == 1


def test_approve_all_and_what_was_decided_before(data: Path) -> None:
    """All of a goal are approved at once; of several ids the wrong one does not stop the others."""
    first, second, *_ = _approvals(data)
    dirigent("reject", first["approval_id"], "--comment", "wrong tone", data=data)
    said = dirigent(
        "approve", first["approval_id"], second["approval_id"], "--allow-delivery", "-o", "json", data=data
    )
    assert said.code == 1
    assert [fate["approval_id"] for fate in said.data["decided"]] == [second["approval_id"]]
    assert "rejected already" in said.data["errors"][0]["message"]
    goal = first["execution_id"].partition("/")[0]
    everything = dirigent("approve", "--all", goal, "--allow-delivery", data=data)
    assert everything.code == 0, everything.err
    assert len(_letters(data)) == DORMANT - 1
    assert dirigent("show", goal, "-o", "json", data=data).data["status"] == "completed"
    nothing = dirigent("approve", "--all", goal, data=data)
    assert "waits for a decision" in nothing.out


def test_many_of_the_same_kind_are_told_once(data: Path) -> None:
    """Forty times the same refusal is one line with its count."""
    goal = _approvals(data)[0]["execution_id"].partition("/")[0]
    said = dirigent("approve", "--all", goal, data=data)
    assert said.code == 1
    assert said.err.count("error:") == 1
    assert f"{DORMANT} times" in said.err


def test_reject(data: Path) -> None:
    """A rejected message does not leave, and the comment is kept."""
    first = _approvals(data)[0]
    said = dirigent("reject", first["approval_id"], "--comment", "wrong tone", data=data)
    assert said.code == 0, said.err
    assert "wrong tone" in dirigent("approvals", "show", first["approval_id"], data=data).out
    assert len(_approvals(data)) == DORMANT - 1
    assert not _letters(data)


def test_cancel(data: Path) -> None:
    """A cancelled goal and all it started are over; cancelling it again says so."""
    goal = _approvals(data)[0]["execution_id"].partition("/")[0]
    said = dirigent("cancel", goal, "--reason", "changed our mind", "-o", "json", data=data)
    assert (said.code, said.data["status"]) == (0, "cancelled")
    assert _approvals(data) == []
    again = dirigent("cancel", goal, data=data)
    assert again.code == 1
    assert "has ended (cancelled)" in again.err


def test_resolve_asks_for_an_open_question(data: Path) -> None:
    """Only a step whose outcome is unknown can be resolved."""
    goal = _approvals(data)[0]["execution_id"].partition("/")[0]
    said = dirigent("resolve", f"{goal}/release", "deliver[0]", "--not-happened", data=data)
    assert said.code == 2
    assert "does not wait for its outcome" in said.err


def test_resume_with_nothing_to_do(data: Path) -> None:
    """What only waits for a person was not interrupted."""
    said = dirigent("resume", data=data)
    assert said.code == 0
    assert "Nothing was interrupted.\nWaiting for a person: 1. See dirigent approvals" in said.out
    assert dirigent("resume", "-o", "json", data=data).data == []


def test_resume_names_what_waits_for_an_event(tmp_path: Path) -> None:
    """A run that waits for an event waits for no person."""
    file = tmp_path / "waits.yaml"
    file.write_text("name: waits\nsteps: [{id: paid, type: wait_for_event, event: order.paid}]\n")
    dirigent("run", file, data=tmp_path / "data")
    said = dirigent("resume", data=tmp_path / "data")
    assert said.code == 0
    assert "an event, a time or a signal: 1. See dirigent ls --status running" in said.out
    assert "person" not in said.out


def test_a_step_that_asks(tmp_path: Path) -> None:
    """A workflow's own question can be rejected, and the run ends as the workflow says."""
    file, data = tmp_path / "waits.yaml", tmp_path / "data"
    file.write_text(WAITS)
    waiting = dirigent("run", file, data=data)
    assert waiting.code == 0
    assert "Shall we?" in waiting.out
    [row] = _approvals(data)
    assert "Shall we?" in dirigent("approvals", "show", row["approval_id"], data=data).out
    said = dirigent("reject", row["approval_id"], data=data)
    assert said.code == 0
    ended = dirigent("show", row["execution_id"], "-o", "json", data=data).data
    assert ended["status"] == "rejected"


ORDERS = """\
workflow:
  name: orders
  steps:
    - {id: order, type: http, method: POST, url: "http://127.0.0.1:9/orders", body: {amount: 70}}
"""


def test_edit_before_approving(tmp_path: Path) -> None:
    """What is done is what was approved last, by its hash; approving what was asked before is refused."""
    file, data = tmp_path / "orders.yaml", tmp_path / "data"
    file.write_text(ORDERS)
    dirigent("run", file, "--allow-delivery", data=data)
    [first] = _approvals(data)
    said = dirigent(
        "edit", first["approval_id"], "-i", 'body={"amount": 7}', "--comment", "less", "-o", "json",
        data=data, DIRIGENT_ALLOW_DELIVERY="1",
    )  # fmt: skip
    assert (said.code, said.data["state"]) == (0, "edited"), said.err
    [second] = _approvals(data)
    assert said.data["asked"] == [second["approval_id"]]
    assert second["preview"] == first["preview"] | {"body": {"amount": 7}}
    assert second["payload_hash"] != first["payload_hash"]
    stale = dirigent("approve", first["approval_id"], "--allow-delivery", data=data)
    assert (stale.code, "edited already" in stale.err) == (1, True)
    dirigent("approve", second["approval_id"], "--allow-delivery", data=data)
    events = dirigent("logs", first["execution_id"], "-o", "json", data=data).data
    done = [event["payload"] for event in events if event["type"] == "StepStarted"]
    assert done == [second["payload_hash"]]
    [decided] = [event for event in events if event.get("decision") == "edited"]
    assert (decided["actor"], decided["comment"]) == ("local", "less")
    assert dirigent("edit", second["approval_id"], "-i", "body=1", data=data).code == 1
