"""Reading the journal: nothing is handed out that does not verify."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw
import msgspec

from dirigent.domain.archive_event import ARCHIVES, ArchivedStream, ExecutionsArchived, archived_by
from dirigent.domain.errors import DirigentError, JournalDamaged, NotFound, StorageFailure
from dirigent.domain.event import Event
from dirigent.ports import Recorded
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.chain import genesis, linked
from dirigent.storage.sqlite.codec import restore
from dirigent.storage.sqlite.database import SQL, connect_reader

# What a damaged page can raise while its rows are read.
DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, UnicodeDecodeError)


class Head:
    """Where a stream ends: the version, position and digest of its last event; a new one has no id yet."""

    __slots__ = ("digest", "id", "last", "version")

    def __init__(self, id: int, version: int, last: int, digest: bytes) -> None:
        self.id = id
        self.version = version
        self.last = last
        self.digest = digest


def damaged(stream: str, version: int | None, reason: str) -> JournalDamaged:
    """What is raised where a stream does not verify."""
    at = f" at version {version}" if version is not None else ""
    return JournalDamaged(
        f"Stream {stream!r} is damaged{at}: {reason}.",
        streams=(stream,),
        fix="Nothing was repaired. `verify` lists all damage; restore the folder from a backup.",
    )


def archived(stream: str) -> NotFound:
    """What is raised where a stream is in an archive."""
    error = NotFound(f"{stream!r} is in an archive.", code="execution_archived")
    error.fix = f"dirigent archive show {stream}; dirigent archive restore {stream} brings it back."
    return error


class Reader:
    """Reads what is durable. Any thread may call; calls take turns."""

    def __init__(self, path: Path, key: FolderKey | None = None) -> None:
        self._connection = connect_reader(path, key)
        self._lock = threading.Lock()
        self._closed = False
        self._chain_name: bytes | None = None
        self._archived: dict[str, tuple[ExecutionsArchived, ArchivedStream]] | None = None

    def genesis(self, stream: str) -> bytes:
        """What the first event of a stream is tied to in this journal."""
        if self._chain_name is None:
            found = self._row("(journal)", "chain_name", ())
            if found is None or not isinstance(found[0], bytes):
                raise damaged("(journal)", None, "it does not say which journal it is")
            self._chain_name = found[0]
        return genesis(stream, self._chain_name)

    def head(self, stream: str) -> Head | None:
        """The head of a stream, compared with the event it names; None when there is no such stream."""
        row = self._row(stream, "head", (stream,))
        if row is None:
            return None
        id, version, last, digest, *of_event = row
        if of_event != [id, version, digest]:
            raise damaged(stream, None, "its last event is not the one on record")
        return Head(id, version, last, digest)

    def events(self, stream: str, after: int) -> list[Event]:
        """The events of a stream after a version."""
        head = self.head(stream)
        if head is None or after >= head.version:
            return []
        rows = self._rows(stream, "stream", {"last": head.last, "after": after})[::-1]
        before = self.genesis(stream)
        if after:
            _, _, first, _, before = rows.pop(0)
            if first != after:
                raise damaged(stream, after, "the event is missing")
        return self._verified(stream, head, after, before, rows)

    def tail(self, after: int, limit: int) -> list[Recorded]:
        """Events of all streams after a position, up to the first that does not verify; that one raises."""
        found: list[Recorded] = []
        seen = after
        while True:
            rows = self._rows("(journal)", "tail", (seen, limit))
            for row in rows:
                seen += 1
                try:
                    if row[3] != b"" or not self._left_blank(seen, row):
                        found.append(self._recorded(seen, row))
                except JournalDamaged:
                    if not found:
                        raise
                    return found
            if found or len(rows) < limit:
                return found

    def published(self, sql: str, values: Mapping[str, Any]) -> list[Recorded]:
        """The events that a statement with the columns of `tail` finds; one that does not verify raises."""
        return [self._recorded(row[0], row) for row in self._found("(journal)", sql, values)]

    def rows(self, sql: str, values: Sequence[Any] | Mapping[str, Any]) -> list[Any]:
        """What a statement over the projections finds."""
        return self._found("(journal)", sql, values)

    def archived(self) -> dict[str, tuple[ExecutionsArchived, ArchivedStream]]:
        """The streams that are in an archive and blank here, by name."""
        return archived_by(self.events(ARCHIVES, 0))

    def streams(self, folder: str) -> list[str]:
        """The names of the streams below one, such as `consumers` for `consumers/agents`."""
        rows = self._rows("(journal)", "names_between", (f"{folder}/", f"{folder}0"))
        return [name for (name,) in rows]

    def position(self) -> int:
        """The last durable position."""
        found: int = self._rows("(journal)", "last_position", ())[0][0]
        return found

    def close(self) -> None:
        """Release the file. Closing twice is harmless."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def _verified(
        self, stream: str, head: Head, after: int, before: bytes, rows: Sequence[Any]
    ) -> list[Event]:
        events: list[Event] = []
        expected = after
        for position, id, version, body, digest in rows:
            expected += 1
            if version != expected or id != head.id:
                raise damaged(stream, expected, "the event is missing")
            if linked(before, position, id, version, body) != digest:
                raise self._unreadable(stream, version, body)
            events.append(self._event(stream, version, body))
            before = digest
        if expected != head.version:
            raise damaged(stream, expected + 1, "the event is missing")
        return events

    def _unreadable(self, stream: str, version: int, body: bytes) -> DirigentError:
        if body == b"" and stream in self.archived():
            return archived(stream)
        return damaged(stream, version, "the event does not match its digest")

    def _left_blank(self, expected: int, row: Sequence[Any]) -> bool:
        """Whether an event was taken out into an archive."""
        name = row[5].decode(errors="replace") if isinstance(row[5], bytes) else ""
        if self._archived is None or name not in self._archived:
            self._archived = self.archived()
        return row[0] == expected and name in self._archived

    def _recorded(self, expected: int, row: Sequence[Any]) -> Recorded:
        position, id, version, body, digest, name, before = row
        if position != expected:
            raise damaged("(journal)", None, f"the event at position {expected} is missing")
        if not isinstance(name, bytes):
            raise damaged(f"#{id}", None, f"position {position} belongs to no stream")
        stream = name.decode(errors="replace")
        start = self.genesis(stream) if version == 1 else before
        if start is None or linked(start, position, id, version, body) != digest:
            raise damaged(stream, version, "the event does not match its digest")
        event = self._event(stream, version, body)
        return Recorded(position=position, stream=stream, version=version, event=event, digest=digest)

    def _event(self, stream: str, version: int, body: bytes) -> Event:
        try:
            return restore(body, self._payload)
        except (LookupError, ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise damaged(stream, version, str(error) or "the event cannot be decoded") from error

    def _payload(self, key: bytes) -> bytes:
        found = self._rows("(journal)", "payload", (key,))
        if not found:
            raise LookupError(f"the payload {key.hex()[:12]} is missing")
        content = found[0][0]
        if not isinstance(content, bytes) or sha256(content).digest() != key:
            raise ValueError(f"the payload {key.hex()[:12]} does not match its hash")
        return content

    def _row(self, stream: str, statement: str, values: Sequence[Any]) -> Sequence[Any] | None:
        rows = self._rows(stream, statement, values)
        return rows[0] if rows else None

    def _rows(self, stream: str, statement: str, values: Any) -> list[Any]:
        return self._found(stream, SQL[statement], values)

    def _found(self, stream: str, sql: str, values: Any) -> list[Any]:
        try:
            with self._lock:
                return self._open.execute(sql, values).fetchall()
        except UnicodeEncodeError:
            return []  # no stream can have such a name
        except DAMAGED as error:
            raise damaged(stream, None, f"it cannot be read ({error})") from error
        except apsw.Error as error:
            raise StorageFailure(f"Reading the journal failed ({error}).", fix="Check the disk.") from error

    @property
    def _open(self) -> apsw.Connection:
        if self._closed:
            raise StorageFailure("The journal is closed.", fix="Open it again.")
        return self._connection
