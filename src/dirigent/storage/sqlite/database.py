"""The journal's database file: how it is opened, and what has to be in it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import apsw

from dirigent.domain.errors import JournalDamaged, StorageFailure
from dirigent.security.folder_key import FolderKey
from dirigent.storage.statements import load_statements

DATABASE = "journal.db"
FORMAT = 2
CIPHER = "chacha20"
READ_AND_WRITE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE

# The first release without the race that could damage a database when the WAL was reset.
SQLITE_MIN = (3, 51, 3)

BUSY_MS_MAX = 60_000
CACHE_KIB = 16 * 1024
WAL_BYTES_KEPT = 64 * 1024 * 1024

SQL = load_statements("dirigent.storage.sqlite", "journal.sql")
PROJECTIONS_SQL = load_statements("dirigent.storage.sqlite", "projections.sql")

# Says whether the tables of the projections were made by this very definition.
PROJECTIONS_MARK = hashlib.sha256(PROJECTIONS_SQL["schema"].encode()).digest()


def check_sqlite_version() -> None:
    """Refuse a SQLite that can damage the journal."""
    found = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if found < SQLITE_MIN:
        needed = ".".join(map(str, SQLITE_MIN))
        raise StorageFailure(
            f"SQLite {apsw.sqlite_lib_version()} can damage a journal; {needed} or newer is needed.",
            fix="Install apsw-sqlite3mc from the package index; it brings its own SQLite.",
        )


def connect(path: Path | str, key: FolderKey | None, flags: int = READ_AND_WRITE) -> apsw.Connection:
    """A connection to a file of a data folder; every other way to one goes through here.

    With a key every page of the file and of its WAL is encrypted and authenticated, and what SQLite would
    put into temporary files, which are not, stays in memory.
    """
    connection = apsw.Connection(str(path), flags=flags)
    if key is None:
        return connection
    try:
        _check_ciphers()
        connection.pragma("cipher", CIPHER)
        connection.pragma("key", f"raw:{key.hex()}")
        connection.pragma("temp_store", "memory")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_ciphers() -> None:
    """Refuse a SQLite that would pass over the key in silence and write in plain."""
    if not getattr(apsw, "mc_version", ""):
        raise StorageFailure(
            "This SQLite cannot encrypt, and a key is given.",
            fix="Install apsw-sqlite3mc in the place of apsw; uninstall apsw first.",
        )


def connect_writer(path: Path, key: FolderKey | None = None) -> apsw.Connection:
    """The one connection that writes: what it commits is on stable storage, and only it checkpoints."""
    connection = connect(path, key)
    if connection.readonly("main"):  # SQLite settles for reading where it may not write
        connection.close()
        raise StorageFailure(f"{path} cannot be written.", fix="Check the file and its permissions.")
    _prepare(connection)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("wal_autocheckpoint", 0)
    connection.pragma("journal_size_limit", WAL_BYTES_KEPT)
    connection.pragma("cache_size", -CACHE_KIB)
    return connection


def connect_reader(path: Path, key: FolderKey | None = None) -> apsw.Connection:
    """A connection that cannot write."""
    connection = connect(path, key, apsw.SQLITE_OPEN_READONLY)
    _prepare(connection)
    return connection


def _prepare(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(BUSY_MS_MAX)
    connection.pragma("trusted_schema", "off")
    connection.pragma("cell_size_check", "on")


def is_new(connection: apsw.Connection) -> bool:
    """Whether there is nothing in the file yet."""
    return bool(connection.execute(SQL["tables"]).get == 0)


def create(connection: apsw.Connection) -> None:
    """Make the tables of an empty journal and give it a name of its own."""
    with connection:
        connection.execute(SQL["schema"])
        connection.execute(PROJECTIONS_SQL["schema"])
        for key, value in (
            ("format", FORMAT),
            ("journal", os.urandom(16)),
            ("projections", PROJECTIONS_MARK),
        ):
            connection.execute(SQL["set_meta"], (key, value))


def journal_name(connection: apsw.Connection) -> bytes:
    """The random name the journal was given when it was made; raises when this is no journal of ours."""
    found = connection.execute(SQL["meta"], ("format",)).get
    if isinstance(found, int) and found > FORMAT:
        raise StorageFailure(
            f"The journal was written by a newer Dirigent (format {found}, not {FORMAT}).",
            fix="Install the newer version.",
        )
    name = connection.execute(SQL["meta"], ("journal",)).get
    if not isinstance(found, int) or found < 1 or not isinstance(name, bytes):
        raise JournalDamaged("The journal does not say what it is.", fix="Restore it from a backup.")
    return name
