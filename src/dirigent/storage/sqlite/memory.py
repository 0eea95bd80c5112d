"""What tenants have learned, in one SQLite file with a full-text index."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import msgspec

from dirigent.domain.errors import InvalidInput
from dirigent.ports import MemoryItem
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.database import connect
from dirigent.storage.sqlite.failures import storage_errors
from dirigent.storage.statements import load_statements

BUSY_MS_MAX = 30_000
QUERY_WORDS_MAX = 32

# How FTS5's bm25() weighs: a term that is everywhere weighs next to nothing, one occurrence more ever less.
_K1 = 1.2
_IDF_MIN = 1e-6

_SQL = load_statements("dirigent.storage.sqlite", "memory.sql")
_WORD = re.compile(r"[^\W_]+")
_json = msgspec.json.Decoder()


class SqliteMemory:
    """The port `Memory` over one SQLite file; ":memory:" keeps nothing.

    An item is found by any word of the query, regardless of case and accents. Its score is its bm25
    as a share of the highest that the query could reach: towards 1 where every word of the query
    occurs often, near 0 where only its commonest does. Any thread may call; calls take turns.
    """

    def __init__(self, path: Path | str, key: FolderKey | None = None) -> None:
        self._path = str(path)
        self._lock = threading.Lock()
        with storage_errors(self._path):
            self._connection = connect(self._path, key)
            self._connection.set_busy_timeout(BUSY_MS_MAX)
            self._connection.pragma("journal_mode", "wal")
            self._connection.pragma("synchronous", "full")
            with self._connection:
                self._connection.execute(_SQL["schema"])

    def store(self, tenant: str, items: Sequence[MemoryItem]) -> int:
        """Insert or replace items by id, in one transaction; returns how many."""
        if not tenant:
            raise InvalidInput(f"The tenant must be named, not {tenant!r}.", field="tenant")
        rows = [(tenant, *_columns(item)) for item in items]
        with self._turn() as connection, connection:
            words = _words(connection, tenant) or _new_words(connection, tenant)
            for row in rows:
                _replace(connection, words, row)
        return len(rows)

    def search(
        self, tenant: str, query: str, *, kind: str | None = None, limit: int = 8
    ) -> list[tuple[MemoryItem, float]]:
        """Items that share a word with the query, best first, newest first among equals."""
        terms = _terms(query)
        with self._turn() as connection:
            words = _words(connection, tenant)
            if not terms or words is None or limit <= 0:
                return []
            values = {"words": " OR ".join(terms), "tenant": tenant, "kind": kind, "limit": limit}
            rows = connection.execute(_sql("search", words), values).fetchall()
            highest = _highest(connection, words, tenant, terms) if rows else 1.0
        return [(_item(row), _share(float(row[-1] or 0.0), highest)) for row in rows]

    def list(self, tenant: str, *, kind: str | None = None, limit: int = 1000) -> list[MemoryItem]:
        """Items, newest first."""
        values = {"tenant": tenant, "kind": kind, "limit": max(limit, 0)}
        with self._turn() as connection:
            return [_item(row) for row in connection.execute(_SQL["list"], values)]

    def close(self) -> None:
        """Release the file. Closing twice is harmless."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _turn(self) -> Iterator[apsw.Connection]:
        with self._lock, storage_errors(self._path):
            yield self._connection


def _sql(statement: str, words: str) -> str:
    return _SQL[statement].replace("{words}", words)


def _words(connection: apsw.Connection, tenant: str) -> str | None:
    number = connection.execute(_SQL["tenant_number"], (tenant,)).get
    return None if number is None else f"words_{number:d}"


def _new_words(connection: apsw.Connection, tenant: str) -> str:
    words = f"words_{connection.execute(_SQL['add_tenant'], (tenant,)).get:d}"
    connection.execute(_sql("add_words", words))
    return words


def _replace(connection: apsw.Connection, words: str, row: Sequence[Any]) -> None:
    tenant, id, _, text, *_ = row
    for (number,) in connection.execute(_SQL["drop_item"], (tenant, id)).fetchall():
        connection.execute(_sql("drop_words", words), (number,))
    number = connection.execute(_SQL["add_item"], row).get
    connection.execute(_sql("index_item", words), (number, text))


def _terms(query: str) -> Sequence[str]:
    """The words of a query, each as an FTS5 string: nothing in it can be read as an operator."""
    found = dict.fromkeys(word.casefold() for word in _WORD.findall(query))
    return [f'"{word}"' for word in found][:QUERY_WORDS_MAX]


def _highest(connection: apsw.Connection, words: str, tenant: str, terms: Sequence[str]) -> float:
    count = _number(connection, _SQL["count_items"], tenant)
    hits = [_number(connection, _sql("count_hits", words), term) for term in terms]
    weights = [max(_IDF_MIN, math.log((count - hit + 0.5) / (hit + 0.5))) for hit in hits]
    return sum(weights) * (_K1 + 1)


def _number(connection: apsw.Connection, sql: str, value: str) -> int:
    found = connection.execute(sql, (value,)).get
    assert isinstance(found, int), "a count is a number"
    return found


def _share(relevance: float, highest: float) -> float:
    return min(1.0, max(0.0, relevance / highest))


def _columns(item: MemoryItem) -> tuple[Any, ...]:
    return (item.id, item.kind, item.text, msgspec.json.encode(item.data), item.created_at, item.source)


def _item(row: Sequence[Any]) -> MemoryItem:
    id, kind, text, data, created_at, source, *_ = row
    return MemoryItem(
        id=id, kind=kind, text=text, data=_json.decode(data), created_at=created_at, source=source
    )
