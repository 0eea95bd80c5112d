"""Whether the projections say what the journal says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import zip_longest

import apsw

from dirigent.storage.sqlite.database import PROJECTIONS_SQL
from dirigent.storage.sqlite.folding import fold, occurrences

TABLES = (
    "executions",
    "approvals",
    "waiting",
    "outcomes",
    "passive",
    "domain_events",
    "firings",
    "workflows",
    "workflow_versions",
)
FINDINGS_MAX = 100


def differences(connection: apsw.Connection) -> list[str]:
    """Fold the journal beside the projections and name the rows that differ; at most a hundred."""
    with closing(apsw.Connection(":memory:")) as fresh:
        fresh.execute(PROJECTIONS_SQL["schema"])
        for happened in occurrences(connection):
            fold(fresh, happened)
        return [finding for table in TABLES for finding in _compared(table, connection, fresh)]


def _compared(table: str, connection: apsw.Connection, fresh: apsw.Connection) -> Iterator[str]:
    statement = PROJECTIONS_SQL[f"every_row_of_{table}"]
    found = 0
    for row, expected in zip_longest(connection.execute(statement), fresh.execute(statement)):
        if row != expected and found < FINDINGS_MAX:
            found += 1
            position = (expected or row)[0]
            yield f"the list of {table} is not what the journal says at position {position}; rebuild it"
