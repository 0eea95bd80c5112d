"""A table in a file that another system writes: CSV, JSON or a JSON object a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from dirigent.domain.errors import InvalidInput, TransientError
from dirigent.ports import Change, Changes

FILE_BYTES_MAX = 64 * 1024 * 1024
UNREADABLE_MAX = 20
SUFFIXES = (".csv", ".json", ".jsonl")


class ChangesFile:
    """The port `ChangeSource` over a file, read anew when it has changed.

    `id` and `changed` are columns: what names a row, and when it changed, as a whole number or as a time
    (RFC 3339; without an offset it is UTC).
    """

    def __init__(self, file: Path, *, id: str, changed: str) -> None:
        self._file = file
        self._id = id
        self._changed = changed
        self._read: Changes | None = None
        self._stamp = (0, 0)

    def changed(self, since: int) -> Changes:
        """Raises `InvalidInput` for what is no table, `TransientError` where the file cannot be read."""
        try:
            stat = self._file.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if self._read is None or stamp != self._stamp:
                self._read, self._stamp = self._table(stat.st_size), stamp
        except OSError as error:
            fix = "It is tried again; see whether the other system still writes it."
            raise TransientError(f"{self._file} cannot be read: {error.strerror}.", fix=fix) from error
        found = self._read
        later = tuple(change for change in found.changes if change.mark >= since)
        return Changes(changes=later, unreadable=found.unreadable)

    def _table(self, size: int) -> Changes:
        if size > FILE_BYTES_MAX:
            raise InvalidInput(f"{self._file} is larger than {FILE_BYTES_MAX // 1024**2} MB.")
        changes, unreadable = [], []
        for number, row in enumerate(self._rows(), start=1):
            try:
                changes.append(self._change(row))
            except ValueError as error:
                unreadable.append(f"row {number}: {error}")
        changes.sort(key=lambda change: change.mark)
        return Changes(changes=tuple(changes), unreadable=tuple(unreadable[:UNREADABLE_MAX]))

    def _rows(self) -> Iterator[Any]:
        content = self._file.read_bytes()
        try:
            if self._file.suffix == ".csv":
                text = io.StringIO(content.decode("utf-8-sig"), newline="")
                yield from csv.DictReader(text, strict=True, restkey="", restval="")
            elif self._file.suffix == ".jsonl":
                for line in content.splitlines():
                    if line.strip():
                        yield msgspec.json.decode(line)
            else:
                yield from msgspec.json.decode(content, type=list[Any])
        except (UnicodeDecodeError, csv.Error, msgspec.MsgspecError) as error:
            raise InvalidInput(f"{self._file} is not a table: {error}.") from error

    def _change(self, row: Any) -> Change:
        if not isinstance(row, Mapping):
            raise ValueError(f"{row!r:.40} is not a row")
        name = row.get(self._id)
        if name in (None, "") or not isinstance(name, str | int):
            raise ValueError(f"it has no {self._id}")
        return Change(id=str(name), mark=_mark(self._changed, row.get(self._changed)), row=row)


def _mark(column: str, value: Any) -> int:
    """A whole number as it is; a time in microseconds since the epoch."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else ""
    try:
        if text.isdecimal():
            return int(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{column} is {value!r:.40}, expected a time or a whole number") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)
