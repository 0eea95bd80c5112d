"""Damage to the files themselves: bits turned round, tails cut off, anchors lost, folders mixed up."""

import asyncio
import random
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from dirigent.domain.errors import DataFolderBusy, JournalDamaged, StorageFailure
from dirigent.storage.sqlite.journal import SqliteJournal, verify_folder
from tests.storage.journals import (
    ANCHOR,
    DATABASE,
    WAL,
    Truth,
    build,
    contents,
    copied,
    database,
    dump,
    fill,
    findings,
    flip_file,
    note,
    opened,
    reads_wrong,
)

DATABASE_FLIPS = 160
WAL_FLIPS = 60
SLOT_BYTES = 112
SLOTS_AT = (0, 512)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("whole")
    return folder, build(folder, streams=12, events=250)


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    """A folder as a crash leaves it: most of the journal is still in the WAL."""
    folder = tmp_path_factory.mktemp("crashed")
    into = tmp_path_factory.mktemp("copies") / "crashed"

    async def work() -> Truth:
        journal = SqliteJournal.open(folder)
        await fill(journal, streams=6, events=60)
        copied(folder, into)
        truth = contents(journal)
        await journal.close()
        return truth

    return into, asyncio.run(work())


@pytest.fixture
def broken(whole: tuple[Path, Truth], tmp_path: Path) -> tuple[Path, Truth]:
    return copied(whole[0], tmp_path / "broken"), whole[1]


def attempt(folder: Path, truth: Truth) -> tuple[bool, set[str], set[str]]:
    """Open and read everything: was it refused, what raised, what was silently wrong."""
    try:
        with opened(folder) as journal:
            return (False, *reads_wrong(journal, truth))
    except StorageFailure:
        return True, set(), set()


def test_flips_anywhere_in_the_database_are_detected(whole: tuple[Path, Truth], tmp_path: Path) -> None:
    """A bit turned round anywhere in the file: what is stored verifies, or verify says it does not.

    And whatever verify would say: no stream ever reads as anything but the truth.
    """
    folder, truth = whole
    stored = dump(copied(folder, tmp_path / "stored"))
    size = (folder / DATABASE).stat().st_size
    chance = random.Random(20_261)
    changed = 0
    for _ in range(DATABASE_FLIPS):
        offset, bit = chance.randrange(size), chance.randrange(8)
        broken = copied(folder, tmp_path / "broken")
        flip_file(broken / DATABASE, offset, bit)
        found = findings(broken)
        if dump(copied(broken, tmp_path / "dumped")) != stored:
            changed += 1
            assert found, f"bit {bit} of byte {offset} changed what is stored, and nothing was found"
        refused, raised, silent = attempt(broken, truth)
        assert not silent, f"bit {bit} of byte {offset}: {silent} read as something else"
        assert found or not (refused or raised), f"bit {bit} of byte {offset}: refused, yet it verifies"
    assert changed > DATABASE_FLIPS // 2


def test_flips_in_the_wal_never_shorten_history_silently(crashed: tuple[Path, Truth], tmp_path: Path) -> None:
    """SQLite drops everything behind a damaged frame without a word; the anchor does not let that pass."""
    folder, truth = crashed
    size = (folder / WAL).stat().st_size
    chance = random.Random(20_262)
    refusals = 0
    for _ in range(WAL_FLIPS):
        offset, bit = chance.randrange(size), chance.randrange(8)
        broken = copied(folder, tmp_path / "broken")
        flip_file(broken / WAL, offset, bit)
        refused, raised, silent = attempt(broken, truth)
        refusals += refused
        assert not silent
        assert refused or not raised
        assert not refused or findings(broken)
    assert refusals > WAL_FLIPS * 0.9


