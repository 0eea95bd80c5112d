"""Encrypting a data folder, and encrypting it anew with another key.

Every database is copied, the copy is encrypted and checked, and then takes the name of the old one; so each
is whole under one key or the other at any moment. The marker names both keys meanwhile, and whoever is cut
off in the middle calls again. Nobody else may have a file open: a process that went on writing to a file that
has lost its name would write into nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import apsw

from dirigent.domain.errors import Conflict, DataFolderBusy, NotFound, StorageFailure
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.database import CIPHER, connect
from dirigent.storage.sqlite.encryption import (
    KeyMark,
    Marker,
    databases,
    is_plain,
    mark_of,
    missing_key,
    places,
    read_marker,
    sync_folder,
    write_marker,
    wrong_key,
)
from dirigent.storage.sqlite.lock import DataFolderLock

DRAFT = ".encrypting"
BUSY_MS = 2_000

Told = Callable[[Path], None]


def encrypt(folder: Path, given: str, told: Told = lambda file: None) -> str:
    """Encrypt every database of a folder; returns the key's id. `told` hears of each file when it is done.

    Raises `NotFound` where there is nothing, and `DataFolderBusy` where another process is at work.
    """
    with _held(folder):
        marker = read_marker(folder)
        if marker is not None and marker.key is not None:
            fix = "Change its key with `dirigent key rotate`."
            raise Conflict(f"{folder} is encrypted already, with the key {marker.key.id}.", fix=fix)
        mark, key = _taken_up(folder, marker, given)
        files = databases(folder)
        if not files:
            error = NotFound(f"There is no database in {folder}.")
            error.fix = "Give the key from the beginning: what is made there then is encrypted."
            raise error
        _change(folder, files, Marker(next=mark), None, key, told)
    return mark.id


def rotate(folder: Path, given: str | None, new: str, told: Told = lambda file: None) -> str:
    """Encrypt every database of a folder anew with another key; returns that key's id.

    Where it has been done already, nothing happens. Raises `WrongKey` and `DataFolderBusy`.
    """
    with _held(folder):
        marker = read_marker(folder)
        if marker is None or marker.key is None:
            raise Conflict(f"{folder} is not encrypted.", fix="Encrypt it with `dirigent key encrypt`.")
        if marker.next is None and marker.key.fits(new) is not None:
            return marker.key.id
        if given is None:
            raise missing_key(folder, marker.key)
        old = marker.key.fits(given)
        if old is None:
            raise wrong_key(folder, marker.key, given)
        mark, key = _taken_up(folder, marker, new)
        _change(folder, databases(folder), Marker(key=marker.key, next=mark), old, key, told)
    return mark.id


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    if not folder.is_dir():
        error = NotFound(f"There is no folder {folder}.")
        error.fix = "Name the data folder with --data."
        raise error
    with DataFolderLock(folder, command="dirigent key"):
        yield


def _taken_up(folder: Path, marker: Marker | None, given: str) -> tuple[KeyMark, FolderKey]:
    """The key to encrypt with: where it was begun before, none but the one it was begun with."""
    if marker is None or marker.next is None:
        return mark_of(given)
    found = marker.next.fits(given)
    if found is None:
        raise wrong_key(folder, marker.next, given)
    return marker.next, found


def _change(
    folder: Path, files: list[Path], under_way: Marker, old: FolderKey | None, new: FolderKey, told: Told
) -> None:
    for place in places(folder):
        for left in place.glob(f"*{DRAFT}*"):
            left.unlink()
    todo = [file for file in files if not _done(file, old, new)]
    for file in todo:  # whoever has a file open is found before the first one is changed
        with _alone(file, old):
            pass
    write_marker(folder, under_way)
    for file in todo:
        _change_file(file, old, new)
        told(file)
    write_marker(folder, Marker(key=under_way.next))


def _done(file: Path, old: FolderKey | None, new: FolderKey) -> bool:
    """Whether a file is under the new key already; raises `StorageFailure` where it is under neither."""
    if not is_plain(file) and _opens(file, new):
        return True
    if is_plain(file) is not (old is None) or not _opens(file, old):
        raise StorageFailure(
            f"{file} is damaged, or encrypted with another key; no file was changed by this call.",
            fix="Restore it from a backup, then call again.",
        )
    return False


def _opens(file: Path, key: FolderKey | None) -> bool:
    """Whether a file is whole under a key."""
    with closing(connect(file, key, apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.set_busy_timeout(BUSY_MS)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # a wrong key leaves the WAL alone
        try:
            return bool(connection.execute("PRAGMA quick_check").get == "ok")
        except apsw.BusyError as error:
            raise _busy(file) from error
        except (apsw.NotADBError, apsw.CorruptError):
            return False


def _change_file(file: Path, old: FolderKey | None, new: FolderKey) -> None:
    draft = file.with_name(f"{file.name}{DRAFT}")
    with _alone(file, old) as mode:
        shutil.copyfile(file, draft)
        shutil.copymode(file, draft)
        if not _encrypted(draft, old, new, mode):
            draft.unlink()
            raise StorageFailure(
                f"The encrypted copy of {file} does not verify; the file itself is as it was.",
                fix="Check the disk, then call again.",
            )
        _sync(draft)
        os.replace(draft, file)
        sync_folder(file.parent)


@contextlib.contextmanager
def _alone(file: Path, key: FolderKey | None) -> Iterator[str]:
    """Keep everybody else out of a file whose WAL has been moved into it; gives its journal mode before."""
    with closing(connect(file, key, apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.set_busy_timeout(BUSY_MS)
        try:
            mode = str(connection.pragma("journal_mode"))
            connection.pragma("journal_mode", "delete")  # refused while anybody else has the file open
            sync_folder(file.parent)  # a WAL that came back would be laid over the new file
            connection.pragma("locking_mode", "exclusive")
            connection.execute("BEGIN EXCLUSIVE")
        except (apsw.BusyError, apsw.LockedError) as error:
            raise _busy(file) from error
        yield mode


def _encrypted(draft: Path, old: FolderKey | None, new: FolderKey, mode: str) -> bool:
    """Change the key of a file that is nobody else's; whether it is whole afterwards."""
    with closing(connect(draft, old)) as connection:
        if old is None:
            connection.pragma("cipher", CIPHER)
        connection.pragma("rekey", f"raw:{new.hex()}")
    with closing(connect(draft, new)) as connection:
        connection.pragma("journal_mode", mode)
        return bool(connection.execute("PRAGMA quick_check").get == "ok")


def _sync(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())


def _busy(file: Path) -> DataFolderBusy:
    return DataFolderBusy(
        f"Another process has {file} open.",
        fix="End the workers and commands that use the folder, then call again.",
    )
