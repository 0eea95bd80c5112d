"""Journals to damage: what is in them, how they are copied, and what SQLite reads from them by itself."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from dirigent.domain.event import Event, ExecutionCompleted, ExecutionStarted, Passport, StepCompleted
from dirigent.storage.sqlite.database import DATABASE
from dirigent.storage.sqlite.journal import SqliteJournal

WAL = f"{DATABASE}-wal"
SHM = f"{DATABASE}-shm"
STREAMS = 40

# Every table and every index as rows that begin with their key: read from one end to the other, and what is
# found of it by looking for it, which goes another way through the pages.
TABLES = {
    "events": "SELECT position, stream, version, previous, body, digest FROM events NOT INDEXED",
    "streams": "SELECT id, name, version, last, digest FROM streams NOT INDEXED",
    "payloads": "SELECT rowid, hash, content FROM payloads NOT INDEXED",
    "meta": "SELECT key, value FROM meta",
    "positions": "SELECT position, (SELECT 1 FROM events x WHERE x.position = e.position) FROM events e",
    "names": "SELECT name, (SELECT x.last FROM streams x WHERE x.name = s.name) FROM streams s NOT INDEXED",
    "hashes": "SELECT hash, (SELECT 1 FROM payloads x WHERE x.hash = p.hash) FROM payloads p NOT INDEXED",
    "doubled": "SELECT position, count(*) FROM events NOT INDEXED GROUP BY position HAVING count(*) > 1",
    "index": "SELECT row_number() OVER (), name, id FROM streams INDEXED BY streams_by_name",
}

Rows = Mapping[Any, tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """A folder with a journal, every stream as it was written, and its tables as SQLite reads them.

    `older` is the database file as it was in the middle of its life.
    """

    folder: Path
    truth: Mapping[str, list[Event]]
    tables: Mapping[str, Rows]
    older: bytes

    def copy(self, into: Path) -> Path:
        """A copy as a crash would leave it: without the shared memory file."""
        shutil.rmtree(into, ignore_errors=True)
        shutil.copytree(self.folder, into, ignore=shutil.ignore_patterns(SHM))
        return into

    def place(self, position: int) -> tuple[str, int]:
        """Stream and version of the event at a position."""
        _, stream, version, *_ = self.tables["events"][position]
        return self.name(stream), version

    def name(self, id: int) -> str:
        """The name of a stream by its number."""
        return str(self.tables["streams"][id][1])


async def grow(folder: Path, *, events: int, seed: int, crashed: bool) -> Specimen:
    """Make a specimen: closed in order, or `crashed`, with all that matters still in the WAL."""
    chance = random.Random(seed)
    growing = folder / "growing"
    journal = SqliteJournal.open(growing)
    await _fill(journal, chance, events // 2)
    await journal.close()
    older = (growing / DATABASE).read_bytes()
    journal = SqliteJournal.open(growing)
    await _fill(journal, chance, events - events // 2)
    kept = folder / "kept"
    if crashed:
        shutil.copytree(growing, kept, ignore=shutil.ignore_patterns(SHM))
    names = {recorded.stream for recorded in journal.tail(0, 1_000_000)}
    truth = {name: journal.read(name) for name in sorted(names)}
    await journal.close()
    if not crashed:
        shutil.copytree(growing, kept)
    shutil.copytree(kept, folder / "read")
    tables = read_tables(folder / "read")
    assert tables is not None, "nothing is damaged yet"
    return Specimen(folder=kept, truth=truth, tables=tables, older=older)


async def _fill(journal: SqliteJournal, chance: random.Random, events: int) -> None:
    """Runs that start, do steps of all sizes and sometimes end, so that lists have rows as well."""
    for number in range(events):
        stream = f"run-{chance.randrange(STREAMS):02}"
        version = journal.head(stream)
        event: Event
        if version == 0:
            event = _started(stream, number)
        elif version == 9:
            event = ExecutionCompleted(at=number, status="completed", output=chance.random())
        else:
            text = f"{chance.getrandbits(64):x}" * chance.choice((0, 1, 8, 8, 30, 30, 30, 30, 30, 80))
            event = StepCompleted(at=number, step=f"s{version}", attempt=1, output=text)
        if version < 10:
            await journal.append(stream, version, [event])


def _started(stream: str, at: int) -> ExecutionStarted:
    return ExecutionStarted(
        at=at,
        execution_id=stream,
        workflow="specimen",
        definition="0" * 64,
        input={"n": at},
        passport=Passport(tenant="t", actor="a"),
    )


def read_tables(folder: Path) -> Mapping[str, Rows] | None:
    """Every row by its key as SQLite reads it; None where it cannot read them all."""
    connection = apsw.Connection(str(folder / DATABASE))
    try:
        return {
            table: {row[0]: row for row in connection.execute(statement).fetchall()}
            for table, statement in TABLES.items()
        }
    except (apsw.Error, UnicodeDecodeError, TypeError):
        return None
    finally:
        connection.close()
