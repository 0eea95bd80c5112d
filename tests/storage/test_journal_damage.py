"""Damage inside the database: whatever is changed is noticed, named, and hurts nobody else."""

from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from dirigent.domain.errors import JournalDamaged
from tests.storage.journals import (
    Truth,
    build,
    copied,
    database,
    findings,
    flipped,
    named,
    opened,
    reads_wrong,
)

COLUMNS = ("body", "digest", "stream", "version", "position")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("whole")
    return folder, build(folder)


@pytest.fixture
def broken(whole: tuple[Path, Truth], tmp_path: Path) -> tuple[Path, Truth]:
    return copied(whole[0], tmp_path / "broken"), whole[1]


def stream_at(connection: apsw.Connection, position: int) -> str:
    sql = "SELECT s.name FROM events e JOIN streams s ON s.id = e.stream WHERE e.position = ?"
    return str(connection.execute(sql, (position,)).get)


def expect_only(folder: Path, truth: Truth, *names: str) -> None:
    """Exactly these streams are named by verify and refused by read; all others read as ever."""
    with opened(folder) as journal:
        found = named(journal.verify())
        raised, silent = reads_wrong(journal, truth)
    assert set(names) <= found
    assert raised == set(names)
    assert not silent


def test_an_undamaged_journal_verifies(whole: tuple[Path, Truth]) -> None:
    """No finding without damage."""
    folder, truth = whole
    with opened(folder) as journal:
        verified = journal.verify()
        assert (verified.events, verified.streams, verified.damages) == (40, len(truth), ())
        assert reads_wrong(journal, truth) == (set(), set())


@given(
    position=st.integers(1, 40),
    column=st.sampled_from(COLUMNS),
    place=st.integers(0, 10_000),
    bit=st.integers(0, 7),
)
@example(position=1, column="position", place=7, bit=0)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_of_an_event_is_named(
    whole: tuple[Path, Truth], tmp_path: Path, position: int, column: str, place: int, bit: int
) -> None:
    """One bit of any column of any event: verify names the stream, reading it raises, the others read on."""
    folder, truth = copied(whole[0], tmp_path / "broken"), whole[1]
    with database(folder) as connection:
        name = stream_at(connection, position)
        value = connection.execute(f"SELECT {column} FROM events WHERE position = ?", (position,)).get
        new = flipped(value, place, bit)
        taken = connection.execute("SELECT count(*) FROM events WHERE position = ?", (new,)).get
        assume(column != "position" or not taken)
        connection.execute(f"UPDATE events SET {column} = ? WHERE position = ?", (new, position))
    expect_only(folder, truth, name)


@given(position=st.integers(1, 40), place=st.integers(0, 7), bit=st.integers(0, 7))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_predecessor_is_named(
    whole: tuple[Path, Truth], tmp_path: Path, position: int, place: int, bit: int
) -> None:
    """An event that names another predecessor is found, and reading gives the truth or nothing."""
    folder, truth = copied(whole[0], tmp_path / "broken"), whole[1]
    with database(folder) as connection:
        name = stream_at(connection, position)
        value = connection.execute("SELECT previous FROM events WHERE position = ?", (position,)).get
        values = (flipped(value, place, bit), position)
        connection.execute("UPDATE events SET previous = ? WHERE position = ?", values)
    with opened(folder) as journal:
        raised, silent = reads_wrong(journal, truth)
        assert name in named(journal.verify())
    assert raised <= {name}
    assert not silent


