"""What the SQLite journal does beyond the suite that every journal passes."""

import asyncio
import threading
from pathlib import Path
from typing import cast

import apsw
import pytest

from dirigent.domain.errors import Conflict, InvalidInput, StorageFailure
from dirigent.domain.event import ExecutionStarted, Passport
from dirigent.storage.sqlite import database as database_module
from dirigent.storage.sqlite.chain import genesis, link
from dirigent.storage.sqlite.journal import HEADS_MAX, SqliteJournal
from dirigent.testing.conformance import EVERY_EVENT
from tests.storage.journals import database, note, opened


async def test_a_closed_journal_opens_where_it_ended(tmp_path: Path) -> None:
    """Heads, positions and events are there again, and appending goes on."""
    journal = SqliteJournal.open(tmp_path)
    await journal.append("a", 0, [note(1), note(2)])
    await journal.append("b", 0, [note(3)])
    await journal.close()

    journal = SqliteJournal.open(tmp_path)
    assert (journal.head("a"), journal.head("b"), journal.durable) == (2, 1, 3)
    await journal.append("a", 2, [note(4)])
    with pytest.raises(Conflict):
        _ = journal.append("b", 0, [note(5)])
    assert journal.read("a") == [note(1), note(2), note(4)]
    assert [(r.position, r.stream, r.version) for r in journal.tail(2)] == [(3, "b", 1), (4, "a", 3)]
    assert journal.verify().damages == ()
    await journal.close()


async def test_followers_are_told_of_what_is_durable(tmp_path: Path) -> None:
    """Each time there is more to read, and not before; one that has stopped is told nothing."""
    journal = SqliteJournal.open(tmp_path)
    told: list[tuple[int, int]] = []
    stop = journal.follow(lambda: told.append((journal.durable, len(journal.tail(0)))))
    first = journal.append("a", 0, [note(1), note(2)])
    assert told == []
    await first
    await journal.append("b", 0, [note(3)])
    assert told == [(2, 2), (3, 3)]
    stop()
    stop()
    await journal.append("b", 1, [note(4)])
    assert len(told) == 2
    await journal.close()


async def test_what_was_written_long_ago_reads_like_what_was_written_now(tmp_path: Path) -> None:
    """A stream gives the same events while it is at hand, when others have displaced it, and anew."""
    large = {"text": "x" * 1000}
    journal = SqliteJournal.open(tmp_path)
    await journal.append("first", 0, [*EVERY_EVENT, note(1, large)])
    at_hand = journal.read("first", after=2)
    for number in range(6):
        await journal.append(f"e{number}", 0, [note(number, {"text": "x" * 1_000_000})])
    displaced = journal.read("first", after=2)
    await journal.append("first", len(EVERY_EVENT) + 1, [note(2)])
    assert journal.read("first")[-2:] == [note(1, large), note(2)]
    await journal.close()

    journal = SqliteJournal.open(tmp_path)
    assert at_hand == displaced == journal.read("first", after=2)[:-1]
    await journal.close()


async def test_what_arrives_together_is_committed_together(tmp_path: Path) -> None:
    """A thousand appends at once need a small part of a thousand transactions."""
    journal = SqliteJournal.open(tmp_path)
    await asyncio.gather(*(journal.append(f"e{number}", 0, [note(number)]) for number in range(1000)))
    assert journal.commits <= 2
    assert journal.durable == 1000
    await journal.close()


async def test_what_is_waited_for_one_by_one_is_committed_one_by_one(tmp_path: Path) -> None:
    """Nobody is acknowledged before the commit that holds his events."""
    journal = SqliteJournal.open(tmp_path)
    for number in range(20):
        await journal.append("e", number, [note(number)])
        assert journal.durable == number + 1
    assert journal.commits == 20
    await journal.close()


