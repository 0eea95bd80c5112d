"""Snapshots of long executions, in a file of their own that may be lost or thrown away at any time."""

from __future__ import annotations

import contextlib
from hashlib import sha256
from pathlib import Path

import apsw

from dirigent.ports import Snapshot
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.database import connect
from dirigent.storage.sqlite.journal import SqliteJournal

FILE = "snapshots.db"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS snapshots (
    stream   TEXT PRIMARY KEY,
    version  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    digest   BLOB NOT NULL,
    checksum BLOB NOT NULL,
    state    BLOB NOT NULL
) STRICT, WITHOUT ROWID
"""
_KEEP = "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?)"
_GET = "SELECT version, position, digest, checksum, state FROM snapshots WHERE stream = ?"
_FORGET = "DELETE FROM snapshots WHERE stream = ?"


class SqliteSnapshots:
    """The port `Snapshots` beside a journal.

    Every snapshot names the event that it follows by position and digest; one that the journal does not
    confirm, or that does not match its own checksum, is none. A file that cannot be used is made anew.
    Nothing waits for the disk: what a crash takes away is folded from the journal.
    """

    def __init__(self, folder: Path, journal: SqliteJournal, key: FolderKey | None = None) -> None:
        self._key = key
        self._journal = journal
        self._path = folder / FILE
        try:
            self._connection = self._open()
        except apsw.Error:
            self._path.unlink(missing_ok=True)
            self._connection = self._open()

    def keep(self, stream: str, state: bytes) -> None:
        """Keep the state of a stream after the last event handed in, in place of an earlier one."""
        version, position, digest = self._journal.last(stream)
        with contextlib.suppress(apsw.Error):
            self._connection.execute(
                _KEEP, (stream, version, position, digest, sha256(state).digest(), state)
            )

    def get(self, stream: str) -> Snapshot | None:
        """The snapshot of a stream that the journal confirms."""
        try:
            row = self._connection.execute(_GET, (stream,)).fetchone()
        except apsw.Error:
            return None
        if row is None:
            return None
        version, position, digest, checksum, state = row
        if sha256(state).digest() != checksum or self._journal.digest_at(position) != (version, digest):
            return None
        return Snapshot(version=version, state=state)

    def forget(self, stream: str) -> None:
        """A stream has ended; its snapshot is of no use any more."""
        with contextlib.suppress(apsw.Error):
            self._connection.execute(_FORGET, (stream,))

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def _open(self) -> apsw.Connection:
        connection = connect(self._path, self._key)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "off")
        connection.execute(_SCHEMA)
        return connection