def test_a_cut_wal_is_refused_wherever_it_is_cut(crashed: tuple[Path, Truth], tmp_path: Path) -> None:
    """Losing the end of the WAL loses acknowledged events; it is never taken for an earlier end."""
    folder, truth = crashed
    size = (folder / WAL).stat().st_size
    for kept in [0, 1, 32, 4096, *range(size // 10, size, size // 10), size - 1]:
        broken = copied(folder, tmp_path / "broken")
        with (broken / WAL).open("r+b") as file:
            file.truncate(kept)
        assert attempt(broken, truth)[0], f"opened with {kept} of {size} bytes of the WAL"
    broken = copied(folder, tmp_path / "broken")
    (broken / WAL).unlink()
    assert attempt(broken, truth)[0]


def test_a_crash_alone_is_no_damage(crashed: tuple[Path, Truth], tmp_path: Path) -> None:
    """With its WAL whole the folder opens, holds everything and goes on."""
    folder, truth = copied(crashed[0], tmp_path / "again"), crashed[1]
    with opened(folder) as journal:
        assert reads_wrong(journal, truth) == (set(), set())
        assert journal.verify().damages == ()


def test_an_anchor_that_lags_behind_is_caught_up(crashed: tuple[Path, Truth], tmp_path: Path) -> None:
    """The anchor is not synchronised with every commit; what follows it is verified at opening."""
    folder = copied(crashed[0], tmp_path / "later")
    old = (folder / ANCHOR).read_bytes()

    async def go_on() -> None:
        journal = SqliteJournal.open(folder)
        for number in range(20):
            await journal.append("late", number, [note(number)])
        await journal.close()

    asyncio.run(go_on())
    (folder / ANCHOR).write_bytes(old)
    with opened(folder) as journal:
        assert journal.head("late") == 20
        assert journal.verify().damages == ()


def test_damage_behind_a_lagging_anchor_is_found_at_opening(tmp_path: Path) -> None:
    """What follows the anchor is not trusted: a damaged stream there is set apart before anyone reads it."""
    folder = tmp_path / "data"

    async def work() -> bytes:
        journal = SqliteJournal.open(folder)
        await journal.append("good", 0, [note(1)])
        await journal.close()
        old = (folder / ANCHOR).read_bytes()
        journal = SqliteJournal.open(folder)
        await journal.append("bad", 0, [note(1, "a recognisable text")])
        await journal.close()
        return old

    old = asyncio.run(work())
    (folder / ANCHOR).write_bytes(old)
    content = (folder / DATABASE).read_bytes()
    flip_file(folder / DATABASE, content.index(b"a recognisable text"), 0)

    async def append() -> None:
        journal = SqliteJournal.open(folder)
        with pytest.raises(JournalDamaged, match="'bad'"):
            _ = journal.append("bad", 1, [note(2)])
        with pytest.raises(JournalDamaged, match="'bad'"):
            journal.head("bad")
        await journal.append("good", 1, [note(2)])
        await journal.close()

    asyncio.run(append())


def test_a_missing_anchor_is_said_until_it_is_accepted(broken: tuple[Path, Truth]) -> None:
    """Without an anchor nobody knows whether a tail was cut: that is said until it is accepted."""
    folder, truth = broken
    (folder / ANCHOR).unlink()
    assert findings(folder) == ["(journal): journal.anchor is missing"]
    for _ in range(2):
        with opened(folder) as journal:
            assert reads_wrong(journal, truth) == (set(), set())
            (damage,) = journal.verify().damages
            assert "no anchor vouches for positions 1 to 250" in damage.reason
    with opened(folder, accept=True) as journal:
        assert journal.verify().damages == ()
    assert findings(folder) == []


def test_a_missing_anchor_has_everything_verified(broken: tuple[Path, Truth]) -> None:
    """What the anchor would have vouched for is verified at opening instead."""
    folder, truth = broken
    (folder / ANCHOR).unlink()
    content = (folder / DATABASE).read_bytes()
    flip_file(folder / DATABASE, content.index(b'"step":"s200"') + 9, 0)
    with opened(folder) as journal:
        raised, silent = reads_wrong(journal, truth)
    assert (len(raised), silent) == (1, set())


@pytest.mark.parametrize("slot", SLOTS_AT)
def test_one_damaged_slot_of_the_anchor_does_no_harm(broken: tuple[Path, Truth], slot: int) -> None:
    """Two slots, so that one is always whole; verify tells, and opening writes both anew."""
    folder, truth = broken
    for place in range(0, SLOT_BYTES, 9):
        flip_file(folder / ANCHOR, slot + place, place % 8)
        assert findings(folder) == ["(journal): one of the two slots of journal.anchor is unreadable"]
        assert attempt(folder, truth) == (False, set(), set())
        assert findings(folder) == []


def test_an_unreadable_anchor_is_as_good_as_none(broken: tuple[Path, Truth]) -> None:
    """Where both slots are damaged the anchor vouches for nothing, and verify says so."""
    folder, truth = broken
    for slot in SLOTS_AT:
        flip_file(folder / ANCHOR, slot + 40, 0)
    assert findings(folder) == ["(journal): journal.anchor is unreadable"]
    assert attempt(folder, truth) == (False, set(), set())
    assert "no anchor vouches" in findings(folder)[0]


def test_the_anchor_of_another_journal_is_refused(broken: tuple[Path, Truth], tmp_path: Path) -> None:
    """Files of two folders do not mix."""
    folder, _ = broken
    other = tmp_path / "other"
    build(other, events=400)
    shutil.copy(other / ANCHOR, folder / ANCHOR)
    with pytest.raises(JournalDamaged, match="belongs to another journal"):
        SqliteJournal.open(folder)
    assert findings(folder) == ["(journal): the anchor belongs to another journal"]


def test_pages_of_another_journal_never_verify(tmp_path: Path) -> None:
    """The WAL of a journal with the very same streams beside this one's database: nothing of it is read."""
    own, other, crashed = tmp_path / "own", tmp_path / "other", tmp_path / "crashed"

    async def grow(folder: Path, text: str, numbers: range) -> None:
        journal = SqliteJournal.open(folder)
        for number in numbers:
            await journal.append(f"run-{number // 20:02}", number % 20, [note(number, text * 40)])
        copied(folder, crashed)
        await journal.close()

    for numbers in (range(400), range(400, 500)):
        asyncio.run(grow(other, "that", numbers))
    shutil.copy(crashed / WAL, tmp_path / "foreign")
    asyncio.run(grow(own, "this", range(500)))
    with opened(own) as journal:
        truth = contents(journal)
    shutil.copy(tmp_path / "foreign", own / WAL)
    assert findings(own)
    refused, raised, silent = attempt(own, truth)
    assert refused or raised
    assert not silent


def test_a_lost_database_is_not_taken_for_a_new_one(broken: tuple[Path, Truth]) -> None:
    """An anchor without its database is a loss, not a beginning."""
    folder, _ = broken
    (folder / DATABASE).unlink()
    assert findings(folder)
    with pytest.raises(JournalDamaged, match="missing or empty"):
        SqliteJournal.open(folder)
    with opened(folder, accept=True) as journal:
        assert journal.verify().events == 0


def test_an_older_backup_is_refused(tmp_path: Path) -> None:
    """A database restored from yesterday beside today's anchor lacks what was acknowledged since."""
    folder = tmp_path / "data"
    truth = build(folder)
    shutil.copy(folder / DATABASE, tmp_path / "backup")

    async def go_on() -> None:
        journal = SqliteJournal.open(folder)
        await journal.append("late", 0, [note(1), note(2)])
        await journal.close()

    asyncio.run(go_on())
    shutil.copy(tmp_path / "backup", folder / DATABASE)
    with pytest.raises(JournalDamaged, match="last 2 events are missing"):
        SqliteJournal.open(folder)
    with opened(folder, accept=True) as journal:
        assert reads_wrong(journal, truth) == (set(), set())


def test_another_history_of_the_same_length_is_refused(tmp_path: Path) -> None:
    """A database that went its own way from a backup is consistent, but it is not what was acknowledged."""
    folder, fork = tmp_path / "data", tmp_path / "fork"
    build(folder)
    copied(folder, fork)

    async def go_on(where: Path, text: str) -> None:
        journal = SqliteJournal.open(where)
        await journal.append("late", 0, [note(1, text)])
        await journal.close()

    asyncio.run(go_on(folder, "this"))
    asyncio.run(go_on(fork, "that"))
    shutil.copy(fork / DATABASE, folder / DATABASE)
    with pytest.raises(JournalDamaged, match="another history"):
        SqliteJournal.open(folder)


def test_a_refused_journal_is_left_as_it_was_found(crashed: tuple[Path, Truth], tmp_path: Path) -> None:
    """Refusing moves nothing: what can still be saved from the files can still be saved."""
    broken = copied(crashed[0], tmp_path / "broken")
    flip_file(broken / WAL, 100, 0)
    before = {name: (broken / name).read_bytes() for name in (DATABASE, WAL, ANCHOR)}
    with pytest.raises(JournalDamaged):
        SqliteJournal.open(broken)
    assert {name: (broken / name).read_bytes() for name in before} == before


def test_a_zeroed_page_hurts_only_what_was_on_it(tmp_path: Path) -> None:
    """Verify reads round pages that cannot be read, names what was lost, and the other streams read on."""
    folder, truth = tmp_path, build(tmp_path, streams=80, events=250)
    content = bytearray((folder / DATABASE).read_bytes())
    page = content.index(b'"step":"s100"') // 4096
    content[page * 4096 : (page + 1) * 4096] = bytes(4096)
    (folder / DATABASE).write_bytes(content)
    verified = verify_folder(folder)
    with opened(folder) as journal:
        raised, silent = reads_wrong(journal, truth)
    assert 0 < len(raised) < len(truth)
    assert not silent
    assert raised <= {damage.stream for damage in verified.damages}
    assert any("cannot be read" in damage.reason for damage in verified.damages)


def test_pages_in_the_wrong_order_are_found_and_lead_nowhere(tmp_path: Path) -> None:
    """Neighbours swapped, each of them whole: rows come out of order, and reading still comes to an end."""
    truth = build(tmp_path / "whole", streams=80, events=250)
    content = (tmp_path / "whole" / DATABASE).read_bytes()
    pages = [content[start : start + 4096] for start in range(0, len(content), 4096)]
    leaves = [number for number, page in enumerate(pages) if page[0] == 0x0D and b'"StepCompleted"' in page]
    for first, second in pairwise(leaves):
        swapped = [*pages]
        swapped[first], swapped[second] = pages[second], pages[first]
        folder = copied(tmp_path / "whole", tmp_path / "broken")
        (folder / DATABASE).write_bytes(b"".join(swapped))
        assert findings(folder)
        assert not attempt(folder, truth)[2]


def test_a_database_cut_anywhere_is_found(whole: tuple[Path, Truth], tmp_path: Path) -> None:
    """Whatever SQLite makes of half a file, verifying says so and does not break off."""
    folder, truth = whole
    size = (folder / DATABASE).stat().st_size
    for kept in range(size - 30 * 512, size, 512):
        broken = copied(folder, tmp_path / "broken")
        with (broken / DATABASE).open("r+b") as file:
            file.truncate(kept)
        assert findings(broken)
        assert not attempt(broken, truth)[2]


def test_damage_beside_the_events_is_found_too(broken: tuple[Path, Truth]) -> None:
    """A page of an index is no event, but a file with such a page is not whole."""
    folder, _ = broken
    with database(folder) as connection:
        sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'executions_by_tenant'"
        page = connection.execute(sql).get
    content = bytearray((folder / DATABASE).read_bytes())
    content[(page - 1) * 4096 : page * 4096] = bytes(4096)
    (folder / DATABASE).write_bytes(content)
    assert any("SQLite finds" in finding for finding in findings(folder))


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file of something else is neither read nor overwritten."""
    (tmp_path / DATABASE).write_bytes(b"business plan " * 1000)
    with pytest.raises(JournalDamaged):
        SqliteJournal.open(tmp_path)
    assert (tmp_path / DATABASE).read_bytes().startswith(b"business plan")


def test_a_second_opener_is_refused(tmp_path: Path) -> None:
    """Two writers would each believe in their own head."""
    with opened(tmp_path), pytest.raises(DataFolderBusy):
        SqliteJournal.open(tmp_path)
    with opened(tmp_path):
        pass
