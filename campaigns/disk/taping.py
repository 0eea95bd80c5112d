"""A file system that writes down what SQLite and the anchor ask of it, below the real journal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from campaigns.disk.tape import Tape
from dirigent.storage.sqlite.anchor import AnchorFile
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.storage.sqlite.writer import Writer

CHECKPOINT_PAGES = 12


def taped_journal(tape: Tape, writer: type[Writer] = Writer) -> type[SqliteJournal]:
    """The real journal with its anchor on the tape and checkpoints often enough to be cut in the middle."""

    class TapedAnchor(AnchorFile):
        def __init__(self, path: Path) -> None:
            is_new = not path.exists()
            super().__init__(path)
            if is_new:
                tape.add("create", path.name)

        def _resize(self, length: int) -> None:
            super()._resize(length)
            tape.add("truncate", self.path.name, length)

        def _put(self, content: bytes, offset: int) -> None:
            super()._put(content, offset)
            tape.add("write", self.path.name, offset, content)

        def sync(self) -> None:
            super().sync()
            tape.add("sync", self.path.name)

        def _sync_folder(self) -> None:
            tape.add("sync_folder")

    class TapedWriter(writer):  # type: ignore[misc, valid-type]
        checkpoint_pages = CHECKPOINT_PAGES

    class TapedJournal(SqliteJournal):
        anchors = TapedAnchor
        writers = TapedWriter

    return TapedJournal


@contextmanager
def taping(tape: Tape) -> Iterator[None]:
    """Connections opened inside write through to the tape."""
    vfs = _TapingVFS(tape)
    try:
        yield
    finally:
        vfs.unregister()


class _TapingVFS(apsw.VFS):
    def __init__(self, tape: Tape) -> None:
        super().__init__("taping", "unix", makedefault=True)
        self._tape = tape

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        if name is None:  # a file of SQLite's own, gone with the process
            return super().xOpen(name, flags)
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name)
        is_new = not path.exists()
        file = _TapingFile(self._tape, path.name, name, flags)
        if is_new and path.exists():
            self._tape.add("create", path.name)
        return file

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        self._tape.add("delete", os.path.basename(filename))
        if syncdir:
            self._tape.add("sync_folder")


class _TapingFile(apsw.VFSFile):
    """SQLite synchronises the folder with the first synchronisation of a log or rollback journal."""

    def __init__(self, tape: Tape, file: str, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._tape = tape
        self._file = file
        self._folder_too = file.endswith(("-wal", "-journal"))

    def xWrite(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self._tape.add("write", self._file, offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:
        super().xTruncate(newsize)
        self._tape.add("truncate", self._file, newsize)

    def xSync(self, flags: int) -> None:
        self._tape.add("sync", self._file)
        if self._folder_too:
            self._tape.add("sync_folder")
            self._folder_too = False
