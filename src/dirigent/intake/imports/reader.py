"""Reading a CSV file, plain or gzip, row by row: nothing of it is kept."""

from __future__ import annotations

import csv
import difflib
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dirigent.domain.errors import InvalidInput
from dirigent.intake.imports.mapping import FileSpec

LINE_CHARS_MAX = 1024 * 1024
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"


class CsvSource:
    """One open CSV file: its header, and its rows with the line each begins on."""

    def __init__(self, raw: io.BufferedReader, spec: FileSpec) -> None:
        self._raw = raw
        self._spec = spec
        self._line = 0
        self._first_line = 1
        self._text = io.TextIOWrapper(self._unpacked(), encoding=self._codec(), newline="")
        self._rows = csv.reader(self._lines(), delimiter=spec.delimiter, strict=True)
        self.header = self._read_header()

    @property
    def bytes_done(self) -> int:
        """How far into the file reading has come."""
        return self._raw.tell()

    def rows(self) -> Iterator[tuple[int, list[str] | str]]:
        """Each row with the number of its first line; for one that cannot be a row, what is wrong with it.

        Empty lines are passed over.
        """
        width = len(self.header)
        with self._readable():
            while (row := self._next_row()) is not None:
                if len(row) == width or isinstance(row, str):
                    yield self._first_line, row
                elif row:
                    yield self._first_line, f"{len(row)} cells where the header has {width}"

    def column(self, name: str) -> int:
        """The place of a column in the header, or `InvalidInput` with the nearest names."""
        places = [place for place, heading in enumerate(self.header) if heading == name]
        if len(places) == 1:
            return places[0]
        if places:
            raise self._refusal(f"has {len(places)} columns called {name!r}", "Rename all but one.")
        raise self._refusal(f"has no column {name!r}", self._advice(name))

    def _next_row(self) -> list[str] | str | None:
        self._first_line = self._line + 1
        try:
            return next(self._rows, None)
        except csv.Error as error:
            if "field limit" in str(error):
                raise
            return f"{error}, read up to line {self._line}"

    def _advice(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.header, n=1, cutoff=0.4)
        folded = [heading for heading in self.header if heading.casefold() == name.casefold()]
        guess = next(iter(folded + near), None)
        other = next((mark for mark in ";\t|" if len(self.header) == 1 and mark in self.header[0]), None)
        if other is not None:
            return f"The columns seem to be separated by {other!r}: set `delimiter` in import.yaml."
        hint = f"Did you mean {guess!r}? " if guess else ""
        return f"{hint}Its columns: {', '.join(self.header)}."

    def _read_header(self) -> list[str]:
        with self._readable():
            header = next(self._rows, None)
        if not header:
            raise self._refusal("begins with no header", "The first line must name the columns.")
        return [heading.strip() for heading in header]

    def _lines(self) -> Iterator[str]:
        while line := self._text.readline(LINE_CHARS_MAX):
            self._line += 1
            if "\0" in line:
                raise self._not_csv("it contains NUL bytes")
            if len(line) == LINE_CHARS_MAX:
                raise self._not_csv(f"a line is longer than {LINE_CHARS_MAX} characters")
            yield line

    def _unpacked(self) -> io.BufferedReader | gzip.GzipFile:
        beginning = self._raw.peek(len(_ZIP))[: len(_ZIP)]
        if beginning == _ZIP:
            raise self._not_csv("it is a spreadsheet or a zip archive")
        return gzip.GzipFile(fileobj=self._raw) if beginning.startswith(_GZIP) else self._raw

    def _codec(self) -> str:
        return "utf-8-sig" if self._spec.encoding == "utf-8" else self._spec.encoding

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except UnicodeDecodeError as error:
            what = f"is not {self._spec.encoding} after line {self._line}: {error.reason}"
            fix = "Save it as UTF-8, or set `encoding` in import.yaml (cp1252 is usual for spreadsheets)."
            raise self._refusal(what, fix) from error
        except csv.Error as error:
            raise self._not_csv(str(error)) from error
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise self._refusal(f"is a damaged gzip file ({error})", "Fetch it again.") from error

    def _not_csv(self, reason: str) -> InvalidInput:
        return self._refusal(f"is not a CSV file: {reason}, at line {self._line}", "Export it as CSV.")

    def _refusal(self, what: str, fix: str) -> InvalidInput:
        return InvalidInput(f"{self._spec.file} {what}.", fix=fix, field=self._spec.file)


@contextmanager
def open_source(folder: Path, spec: FileSpec) -> Iterator[CsvSource]:
    """Open a file of a mapping for reading; what is missing or not CSV is `InvalidInput`."""
    with source_path(folder, spec).open("rb") as raw:
        yield CsvSource(raw, spec)


def source_path(folder: Path, spec: FileSpec) -> Path:
    """Where the file lies: inside the folder, links followed."""
    path = (folder / spec.file).resolve()
    if not path.is_file() or not path.is_relative_to(folder.resolve()):
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
        near = difflib.get_close_matches(spec.file, names, n=1, cutoff=0.4)
        fix = f"Did you mean {near[0]!r}?" if near else f"The folder holds: {', '.join(names)}."
        raise InvalidInput(f"There is no file {spec.file} in {folder}.", fix=fix, field=spec.file)
    return path


def content_hash(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()
