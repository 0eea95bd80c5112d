"""The journal on SQLite: append-only, chained, anchored, committed in groups."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import ClassVar, Self

import apsw
import msgspec

from dirigent.domain.errors import Conflict, InvalidInput, StorageFailure
from dirigent.domain.event import Event
from dirigent.ports import Recorded, Verification
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.anchor import ANCHOR, AnchorFile, read_anchor
from dirigent.storage.sqlite.chain import link
from dirigent.storage.sqlite.codec import BODY_BYTES_MAX, decode, encode, split
from dirigent.storage.sqlite.database import (
    DATABASE,
    SQL,
    check_sqlite_version,
    connect_reader,
    connect_writer,
)
from dirigent.storage.sqlite.folding import PROJECTED, Occurrence, occurrence
from dirigent.storage.sqlite.opening import Opened, open_journal, refuse_unreadable
from dirigent.storage.sqlite.reading import DAMAGED, Head, Reader, damaged
from dirigent.storage.sqlite.recent import Recent
from dirigent.storage.sqlite.verification import verify
from dirigent.storage.sqlite.writer import EventRow, Writer

HEADS_MAX = 5_000


class SqliteJournal:
    """The port `Journal` over one SQLite file and one anchor file; made by `open`.

    Appends come from one event loop; reads may come from any thread. After the first error of the
    disk nothing is accepted any more until the journal is opened anew. `anchors` and `writers` are what
    it is put together from.
    """

    anchors: ClassVar[type[AnchorFile]] = AnchorFile
    writers: ClassVar[type[Writer]] = Writer

    def __init__(
        self, path: Path, writer: Writer, reader: Reader, opened: Opened, key: FolderKey | None = None
    ) -> None:
        self._path = path
        self._key = key
        self._writer = writer
        self._reader = reader
        self._damaged = dict(opened.damaged)
        self._position = opened.position
        self._streams = opened.streams
        self._heads: dict[str, Head] = {}
        self._recent = Recent()
        self._shrink_at = HEADS_MAX
        self._closed = False

    @classmethod
    def open(cls, folder: Path, *, accept: bool = False, key: FolderKey | None = None) -> Self:
        """Open the journal of a data folder, or begin one.

        Raises `DataFolderBusy` where it is open already and `JournalDamaged` where its history was
        shortened or cannot be read; `accept` takes the history as it is. Damaged streams are set
        apart: they can neither be read nor appended to, the others can.
        """
        check_sqlite_version()
        path = folder / DATABASE
        with ExitStack() as undo:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                anchor = cls.anchors(folder / ANCHOR)
                undo.callback(anchor.close)
                connection = connect_writer(path, key)
                undo.callback(_leave_as_is, connection)
                reader = undo.enter_context(closing(Reader(path, key)))
                opened = open_journal(connection, reader, anchor, accept=accept)
            except DAMAGED as error:
                raise refuse_unreadable(folder, error) from error
            except apsw.Error as error:
                raise StorageFailure(f"{path} cannot be opened ({error}).", fix="Check the disk.") from error
            except OSError as error:
                fix = "Check the disk, the folder and its permissions."
                raise StorageFailure(f"{folder} cannot be opened ({error}).", fix=fix) from error
            undo.pop_all()
        writer = cls.writers(path, connection, anchor, opened.position, opened.streams)
        return cls(path, writer, reader, opened, key)

    @property
    def commits(self) -> int:
        """How many transactions have been committed since the journal was opened."""
        return self._writer.commits

    @property
    def position(self) -> int:
        """The position of the last event handed in, whether or not it is on stable storage yet."""
        return self._position

    @property
    def durable(self) -> int:
        """The last position on stable storage."""
        return self._writer.durable

    def append(self, stream: str, expected_version: int, events: Sequence[Event]) -> Awaitable[None]:
        """Append events after a version; the awaitable completes when they are on stable storage."""
        head = self._heads.get(stream) or self._load(stream)
        if self._writer.failure is not None or self._closed:
            raise self._stopped()
        if head.version != expected_version:
            raise Conflict(
                f"Stream {stream!r} is at version {head.version}, not {expected_version}.",
                fix="Read it again and decide anew.",
            )
        if not events:
            return _nothing()
        id = head.id or self._streams + 1
        bodies = _encoded(events)
        rows, payloads, occurrences = self._chained(stream, id, head, events, bodies)
        position, _, version, _, _, digest = rows[-1]
        durable = self._writer.add(rows, (id, stream, version, position, digest), payloads, occurrences)
        head.id, head.version, head.last, head.digest = id, version, position, digest
        self._recent.add(stream, expected_version, bodies)
        self._position, self._streams = position, max(id, self._streams)
        return durable

    def read(self, stream: str, after: int = 0) -> list[Event]:
        """The durable events of one stream after a version; raises `JournalDamaged` where it is not whole."""
        self._admit(stream)
        bodies = self._recent.get(stream)
        count = len(bodies)  # before the head is looked at: `append` moves that first, maybe right now
        head = self._heads.get(stream)
        if not count or head is None or head.last > self._writer.durable or self._closed:
            return self._reader.events(stream, after)
        return [decode(body) for body in bodies[after:count]]

    def tail(self, after: int, limit: int = 1000) -> list[Recorded]:
        """Durable events of all streams after a position.

        Ends before an event that does not verify; raises `JournalDamaged` where that is the first.
        """
        return self._reader.tail(after, limit)

    def follow(self, follower: Callable[[], None]) -> Callable[[], None]:
        """Be told, on the event loop, whenever more is on stable storage; returns how to stop."""
        return self._writer.follow(follower)

    def head(self, stream: str) -> int:
        """The version of the last event handed in for a stream; 0 when there is none."""
        known = self._heads.get(stream)
        if known is None and _may_be_named(stream):
            known = self._load(stream)
        return known.version if known is not None else 0

    def expect_new(self, stream: str) -> None:
        """Look nothing up for a name that was minted just now."""
        self._keep_head(stream, Head(0, 0, 0, self._genesis(stream)))

    def last(self, stream: str) -> tuple[int, int, bytes]:
        """Version, position and digest of the last event handed in for a stream."""
        head = self._heads.get(stream) or self._load(stream)
        return head.version, head.last, head.digest

    def digest_at(self, position: int) -> tuple[int, bytes] | None:
        """Version and digest of the durable event at a position."""
        rows = self._reader.rows(SQL["version_and_digest_at"], (position,))
        return (rows[0][0], rows[0][1]) if rows else None

    def verify(self) -> Verification:
        """Check every digest, chain, gap, payload and the head anchor. May be called from any thread."""
        return verify_folder(self._path.parent, self._key)

    async def close(self) -> None:
        """Commit what is pending and release the storage. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        await self._writer.stop()
        self._reader.close()
        self._writer.close()

    def _chained(
        self, stream: str, id: int, head: Head, events: Sequence[Event], bodies: Sequence[bytes]
    ) -> tuple[list[EventRow], dict[bytes, bytes], list[Occurrence]]:
        position, version, last, digest = self._position, head.version, head.last, head.digest
        rows: list[EventRow] = []
        payloads: dict[bytes, bytes] = {}
        occurrences: list[Occurrence] = []
        for event, body in zip(events, bodies, strict=True):
            position += 1
            version += 1
            if type(event) in PROJECTED:
                occurrences.append(occurrence(position, stream, event, body))
            stored = body
            if len(body) > BODY_BYTES_MAX:
                stored, large = split(body)
                payloads |= large
            digest = link(digest, position, id, version, stored)
            rows.append((position, id, version, last, stored, digest))
            last = position
        return rows, payloads, occurrences

    def _load(self, stream: str) -> Head:
        self._admit(stream)
        return self._keep_head(stream, self._reader.head(stream) or Head(0, 0, 0, self._genesis(stream)))

    def _keep_head(self, stream: str, head: Head) -> Head:
        if len(self._heads) >= self._shrink_at:
            self._forget()
        self._heads[stream] = head
        return head

    def _genesis(self, stream: str) -> bytes:
        if not _may_be_named(stream):
            raise InvalidInput(f"{stream!r} is no name for a stream.", field="stream")
        return self._reader.genesis(stream)

    def _forget(self) -> None:
        """Let go of the heads loaded longest ago; they can be loaded again once they are durable."""
        durable = self._writer.durable
        for stream in list(islice(self._heads, HEADS_MAX // 10)):
            if self._heads[stream].last <= durable:
                del self._heads[stream]
        self._shrink_at = max(HEADS_MAX, len(self._heads) + HEADS_MAX // 10)

    def _admit(self, stream: str) -> None:
        if stream in self._damaged:
            raise damaged(stream, None, self._damaged[stream])

    def _stopped(self) -> StorageFailure:
        failure = self._writer.failure
        if failure is None:
            return StorageFailure("The journal is closed.", fix="Open it again.")
        return StorageFailure(f"The journal has stopped. {failure.message}", fix=failure.fix)


def verify_folder(folder: Path, key: FolderKey | None = None) -> Verification:
    """Verify the journal of a data folder by reading only; another process may have it open."""
    sighting = read_anchor(folder / ANCHOR)
    try:
        with closing(connect_reader(folder / DATABASE, key)) as connection:
            return verify(connection, sighting)
    except (*DAMAGED, apsw.Error) as error:
        raise refuse_unreadable(folder, error) from error


def _encoded(events: Sequence[Event]) -> list[bytes]:
    try:
        return [encode(event) for event in events]
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        names = ", ".join(sorted({type(event).__name__ for event in events}))
        fix = "Events hold JSON values: text, numbers, lists, mappings."
        raise InvalidInput(f"{names} cannot be stored: {error}.", fix=fix) from error


def _may_be_named(stream: str) -> bool:
    try:
        return bool(stream.encode())
    except UnicodeEncodeError:
        return False


def _nothing() -> Awaitable[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


def _leave_as_is(connection: apsw.Connection) -> None:
    """Close without moving the WAL, so that whatever is damaged stays as it was found."""
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.close()
