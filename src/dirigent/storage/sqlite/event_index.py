"""Where in the journal the events of the business are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dirigent.ports import Recorded
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.database import DATABASE, PROJECTIONS_SQL
from dirigent.storage.sqlite.reading import Reader

KEYS_AT_ONCE = 512


class SqliteEventIndex:
    """The port `EventIndex` over the journal's file; the journal itself keeps the rows up to date.

    What is handed out was verified. Any thread may call; calls take turns.
    """

    def __init__(self, folder: Path, key: FolderKey | None = None) -> None:
        self._reader = Reader(folder / DATABASE, key)

    def positions(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Where the durable events of these keys are; what is not there is left out."""
        found: dict[bytes, int] = {}
        for start in range(0, len(keys), KEYS_AT_ONCE):
            page = _padded(keys[start : start + KEYS_AT_ONCE])
            sql = PROJECTIONS_SQL["event_positions"].replace("{keys}", ", ".join("?" * len(page)))
            found |= dict(self._reader.rows(sql, page))
        return found

    def events(
        self,
        tenant: str | None = None,
        *,
        type: str = "",
        after: int = 0,
        limit: int = 1000,
        newest: bool = False,
    ) -> list[Recorded]:
        """Durable events after a position, oldest or newest first; one that is not whole raises."""
        below = type.endswith(".*")
        wanted = {
            "of_tenant": tenant is not None,
            "of_type": bool(type) and not below,
            "of_types_below": below,
        }
        names = [name for name, on in wanted.items() if on] or ["all"]
        sql = PROJECTIONS_SQL["domain_events"].replace(
            "{where}", " AND ".join(PROJECTIONS_SQL[name] for name in names)
        )
        name = type.removesuffix("*")
        values = {"tenant": tenant, "type": name, "beyond": name[:-1] + "/", "after": after, "limit": limit}
        return self._reader.published(sql.replace("{order}", "DESC" if newest else "ASC"), values)

    def close(self) -> None:
        """Release the file. Closing twice is harmless."""
        self._reader.close()


def _padded(keys: Sequence[bytes]) -> list[bytes]:
    """As many as the next power of two, so that few statements have to be prepared."""
    length = 1 << (len(keys) - 1).bit_length()
    return [*keys, *[b""] * (length - len(keys))]
