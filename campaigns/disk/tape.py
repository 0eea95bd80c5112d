"""What was asked of a disk, in order, and what may be left of it when the power goes.

Until a file is synchronised the disk may have kept any of its writes: each sector of 512 bytes stands at some
moment of its own since the last synchronisation, so writes are dropped, reordered and torn. A new name in the
folder, and the end of one, are certain only when the folder has been synchronised.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

SECTOR = 512

Image = dict[str, bytes]


@dataclass(frozen=True)
class Operation:
    """One thing done to a file: create, write, truncate, sync, delete; or `sync_folder`, or a mark."""

    kind: str
    file: str = ""
    offset: int = 0
    data: bytes = b""


class Tape:
    """Operations in the order in which they happened, and marks for what was acknowledged in between."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def add(self, kind: str, file: str = "", offset: int = 0, data: bytes = b"") -> None:
        """Note an operation. Any thread may."""
        self.operations.append(Operation(kind, file, offset, data))

    def acknowledge(self) -> None:
        """Note that one more event was acknowledged."""
        self.add("acknowledged")


@dataclass
class _File:
    """One file: what is certain, and what was done since; sizes stand beside every pending operation."""

    durable: bytearray = field(default_factory=bytearray)
    now: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def take(self, operation: Operation) -> None:
        if operation.kind == "write":
            end = operation.offset + len(operation.data)
            if len(self.now) < end:
                self.now.extend(bytes(end - len(self.now)))
            self.now[operation.offset : end] = operation.data
        else:
            _resize(self.now, operation.offset)
        self.pending.append(operation)
        self.sizes.append(len(self.now))

    def sync(self) -> None:
        self.durable = bytearray(self.now)
        self.pending, self.sizes = [], []

    def left(self, chance: random.Random) -> bytes:
        """What is there after a power cut, by chance."""
        if not self.pending:
            return bytes(self.durable)
        left = bytearray(self.durable)
        size = chance.choice([len(self.durable), *self.sizes, self.sizes[-1]])
        for pieces in self._by_sector().values():
            for piece in pieces[: _kept(len(pieces), chance)]:
                _put(left, piece)
        _resize(left, size)
        return bytes(left)

    def _by_sector(self) -> Mapping[int, list[Operation]]:
        sectors: dict[int, list[Operation]] = defaultdict(list)
        for operation in self.pending:
            if operation.kind != "write":
                continue
            at, end = operation.offset, operation.offset + len(operation.data)
            while at < end:
                until = min(end, (at // SECTOR + 1) * SECTOR)
                piece = operation.data[at - operation.offset : until - operation.offset]
                sectors[at // SECTOR].append(Operation("write", "", at, piece))
                at = until
        return sectors


class Disk:
    """Files as they are now and as they would be after a power cut; fed with the operations of a tape."""

    def __init__(self, image: Image) -> None:
        self._files = {name: _File(bytearray(data), bytearray(data)) for name, data in image.items()}
        self._listed = dict(self._files)

    def take(self, operation: Operation) -> None:
        """Do one operation."""
        name = operation.file
        if operation.kind == "create":
            self._files.setdefault(name, _File())
        elif operation.kind == "delete":
            self._files.pop(name, None)
        elif operation.kind == "sync":
            self._files[name].sync()
        elif operation.kind == "sync_folder":
            self._listed = dict(self._files)
        elif operation.kind in ("write", "truncate"):
            self._files[name].take(operation)

    def now(self) -> Image:
        """What a reader sees while there is power."""
        return {name: bytes(file.now) for name, file in self._files.items()}

    def after_cut(self, chance: random.Random) -> Image:
        """One of the many ways in which a power cut at this moment may leave the folder."""
        style = chance.random()
        if style < 0.1:
            return {name: bytes(file.durable) for name, file in self._listed.items()}
        if style < 0.2:
            return self.now()
        image: Image = {}
        for name in sorted(self._listed.keys() | self._files.keys()):
            before, now = self._listed.get(name), self._files.get(name)
            file = now if before is now or chance.random() < 0.5 else before
            if file is not None:
                image[name] = file.left(chance)
        return image


def _kept(writes: int, chance: random.Random) -> int:
    """How many of the writes to a sector the disk has kept: often none, often all."""
    style = chance.random()
    if style < 0.4:
        return 0
    return writes if style < 0.8 else chance.randint(0, writes)


def _put(content: bytearray, piece: Operation) -> None:
    end = piece.offset + len(piece.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[piece.offset : end] = piece.data


def _resize(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))
