"""What became of every firing of a trigger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dirigent.ports import FiringRow
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.database import DATABASE, PROJECTIONS_SQL
from dirigent.storage.sqlite.reading import Reader

_FIELDS = FiringRow.__struct_fields__


class SqliteFirings:
    """The port `Firings` over the journal's file; the journal itself keeps the rows up to date.

    Any thread may call; calls take turns.
    """

    def __init__(self, folder: Path, key: FolderKey | None = None) -> None:
        self._reader = Reader(folder / DATABASE, key)

    def decided(self, execution_ids: Sequence[str]) -> set[str]:
        """Which of these firings have been decided before."""
        given = (msgspec.json.encode(list(execution_ids)).decode(),)
        return {found for (found,) in self._reader.rows(PROJECTIONS_SQL["firings_decided"], given)}

    def running(self) -> list[FiringRow]:
        """Those whose execution was started and has not ended, oldest first."""
        return self._rows(PROJECTIONS_SQL["firings_running"], {})

    def queued(self) -> list[FiringRow]:
        """Those that wait for their turn, oldest first."""
        return self._rows(PROJECTIONS_SQL["firings_queued"], {})

    def firings(
        self,
        tenant: str | None = None,
        *,
        trigger: str | None = None,
        decision: str | None = None,
        limit: int = 100,
    ) -> list[FiringRow]:
        """Firings, newest first."""
        wanted = {"of_tenant": tenant, "of_trigger": trigger, "of_decision": decision}
        names = [name for name, value in wanted.items() if value is not None] or ["all"]
        sql = PROJECTIONS_SQL["firings"].replace(
            "{where}", " AND ".join(PROJECTIONS_SQL[name] for name in names)
        )
        values = {"tenant": tenant, "trigger": trigger, "decision": decision, "limit": limit}
        return self._rows(sql, values)

    def close(self) -> None:
        """Release the file. Closing twice is harmless."""
        self._reader.close()

    def _rows(self, sql: str, values: Mapping[str, Any]) -> list[FiringRow]:
        return [FiringRow(**dict(zip(_FIELDS, row, strict=True))) for row in self._reader.rows(sql, values)]
