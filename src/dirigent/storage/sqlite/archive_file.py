"""Archive files: whole streams as they stood in the journal, in compressed JSON lines that verify.

Every stream is a line of its own, then its events in their order, each with the digest that ties it to the
one before, then the large payloads that they name. A file verifies without the journal that it came from.
Under a key the lines are encrypted; the digest over the file is one over what it says, whatever the key.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Any

import apsw
import msgspec

from dirigent.domain.archive_event import ArchivedStream
from dirigent.domain.errors import JournalDamaged
from dirigent.domain.event import Event
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.archive_content import FOLDER, PLAIN, SEALED, opened, written
from dirigent.storage.sqlite.chain import genesis, linked
from dirigent.storage.sqlite.codec import restore
from dirigent.storage.sqlite.encryption import sync_folder

FORMAT = 1
_place = Struct(">QQ").pack

Row = tuple[int, int, bytes, bytes]  # position, version, body, digest


class StoredStream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream with the rows of its events and the payloads that they name, as the journal holds them."""

    name: str
    id: int
    rows: tuple[Row, ...]
    payloads: dict[bytes, bytes]

    @property
    def told(self) -> ArchivedStream:
        """What the journal keeps of it."""
        rows = sha256()
        for position, version, _, digest in self.rows:
            rows.update(row_bytes(position, version, digest))
        last = self.rows[-1]
        return ArchivedStream(name=self.name, version=last[1], digest=last[3].hex(), rows=rows.hexdigest())

    def events(self) -> list[Event]:
        """Its events; raises where one cannot be read."""
        return [restore(body, self.payloads.__getitem__) for _, _, body, _ in self.rows]


def row_bytes(position: int, version: int, digest: bytes) -> bytes:
    """What stands for one event in the digest over all rows of a stream."""
    return _place(position, version) + digest


def archive_path(folder: Path, position: int, key: FolderKey | None) -> Path:
    """Where the archive file is that was made at a position of a journal; its name says how to read it."""
    return folder / FOLDER / f"archive-{position:012}{PLAIN if key is None else SEALED}"


def write_archive(
    path: Path, chain_name: bytes, streams: Iterable[StoredStream], key: FolderKey | None = None
) -> str:
    """Write an archive file so that it is there whole or not at all; returns the SHA-256 of what it says.

    With a key it is encrypted from its first byte, and nothing of it is anywhere in plain.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with (
        written(unfinished, key) as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
    ):
        packed.write(_line({"archive": FORMAT, "chain": chain_name.hex()}))
        for stream in streams:
            for line in _lines(stream):
                packed.write(line)
    os.replace(unfinished, path)
    sync_folder(path.parent)
    return _digest_of(path, key)


def read_archive(path: Path, expected: str = "", key: FolderKey | None = None) -> Iterator[StoredStream]:
    """The streams of an archive file, each verified; raises `JournalDamaged` where it is not whole.

    `expected` is the SHA-256 that the journal says it has. The key is that of the folder; a plain file is
    read as it is.
    """
    try:
        if expected and _digest_of(path, key) != expected:
            raise _damaged(path, "its bytes are not those that were archived")
        with opened(path, key) as file, gzip.open(file, "rt", encoding="utf-8") as lines:
            yield from _streams(path, (json.loads(line) for line in lines))
    except FileNotFoundError:
        raise _damaged(path, "it is missing") from None
    except apsw.Error as error:
        raise _damaged(path, f"or it is not under the key of its folder ({error})") from error
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, str(error)) from error


def _streams(path: Path, lines: Iterator[dict[str, Any]]) -> Iterator[StoredStream]:
    head = next(lines, {})
    if head.get("archive") != FORMAT:
        raise _damaged(path, f"it is no archive of format {FORMAT}")
    chain_name = bytes.fromhex(head["chain"])
    made: dict[str, Any] | None = None
    for line in lines:
        if "stream" in line:
            if made is not None:
                yield _verified(path, chain_name, made)
            made = {"name": line["stream"], "id": line["id"], "count": line["version"]}
            made |= {"rows": [], "payloads": {}}
        elif made is None:
            raise _damaged(path, "an event belongs to no stream")
        elif "payload" in line:
            made["payloads"][bytes.fromhex(line["payload"])] = line["content"].encode()
        else:
            row = (line["position"], line["version"], line["body"].encode(), bytes.fromhex(line["digest"]))
            made["rows"].append(row)
    if made is not None:
        yield _verified(path, chain_name, made)


def _verified(path: Path, chain_name: bytes, made: dict[str, Any]) -> StoredStream:
    name, before = made["name"], genesis(made["name"], chain_name)
    for expected, (position, version, body, digest) in enumerate(made["rows"], 1):
        if version != expected or linked(before, position, made["id"], version, body) != digest:
            raise _damaged(path, f"version {expected} of {name!r} does not match its digest")
        before = digest
    if not made["rows"] or len(made["rows"]) != made["count"]:
        raise _damaged(path, f"events of {name!r} are missing")
    for key, content in made["payloads"].items():
        if sha256(content).digest() != key:
            raise _damaged(path, f"a payload of {name!r} does not match its hash")
    return StoredStream(name=name, id=made["id"], rows=tuple(made["rows"]), payloads=made["payloads"])


def _lines(stream: StoredStream) -> Iterator[bytes]:
    yield _line({"stream": stream.name, "id": stream.id, "version": stream.rows[-1][1]})
    for position, version, body, digest in stream.rows:
        text = {"position": position, "version": version, "digest": digest.hex(), "body": body.decode()}
        yield _line(text)
    for key, content in stream.payloads.items():
        yield _line({"payload": key.hex(), "content": content.decode()})


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _digest_of(path: Path, key: FolderKey | None) -> str:
    with opened(path, key) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(path: Path, reason: str) -> JournalDamaged:
    return JournalDamaged(
        f"The archive {path} is damaged: {reason}.",
        fix="Bring it back from a backup; nothing was changed.",
    )
