"""Whether a data folder is encrypted, and with which key: a small plain file beside the databases says so.

Without it a wrong key could not be told from damage, since either way a file is no database. It names keys by
their ids, and holds the salt of passphrases; it must be kept with the folder.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dirigent.domain.errors import StorageFailure, WrongKey
from dirigent.security.folder_key import FolderKey, derive, new_salt
from dirigent.storage.sqlite.archive_content import FOLDER as ARCHIVES
from dirigent.storage.sqlite.database import CIPHER

MARKER = "encryption.json"
FORMAT = 1
PLAIN = b"SQLite format 3\0"

_GIVE = "Give it in DIRIGENT_KEY, or the path of a file that holds it in DIRIGENT_KEY_FILE."


class KeyMark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key without what it is: its id, and the salt (hex) it is derived with where it is a passphrase."""

    id: str
    salt: str

    def fits(self, given: str) -> FolderKey | None:
        """The key that a text stands for, where it is the one that is meant."""
        found = derive(given, bytes.fromhex(self.salt))
        return found if found.id == self.id else None


class Marker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a folder is encrypted with; None while it is becoming so.

    `next` is there while its files are being encrypted anew: each is under either key then.
    """

    format: int = FORMAT
    cipher: str = CIPHER
    key: KeyMark | None = None
    next: KeyMark | None = None


def open_key(folder: Path, given: str | None) -> FolderKey | None:
    """The key to open a folder's files with; None where it is not encrypted and none is given.

    A folder without databases becomes encrypted where a key is given. Raises `WrongKey` where the key that is
    needed is not the one that is given.
    """
    marker = read_marker(folder)
    if marker is not None:
        return _fitting(folder, marker, given)
    if given is None:
        return None
    files = databases(folder)
    if files and not any(map(is_plain, files)):
        raise StorageFailure(
            f"{MARKER} is missing in {folder}, and no database there is plain.",
            fix="Restore it from a backup; without a passphrase `dirigent key encrypt` makes it anew.",
        )
    if files:
        raise WrongKey(
            f"{folder} is not encrypted, and a key is given.",
            fix="Encrypt it with `dirigent key encrypt`, or take DIRIGENT_KEY and DIRIGENT_KEY_FILE away.",
        )
    return _begun(folder, given)


def databases(folder: Path) -> list[Path]:
    """The files of a folder that are encrypted, or may be: every database that has something in it."""
    return sorted(file for place in places(folder) for file in place.glob("*.db") if file.stat().st_size)


def places(folder: Path) -> tuple[Path, ...]:
    """Where the files of a folder are that may be encrypted."""
    return folder, folder / ARCHIVES


def is_plain(file: Path) -> bool:
    """Whether a file begins as a database does that is not encrypted."""
    with file.open("rb") as opened:
        return opened.read(len(PLAIN)) == PLAIN


def mark_of(given: str) -> tuple[KeyMark, FolderKey]:
    """A key taken into use, with a salt of its own."""
    salt = new_salt()
    key = derive(given, salt)
    return KeyMark(id=key.id, salt=salt.hex()), key


def read_marker(folder: Path) -> Marker | None:
    """What the folder says about its encryption; None where it says nothing."""
    path = folder / MARKER
    try:
        marker = msgspec.json.decode(path.read_bytes(), type=Marker)
        for mark in (marker.key, marker.next):
            bytes.fromhex(mark.salt if mark is not None else "")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        fix = "Restore it from a backup; it belongs to the databases beside it."
        raise StorageFailure(f"{path} cannot be read ({error}).", fix=fix) from error
    if marker.format > FORMAT or marker.cipher != CIPHER:
        raise StorageFailure(f"{path} was written by a newer Dirigent.", fix="Install the newer version.")
    return marker


def write_marker(folder: Path, marker: Marker) -> None:
    """Put a marker in the place of the one before; it is on stable storage when this returns."""
    with _written(folder, marker) as draft:
        os.replace(draft, folder / MARKER)


def wrong_key(folder: Path, needed: KeyMark, given: str) -> WrongKey:
    """What is raised where another key is needed."""
    other = derive(given, bytes.fromhex(needed.salt))
    return WrongKey(f"{folder} needs the key {needed.id}, and the one given is {other.id}.", fix=_GIVE)


def missing_key(folder: Path, needed: KeyMark) -> WrongKey:
    """What is raised where a key is needed."""
    return WrongKey(f"{folder} is encrypted with the key {needed.id}, and no key is given.", fix=_GIVE)


def sync_folder(folder: Path) -> None:
    """Wait until the names of a folder's files are on stable storage."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _fitting(folder: Path, marker: Marker, given: str | None) -> FolderKey:
    needed = marker.key
    if marker.next is not None or needed is None:
        command = "rotate --to-file NEW" if needed is not None else "encrypt"
        raise WrongKey(
            f"Encrypting {folder} was begun and has not ended.", fix=f"Call `dirigent key {command}` again."
        )
    if given is None:
        raise missing_key(folder, needed)
    found = needed.fits(given)
    if found is None:
        raise wrong_key(folder, needed, given)
    return found


def _begun(folder: Path, given: str) -> FolderKey:
    mark, key = mark_of(given)
    folder.mkdir(parents=True, exist_ok=True)
    with _written(folder, Marker(key=mark)) as draft:
        try:
            os.link(draft, folder / MARKER)
        except FileExistsError:  # another process began the folder at this very moment
            marker = read_marker(folder)
        else:
            marker = None
    return key if marker is None else _fitting(folder, marker, given)


@contextlib.contextmanager
def _written(folder: Path, marker: Marker) -> Iterator[Path]:
    """A draft on stable storage, to be given its name; gone afterwards, and the name is certain."""
    draft = folder / f"{MARKER}.{os.getpid()}.new"
    try:
        with draft.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(marker), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        yield draft
        draft.unlink(missing_ok=True)
        sync_folder(folder)
    finally:
        draft.unlink(missing_ok=True)
