"""`dirigent goal run`: the run as it goes, the report at its end, and when there is nothing new to do."""

from __future__ import annotations

import shutil
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dirigent.intake.imports import import_folder
from dirigent.storage.sqlite.records import SqliteRecords
from tests.acceptance.terminal import DORMANT, TENANT, Said, dirigent, write_books, write_goal


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with books and no run."""
    folder = tmp_path_factory.mktemp("imported")
    dirigent("import", write_books(folder / "books"), "--org", TENANT, data=folder / "data")
    return folder


@pytest.fixture(scope="module")
def worked(imported: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """A data folder in which the goal was run, and what the command said."""
    folder = tmp_path_factory.mktemp("worked")
    shutil.copytree(imported / "data", folder / "data")
    return folder, dirigent("goal", "run", write_goal(folder), data=folder / "data")


@pytest.fixture
def data(imported: Path, tmp_path: Path) -> Path:
    """A data folder of one's own, with books and no run."""
    shutil.copytree(imported / "data", tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def after(worked: tuple[Path, Said], tmp_path: Path) -> Path:
    """A folder of one's own in which the goal was run."""
    shutil.copytree(worked[0], tmp_path / "after")
    return tmp_path / "after"


def test_says_in_lines_what_has_ended(worked: tuple[Path, Said]) -> None:
    """Without a terminal every step is a line, with its counts, those of child executions too."""
    _, said = worked
    assert said.code == 0, said.err
    assert "context  succeeded" in said.out
    assert f"work/draft  succeeded  {DORMANT}/{DORMANT}" in said.out
    assert f"release/deliver  waiting  0/{DORMANT}, {DORMANT} waiting" in said.out
    assert "\x1b" not in said.out


def test_the_report_says_what_and_why(worked: tuple[Path, Said]) -> None:
    """The report holds status and reason, choice, honesty, drafts, example, targets, grades and commands."""
    out = worked[1].out
    assert f"{DORMANT} held: allow_delivery is off" in out
    assert f"Chosen: {DORMANT} of" in out
    assert "C00 Gifts Ltd (C00)" in out
    assert "How good the ranking is" in out
    assert f"Messages: {DORMANT} written ({DORMANT} held)" in out
    assert "To: Ann Buyer <ann@c" in out
    assert "meetings_booked" in out
    assert "No message has been sent yet" in out
    assert "writer.write_message" in out
    assert "0.00 USD of 1,000.00" in out
    assert "dirigent approve --all are_exec_" in out


def test_the_first_ten_and_where_the_rest_is(worked: tuple[Path, Said]) -> None:
    """Ten leads are shown; the command for the others shows them."""
    folder, said = worked
    more = f"… {DORMANT - 10} more: dirigent show "
    assert more in said.out
    execution_id = said.out.partition(more)[2].split()[0]
    whole = dirigent("show", execution_id, "--all", data=folder / "data")
    assert more not in whole.out
    assert all(f"(C{number:02})" in whole.out for number in range(DORMANT))


def test_nothing_new_to_do(after: Path) -> None:
    """The same goal over the same books is not run again; --again runs it."""
    again = dirigent("goal", "run", after / "goal.json", data=after / "data")
    assert again.code == 0
    assert again.out.startswith("Nothing new to do")
    assert "awaiting_approval" in again.out
    assert len(dirigent("ls", "-o", "json", data=after / "data").data) == 1
    forced = dirigent("goal", "run", after / "goal.json", "--again", "-o", "json", data=after / "data")
    assert forced.data["nothing_new"] is False
    assert len(dirigent("ls", "-o", "json", data=after / "data").data) == 2


def test_another_goal_is_another_run(after: Path) -> None:
    """An option that changes the goal's facts makes it another goal."""
    said = dirigent("goal", "run", after / "goal.json", "--budget", "5", "-o", "json", data=after / "data")
    assert said.data["budget"]["max"] == 5
    assert len(dirigent("ls", "-o", "json", data=after / "data").data) == 2


def test_new_books_are_something_new(after: Path) -> None:
    """After an import the goal is worked on again."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with closing(SqliteRecords(after / "data" / "records.db", now=lambda: tomorrow)) as records:
        import_folder(write_books(after / "books", refused=True), records, TENANT)
    said = dirigent("goal", "run", after / "goal.json", "-o", "json", data=after / "data")
    assert said.data["nothing_new"] is False


def test_a_sentence(data: Path) -> None:
    """A goal may be a sentence; options say whose it is and how far it may go."""
    sentence = "Reactivate 3 dormant enterprise leads"
    said = dirigent("goal", "run", sentence, "--org", TENANT, "--autonomy", "L1", "-o", "json", data=data)
    assert said.code == 0, said.err
    assert said.data["goal"]["limit"] == 3
    assert said.data["goal"]["tenant"] == TENANT
    assert said.data["autonomy"]["effective"] == "L1"
    assert said.data["approvals"]["open"] == 3


def test_a_goal_that_cannot_begin(tmp_path: Path) -> None:
    """Without books the goal is blocked: exit code 1, and the reason in words."""
    said = dirigent("goal", "run", write_goal(tmp_path), data=tmp_path / "data")
    assert said.code == 1
    assert "blocked" in said.out
    assert "import them first" in said.out


def test_delivery_with_the_switch(data: Path, tmp_path: Path) -> None:
    """With --allow-delivery what policy and level let through leaves, and the report says sent."""
    said = dirigent("goal", "run", write_goal(tmp_path), "--allow-delivery", "-o", "json", data=data)
    assert said.data["status"] == "completed"
    assert len(list((data / "outbox").glob("*.eml"))) == DORMANT
