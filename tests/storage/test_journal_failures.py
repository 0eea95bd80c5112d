"""When the process or the disk fails: what was acknowledged is there, what was not is not promised."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from dirigent.domain.errors import DataFolderBusy, StorageFailure
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.storage.sqlite.writer import BATCH_EVENTS_MAX
from tests.storage.journals import database, note, opened

KILLS = 10

# Appends without end, ten streams at once, and says what was acknowledged, on one line each.
ENDLESS = """
import asyncio, sys
from pathlib import Path
from dirigent.storage.sqlite.journal import SqliteJournal
from tests.storage.journals import note

async def write(journal, stream):
    while True:
        version = journal.head(stream)
        large = "x" * 9000 * (version % 7 == 0)
        await journal.append(stream, version, [note(version), note(version + 1, large)])
        print(stream, version + 2, flush=True)

async def main():
    journal = SqliteJournal.open(Path(sys.argv[1]))
    print("ready", 0, flush=True)
    await asyncio.gather(*(write(journal, f"e{number}") for number in range(10)))

asyncio.run(main())
"""

# Appends until the file must not grow any more, and says how far it came.
LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from dirigent.domain.errors import StorageFailure
from dirigent.storage.sqlite.journal import SqliteJournal
from tests.storage.journals import note

async def main():
    journal = SqliteJournal.open(Path(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
    acknowledged = 0
    try:
        while True:
            await journal.append("e", acknowledged, [note(acknowledged, "x" * 500)])
            acknowledged += 1
    except StorageFailure as error:
        print(acknowledged, "failed", error)
    try:
        await journal.append("e", acknowledged, [note(0)])
    except StorageFailure as error:
        print(acknowledged, "stopped", error)
    await journal.close()

asyncio.run(main())
"""


