"""Whether damage was noticed, named and kept to what it hit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campaigns.disk.specimen import Rows, Specimen, read_tables
from dirigent.domain.errors import StorageFailure
from dirigent.domain.event import Event
from dirigent.ports import Damage
from dirigent.storage.sqlite.journal import SqliteJournal, verify_folder

WHOLE = "(journal)"

Verify = Callable[[Path], tuple[Damage, ...]]


@dataclass
class Tally:
    """What came of the damages."""

    trials: int = 0
    changed: int = 0
    refused: int = 0
    set_apart: int = 0
    violations: list[str] = field(default_factory=list)


def findings(folder: Path) -> tuple[Damage, ...]:
    """What verifying finds; a journal that cannot even be verified is one finding."""
    try:
        return verify_folder(folder).damages
    except StorageFailure as error:
        return (Damage(stream=WHOLE, version=None, reason=str(error)),)


@dataclass(frozen=True)
class _Hit:
    """What damage changed: events by stream and version, streams, and whether anything at all."""

    anything: bool
    events: frozenset[tuple[str, int]] = frozenset()
    streams: frozenset[str] = frozenset()
    readable: bool = True


class Judge:
    """Lays every damaged copy beside its specimen."""

    def __init__(self, specimen: Specimen, tally: Tally, verify: Verify = findings) -> None:
        self._specimen = specimen
        self._tally = tally
        self._verify = verify

    async def look(self, folder: Path, what: str) -> None:
        """Verify, open and read one damaged folder; whatever is not as promised is a violation."""
        self._tally.trials += 1
        try:
            wrong = await self._wrong(folder)
        except Exception as error:  # whatever is raised here, a user would have seen it too
            wrong = [f"{type(error).__name__} came out of it: {error}"]
        self._tally.violations += [f"S4 {what}: {text}" for text in wrong]

    async def _wrong(self, folder: Path) -> list[str]:
        tally = self._tally
        found = self._verify(folder)
        refused, raised, silent = await self._read(folder)
        hit = self._hit(folder)
        tally.changed += hit.anything
        tally.refused += refused
        tally.set_apart += bool(raised)
        wrong = [
            *self._unnoticed(hit, found),
            *([] if refused else self._overdone(hit, raised, found)),
            *(f"{name} reads as something else" for name in sorted(silent)),
        ]
        if (refused or raised) and not found:
            wrong.append("it was refused, yet verifying finds nothing")
        if hit.anything and found and not self._verify(folder):
            wrong.append("what had been found was gone after opening: repaired without a word")
        return wrong

    def _unnoticed(self, hit: _Hit, found: tuple[Damage, ...]) -> Iterator[str]:
        if hit.anything and not found:
            yield "it changed what is stored, and nothing was found"
        named = {(damage.stream, damage.version) for damage in found}
        if not hit.readable or any(stream == WHOLE for stream, _ in named):
            return
        for stream, version in sorted(hit.events):
            if (stream, version) not in named:
                yield f"version {version} of {stream} was changed, and the report does not name it"

    def _overdone(self, hit: _Hit, raised: set[str], found: tuple[Damage, ...]) -> Iterator[str]:
        """Only what is damaged is set apart; what cannot be read at all is named at least."""
        for stream in sorted(raised - hit.streams):
            if hit.readable or stream not in {damage.stream for damage in found}:
                yield f"{stream} is set apart, and nothing of it was changed"

    async def _read(self, folder: Path) -> tuple[bool, set[str], set[str]]:
        """Whether opening was refused, which streams raise, and which are silently something else."""
        try:
            journal = SqliteJournal.open(folder)
        except StorageFailure:
            return True, set(), set()
        raised: set[str] = set()
        silent: set[str] = set()
        try:
            for name, events in self._specimen.truth.items():
                found = _read_twice(journal, name)
                if found is None:
                    raised.add(name)
                elif found != events:
                    silent.add(name)
        finally:
            await journal.close()
        return False, raised, silent

    def _hit(self, folder: Path) -> _Hit:
        after = read_tables(folder)
        if after is None:
            return _Hit(anything=True, readable=False)
        before = self._specimen.tables
        changed = {table: _differing(before[table], after[table]) for table in before}
        events = {self._specimen.place(position) for position in changed["events"] & before["events"].keys()}
        streams = {stream for stream, _ in events} | self._streams_hit(changed, after)
        return _Hit(any(changed.values()), frozenset(events), frozenset(streams))

    def _streams_hit(self, changed: Mapping[str, set[Any]], after: Mapping[str, Rows]) -> set[str]:
        """Streams whose head, name or payloads were changed, or whose events are not found for certain.

        Two may stand at one position after a damage; then either is found.
        """
        before, specimen = self._specimen.tables, self._specimen
        hashes = {before["payloads"][row][1] for row in changed["payloads"] & before["payloads"].keys()}
        listed = [tables["index"].get(place) for place in changed["index"] for tables in (before, after)]
        return {
            *(specimen.name(id) for id in changed["streams"] & before["streams"].keys()),
            *(after["streams"][id][1] for id in changed["streams"] & after["streams"].keys()),
            *(specimen.place(position)[0] for position in changed["positions"] & before["events"].keys()),
            *(specimen.place(position)[0] for position in changed["doubled"] & before["events"].keys()),
            *(name for name in changed["names"] if isinstance(name, str)),
            *(row[1] for row in listed if row is not None),
            *self._users_of(hashes | {hash for hash in changed["hashes"] if isinstance(hash, bytes)}),
        }

    def _users_of(self, hashes: set[bytes]) -> set[str]:
        """The streams whose events name one of these payloads."""
        named = [hash.hex().encode() for hash in hashes]
        return {
            self._specimen.name(stream)
            for _, stream, _, _, body, _ in self._specimen.tables["events"].values()
            if any(hash in body for hash in named)
        }


def _read_twice(journal: SqliteJournal, stream: str) -> list[Event] | None:
    """The events of a stream; None where they cannot be read.

    SQLite refuses a page with an odd pointer when it is first read and not after that: what then verifies
    was not damaged.
    """
    for _ in range(2):
        with contextlib.suppress(StorageFailure):
            return journal.read(stream)
    return None


def _differing(before: Rows, after: Rows) -> set[Any]:
    return {key for key in before.keys() | after.keys() if not _same(before.get(key), after.get(key))}


def _same(one: tuple[Any, ...] | None, other: tuple[Any, ...] | None) -> bool:
    return one == other and _types(one) == _types(other)


def _types(row: tuple[Any, ...] | None) -> list[type]:
    return [type(value) for value in row or ()]


def only_integrity_check(folder: Path) -> tuple[Damage, ...]:
    """A verification that trusts SQLite alone, for a control: SQLite keeps no checksums."""
    return tuple(damage for damage in findings(folder) if damage.reason.startswith("SQLite finds"))
