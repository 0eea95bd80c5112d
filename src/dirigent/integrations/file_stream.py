"""A stream of events as files of JSON lines, one a day, for whoever ships or follows them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import msgspec

from dirigent.domain.errors import StorageFailure, TransientError
from dirigent.ports import StreamMessage

TAIL_BYTES = 64 * 1024


class FileStream:
    """The port `EventStream` over a folder: `events-2026-11-21.jsonl` holds what happened on that day.

    A line that a crash cut off is taken away at the next opening, and its event comes again. No message
    goes into a file older than the newest one, so that reading the files by name is reading in order.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        files = sorted(folder.glob("events-*.jsonl"))
        self._newest = files[-1].name if files else ""
        self._position = 0
        for file in reversed(files):
            last = _last_line(file)
            if last:
                self._position = _position_of(file, last)
                break

    def position(self) -> int:
        """The position of the last message that is on stable storage; 0 where there is none."""
        return self._position

    def send(self, messages: Sequence[StreamMessage]) -> None:
        """Append what is new; returns when it is on stable storage."""
        fresh = [message for message in messages if message.position > self._position]
        try:
            for day, together in groupby(fresh, _day_of):
                self._append(max(self._newest, f"events-{day}.jsonl"), list(together))
        except OSError as error:
            # What was written in part is cut off; what is there as a whole line is not written again.
            file = self._folder / self._newest
            last = _last_line(file)
            self._position = max(self._position, _position_of(file, last) if last else 0)
            raise TransientError(
                f"The stream in {self._folder} cannot be written: {error.strerror}.",
                fix="It is tried again; make room or mend the folder's permissions.",
            ) from error

    def close(self) -> None:
        """Nothing is held open."""

    def _append(self, name: str, messages: Sequence[StreamMessage]) -> None:
        self._newest = name
        with (self._folder / name).open("ab") as file:
            file.write(b"".join(msgspec.json.encode(message) + b"\n" for message in messages))
            file.flush()
            os.fsync(file.fileno())
        self._position = messages[-1].position


def _day_of(message: StreamMessage) -> str:
    return datetime.fromtimestamp(message.at / 1000, UTC).date().isoformat()


def _last_line(file: Path) -> bytes:
    """The last whole line of a file; what comes behind it is taken away."""
    if not file.is_file():
        return b""
    with file.open("r+b") as opened:
        size = opened.seek(0, os.SEEK_END)
        tail, begin = b"", size
        while begin and tail.count(b"\n") < 2:
            begin = max(0, begin - TAIL_BYTES)
            opened.seek(begin)
            tail = opened.read(size - begin)
        whole = tail[: tail.rfind(b"\n") + 1]
        if len(whole) < len(tail):
            opened.truncate(begin + len(whole))
        return whole.rstrip(b"\n").rpartition(b"\n")[2]


def _position_of(file: Path, line: bytes) -> int:
    try:
        return msgspec.json.decode(line, type=StreamMessage).position
    except msgspec.MsgspecError as error:
        fix = "Move the file away; its events are then written anew."
        raise StorageFailure(f"{file} does not end with a message: {error}.", fix=fix) from error
