"""Lists of executions: the newest that fit, out of a bounded stretch of history."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Annotated

from fastapi import Query

from dirigent.engine import Engine
from dirigent.ports import ExecutionRow

SCANNED_MAX = 10_000

Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]


def newest(
    engine: Engine, tenant: str | None, limit: int, fits: Callable[[ExecutionRow], bool]
) -> list[ExecutionRow]:
    """Executions that no other started, newest first, among the last ten thousand."""
    window = limit
    while True:
        rows = engine.executions(tenant, limit=window)
        found = list(islice(filter(fits, rows), limit))
        if len(found) == limit or len(rows) < window or window == SCANNED_MAX:
            return found
        window = min(window * 4, SCANNED_MAX)
