"""The audit store on SQLite: durable before the job is settled, shared by processes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import apsw
import msgspec

from dirigent.domain.event import AnyEvent
from dirigent.domain.run import RunRecord
from dirigent.ports import Clock
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.failures import storage_errors
from dirigent.storage.sqlite.group_commit import GroupCommit
from dirigent.storage.sqlite.shared_file import connect_shared, connect_shared_reader
from dirigent.storage.statements import load_statements

FORMAT = 1

_SQL = load_statements("dirigent.storage.sqlite", "audit.sql")
_record = msgspec.json.Decoder(RunRecord)
_events: msgspec.json.Decoder[dict[str, tuple[AnyEvent, ...]]] = msgspec.json.Decoder(
    dict[str, tuple[AnyEvent, ...]]
)


class SqliteAudit:
    """`AuditStore` over one SQLite file, which it makes where there is none. Any thread may call."""

    def __init__(self, path: Path, clock: Clock, *, key: FolderKey | None = None) -> None:
        self._path = str(path)
        self._clock = clock
        self._reading = threading.Lock()
        with storage_errors(self._path):
            self._group = GroupCommit(path, connect_shared(path, _SQL["schema"], FORMAT, key))
            self._reader = connect_shared_reader(path, key)

    def keep(self, record: RunRecord) -> None:
        """Put one attempt at a run on record; returns when it is on stable storage."""
        bare = msgspec.structs.replace(record, events={})
        key = (record.trace_id, record.attempt, record.run_id, record.tenant, record.flow, record.ended_at)
        row = (*key, msgspec.json.encode(bare), msgspec.json.encode(record.events))

        def insert(connection: apsw.Connection) -> None:
            connection.execute(_SQL["keep"], row)

        self._group.run(insert)

    def attempts(self, run_id: str) -> list[RunRecord]:
        """Every attempt at a run, in order."""
        return [_whole(*row) for row in self._rows("attempts", (run_id,))]

    def runs(self, *, tenant: str = "", flow: str = "", limit: int = 100) -> list[RunRecord]:
        """The latest attempt at each run, latest run first, without its events."""
        asked = {"tenant": tenant, "flow": flow, "limit": max(limit, 0)}
        return [_record.decode(row[0]) for row in self._rows("runs", asked)]

    def purge(self, older_than: float) -> int:
        """Forget runs that ended so many seconds ago."""
        before = self._clock.now_ms() - round(older_than * 1000)

        def forget(connection: apsw.Connection) -> int:
            connection.execute(_SQL["purge"], (before,))
            return connection.changes()

        return self._group.run(forget)

    def close(self) -> None:
        """Release the file. Closing twice is harmless."""
        self._group.close()
        with self._reading:
            self._reader.close()

    def _rows(self, statement: str, values: Any) -> list[Any]:
        with self._reading, storage_errors(self._path):
            return self._reader.execute(_SQL[statement], values).fetchall()


def _whole(record: bytes, events: bytes) -> RunRecord:
    return msgspec.structs.replace(_record.decode(record), events=_events.decode(events))