@given(
    column=st.sampled_from(["name", "version", "last", "digest"]),
    place=st.integers(0, 31),
    bit=st.integers(0, 6),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_head_is_named(
    whole: tuple[Path, Truth], tmp_path: Path, column: str, place: int, bit: int
) -> None:
    """The second record of a head, its name included, is as well guarded as the events."""
    folder, truth = copied(whole[0], tmp_path / "broken"), whole[1]
    with database(folder) as connection:
        value = connection.execute(f"SELECT {column} FROM streams WHERE id = 2").get
        name = str(connection.execute("SELECT name FROM streams WHERE id = 2").get)
        if column == "name":
            new = flipped(name.encode(), place, bit).decode()
            assume(new not in truth)
        else:
            new = flipped(value, place, bit)
        connection.execute(f"UPDATE streams SET {column} = ? WHERE id = 2", (new,))
    with opened(folder) as journal:
        raised, silent = reads_wrong(journal, truth)
        assert named(journal.verify()) & {name, str(new)}
        if column == "name":
            with pytest.raises(JournalDamaged):
                journal.read(str(new))
            assert raised <= {name}
            assert silent <= {name}  # nobody knows this name any more
        else:
            assert (raised, silent) == ({name}, set())


@pytest.mark.parametrize("position", [1, 2, 20, 39, 40])
def test_a_deleted_event_is_named(broken: tuple[Path, Truth], position: int) -> None:
    """A missing row is a gap in the positions and in its stream, at the very end too."""
    folder, truth = broken
    with database(folder) as connection:
        name = stream_at(connection, position)
        connection.execute("DELETE FROM events WHERE position = ?", (position,))
    if position == 40:
        with pytest.raises(JournalDamaged, match="last 1 events are missing"):
            opened(folder).__enter__()
        assert any(name in finding for finding in findings(folder))
    else:
        expect_only(folder, truth, name)


def test_swapped_events_are_named(broken: tuple[Path, Truth]) -> None:
    """Two events of different streams cannot change places."""
    folder, truth = broken
    with database(folder) as connection:
        first, second = 10, 11
        while stream_at(connection, first) == stream_at(connection, second):
            second += 1
        names = {stream_at(connection, first), stream_at(connection, second)}
        for old, new in ((first, -1), (second, first), (-1, second)):
            connection.execute("UPDATE events SET position = ? WHERE position = ?", (new, old))
    expect_only(folder, truth, *names)


def test_an_event_of_another_stream_does_not_pass(broken: tuple[Path, Truth]) -> None:
    """A body copied over from another event does not fit its digest."""
    folder, truth = broken
    with database(folder) as connection:
        name = stream_at(connection, 12)
        connection.execute(
            "UPDATE events SET (body, digest) = (SELECT body, digest FROM events WHERE position = 5)"
            " WHERE position = 12"
        )
    expect_only(folder, truth, name)


def test_a_tail_cut_consistently_is_refused(broken: tuple[Path, Truth]) -> None:
    """Where events and heads were cut back together only the anchor knows; going on takes explicit words."""
    folder, truth = broken
    with database(folder) as connection:
        name = stream_at(connection, 40)
        connection.execute(
            "UPDATE streams SET (version, last, digest) = (SELECT e.version, e.position, e.digest"
            " FROM events e WHERE e.position = (SELECT previous FROM events WHERE position = 40))"
            " WHERE name = ?",
            (name,),
        )
        connection.execute("DELETE FROM events WHERE position = 40")
    with pytest.raises(JournalDamaged, match="last 1 events are missing"):
        opened(folder).__enter__()
    assert findings(folder) == ["(journal): the tail was cut: positions 40 to 40 are missing"]
    with opened(folder, accept=True) as journal:
        assert journal.read(name) == truth[name][:-1]
        assert journal.verify().damages == ()
    assert (folder / "journal.anchor.replaced-1").exists()


@pytest.mark.parametrize("how", ["content", "hash", "missing"])
def test_a_damaged_payload_is_named(broken: tuple[Path, Truth], how: str) -> None:
    """What is stored beside an event is covered by it."""
    folder, truth = broken
    with database(folder) as connection:
        key = connection.execute("SELECT hash FROM payloads ORDER BY rowid LIMIT 1").get
        sql = "SELECT s.name FROM events e JOIN streams s ON s.id = e.stream WHERE instr(e.body, ?) > 0"
        name = str(connection.execute(sql, (key.hex().encode(),)).get)
        if how == "missing":
            connection.execute("DELETE FROM payloads WHERE hash = ?", (key,))
        else:
            column = "content" if how == "content" else "hash"
            value = connection.execute(f"SELECT {column} FROM payloads WHERE hash = ?", (key,)).get
            new = (flipped(value, 100, 0), key)
            connection.execute(f"UPDATE payloads SET {column} = ? WHERE hash = ?", new)
    expect_only(folder, truth, name)


def test_a_name_that_differs_from_its_index_is_named(broken: tuple[Path, Truth]) -> None:
    """Where the list of streams and its index disagree, both names are set apart."""
    folder, truth = broken
    name = next(iter(truth))
    with database(folder) as connection:
        connection.pragma("writable_schema", "on")
        index = connection.execute("SELECT * FROM sqlite_schema WHERE name = 'streams_by_name'").fetchall()
        connection.execute("DELETE FROM sqlite_schema WHERE name = 'streams_by_name'")
    with database(folder) as connection:
        connection.execute("UPDATE streams SET name = 'other' WHERE name = ?", (name,))
        connection.pragma("writable_schema", "on")
        connection.executemany("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", index)
    with opened(folder) as journal:
        assert {name, "other"} <= named(journal.verify())
        for either in (name, "other"):
            with pytest.raises(JournalDamaged):
                journal.read(either)
        raised, silent = reads_wrong(journal, truth)
    assert (raised, silent) == ({name}, set())


def test_a_table_that_is_declared_otherwise_is_named(tmp_path: Path) -> None:
    """Also while it is empty, so that nothing in it can be wrong yet: the first payload would be lost."""
    with opened(tmp_path):
        pass
    with database(tmp_path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        sql = "UPDATE sqlite_schema SET sql = replace(sql, 'content', 'condent') WHERE name = 'payloads'"
        connection.execute(sql)
    assert any("payloads" in finding for finding in findings(tmp_path))
