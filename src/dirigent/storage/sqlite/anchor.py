"""The head anchor: where the journal ended, kept outside the database file.

A chain of digests cannot show that its own tail was cut off. So after every commit the last position,
its digest and the number of streams go into a small file of two slots, written in turn, each with a
checksum; one slot is always whole. It is synchronised now and then and at the end: an anchor that lags
behind is harmless, since what follows it is verified when the journal is opened.
"""

from __future__ import annotations

import fcntl
import os
import time
from hashlib import sha256
from pathlib import Path
from struct import Struct

import msgspec

from dirigent.domain.errors import DataFolderBusy

ANCHOR = "journal.anchor"
SYNC_SECONDS = 5.0

_SLOT = Struct(">8s16sQQQQ32s")
_MAGIC = b"DIRANCH1"
_CHECKSUM_BYTES = 32
_STRIDE = 512
_BYTES = 2 * _STRIDE


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a journal ended.

    `unvouched` is the position up to which no anchor vouches for the history, because the file was
    missing or unreadable when the journal was opened; 0 when an anchor was there from the beginning.
    """

    journal: bytes
    position: int
    digest: bytes
    streams: int
    unvouched: int = 0
    sequence: int = 0


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What an anchor file says, and what is wrong with it, if anything."""

    anchor: Anchor | None
    problem: str = ""


def read_anchor(path: Path) -> Sighting:
    """Read an anchor file; of two whole slots the newer one counts."""
    sighting = _sighted(path)
    return _sighted(path) if sighting.problem else sighting  # a slot may be under the writer's pen


def _sighted(path: Path) -> Sighting:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Sighting(anchor=None, problem=f"{path.name} is missing")
    except OSError as error:
        return Sighting(anchor=None, problem=f"{path.name} cannot be read ({error.strerror})")
    if not content.strip(b"\0"):
        return Sighting(anchor=None, problem=f"{path.name} is empty")
    slots = [content[start : start + _SLOT.size + _CHECKSUM_BYTES] for start in (0, _STRIDE)]
    whole = [anchor for anchor in map(_unpacked, slots) if anchor is not None]
    if not whole:
        return Sighting(anchor=None, problem=f"{path.name} is unreadable")
    problem = f"one of the two slots of {path.name} is unreadable" if len(whole) < len(slots) else ""
    return Sighting(anchor=max(whole, key=lambda anchor: anchor.sequence), problem=problem)


class AnchorFile:
    """The anchor of one open journal. Holding it keeps every other opener out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise DataFolderBusy(
                f"The journal in {path.parent} is open already.", fix="Close it there first."
            ) from None
        self._journal = b""
        self._unvouched = 0
        self._sequence = 0
        self._synced_at = time.monotonic()

    def begin(self, anchor: Anchor) -> None:
        """Write both slots anew and wait until they are on stable storage."""
        self._journal, self._unvouched, self._sequence = anchor.journal, anchor.unvouched, anchor.sequence
        self._resize(_BYTES)
        for _ in range(2):
            self.write(anchor.position, anchor.digest, anchor.streams)
        self.sync()
        self._sync_folder()

    def write(self, position: int, digest: bytes, streams: int) -> None:
        """Note where the journal ends now."""
        self._sequence += 1
        fields = (_MAGIC, self._journal, self._sequence, position, streams, self._unvouched, digest)
        slot = _SLOT.pack(*fields)
        self._put(slot + sha256(slot).digest(), self._sequence % 2 * _STRIDE)
        if time.monotonic() - self._synced_at > SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Wait until what was written is on stable storage."""
        os.fdatasync(self._file)
        self._synced_at = time.monotonic()

    def close(self) -> None:
        """Let go of the file. Closing twice is harmless."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def set_aside(self) -> None:
        """Keep a copy of what the file says, numbered, before it is written anew."""
        content = os.pread(self._file, _BYTES, 0)
        if not content:
            return
        number = 1
        while (kept := self.path.with_name(f"{ANCHOR}.replaced-{number}")).exists():
            number += 1
        kept.write_bytes(content)

    def _resize(self, length: int) -> None:
        os.ftruncate(self._file, length)

    def _put(self, content: bytes, offset: int) -> None:
        os.pwrite(self._file, content, offset)

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _unpacked(slot: bytes) -> Anchor | None:
    content, checksum = slot[: _SLOT.size], slot[_SLOT.size :]
    if len(slot) < _SLOT.size + _CHECKSUM_BYTES or sha256(content).digest() != checksum:
        return None
    magic, journal, sequence, position, streams, unvouched, digest = _SLOT.unpack(content)
    if magic != _MAGIC:
        return None
    return Anchor(
        journal=journal,
        position=position,
        digest=digest,
        streams=streams,
        unvouched=unvouched,
        sequence=sequence,
    )
