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
    """The port `ChangeSource` over a file, read when it has changed; its rows are not kept.

    `id` and `changed` are columns: what names a row, and when it changed, as a whole number or as a time
    (RFC 3339; without an offset it is UTC).
    """

    def __init__(self, file: Path, *, id: str, changed: str) -> None:
        self._file = file
        self._id = id
        self._changed = changed
        self._stamp = (0, 0)
        self._newest: int | None = None

    def changed(self, since: int) -> Changes:
        """Raises `InvalidInput` for what is no table, `TransientError` where the file cannot be read."""
        try:
            stat = self._file.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if stamp == self._stamp and self._newest is not None and since >= self._newest:
                return Changes()
            found = self._read(since, stat.st_size)
        except OSError as error:
            fix = "It is tried again; see whether the other system still writes it."
            raise TransientError(f"{self._file} cannot be read: {error.strerror}.", fix=fix) from error
        self._stamp = stamp
        return found

    def _read(self, since: int, size: int) -> Changes:
        if size > FILE_BYTES_MAX:
            raise InvalidInput(f"{self._file} is larger than {FILE_BYTES_MAX // 1024**2} MB.")
        changes, unreadable, newest = [], [], 0
        for number, row in enumerate(self._rows(), start=1):
            try:
                change = self._change(row)
            except ValueError as error:
                unreadable.append(f"row {number}: {error}")
                continue
            newest = max(newest, change.mark)
            if change.mark >= since:
                changes.append(change)
        changes.sort(key=lambda change: change.mark)
        self._newest = newest
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
