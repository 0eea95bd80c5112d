"""One process works on a data folder; the next one is told which."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from dirigent.domain.errors import DataFolderBusy

LOCK = "dirigent.lock"
LOOKS = 5
LOOK_SECONDS = 0.01


class Holder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who holds a data folder: process, command line, since when (UTC), and where it serves, if it does."""

    pid: int
    command: str
    since: str
    url: str = ""


class DataFolderLock:
    """Holds a data folder for this process.

    The operating system lets go of it when the process ends, however it ends, so what a killed
    process left in the file stops nobody.
    """

    def __init__(self, folder: Path, *, command: str | None = None) -> None:
        self._path = folder / LOCK
        self._command = command if command is not None else " ".join(sys.argv)
        self._file = -1
        self._since = ""

    def acquire(self) -> None:
        """Take the folder; raises `DataFolderBusy`, which names who has it."""
        assert self._file < 0, "a lock is taken once"
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        if not _taken(file):
            os.close(file)
            raise _busy(self._path)
        self._file = file
        self._since = datetime.now(UTC).isoformat(timespec="seconds")
        self._write("")

    def publish(self, url: str) -> None:
        """Tell other processes where this one serves."""
        assert self._file >= 0, "only who holds the folder can say where it serves"
        self._write(url)

    def release(self) -> None:
        """Let go. Releasing twice is harmless."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _write(self, url: str) -> None:
        holder = Holder(pid=os.getpid(), command=self._command, since=self._since, url=url)
        content = msgspec.json.encode(holder)
        os.pwrite(self._file, content, 0)
        os.ftruncate(self._file, len(content))


def _taken(file: int) -> bool:
    """Take the lock; whoever only asks who holds it is in the way for a moment."""
    for _ in range(LOOKS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOOK_SECONDS)
        else:
            return True
    return False


def describe(folder: Path) -> Holder | None:
    """Who holds a data folder now; None when nobody does."""
    try:
        file = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(folder / LOCK)
    finally:
        os.close(file)
    return None


def _read(path: Path) -> Holder:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):  # it is being written at this very moment
        return Holder(pid=0, command="another process", since="just now")


def _busy(path: Path) -> DataFolderBusy:
    holder = _read(path)
    where = f", serving {holder.url}" if holder.url else ""
    return DataFolderBusy(
        f"{path.parent} is held by process {holder.pid} ({holder.command}) since {holder.since}{where}.",
        fix=f"End that process first, or hand it the work: {holder.url}/openapi.json says how."
        if holder.url
        else "Wait for its end, or end it with Ctrl-C: `dirigent resume` goes on with what it was at."
        " `dirigent serve` takes commands while it works.",
    )
