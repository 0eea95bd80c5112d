"""The bytes of an archive file: as they are, or under a key in pieces in a database that is encrypted.

A database, because the folder's key encrypts those: page by page, each authenticated, and with a command that
changes the key in all of them.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.database import READ_AND_WRITE, connect

FOLDER = "archives"
PLAIN, SEALED = ".jsonl.gz", ".db"
PIECE_BYTES = 256 * 1024

_SCHEMA = "CREATE TABLE pieces (number INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT"
_ADD = "INSERT INTO pieces (content) VALUES (?)"
_ALL = "SELECT content FROM pieces ORDER BY number"


@contextlib.contextmanager
def opened(path: Path, key: FolderKey | None) -> Iterator[io.BufferedReader]:
    """The bytes that were written, to be read from their beginning; raises `OSError` and `apsw.Error`."""
    if path.suffix != SEALED:
        with path.open("rb") as file:
            yield file
        return
    if not path.exists():
        raise FileNotFoundError(path)
    with closing(connect(path, key, apsw.SQLITE_OPEN_READONLY)) as connection:
        yield io.BufferedReader(_Taken(connection), PIECE_BYTES)


@contextlib.contextmanager
def written(path: Path, key: FolderKey | None) -> Iterator[io.BufferedIOBase]:
    """Where bytes can be written; they are on stable storage when the block ends."""
    if key is None:
        with path.open("wb") as file:
            yield file
    else:
        path.unlink(missing_ok=True)
        with closing(connect(path, key, READ_AND_WRITE)) as connection:
            connection.pragma("journal_mode", "off")  # what is cut off has no name yet and is made anew
            connection.pragma("synchronous", "off")
            with connection:
                connection.execute(_SCHEMA)
                with io.BufferedWriter(_Put(connection), PIECE_BYTES) as pieces:
                    yield pieces
    with path.open("rb") as file:
        os.fsync(file.fileno())


class _Taken(io.RawIOBase):
    def __init__(self, connection: apsw.Connection) -> None:
        self._pieces = (row[0] for row in connection.execute(_ALL))
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._left:
            self._left = memoryview(next(self._pieces, b""))
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


class _Put(io.RawIOBase):
    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._connection.execute(_ADD, (bytes(data),))
        return len(data)
