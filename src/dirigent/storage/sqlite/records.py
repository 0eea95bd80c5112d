"""Business records in one SQLite file."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw

from dirigent.domain.canonical import canonical_bytes
from dirigent.domain.errors import InvalidInput, StorageFailure
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.database import connect
from dirigent.storage.sqlite.failures import storage_errors
from dirigent.storage.sqlite.records_load import SqliteLoad
from dirigent.storage.sqlite.records_tables import TENANT, Table, find_table, read_tables, utc_text
from dirigent.storage.statements import load_statements

SCHEMA_VERSION = 5
BUSY_MS_MAX = 30_000
WAL_KEPT = 16 * 1024 * 1024
IN_MEMORY = ":memory:"

_SQL = load_statements("dirigent.storage.sqlite", "records.sql")


def _wall_clock() -> datetime:
    return datetime.now(UTC)


class SqliteRecords:
    """The ports `Records` and `RecordsLoader` over one SQLite file; ":memory:" keeps nothing.

    What `save` and a load's `commit` have returned from is on stable storage. Any thread may call;
    calls take turns. A load into a file stages its rows on a connection of its own, so that other
    calls go on meanwhile. Where another process writes, a call waits for `busy_ms_max` at most.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        key: FolderKey | None = None,
        now: Callable[[], datetime] = _wall_clock,
        busy_ms_max: int = BUSY_MS_MAX,
    ) -> None:
        self._path = str(path)
        self._key = key
        self._now = now
        self._busy_ms_max = busy_ms_max
        self._lock = threading.RLock()
        with storage_errors(self._path):
            self._connection = self._connect()
            self._prepare()
            self._tables = read_tables(self._connection)

    def fetch(
        self,
        tenant: str,
        entity: str,
        *,
        where: Mapping[str, Any] | None = None,
        columns: Sequence[str] | None = None,
        order_by: str | None = None,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """Rows of an entity, in order of its key or of `order_by`; "-column" turns the order round."""
        table = find_table(self._tables, entity)
        names = tuple(columns or table.columns)
        picked = ", ".join(table.column(name).name for name in names)
        condition, values = _condition(table, tenant, where)
        sql = f"SELECT {picked} FROM {table.name} WHERE {condition} ORDER BY {_order(table, order_by)}"
        if limit is not None:
            sql, values = f"{sql} LIMIT ?", [*values, _checked_limit(limit)]
        with self._turn() as connection:
            rows = connection.execute(sql, values).fetchall()
        return table.loaded(names, rows)

    def count(self, tenant: str, entity: str, *, where: Mapping[str, Any] | None = None) -> int:
        """How many rows there are."""
        table = find_table(self._tables, entity)
        condition, values = _condition(table, tenant, where)
        with self._turn() as connection:
            found = connection.execute(f"SELECT count(*) FROM {table.name} WHERE {condition}", values).get
        return int(found)

    def save(self, tenant: str, entity: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert or replace rows by the entity's key, in one transaction; returns how many.

        A row replaces the one with its key as a whole: a column it does not name takes its default.
        """
        table = _writable(find_table(self._tables, entity))
        owner = _checked_tenant(tenant)
        kept = [{name: table.stored(name, value) for name, value in row.items()} for row in rows]
        with self._turn() as connection, connection:
            for names, alike in itertools.groupby(kept, key=tuple):
                connection.executemany(_insertion(table, names), [(owner, *row.values()) for row in alike])
        return len(kept)

    def as_of(self, tenant: str) -> datetime | None:
        """The moment of the tenant's last order; None when there are no orders."""
        with self._turn() as connection:
            last = connection.execute(_SQL["as_of"], (_checked_tenant(tenant),)).get
        return None if last is None else datetime.fromisoformat(str(last))

    def last_import(self, tenant: str, source: str) -> dict[str, Any] | None:
        """What is on record of the last import of a source; None when there was none."""
        return next(iter(self.fetch(tenant, "imports", where={"source": source})), None)

    @contextmanager
    def load(self, tenant: str, entity: str, columns: Sequence[str]) -> Iterator[SqliteLoad]:
        """Take in many rows of one source: all of them with `commit`, or none."""
        owner = _checked_tenant(tenant)
        with self._loading_connection() as connection:
            load = SqliteLoad(connection, owner, entity, columns, imported_at=lambda: utc_text(self._now()))
            try:
                yield load
            finally:
                load.discard()

    def close(self) -> None:
        """Release the file. Closing twice is harmless."""
        with self._lock:
            self._connection.close()

    def _connect(self) -> apsw.Connection:
        connection = connect(self._path, self._key)
        connection.set_busy_timeout(self._busy_ms_max)
        for name, value in (
            ("journal_mode", "wal"),
            ("synchronous", "full"),
            ("journal_size_limit", WAL_KEPT),
        ):
            connection.pragma(name, value)
        return connection

    def _prepare(self) -> None:
        version = int(self._connection.pragma("user_version") or 0)
        if version > SCHEMA_VERSION:
            raise StorageFailure(
                f"{self._path} was written by a newer Dirigent (schema {version}, not {SCHEMA_VERSION}).",
                fix="Install the newer version.",
            )
        if version < SCHEMA_VERSION:
            with self._connection:
                self._connection.execute(_SQL["schema"])

    @contextmanager
    def _turn(self) -> Iterator[apsw.Connection]:
        with self._lock, storage_errors(self._path):
            yield self._connection

    @contextmanager
    def _loading_connection(self) -> Iterator[apsw.Connection]:
        if self._path == IN_MEMORY:
            with self._turn() as connection:
                yield connection
            return
        with storage_errors(self._path):
            connection = self._connect()
            try:
                yield connection
            finally:
                connection.close()


def _checked_tenant(tenant: str) -> str:
    if not tenant:
        raise InvalidInput(f"The tenant must be named, not {tenant!r}.", field=TENANT)
    return tenant


def _writable(table: Table) -> Table:
    if table.derived:
        raise InvalidInput(
            f"{table.name} is worked out from other records and cannot be written.",
            fix="Write the records it is the sum of.",
            field=table.name,
        )
    return table


def _checked_limit(limit: int) -> int:
    if limit < 0:
        raise InvalidInput(f"limit must not be negative, as {limit} is.", field="limit")
    return limit


def _condition(table: Table, tenant: str, where: Mapping[str, Any] | None) -> tuple[str, list[Any]]:
    terms, values = [f"{TENANT} = ?"], [_checked_tenant(tenant)]
    for name, wanted in (where or {}).items():
        term, bound = _term(table, name, wanted)
        terms.append(term)
        values.extend(bound)
    return " AND ".join(terms), values


def _term(table: Table, name: str, wanted: Any) -> tuple[str, list[Any]]:
    column = table.column(name).name
    if not isinstance(wanted, list | tuple | set | frozenset):
        return (f"{column} IS ?", [table.stored(name, wanted)])
    chosen = [table.stored(name, value) for value in wanted]
    listed = canonical_bytes([value for value in chosen if value is not None]).decode()
    among = f"{column} IN (SELECT value FROM json_each(?))"
    return (f"({among} OR {column} IS NULL)" if None in chosen else among, [listed])


def _order(table: Table, order_by: str | None) -> str:
    key = ", ".join(table.key)
    if order_by is None:
        return key
    column = table.column(order_by.removeprefix("-")).name
    return f"{column} {'DESC' if order_by.startswith('-') else 'ASC'}, {key}"


def _insertion(table: Table, names: tuple[str, ...]) -> str:
    marks = ", ".join("?" * (len(names) + 1))
    return f"INSERT OR REPLACE INTO {table.name} ({', '.join((TENANT, *names))}) VALUES ({marks})"
