"""The key of a data folder: where it comes from, and the commands that change it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dirigent.domain.errors import InvalidInput
from dirigent.security.folder_key import FolderKey, new_key
from dirigent.settings import Settings, read_key_file
from dirigent.storage.sqlite.encryption import Marker, open_key, read_marker
from dirigent.storage.sqlite.lock import DataFolderLock
from dirigent.storage.sqlite.reencryption import encrypt, rotate

KEY_FILE_MODE = 0o600

Told = Callable[[Path], None]


def folder_key(settings: Settings) -> FolderKey | None:
    """The key to open the data folder with, None where it is not encrypted; raises `WrongKey`.

    A folder without databases becomes encrypted where the settings have a key.
    """
    return open_key(settings.data_folder, _given(settings))


def folder_lock(settings: Settings) -> DataFolderLock:
    """The lock of the data folder; under a key it names the command without what it was given."""
    if settings.key is None:
        return DataFolderLock(settings.data_folder)
    words = [Path(sys.argv[0]).name, *(word for word in sys.argv[1:2] if word.isalpha())]
    return DataFolderLock(settings.data_folder, command=" ".join(words))


def write_new_key(file: Path | None) -> str:
    """Make a random key; written to a new file that only its owner can read, where one is named."""
    key = new_key()
    if file is not None:
        try:
            with open(file, "x", opener=_private) as opened:
                opened.write(f"{key}\n")
        except FileExistsError:
            fix = "Name another file: a key that is overwritten cannot be made again."
            raise InvalidInput(f"{file} is there already.", field="--file", fix=fix) from None
    return key


def encrypt_folder(settings: Settings, told: Told) -> str:
    """Encrypt the data folder with the key of the settings; returns the key's id."""
    given = _given(settings)
    if given is None:
        raise InvalidInput(
            "No key is given.",
            field="DIRIGENT_KEY",
            fix="Make one with `dirigent key new --file PATH`, then set DIRIGENT_KEY_FILE to that path.",
        )
    return encrypt(settings.data_folder, given, told)


def rotate_key(settings: Settings, to_file: Path, told: Told) -> str:
    """Encrypt the data folder anew, with the key in another file; returns that key's id."""
    return rotate(settings.data_folder, _given(settings), read_key_file(to_file, "--to-file"), told)


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a data folder stands: the ids of its key and of the one it is being given, "" where there is none.

    `fits` tells whether the key of the settings opens it; None where it is not encrypted, or not wholly.
    """

    key: str
    next: str
    given: bool
    fits: bool | None
    told: str


def status_of(settings: Settings) -> Status:
    """How the data folder stands, and one sentence about it."""
    marker, given = read_marker(settings.data_folder), _given(settings)
    key = marker.key.id if marker is not None and marker.key is not None else ""
    next = marker.next.id if marker is not None and marker.next is not None else ""
    fits = None
    if marker is not None and marker.key is not None and not next:
        fits = given is not None and marker.key.fits(given) is not None
    told = _told(marker, given=given is not None, fits=fits)
    return Status(key=key, next=next, given=given is not None, fits=fits, told=told)


def _told(marker: Marker | None, *, given: bool, fits: bool | None) -> str:
    if marker is None:
        return "not encrypted" + (", though a key is given." if given else ".")
    if marker.next is not None:
        command = "rotate --to-file NEW" if marker.key is not None else "encrypt"
        return f"half encrypted with the key {marker.next.id}; call `dirigent key {command}` again."
    assert marker.key is not None, "a folder is encrypted with something"
    compared = "which is the one given" if fits else "which is not the one given"
    what = compared if given else "none is given"
    return f"encrypted with the key {marker.key.id}; {what}."


def _given(settings: Settings) -> str | None:
    return settings.key.get_secret_value() if settings.key is not None else None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, KEY_FILE_MODE)
