"""Finished executions of a data folder that go into archive files, and come back from them.

First the file is on stable storage, then the event that says so, then the events are taken out of the
journal's file. Whatever ends in between is finished the next time; until then everything is there twice, and
verifies.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

from dirigent.bootstrap.beside import need_journal, reading
from dirigent.bootstrap.keys import folder_key, folder_lock
from dirigent.domain.archive_event import ARCHIVES, ArchivedStream, ExecutionsArchived, ExecutionsRestored
from dirigent.domain.errors import NotFound
from dirigent.domain.event import Event
from dirigent.ports import ExecutionRow
from dirigent.settings import Settings
from dirigent.storage.sqlite.archive_content import FOLDER
from dirigent.storage.sqlite.archive_file import StoredStream, archive_path, read_archive, write_archive
from dirigent.storage.sqlite.archiving import blank_streams, chain_name, fill_streams, stored_streams
from dirigent.storage.sqlite.database import DATABASE
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.storage.sqlite.reading import Reader

ALL = 1 << 60


@dataclass(frozen=True, kw_only=True)
class Archived:
    """What an archiving did: which executions went, into which file, how many events were taken out."""

    executions: list[str] = field(default_factory=list)
    file: Path | None = None
    events: int = 0


def due(settings: Settings, before_ms: int) -> list[ExecutionRow]:
    """Executions that nobody started and that ended before a time, with all they started; oldest first."""
    return [rows[0] for rows in _families(settings, before_ms)]


async def archive(settings: Settings, before_ms: int, *, now_ms: int) -> Archived:
    """Move what ended before a time into an archive file. Raises `DataFolderBusy` where the folder is held.

    What an earlier archiving left undone is done first.
    """
    folder = settings.data_folder
    async with _held(settings):
        key = folder_key(settings)
        _finish(settings)
        families = _families(settings, before_ms)
        if not families:
            return Archived()
        names = [row.execution_id for rows in families for row in rows]
        journal = SqliteJournal.open(folder, key=key)
        try:
            file = archive_path(folder, journal.position, key)
            streams: list[ArchivedStream] = []
            told = _told(stored_streams(folder, names, key), streams)
            digest = write_archive(file, chain_name(folder, key), told, key)
            said = ExecutionsArchived(
                at=now_ms, file=file.name, sha256=digest, actor=settings.actor, streams=tuple(streams)
            )
            await journal.append(ARCHIVES, journal.head(ARCHIVES), [said])
        finally:
            await journal.close()
        taken = blank_streams(folder, read_archive(file, digest, key), key)
        return Archived(executions=[rows[0].execution_id for rows in families], file=file, events=taken)


def archives(settings: Settings) -> list[tuple[ExecutionsArchived, list[str]]]:
    """Every archiving, oldest first, with those of its executions that are not at hand and nobody started."""
    need_journal(settings.data_folder)
    with closing(_reader(settings)) as reader:
        events = reader.events(ARCHIVES, 0)
        gone = {name: said for name, (said, _) in reader.archived().items() if "/" not in name}
    files = [event for event in events if isinstance(event, ExecutionsArchived)]
    return [(said, [name for name, event in gone.items() if event == said]) for said in files]


def archived_events(settings: Settings, execution_id: str) -> tuple[ExecutionsArchived, list[Event]]:
    """What happened in an archived execution, as its file says, which is verified; raises `NotFound`."""
    said, streams = _from_archive(settings, execution_id)
    found = next(stream for stream in streams if stream.name == execution_id)
    return said, found.events()


async def restore(settings: Settings, execution_id: str, *, now_ms: int) -> Archived:
    """Bring an archived execution back with all it started; its file stays."""
    folder = settings.data_folder
    need_journal(folder)
    async with _held(settings):
        root = execution_id.partition("/")[0]
        key = folder_key(settings)
        said, streams = _from_archive(settings, root)
        filled = fill_streams(folder, streams, key)
        names = tuple(stream.name for stream in streams)
        journal = SqliteJournal.open(folder, key=key)
        try:
            back = ExecutionsRestored(at=now_ms, file=said.file, actor=settings.actor, streams=names)
            await journal.append(ARCHIVES, journal.head(ARCHIVES), [back])
        finally:
            await journal.close()
        return Archived(executions=[root], file=folder / FOLDER / said.file, events=filled)


@asynccontextmanager
async def _held(settings: Settings) -> AsyncIterator[None]:
    need_journal(settings.data_folder)
    lock = folder_lock(settings)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _reader(settings: Settings) -> Reader:
    return Reader(settings.data_folder / DATABASE, folder_key(settings))


def _finish(settings: Settings) -> None:
    """Take out what is in an archive and was not taken out: the process ended, or a restoring did."""
    folder, key = settings.data_folder, folder_key(settings)
    with closing(_reader(settings)) as reader:
        archived = reader.archived()
    with reading(settings) as books:
        at_hand = {row.execution_id for row in books.engine.executions(parent=None, limit=ALL)}
    left = {name: said for name, (said, _) in archived.items() if name in at_hand}
    for file, digest in {(said.file, said.sha256) for said in left.values()}:
        found = read_archive(folder / FOLDER / file, digest, key)
        blank_streams(folder, (stream for stream in found if stream.name in left), key)


def _from_archive(settings: Settings, execution_id: str) -> tuple[ExecutionsArchived, list[StoredStream]]:
    """An archived execution and all it started."""
    with closing(_reader(settings)) as reader:
        archived = reader.archived()
    if execution_id not in archived:
        raise NotFound(f"There is no execution {execution_id!r} in an archive.", code="archived_not_found")
    said, _ = archived[execution_id]
    found = read_archive(settings.data_folder / FOLDER / said.file, said.sha256, folder_key(settings))
    return said, [stream for stream in found if f"{stream.name}/".startswith(f"{execution_id}/")]


def _families(settings: Settings, before_ms: int) -> list[list[ExecutionRow]]:
    """What ended before a time: each execution that nobody started, then all it started."""
    found: dict[str, list[ExecutionRow]] = {}
    with reading(settings) as books:
        for row in reversed(books.engine.executions(parent=None, limit=ALL)):
            found.setdefault(row.execution_id.partition("/")[0], []).append(row)
    return [rows for rows in found.values() if all(row.ended_at and row.ended_at < before_ms for row in rows)]


def _told(streams: Iterator[StoredStream], told: list[ArchivedStream]) -> Iterator[StoredStream]:
    """The streams as they go by, with what stays of each noted."""
    for stream in streams:
        told.append(stream.told)
        yield stream