def test_a_journal_outlives_a_loop_that_did_not_wait(tmp_path: Path) -> None:
    """What a loop handed in before it ended is stored, and the next loop goes on behind it."""
    journal = SqliteJournal.open(tmp_path)

    async def hand_in() -> None:
        _ = journal.append("e", 0, [note(1)])

    async def go_on() -> None:
        await asyncio.wait_for(journal.append("e", 1, [note(2)]), timeout=30)
        await journal.close()

    asyncio.run(hand_in())
    asyncio.run(go_on())
    with opened(tmp_path) as again:
        assert again.read("e") == [note(1), note(2)]


async def test_a_batch_has_a_limit(tmp_path: Path) -> None:
    """However much is handed in at once, no transaction grows without bound."""
    journal = SqliteJournal.open(tmp_path)
    await asyncio.gather(*(journal.append(f"e{n}", 0, [note(n)] * 100) for n in range(250)))
    assert 2 <= journal.commits <= 25
    assert journal.verify().events == 25_000
    await journal.close()


async def test_large_payloads_are_stored_once(tmp_path: Path) -> None:
    """The same large value in many events takes its room once."""
    journal = SqliteJournal.open(tmp_path)
    large = {"text": "a long contract. " * 5_000}
    for number in range(20):
        await journal.append("e", number, [note(number, large)])
    assert journal.read("e") == [note(number, large) for number in range(20)]
    await journal.close()
    with database(tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM payloads").get == 1
        assert connection.execute("SELECT max(length(body)) FROM events").get < 1000


async def test_small_bodies_stay_in_one_piece(tmp_path: Path) -> None:
    """Up to eight kilobytes an event is stored as it is."""
    journal = SqliteJournal.open(tmp_path)
    await journal.append("e", 0, [note(1, "x" * 8000)])
    await journal.close()
    with database(tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM payloads").get == 0


async def test_more_streams_than_are_kept_in_mind(tmp_path: Path) -> None:
    """Heads that were let go of are found again, at their right version."""
    journal = SqliteJournal.open(tmp_path)
    count = HEADS_MAX + 5_000
    for start in range(0, count, 5_000):
        waiting = [journal.append(f"e{number}", 0, [note(number)]) for number in range(start, start + 5_000)]
        await asyncio.gather(*waiting)
    assert journal.head("e0") == journal.head(f"e{count - 1}") == 1
    with pytest.raises(Conflict):
        _ = journal.append("e0", 0, [note(1)])
    await journal.append("e0", 1, [note(1)])
    assert journal.read("e0") == [note(0), note(1)]
    await journal.close()


async def test_reading_goes_on_from_any_thread_while_writing(tmp_path: Path) -> None:
    """Readers in threads see whole streams only, never half an append."""
    journal = SqliteJournal.open(tmp_path)
    stop = threading.Event()
    lengths: set[int] = set()

    def read() -> None:
        while not stop.is_set():
            lengths.add(len(journal.read("e")))
            journal.tail(0, limit=50)

    readers = [asyncio.create_task(asyncio.to_thread(read)) for _ in range(3)]
    for number in range(0, 300, 3):
        await journal.append("e", number, [note(number)] * 3)
    assert journal.verify().damages == ()
    stop.set()
    await asyncio.gather(*readers)
    assert all(length % 3 == 0 for length in lengths)
    await journal.close()


async def test_an_event_that_could_not_be_folded_is_refused(tmp_path: Path) -> None:
    """What would stop the projections, and with them the journal, is refused before it is accepted."""
    journal = SqliteJournal.open(tmp_path)
    passport = Passport(tenant="t", actor="a")
    wrong_time = ExecutionStarted(
        at=2**70, execution_id="e", workflow="w", definition="h", input={}, passport=passport
    )
    wrong_type = ExecutionStarted(
        at=1,
        execution_id="e",
        workflow=7,  # type: ignore[arg-type]
        definition="h",
        input={},
        passport=passport,
    )
    for event in (wrong_time, wrong_type):
        with pytest.raises(InvalidInput):
            _ = journal.append("e", 0, [event])
    await journal.append("e", 0, [note(1)])
    await journal.close()


async def test_nothing_works_on_a_closed_journal(tmp_path: Path) -> None:
    """After closing, reading and appending say what happened."""
    journal = SqliteJournal.open(tmp_path)
    await journal.append("e", 0, [note(1)])
    await journal.close()
    with pytest.raises(StorageFailure, match="closed"):
        _ = journal.append("e", 1, [note(2)])
    with pytest.raises(StorageFailure, match="closed"):
        journal.read("e")


async def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """What a newer Dirigent wrote is not guessed at."""
    await SqliteJournal.open(tmp_path).close()
    with database(tmp_path) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'format'", (database_module.FORMAT + 1,))
    with pytest.raises(StorageFailure, match="newer Dirigent"):
        SqliteJournal.open(tmp_path)


async def test_a_journal_of_format_1_reads_and_goes_on(tmp_path: Path) -> None:
    """Chains that begin with the stream's name alone verify for ever, also what is appended to them now."""
    await SqliteJournal.open(tmp_path).close()
    with database(tmp_path) as connection:
        connection.execute("UPDATE meta SET value = 1 WHERE key = 'format'")
    for number in range(2):
        journal = SqliteJournal.open(tmp_path)
        await journal.append("e", number, [note(number)])
        await journal.close()
    with database(tmp_path) as connection:
        sql = "SELECT stream, body, digest FROM events WHERE position = 1"
        stream, body, digest = cast("tuple[int, bytes, bytes]", connection.execute(sql).fetchall()[0])
    assert digest == link(genesis("e"), 1, stream, 1, body)
    journal = SqliteJournal.open(tmp_path)
    assert journal.read("e") == [note(0), note(1)]
    assert journal.verify().damages == ()
    await journal.close()


def test_an_old_sqlite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQLite with the WAL-reset race never gets a journal into its hands."""
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(StorageFailure, match=r"3\.51\.3 or newer"):
        database_module.check_sqlite_version()


async def test_the_wal_is_moved_into_the_database_now_and_then(tmp_path: Path) -> None:
    """A journal that is never closed does not grow its WAL without bound."""
    journal = SqliteJournal.open(tmp_path)
    for number in range(60):
        await journal.append(f"e{number}", 0, [note(number, "x" * 7000)] * 200)
    wal = (tmp_path / "journal.db-wal").stat().st_size
    assert wal < 40_000_000 < (tmp_path / "journal.db").stat().st_size + wal
    assert journal.verify().damages == ()
    await journal.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = x'00' WHERE position = 1",
        "UPDATE OR IGNORE events SET version = 9",
        "DELETE FROM events WHERE position = 2",
        "DELETE FROM events",
    ],
)
async def test_the_database_itself_refuses_to_change_history(tmp_path: Path, statement: str) -> None:
    """The port has no way to change or remove an event, and neither has somebody with a database tool."""
    journal = SqliteJournal.open(tmp_path)
    await journal.append("e", 0, [note(1), note(2)])
    connection = apsw.Connection(str(tmp_path / "journal.db"))
    with pytest.raises(apsw.ConstraintError, match="an event of the journal is never"):
        connection.execute(statement)
    connection.close()
    assert journal.read("e") == [note(1), note(2)]
    assert journal.verify().damages == ()
    await journal.close()


async def test_a_journal_of_an_earlier_version_gets_its_guards(tmp_path: Path) -> None:
    """Opening puts the guards up where there are none."""
    journal = SqliteJournal.open(tmp_path)
    await journal.append("e", 0, [note(1)])
    await journal.close()
    with database(tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'").get == 0
    await SqliteJournal.open(tmp_path).close()
    found = apsw.Connection(str(tmp_path / "journal.db"))
    with pytest.raises(apsw.ConstraintError):
        found.execute("DELETE FROM events")
    found.close()
