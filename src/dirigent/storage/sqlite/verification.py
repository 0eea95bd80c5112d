"""Verifying the whole journal: every digest, link, gap and payload, the anchor, and what is read from it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from typing import Any

import apsw
import msgspec

from dirigent.domain.archive_event import ARCHIVES, ArchivedStream, archived_by
from dirigent.domain.errors import StorageFailure
from dirigent.domain.event import Event
from dirigent.ports import Damage, Verification
from dirigent.storage.sqlite.anchor import Sighting
from dirigent.storage.sqlite.archive_file import row_bytes
from dirigent.storage.sqlite.chain import genesis, linked
from dirigent.storage.sqlite.codec import references, restore
from dirigent.storage.sqlite.comparison import differences
from dirigent.storage.sqlite.database import SQL, journal_name
from dirigent.storage.sqlite.reading import DAMAGED

PAGE_EVENTS = 2000
WHOLE_JOURNAL = "(journal)"

_TYPES = [int, int, int, int, bytes, bytes]
_UNREADABLE = (*DAMAGED, apsw.IOError)


class _Stream:
    """One stream while its events pass by: what its head says, and what has been seen.

    `blanks` is how many of its events were left blank, `rows` the digest over these.
    """

    __slots__ = ("blanks", "digest", "last", "name", "position", "rows", "seen", "ties", "version")

    def __init__(self, name: str, start: bytes, version: int, last: int, digest: bytes) -> None:
        self.name = name
        self.version = version
        self.last = last
        self.digest = digest
        self.seen = 0
        self.position = 0
        self.ties: tuple[bytes, ...] = (start,)
        self.blanks = 0
        self.rows = sha256()


def verify(connection: apsw.Connection, sighting: Sighting) -> Verification:
    """Check everything a connection sees against itself and against the anchor, read before."""
    return _Audit(connection).run(sighting)


class _Audit:
    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._damages: dict[Damage, None] = {}
        self._streams: dict[int, _Stream] = {}
        self._payloads: dict[bytes, str] = {}
        self._events = 0
        self._position = 0
        self._anchored = b""
        self._chain_name = b""
        self._archives: list[Event] = []

    def run(self, sighting: Sighting) -> Verification:
        self._connection.execute(SQL["snapshot"])
        try:
            self._check(sighting)
        finally:
            with contextlib.suppress(apsw.Error):  # nothing was written; a damaged file may refuse even this
                self._connection.execute(SQL["rollback"])
        found = tuple(self._damages)
        return Verification(events=self._events, streams=len(self._streams), damages=found)

    def _check(self, sighting: Sighting) -> None:
        with contextlib.suppress(*_UNREADABLE):  # what is wrong with it is said beside the anchor
            found = self._connection.execute(SQL["chain_name"]).get
            self._chain_name = found if isinstance(found, bytes) else b""
        self._load_streams()
        anchored = sighting.anchor.position if sighting.anchor is not None else 0
        for row in self._rows(max([anchored, *(stream.last for stream in self._streams.values())])):
            self._pass(row)
            if row[0] == anchored:
                self._anchored = row[5]
        self._check_heads()
        self._check_blanks()
        self._check_names()
        self._check_payloads()
        self._check_anchor(sighting)
        self._check_projections()
        self._check_pages()

    def _report(self, stream: str, version: int | None, reason: str) -> None:
        self._damages[Damage(stream=stream, version=version, reason=reason)] = None

    # --- streams: the second record of every head ---

    def _load_streams(self) -> None:
        try:
            for id, name, *head in self._connection.execute(SQL["heads"]):
                self._streams[id] = self._stream(id, name, head)
        except _UNREADABLE as error:
            self._report(WHOLE_JOURNAL, None, f"the list of streams cannot be read to its end ({error})")
            self._load_by_name()

    def _load_by_name(self) -> None:
        """Take in the streams that the list did not give, as far as the index knows their names."""
        with contextlib.suppress(*_UNREADABLE):
            for id, name in self._connection.execute(SQL["names"]):
                if id not in self._streams:
                    self._streams[id] = self._stream(id, name, self._head_at(id))

    def _head_at(self, id: Any) -> list[Any]:
        with contextlib.suppress(*_UNREADABLE):
            for head in self._connection.execute(SQL["head_at"], (id,)):
                return list(head)
        return []

    def _stream(self, id: Any, name: Any, head: list[Any]) -> _Stream:
        known = name.decode(errors="replace") if isinstance(name, bytes) else f"#{id}"
        if not isinstance(name, bytes) or [type(value) for value in head] != [int, int, bytes]:
            self._report(known, None, "its head is unreadable")
            head = [0, 0, b""]
        return _Stream(known, genesis(known, self._chain_name), *head)

    def _check_heads(self) -> None:
        for stream in self._streams.values():
            if stream.seen < stream.version:
                self._missing(stream, stream.seen + 1, stream.version)
            elif (stream.seen, stream.position) != (stream.version, stream.last):
                self._report(stream.name, stream.seen, "its head does not name its last event")
            elif stream.digest not in stream.ties:
                self._report(stream.name, stream.version, "its head does not match its last digest")

    def _check_names(self) -> None:
        """Look every stream up as reading does: a page of names may lead astray to its neighbours as well."""
        for id, stream in self._streams.items():
            if not self._leads_to(stream.name, id):
                self._report(stream.name, None, "it cannot be found by its name")
        try:
            for (name,) in self._connection.execute(SQL["strange_names"]):
                self._report(_text(name), None, "its name leads to no stream")
        except _UNREADABLE as error:
            self._report(WHOLE_JOURNAL, None, f"the names of the streams cannot be read ({error})")

    def _leads_to(self, name: str, id: Any) -> bool:
        try:
            found = self._connection.execute(SQL["head"], (name,)).fetchall()
        except _UNREADABLE:
            return False
        return [row[0] for row in found] == [id]

    # --- events, in the order of their positions ---

    def _rows(self, until: int) -> Iterator[Any]:
        after: Any = 0
        while (page := self._page(after)) or page is None:
            if page is None:
                last = min(after + PAGE_EVENTS, until)
                page = list(self._one_by_one(after + 1, last))
            else:
                last = page[-1][0]
            yield from page
            if last <= after:
                return
            after = last

    def _page(self, after: int) -> list[Any] | None:
        """The next rows; None where they cannot be read, or not in their order."""
        try:
            page = self._connection.execute(SQL["rows"], (after, PAGE_EVENTS)).fetchall()
        except _UNREADABLE:
            return None
        positions: list[Any] = [after, *(row[0] for row in page)]
        in_order = all(first < second for first, second in pairwise(positions))
        return page if in_order else None

    def _one_by_one(self, first: int, last: int) -> Iterator[Any]:
        lost: list[int] = []
        for position in range(first, last + 1):
            try:
                yield from self._connection.execute(SQL["row"], (position,)).fetchall()
            except _UNREADABLE:
                lost.append(position)
        if lost:
            reason = f"{len(lost)} events between positions {lost[0]} and {lost[-1]} cannot be read"
            self._report(WHOLE_JOURNAL, None, reason)

    def _pass(self, row: Any) -> None:
        self._events += 1
        if [type(value) for value in row] != _TYPES:
            self._report(self._name(row[1]), None, f"position {row[0]} holds no event")
            return
        position, id, version, previous, body, _ = row
        if position != self._position + 1:
            self._report(WHOLE_JOURNAL, None, f"positions {self._position + 1} to {position - 1} are missing")
        self._position = position
        stream = self._streams.get(id)
        if stream is None:
            self._report(f"#{id}", version, f"position {position} belongs to no stream")
        elif self._continues(stream, id, version, previous):
            self._check_event(stream, row)
            self._check_references(stream, version, body)
            stream.position = position

    def _continues(self, stream: _Stream, id: int, version: int, previous: int) -> bool:
        """Whether an event is one of the stream at all; says what is wrong with its place there."""
        expected = stream.seen + 1
        if previous == stream.position:
            if version != expected:
                self._report(stream.name, expected, f"it is numbered {version}")
        elif version == expected:
            self._report(stream.name, version, "it names the wrong predecessor")
        elif self._stream_at(previous) not in (id, None):
            self._report(stream.name, version, "an event of another stream claims to be one of this")
            return False
        else:
            self._missing(stream, expected, version - 1)
            stream.seen, stream.ties = version - 1, ()
            return True
        stream.seen = expected - 1
        return True

    def _check_event(self, stream: _Stream, row: Any) -> None:
        position, id, version, _, body, digest = row
        stream.seen += 1
        if body == b"":
            stream.blanks += 1
            stream.rows.update(row_bytes(position, version, digest))
            stream.ties = (digest,)
            return
        expected = [linked(tie, position, id, version, body) for tie in stream.ties]
        if stream.ties and digest not in expected:
            self._report(stream.name, stream.seen, "it does not match its digest")
        elif stream.name == ARCHIVES:
            self._note_archive(body)
        # After damage the next event may be tied to what is stored or to what should be.
        stream.ties = tuple({digest, *(tie for tie in expected if tie is not None)})

    def _note_archive(self, body: bytes) -> None:
        with contextlib.suppress(LookupError, ValueError, TypeError, msgspec.MsgspecError, *_UNREADABLE):
            self._archives.append(restore(body, self._payload))

    def _payload(self, key: bytes) -> bytes:
        content: Any = self._connection.execute(SQL["payload"], (key,)).get
        if not isinstance(content, bytes) or sha256(content).digest() != key:
            raise LookupError(key.hex())
        return content

    def _check_blanks(self) -> None:
        """A stream may be blank where the journal says that it went into an archive, and then as a whole."""
        told = {name: stream for name, (_, stream) in archived_by(self._archives).items()}
        for stream in self._streams.values():
            if not stream.blanks:
                continue
            left = ArchivedStream(
                name=stream.name,
                version=stream.blanks,
                digest=stream.digest.hex(),
                rows=stream.rows.hexdigest(),
            )
            if stream.name not in told:
                self._report(stream.name, None, "it is blank and was never archived")
            elif left != told[stream.name] or stream.blanks != stream.version:
                self._report(stream.name, None, "what is left of it is not what was archived")

    def _missing(self, stream: _Stream, first: int, last: int) -> None:
        which = f"versions {first} to {last} are missing" if last > first else "it is missing"
        self._report(stream.name, first, which)

    def _stream_at(self, position: int) -> int | None:
        try:
            found = self._connection.execute(SQL["stream_of"], (position,)).get
        except _UNREADABLE:
            return None
        return found if isinstance(found, int) else None

    def _name(self, id: Any) -> str:
        return self._streams[id].name if id in self._streams else f"#{id}"

    # --- payloads ---

    def _check_references(self, stream: _Stream, version: int, body: bytes) -> None:
        try:
            named = list(references(body))
        except (msgspec.MsgspecError, ValueError, KeyError):
            return  # the digest has told already that this is not what was written
        for key in named:
            if key not in self._payloads:
                self._payloads[key] = self._payload_fault(key)
            if self._payloads[key]:
                self._report(stream.name, version, self._payloads[key])

    def _payload_fault(self, key: bytes) -> str:
        try:
            content: Any = self._connection.execute(SQL["payload"], (key,)).get
        except _UNREADABLE as error:
            return f"the payload {key.hex()[:12]} cannot be read ({error})"
        if content is None:
            return f"the payload {key.hex()[:12]} is missing"
        whole = isinstance(content, bytes) and sha256(content).digest() == key
        return "" if whole else f"the payload {key.hex()[:12]} does not match its hash"

    def _check_payloads(self) -> None:
        """Every one, and whether one can be asked for at all, as reading asks: the next may be the first."""
        try:
            self._connection.execute(SQL["payload"], (b"",)).fetchall()
            for rowid, key in self._connection.execute(SQL["payload_hashes"]):
                if self._payloads.get(key) != "":
                    self._check_unnamed_payload(rowid, key)
        except _UNREADABLE as error:
            self._report(WHOLE_JOURNAL, None, f"the payloads cannot be read to their end ({error})")

    def _check_unnamed_payload(self, rowid: int, key: Any) -> None:
        content = self._connection.execute(SQL["payload_at"], (rowid,)).get
        if not isinstance(content, bytes) or sha256(content).digest() != key:
            self._report(WHOLE_JOURNAL, None, f"payload {rowid} does not match its hash")

    # --- the anchor and the file as a whole ---

    def _check_anchor(self, sighting: Sighting) -> None:
        anchor = sighting.anchor
        if sighting.problem and (self._events or anchor is not None):
            self._report(WHOLE_JOURNAL, None, sighting.problem)
        if anchor is None:
            return
        if anchor.unvouched:
            reason = f"no anchor vouches for positions 1 to {anchor.unvouched}: the anchor had been lost"
            self._report(WHOLE_JOURNAL, None, reason)
        if anchor.journal != self._journal_name():
            self._report(WHOLE_JOURNAL, None, "the anchor belongs to another journal")
        elif anchor.position > self._position:
            reason = f"the tail was cut: positions {self._position + 1} to {anchor.position} are missing"
            self._report(WHOLE_JOURNAL, None, reason)
        elif anchor.position and self._anchored != anchor.digest:
            self._report(WHOLE_JOURNAL, None, f"position {anchor.position} is not what the anchor saw there")
        if anchor.streams > len(self._streams):
            reason = f"{anchor.streams - len(self._streams)} of {anchor.streams} streams are missing"
            self._report(WHOLE_JOURNAL, None, reason)

    def _journal_name(self) -> bytes:
        try:
            return journal_name(self._connection)
        except (*_UNREADABLE, StorageFailure) as error:
            self._report(WHOLE_JOURNAL, None, f"the journal does not say which it is ({error})")
            return b""

    def _check_projections(self) -> None:
        try:
            for difference in differences(self._connection):
                self._report(WHOLE_JOURNAL, None, difference)
        except _UNREADABLE as error:
            self._report(WHOLE_JOURNAL, None, f"the projections cannot be compared ({error})")

    def _check_pages(self) -> None:
        try:
            for (finding,) in self._connection.execute(SQL["integrity"]):
                if finding != "ok":
                    self._report(WHOLE_JOURNAL, None, f"SQLite finds: {finding}")
        except _UNREADABLE as error:
            self._report(WHOLE_JOURNAL, None, f"SQLite finds: {error}")


def _text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)
