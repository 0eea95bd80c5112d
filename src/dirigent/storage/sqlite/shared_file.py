"""A SQLite file that several processes write: each commit is synced, and writers take turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw

from dirigent.domain.errors import StorageFailure
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.database import BUSY_MS_MAX, check_sqlite_version, connect


def connect_shared(path: Path, schema: str, form: int, key: FolderKey | None = None) -> apsw.Connection:
    """A connection that writes, to a file made where there is none; refuses a file of a newer form."""
    check_sqlite_version()
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = _connection(path, key)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    found: Any = connection.pragma("user_version")
    if found > form:
        raise StorageFailure(
            f"{path} was written by a newer Dirigent (format {found}, not {form}).",
            fix="Install the newer version.",
        )
    if found < form:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(schema)
        connection.pragma("user_version", form)
        connection.execute("COMMIT")
    return connection


def connect_shared_reader(path: Path, key: FolderKey | None = None) -> apsw.Connection:
    """A connection that only reads."""
    connection = _connection(path, key)
    connection.pragma("query_only", "on")
    return connection


def _connection(path: Path, key: FolderKey | None) -> apsw.Connection:
    connection = connect(path, key)
    connection.set_busy_timeout(BUSY_MS_MAX)
    connection.pragma("trusted_schema", "off")
    connection.pragma("cell_size_check", "on")
    return connection