def start(script: str, folder: Path) -> subprocess.Popen[str]:
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-c", script, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def acknowledged_until_killed(folder: Path, seconds: float) -> dict[str, int]:
    """Let the endless writer run for a while, kill it, and give what it was acknowledged."""
    with start(ENDLESS, folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready 0\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        lines = process.stdout.read().splitlines()
    last: dict[str, int] = {}
    for line in lines:
        stream, _, version = line.partition(" ")
        if version:
            last[stream] = int(version)
    return last


def test_what_was_acknowledged_survives_being_killed(tmp_path: Path) -> None:
    """Killed at ten random moments: every acknowledged event is there and everything verifies."""
    chance = random.Random(7)
    total = 0
    for _ in range(KILLS):
        acknowledged = acknowledged_until_killed(tmp_path, chance.uniform(0.02, 0.4))
        with opened(tmp_path) as journal:
            for stream, version in acknowledged.items():
                assert journal.head(stream) >= version
                assert [event.at for event in journal.read(stream)] == list(range(journal.head(stream)))
            verified = journal.verify()
            assert verified.damages == ()
            assert verified.events >= total
            total = verified.events
    assert total > KILLS * 10


def test_another_process_cannot_open_it(tmp_path: Path) -> None:
    """While one process writes, a second opener is refused; when the first is gone it is let in."""
    with start(ENDLESS, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready 0\n"
        with pytest.raises(DataFolderBusy):
            SqliteJournal.open(tmp_path)
        process.kill()
        process.stdout.read()
    with opened(tmp_path):
        pass


def test_a_file_that_cannot_grow_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """A write that fails: the batch fails, the journal stops, what was acknowledged is there afterwards."""
    with start(LIMITED, tmp_path) as process:
        assert process.stdout is not None
        failed, stopped = process.stdout.read().splitlines()
    acknowledged = int(failed.split()[0])
    assert acknowledged > 10
    assert "failed" in failed
    assert "nothing was acknowledged" in failed
    assert "The journal has stopped." in stopped
    with opened(tmp_path) as journal:
        assert acknowledged <= journal.head("e") <= acknowledged + 1
        assert journal.verify().damages == ()


async def append_for_ever(journal: SqliteJournal, stream: str) -> None:
    while True:
        version = journal.head(stream)
        await journal.append(stream, version, [note(version, "x" * 700)])


@contextmanager
def connections_made_with(hook: object) -> Iterator[None]:
    apsw.connection_hooks.append(hook)  # type: ignore[arg-type]
    try:
        yield
    finally:
        apsw.connection_hooks.remove(hook)  # type: ignore[arg-type]


async def test_a_full_disk_is_said_and_stops_the_journal(tmp_path: Path) -> None:
    """Nothing of the batch is acknowledged, nothing is accepted afterwards; space brings it all back."""

    def small(connection: apsw.Connection) -> None:
        connection.execute("PRAGMA max_page_count = 60")

    with connections_made_with(small):
        journal = SqliteJournal.open(tmp_path)
    with pytest.raises(StorageFailure, match=r"disk full.*Free some space"):
        await append_for_ever(journal, "e")
    acknowledged = len(journal.read("e"))
    assert journal.head("e") == acknowledged + 1
    assert acknowledged > 10
    with pytest.raises(StorageFailure, match=r"has stopped.*full"):
        _ = journal.append("other", 0, [note(1)])
    await journal.close()

    journal = SqliteJournal.open(tmp_path)
    assert journal.head("e") == acknowledged
    await journal.append("e", acknowledged, [note(acknowledged)])
    assert journal.verify().damages == ()
    await journal.close()


class Disk:
    """What is broken about the disk."""

    def __init__(self) -> None:
        self.fails = ""


class FaultyFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk

    def xSync(self, flags: int) -> None:
        if self._disk.fails == "sync":
            raise apsw.IOError("the disk is gone")
        super().xSync(flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._disk.fails == "write":
            raise apsw.IOError("the disk is gone")
        super().xWrite(data, offset)


class FaultyVFS(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        super().__init__("faulty", "unix", makedefault=True)
        self._disk = disk

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> FaultyFile:
        return FaultyFile(self._disk, name, flags)


@pytest.fixture
def disk() -> Iterator[Disk]:
    faulty = Disk()
    vfs = FaultyVFS(faulty)
    yield faulty
    vfs.unregister()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("operation", ["sync", "write"])
async def test_the_first_error_of_the_disk_is_the_last_word(
    tmp_path: Path, disk: Disk, operation: str
) -> None:
    """A failed fsync is never tried again: the journal stops although the disk says it is well once more."""
    journal = SqliteJournal.open(tmp_path)
    await journal.append("e", 0, [note(1)])
    disk.fails = operation
    with pytest.raises(StorageFailure, match="nothing was acknowledged"):
        await journal.append("e", 1, [note(2)])
    disk.fails = ""
    with pytest.raises(StorageFailure, match="has stopped"):
        _ = journal.append("g", 0, [note(4)])
    assert journal.read("e") == [note(1)]
    await journal.close()

    journal = SqliteJournal.open(tmp_path)
    assert journal.read("e")[0] == note(1)
    await journal.append("h", 0, [note(5)])
    assert journal.verify().damages == ()
    await journal.close()


async def test_a_failed_batch_takes_those_behind_it_along(tmp_path: Path) -> None:
    """What was handed in after a batch that fails cannot be stored without it."""
    journal = SqliteJournal.open(tmp_path)
    await journal.append("e", 0, [note(1)])
    with database(tmp_path) as connection:
        connection.execute("INSERT INTO events VALUES (2, 9, 9, 0, x'00', x'00')")
    first = asyncio.ensure_future(journal.append("e", 1, [note(2)]))
    await asyncio.sleep(0)
    with pytest.raises(StorageFailure, match="failed"):
        await first
    with pytest.raises(StorageFailure):
        await journal.append("e", 2, [note(3)])
    await journal.close()


async def test_a_batch_that_waits_behind_one_that_fails_is_lost_with_it(tmp_path: Path) -> None:
    """It was on its way already, and nothing would be wrong with it by itself."""
    journal = SqliteJournal.open(tmp_path)
    await journal.append("e", 0, [note(1)])
    many = [note(number) for number in range(BATCH_EVENTS_MAX)]
    with database(tmp_path) as connection:
        connection.execute("BEGIN IMMEDIATE")  # until this ends nothing can be committed, and nothing fail
        connection.execute("INSERT INTO events VALUES (2, 9, 9, 0, x'00', x'00')")
        first, behind = journal.append("e", 1, many), journal.append("f", 0, many)
        connection.execute("COMMIT")
    with pytest.raises(StorageFailure, match="failed"):
        await first
    with pytest.raises(StorageFailure, match="failed"):
        await behind
    assert journal.read("f") == []
    await journal.close()


async def test_a_waiting_closer_hears_of_nothing_but_gets_the_folder_back(tmp_path: Path) -> None:
    """After a failure closing works, and releases everything."""

    def tiny(connection: apsw.Connection) -> None:
        connection.execute("PRAGMA max_page_count = 40")

    with connections_made_with(tiny):
        journal = SqliteJournal.open(tmp_path)
    durable = journal.append("e", 0, [note(1, f"{n}" * 5000) for n in range(50)])
    await journal.close()
    with pytest.raises(StorageFailure):
        await durable
    again = SqliteJournal.open(tmp_path)
    assert again.head("e") == 0
    await again.close()
