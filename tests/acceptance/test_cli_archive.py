"""`dirigent archive`: finished runs leave the working store, all still verifies, and they come back."""

from __future__ import annotations

import gzip
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent
from dirigent.bootstrap.archives import archive, archives, restore
from dirigent.domain.archive_event import ARCHIVES, ExecutionsArchived
from dirigent.domain.errors import Conflict, NotFound
from dirigent.domain.event import Event, ExecutionStarted
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.engine import Start
from dirigent.settings import Settings
from dirigent.storage.sqlite.archive_file import StoredStream, read_archive, write_archive
from dirigent.storage.sqlite.archiving import blank_streams, chain_name, fill_streams, stored_streams
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.testing.frozen_clock import FrozenClock
from tests.acceptance.terminal import Said, dirigent

FLOW = """\
workflow:
  name: notes
  steps:
    - {id: note, type: emit, event: note.made, data: {text: "${input.text}"}}
    - {id: more, type: subworkflow, workflow: "${input.child}"}
"""
CHILD = {"name": "child", "steps": [{"id": "copy", "type": "transform", "parameters": {"n": 1}}]}
WAITS = "workflow: {name: waits, steps: [{id: paid, type: wait_for_event, event: order.paid}]}\n"
LONG = "long " * 4000
LATER = 1 << 50
DAY_MS = 86_400_000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two finished runs, one with a large input, and one that waits."""
    for name, text in (("notes", FLOW), ("waits", WAITS)):
        (tmp_path / f"{name}.yaml").write_text(text)
    (tmp_path / "child.json").write_text(json.dumps(CHILD))
    (tmp_path / "long.json").write_text(json.dumps({"text": LONG}))
    child = f"child=@{tmp_path / 'child.json'}"
    folder = tmp_path / "data"
    assert dirigent("run", tmp_path / "notes.yaml", "-i", "text=a", "-i", child, data=folder).code == 0
    big = dirigent(
        "run", tmp_path / "notes.yaml", "-i", f"@{tmp_path / 'long.json'}", "-i", child, data=folder
    )
    assert big.code == 0, big.err
    assert dirigent("run", tmp_path / "waits.yaml", data=folder).code == 0
    return folder


def _runs(data: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dirigent("ls", "--children", "-o", "json", data=data).data
    return found


def _archive(data: Path) -> Said:
    return dirigent("archive", "--older-than", "0d", "--yes", "-o", "json", data=data)


def _sound(data: Path) -> bool:
    return dirigent("verify", data=data).code == 0


def _damage(data: Path, statement: str, *values: Any) -> None:
    """Write past everything that guards the file, as an attacker would."""
    connection = sqlite3.connect(data / "journal.db")
    connection.execute("DROP TRIGGER IF EXISTS events_are_not_changed")
    assert connection.execute(statement, values).rowcount == 1
    connection.commit()
    connection.close()


def test_a_dry_run_changes_nothing(data: Path) -> None:
    """Without --yes it is only said; what has not ended, or not long enough ago, is not named."""
    before = (data / "journal.db").read_bytes()
    said = dirigent("archive", "--older-than", "0d", "-o", "json", data=data)
    ended = [row["execution_id"] for row in reversed(_runs(data)) if row["status"] == "completed"]
    assert said.data["would_archive"] == [name for name in ended if "/" not in name]
    assert len(ended) == 4
    assert "--yes does it" in dirigent("archive", "--older-than", "0d", data=data).out
    assert "Nothing ended before" in dirigent("archive", "--older-than", "90d", data=data).out
    assert (data / "journal.db").read_bytes() == before
    assert not (data / "archives").exists()


def test_what_is_archived_is_gone_and_everything_still_verifies(data: Path) -> None:
    """Its text is in the file and nowhere in the journal; what waits goes on, and new runs begin."""
    kept = {row["execution_id"]: dirigent("show", row["execution_id"], "-o", "json", data=data).data
            for row in _runs(data)}  # fmt: skip
    done = _archive(data)
    assert (done.code, len(done.data["executions"])) == (0, 2), done.err
    assert _sound(data)
    assert [row["workflow"] for row in _runs(data)] == ["waits"]
    assert LONG.encode() not in b"".join(file.read_bytes() for file in data.glob("journal.db*"))
    [first, second] = done.data["executions"]
    gone = dirigent("show", second, data=data)
    assert (gone.code, "dirigent archive restore" in gone.err) == (2, True), gone.err
    listed = dirigent("archive", "list", "-o", "json", data=data).data
    assert [entry["executions"] for entry in listed] == [[first, second]]
    shown = dirigent("archive", "show", second, "-o", "json", data=data).data
    assert {**shown, "file": None} == {**kept[second], "file": None}
    assert f"archive restore {first}" in dirigent("archive", "show", first, data=data).out
    child = dirigent("archive", "show", f"{second}/more", "-o", "json", data=data).data
    assert child["status"] == "completed"
    [waiting] = _runs(data)
    assert dirigent("signal", waiting["execution_id"], "order.paid", data=data).code == 0
    assert _sound(data)


def test_what_is_restored_is_as_it_was(data: Path) -> None:
    """With all it started, and only that; archiving it once more makes another file."""
    before = _runs(data)
    [first, second] = _archive(data).data["executions"]
    back = dirigent("archive", "restore", second, "-o", "json", data=data)
    assert (back.code, back.data["executions"]) == (0, [second]), back.err
    assert _sound(data)
    assert _runs(data) == [row for row in before if not row["execution_id"].startswith(first)]
    assert dirigent("show", second, "-o", "json", data=data).data["input"]["text"] == LONG
    [entry] = dirigent("archive", "list", "-o", "json", data=data).data
    assert entry["executions"] == [first]
    again = dirigent("archive", "restore", second, data=data)
    assert (again.code, "no execution" in again.err) == (2, True)
    assert _archive(data).data["executions"] == [second]
    assert [entry["executions"] for entry in dirigent("archive", "list", "-o", "json", data=data).data] == [
        [first],
        [second],
    ]
    assert _sound(data)


def test_twice_and_with_nothing(data: Path, tmp_path: Path) -> None:
    """The second time there is nothing to do; a folder in which nothing ran is named."""
    _archive(data)
    files = sorted((data / "archives").iterdir())
    assert _archive(data).data == {"executions": [], "file": None, "events": 0}
    assert sorted((data / "archives").iterdir()) == files
    assert _sound(data)
    assert dirigent("archive", "list", data=tmp_path / "none").code == 2
    assert dirigent("archive", "--older-than", "0d", "--yes", data=tmp_path / "none").code == 2
    wrong = dirigent("archive", "--older-than", "soon", data=data)
    assert (wrong.code, "Write 90d" in wrong.err) == (2, True)


def test_an_archive_excuses_nothing_else(data: Path) -> None:
    """An event that is blank and was never archived, or what is left of one and was changed, is damage."""
    _archive(data)
    _damage(data, "UPDATE events SET body = x'' WHERE position = (SELECT max(last) FROM streams"
                  " WHERE name LIKE 'exec%' AND id = (SELECT stream FROM events WHERE length(body) > 0"
                  " AND stream IN (SELECT id FROM streams WHERE name LIKE 'exec%') LIMIT 1))")  # fmt: skip
    said = dirigent("verify", data=data)
    assert (said.code, "it is blank and was never archived" in said.out) == (1, True)


def test_what_is_left_of_an_archived_event_is_guarded(data: Path) -> None:
    """Its digest, and that it is there at all."""
    _archive(data)
    _damage(data, "UPDATE events SET digest = zeroblob(32) WHERE length(body) = 0 AND version = 2"
                  " AND stream = (SELECT min(stream) FROM events WHERE length(body) = 0)")  # fmt: skip
    said = dirigent("verify", data=data)
    assert (said.code, "not what was archived" in said.out) == (1, True)


def test_a_restored_run_may_not_be_blank_again(data: Path) -> None:
    """That it was archived once excuses nothing after it was brought back."""
    [first, _] = _archive(data).data["executions"]
    dirigent("archive", "restore", first, data=data)
    _damage(data, "UPDATE events SET body = x'' WHERE position ="
                  " (SELECT last FROM streams WHERE name = ?)", first)  # fmt: skip
    said = dirigent("verify", data=data)
    assert (said.code, "never archived" in said.out) == (1, True)


def test_a_damaged_file_is_refused(data: Path) -> None:
    """Nothing of it is shown or brought back; the journal is as it was."""
    [first, _] = _archive(data).data["executions"]
    [file] = (data / "archives").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:])
    for command in ("show", "restore"):
        said = dirigent("archive", command, first, data=data)
        assert said.code == 1
        assert "not those that were archived" in said.err
    file.unlink()
    assert "it is missing" in dirigent("archive", "restore", first, data=data).err
    assert _sound(data)
    file.write_bytes(whole)
    assert dirigent("archive", "restore", first, data=data).code == 0


def test_an_archive_file_verifies_by_itself(data: Path) -> None:
    """Every event is tied to the one before; a changed one is found without the journal."""
    _archive(data)
    [file] = (data / "archives").iterdir()
    assert sum(len(stream.rows) for stream in read_archive(file)) == 16
    text = gzip.decompress(file.read_bytes())
    file.write_bytes(gzip.compress(text.replace(b'"tenant\\":\\"default', b'"tenant\\":\\"another', 1)))
    with pytest.raises(Exception, match="does not match its digest"):
        list(read_archive(file))


async def test_a_crash_before_the_journal_says_so_leaves_everything(data: Path) -> None:
    """A file that nobody speaks of is written anew."""
    names = [row["execution_id"] for row in _runs(data) if row["status"] == "completed"]
    (data / "archives").mkdir()
    (data / "archives" / "archive-000000000001.part").write_bytes(b"half")
    write_archive(data / "archives" / "archive-000000000001.jsonl.gz", b"x", stored_streams(data, names))
    done = await archive(Settings(data_folder=data), LATER, now_ms=1)
    assert len(done.executions) == 2
    assert done.file is not None
    assert done.file.name != "archive-000000000001.jsonl.gz"


async def _announced(data: Path) -> list[str]:
    """The archiving of everything that has ended, up to the event that says so."""
    names = [row["execution_id"] for row in _runs(data) if row["status"] == "completed"]
    file = data / "archives" / "archive-1.jsonl.gz"
    streams = list(stored_streams(data, names))
    digest = write_archive(file, chain_name(data), streams)
    said = ExecutionsArchived(
        at=1, file=file.name, sha256=digest, actor="a", streams=tuple(stream.told for stream in streams)
    )
    journal = SqliteJournal.open(data)
    await journal.append(ARCHIVES, 0, [said])
    await journal.close()
    return names


async def test_a_crash_before_the_events_are_taken_out_loses_nothing(data: Path) -> None:
    """Until then everything is at hand and verifies."""
    before = _runs(data)
    names = await _announced(data)
    assert (_runs(data), _sound(data)) == (before, True)
    assert dirigent("show", names[0], data=data).code == 0


async def test_the_next_archiving_finishes_the_last(data: Path) -> None:
    """What was announced is taken out; what came meanwhile is not touched by that."""
    names = await _announced(data)
    done = await archive(Settings(data_folder=data), 0, now_ms=2)
    assert done.executions == []
    assert [row["workflow"] for row in _runs(data)] == ["waits"]
    assert _sound(data)
    journal = SqliteJournal.open(data)
    with pytest.raises(NotFound, match="in an archive"):
        journal.read(names[0])
    await journal.close()


async def test_a_crash_while_the_events_are_taken_out_undoes_it(data: Path) -> None:
    """All of them or none; the guard against changes stands again."""
    await _announced(data)
    before = _runs(data)

    def half() -> Any:
        found: list[StoredStream] = list(read_archive(data / "archives" / "archive-1.jsonl.gz"))
        yield found[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        blank_streams(data, half())
    assert _runs(data) == before
    assert _sound(data)
    connection = sqlite3.connect(data / "journal.db")
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        connection.execute("UPDATE events SET body = x''")
    connection.close()


async def test_a_crash_before_a_restoring_is_on_record_loses_nothing(data: Path) -> None:
    """The run is at hand and verifies; the next archiving takes it out again, into the file it came from."""
    done = await archive(Settings(data_folder=data), LATER, now_ms=1)
    assert done.file is not None
    filled = fill_streams(data, read_archive(done.file))
    assert (filled, _sound(data), len(_runs(data))) == (done.events, True, 5)
    assert (await archive(Settings(data_folder=data), LATER, now_ms=2)).executions == []
    assert (_sound(data), len(_runs(data))) == (True, 1)
    back = await restore(Settings(data_folder=data), done.executions[0], now_ms=3)
    assert (back.executions, _sound(data), len(_runs(data))) == (done.executions[:1], True, 3)


async def test_the_guard_stands_after_an_archiving(data: Path) -> None:
    """And what is read in order of positions goes on behind the blanks, however small the pages are."""
    await archive(Settings(data_folder=data), LATER, now_ms=1)
    connection = sqlite3.connect(data / "journal.db")
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        connection.execute("UPDATE events SET body = x''")
    connection.close()
    journal = SqliteJournal.open(data)
    everything, found, after = journal.tail(0, 10_000), list[Event](), 0
    while page := journal.tail(after, 1):
        found, after = [*found, page[-1].event], page[-1].position
    assert found == [recorded.event for recorded in everything]
    assert [event.workflow for event in found if isinstance(event, ExecutionStarted)] == ["waits"]
    await journal.close()


async def test_only_what_is_due_goes(tmp_path: Path) -> None:
    """Kept for thirty days: of runs that ended on day 0 and day 40, the first goes on day 45."""
    clock = FrozenClock()
    flow = Definition(name="x", steps=(Step(id="n", kind=Kind.TRANSFORM, parameters={"n": 1}),))
    async with Dirigent(tmp_path, clock=clock) as opened:
        old = await opened.run(flow)
        clock.move(40 * DAY_MS)
        young = await opened.run(flow)
        clock.move(5 * DAY_MS)
    now, settings = clock.now_ms(), Settings(data_folder=tmp_path)
    assert (await archive(settings, now - 30 * DAY_MS, now_ms=now)).executions == [old.execution_id]
    assert [row["execution_id"] for row in _runs(tmp_path)] == [young.execution_id]
    [(said, names)] = archives(settings)
    assert (said.at, said.actor, names) == (now, "local", [old.execution_id])


async def test_an_archived_name_is_not_given_again(data: Path) -> None:
    """Starting under it is refused, as it was before."""
    names = [row["execution_id"] for row in _runs(data) if "/" not in row["execution_id"]]
    await archive(Settings(data_folder=data), LATER, now_ms=1)
    flow = Definition(name="x", steps=(Step(id="w", kind=Kind.WAIT_FOR_EVENT, event="a.b"),))
    async with Dirigent(data) as opened:
        with pytest.raises(Conflict):
            await opened.engine.start(Start(definition=flow, tenant="t", actor="a", execution_id=names[-1]))
