"""Taking what events say out of the journal's file, and putting it back, so that every chain still verifies.

An archived event leaves a blank behind: position, stream, version, predecessor and digest stay, the body is
empty. So no position is missing, heads and anchor hold as before, and an event in the journal says which
streams may be blank, with the digest over what has to be left of each.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from dirigent.domain.errors import JournalDamaged
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.archive_file import StoredStream
from dirigent.storage.sqlite.codec import references
from dirigent.storage.sqlite.database import DATABASE, SQL, connect_writer
from dirigent.storage.sqlite.folding import refold
from dirigent.storage.sqlite.reading import Reader, damaged


def stored_streams(
    folder: Path, names: Sequence[str], key: FolderKey | None = None
) -> Iterator[StoredStream]:
    """Streams as they stand, each read and verified; raises `JournalDamaged` where one is not whole."""
    with closing(Reader(folder / DATABASE, key)) as reader:
        for name in names:
            yield _stored(reader, name)


def chain_name(folder: Path, key: FolderKey | None = None) -> bytes:
    """What the chains of a journal begin with besides the names of the streams."""
    with closing(Reader(folder / DATABASE, key)) as reader:
        found: bytes = reader.rows(SQL["chain_name"], ())[0][0]
        return found


def blank_streams(folder: Path, streams: Iterable[StoredStream], key: FolderKey | None = None) -> int:
    """Take out what the events of streams say; returns how many. All of it happens, or nothing.

    The caller has seen to it that the streams are in an archive file and that the journal says so. Blank
    events are left alone, so it may be done again.
    """
    taken = 0
    with _changing(folder, key) as connection:
        freed: set[bytes] = set()
        for stream in streams:
            for position, _, body, digest in stream.rows:
                connection.execute(SQL["blank"], (position, digest))
                taken += connection.changes()
                freed.update(references(body))
        freed.difference_update(_still_named(connection))
        connection.executemany(SQL["drop_payload"], [(key,) for key in freed])
        refold(connection)
    return taken


def fill_streams(folder: Path, streams: Iterable[StoredStream], key: FolderKey | None = None) -> int:
    """Put back what blank events said; returns how many. All of it happens, or nothing.

    Raises `JournalDamaged` where the journal has other events in these places.
    """
    filled = 0
    with _changing(folder, key) as connection:
        for stream in streams:
            for position, version, body, digest in stream.rows:
                kept: Any = connection.execute(SQL["row"], (position,)).fetchall()
                if [row[1:3] + row[5:6] for row in kept] != [(stream.id, version, digest)]:
                    raise damaged(stream.name, version, "the journal has another event in its place")
                connection.execute(SQL["fill"], (body, position))
                filled += connection.changes()
            connection.executemany(SQL["keep_payload"], stream.payloads.items())
        refold(connection)
    return filled


@contextlib.contextmanager
def _changing(folder: Path, key: FolderKey | None) -> Iterator[apsw.Connection]:
    """One transaction in which events may be changed; the guard is back at its end."""
    with closing(connect_writer(folder / DATABASE, key)) as connection:
        with connection:
            connection.execute(SQL["lift_guard"])
            yield connection
            connection.execute(SQL["guards"])
        connection.wal_checkpoint()


def _stored(reader: Reader, name: str) -> StoredStream:
    reader.events(name, 0)  # verifies
    head = reader.head(name)
    if head is None:
        raise JournalDamaged(f"There is no stream {name!r}.", streams=(name,), fix="Nothing was changed.")
    rows = reader.rows(SQL["stream"], {"last": head.last, "after": 0})[::-1]
    named = dict.fromkeys(key for row in rows for key in references(row[3]))
    payloads = {key: reader.rows(SQL["payload"], (key,))[0][0] for key in named}
    kept = tuple((position, version, body, digest) for position, _, version, body, digest in rows)
    return StoredStream(name=name, id=head.id, rows=kept, payloads=payloads)


def _still_named(connection: apsw.Connection) -> Iterator[bytes]:
    for (body,) in connection.execute(SQL["bodies_with_payloads"]):
        yield from references(body)
