"""Journals to break: how they are filled, copied, damaged from outside and opened again."""

import asyncio
import random
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from dirigent.domain.errors import StorageFailure
from dirigent.domain.event import Event, StepCompleted
from dirigent.ports import Verification
from dirigent.storage.sqlite.journal import SqliteJournal, verify_folder

DATABASE = "journal.db"
WAL = "journal.db-wal"
ANCHOR = "journal.anchor"

Truth = Mapping[str, list[Event]]


def note(number: int, output: Any = None) -> StepCompleted:
    """A small event that can be told from others."""
    return StepCompleted(at=number, step=f"s{number}", attempt=1, output=output)


async def fill(journal: SqliteJournal, *, streams: int, events: int, seed: int = 1) -> None:
    """Append to many streams in a random order, now and then something large, in many commits."""
    chance = random.Random(seed)
    for number in range(events):
        stream = f"run-{chance.randrange(streams):03}"
        size = 9_000 if chance.random() < 0.05 else chance.randrange(80)
        await journal.append(stream, journal.head(stream), [note(number, f"{number:x}" * size)])


def build(folder: Path, *, streams: int = 5, events: int = 40) -> Truth:
    """A closed journal, and what is in it."""

    async def work() -> Truth:
        journal = SqliteJournal.open(folder)
        await fill(journal, streams=streams, events=events)
        truth = contents(journal)
        await journal.close()
        return truth

    return asyncio.run(work())


def contents(journal: SqliteJournal) -> Truth:
    """Every stream with its events."""
    names = sorted({recorded.stream for recorded in journal.tail(0, limit=1_000_000)})
    return {name: journal.read(name) for name in names}


def copied(folder: Path, into: Path) -> Path:
    """A copy of a data folder, as a crash would leave it: without the shared memory file."""
    shutil.rmtree(into, ignore_errors=True)
    return shutil.copytree(folder, into, ignore=shutil.ignore_patterns("*-shm"))


@contextmanager
def opened(folder: Path, *, accept: bool = False) -> Iterator[SqliteJournal]:
    """A journal for reading, outside any loop."""
    journal = SqliteJournal.open(folder, accept=accept)
    try:
        yield journal
    finally:
        asyncio.run(journal.close())


@contextmanager
def database(folder: Path) -> Iterator[apsw.Connection]:
    """The database behind the journal's back, its guards taken away."""
    connection = apsw.Connection(str(folder / DATABASE))
    connection.execute(
        "DROP TRIGGER IF EXISTS events_are_not_changed; DROP TRIGGER IF EXISTS events_are_not_removed"
    )
    try:
        yield connection
    finally:
        connection.close()


def flip_file(path: Path, offset: int, bit: int) -> None:
    """Turn one bit of a file round."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 1 << bit
    path.write_bytes(content)


def flipped(value: Any, place: int, bit: int) -> Any:
    """A value with one bit turned round; `place` picks the byte."""
    if isinstance(value, int):
        return int.from_bytes(flipped(value.to_bytes(8, "big", signed=True), place, bit), "big", signed=True)
    content = bytearray(value)
    content[place % len(content)] ^= 1 << bit
    return bytes(content)


def named(verification: Verification) -> set[str]:
    """The streams that a verification found damaged."""
    return {damage.stream for damage in verification.damages}


def reads_wrong(journal: SqliteJournal, truth: Truth) -> tuple[set[str], set[str]]:
    """The streams that raise when read, and those that are silently something else."""
    raised, silent = set(), set()
    for name, events in truth.items():
        try:
            if journal.read(name) != events:
                silent.add(name)
        except StorageFailure:
            raised.add(name)
    return raised, silent


def dump(folder: Path) -> Any:
    """What is stored, as SQLite reads it; the error where it cannot."""
    tables = ("events", "streams", "payloads", "meta")
    try:
        with database(folder) as connection:
            return [connection.execute(f"SELECT * FROM {table} NOT INDEXED").fetchall() for table in tables]
    except (apsw.Error, UnicodeDecodeError) as error:
        return type(error).__name__


def findings(folder: Path) -> list[str]:
    """What verifying finds, or why it cannot."""
    try:
        return [f"{damage.stream}: {damage.reason}" for damage in verify_folder(folder).damages]
    except StorageFailure as error:
        return [str(error)]
