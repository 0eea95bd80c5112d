"""Stored workflows, as the journal's file lists them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dirigent.ports import VersionRow, WorkflowRow
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.database import DATABASE, PROJECTIONS_SQL
from dirigent.storage.sqlite.reading import Reader

_WORKFLOW = WorkflowRow.__struct_fields__
_VERSION = VersionRow.__struct_fields__


class SqliteWorkflows:
    """The port `Workflows` over the journal's file; the journal itself keeps the rows up to date.

    Any thread may call; calls take turns.
    """

    def __init__(self, folder: Path, key: FolderKey | None = None) -> None:
        self._reader = Reader(folder / DATABASE, key)

    def workflows(self, tenant: str | None = None) -> list[WorkflowRow]:
        """All of one tenant, or of all, by name."""
        return self._workflows({"tenant": tenant, "name": None})

    def workflow(self, tenant: str, name: str) -> WorkflowRow | None:
        """One, or None."""
        return next(iter(self._workflows({"tenant": tenant, "name": name})), None)

    def versions(self, tenant: str, name: str) -> list[VersionRow]:
        """Every version there was, the first one first."""
        rows = self._reader.rows(PROJECTIONS_SQL["workflow_versions"], (tenant, name))
        return [VersionRow(**dict(zip(_VERSION, row, strict=True))) for row in rows]

    def close(self) -> None:
        """Release the file. Closing twice is harmless."""
        self._reader.close()

    def _workflows(self, values: dict[str, Any]) -> list[WorkflowRow]:
        rows = self._reader.rows(PROJECTIONS_SQL["workflows"], values)
        return [WorkflowRow(**dict(zip(_WORKFLOW, row, strict=True))) for row in rows]
