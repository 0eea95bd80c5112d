"""Taking many rows of one source into the records: stage them, then merge them in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import apsw

from dirigent.domain.canonical import canonical_bytes
from dirigent.domain.errors import InvalidInput
from dirigent.storage.statements import load_statements

STAGE_KIB = 32 * 1024
ANALYSED_ROWS = 1_000

_SQL = load_statements("dirigent.storage.sqlite", "records_load.sql")
_KEYS: Mapping[str, str] = {
    "organizations": "organization_id",
    "customers": "customer_id",
    "contacts": "contact_id",
    "products": "sku",
    "suppressions": "address",
    "stock": "product_id",
    "brands": "brand_id",
    "order_lines": "order_id",
}


class SqliteLoad:
    """One source on its way into one tenant's records. Nothing is visible before `commit`."""

    def __init__(
        self,
        connection: apsw.Connection,
        tenant: str,
        entity: str,
        columns: Sequence[str],
        *,
        imported_at: Callable[[], str],
    ) -> None:
        if entity not in _KEYS:
            raise InvalidInput(
                f"{entity!r} cannot be loaded.", fix=f"One of {', '.join(sorted(_KEYS))}.", field="entity"
            )
        self._connection = connection
        self._tenant = tenant
        self._entity = entity
        self._imported_at = imported_at
        connection.execute(f"{_SQL[f'stage {entity}']} {_SQL['stage withdrawn']}")
        connection.execute(f"PRAGMA temp.cache_size = -{STAGE_KIB}")
        connection.pragma("analysis_limit", ANALYSED_ROWS)
        marks = ", ".join("?" * (len(columns) + 1))
        self._staging = f"INSERT INTO staged (line, {', '.join(self._checked(columns))}) VALUES ({marks})"

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Stage rows: each its line in the source and then the columns' values."""
        with self._connection:
            self._connection.executemany(self._staging, rows)

    def withdraw(self, keys: Sequence[str]) -> None:
        """Take out of the records what has one of these keys, unless the source also brings it."""
        with self._connection:
            rows = [(key,) for key in keys]
            self._connection.executemany("INSERT OR IGNORE INTO withdrawn VALUES (?)", rows)

    def drop_repeated(self, examples_max: int) -> tuple[int, list[tuple[int, int]]]:
        """Unstage rows whose key an earlier row has: how many, and (line, earlier line) of the first ones.

        Lines of an order may repeat; everything else is one row for each key.
        """
        if self._entity == "order_lines":
            return 0, []
        key = _KEYS[self._entity]
        earliest = f"(SELECT min(line) FROM staged WHERE {key} = later.{key})"
        repeated = f"FROM staged AS later WHERE line > {earliest}"
        execute = self._connection.execute
        execute(f"CREATE INDEX temp.staged_by_key ON staged ({key})")
        found = execute(f"SELECT line, {earliest} {repeated} ORDER BY line LIMIT ?", (examples_max,))
        examples: list[Any] = found.fetchall()
        execute(f"DELETE {repeated}")
        return self._connection.changes(), examples

    def commit(self, entry: Mapping[str, Any]) -> None:
        """Merge what is staged and put the import on record, all in one transaction."""
        record = {
            **entry,
            "tenant": self._tenant,
            "report": canonical_bytes(entry["report"]).decode(),
            "imported_at": self._imported_at(),
        }
        with self._connection:
            self._connection.execute(_SQL[f"merge {self._entity}"], record)
            self._connection.execute(_SQL["record import"], record)

    def discard(self) -> None:
        """Forget what is staged."""
        self._connection.execute(_SQL["discard"])

    def _checked(self, columns: Sequence[str]) -> Sequence[str]:
        known = {name for (name,) in self._connection.execute("SELECT name FROM pragma_table_info('staged')")}
        for column in columns:
            if column not in known:
                raise InvalidInput(
                    f"{self._entity} cannot be loaded with a column {column!r}.",
                    fix=f"Known: {', '.join(sorted(known))}.",
                    field=column,
                )
        return columns
