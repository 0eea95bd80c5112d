"""Every stream of events passes the whole suite; the files of one can be followed and survive a torn line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from dirigent.domain.errors import StorageFailure, TransientError
from dirigent.integrations.file_stream import FileStream
from dirigent.ports import EventStream, StreamMessage
from dirigent.testing.memory_stream import MemoryStream
from dirigent.testing.stream_conformance import DAY_MS, StreamConformance, message


def _lines(folder: Path) -> list[StreamMessage]:
    files = sorted(folder.glob("events-*.jsonl"))
    lines = [line for file in files for line in file.read_bytes().splitlines()]
    return [msgspec.json.decode(line, type=StreamMessage) for line in lines]


class TestMemoryStream(StreamConformance):
    """The stand-in keeps the same promises."""

    _stream = MemoryStream()

    @pytest.fixture(autouse=True)
    def _fresh(self) -> None:
        self._stream = MemoryStream()

    def open_stream(self, tmp_path: Path) -> EventStream:
        return self._stream

    def kept(self, tmp_path: Path) -> Sequence[StreamMessage]:
        return self._stream.messages


class TestFileStream(StreamConformance):
    """A folder of JSON lines."""

    def open_stream(self, tmp_path: Path) -> EventStream:
        return FileStream(tmp_path / "stream")

    def kept(self, tmp_path: Path) -> Sequence[StreamMessage]:
        return _lines(tmp_path / "stream")

    def test_a_file_a_day(self, tmp_path: Path) -> None:
        """By the day on which it happened, and never back to an older file."""
        stream = FileStream(tmp_path)
        stream.send([message(1, at=0), message(2, at=DAY_MS), message(3, at=DAY_MS - 1)])
        assert [file.name for file in sorted(tmp_path.iterdir())] == [
            "events-1970-01-01.jsonl",
            "events-1970-01-02.jsonl",
        ]
        assert [one.position for one in _lines(tmp_path)] == [1, 2, 3]

    @pytest.mark.parametrize("torn", [b'{"position":', b"x" * 200_000])
    def test_a_torn_line_is_taken_away(self, tmp_path: Path, torn: bytes) -> None:
        """What a crash left of a message is cut off, and the message can come again."""
        FileStream(tmp_path).send([message(1), message(2)])
        (file,) = tmp_path.iterdir()
        with file.open("ab") as opened:
            opened.write(torn)
        again = FileStream(tmp_path)
        assert again.position() == 2
        again.send([message(3)])
        assert [one.position for one in _lines(tmp_path)] == [1, 2, 3]

    def test_a_file_with_nothing_whole_in_it(self, tmp_path: Path) -> None:
        """The one before it says how far the stream came."""
        FileStream(tmp_path).send([message(1)])
        (tmp_path / "events-1970-01-02.jsonl").write_bytes(b"{")
        again = FileStream(tmp_path)
        assert again.position() == 1
        again.send([message(2)])
        assert [one.position for one in _lines(tmp_path)] == [1, 2]

    def test_what_is_no_stream_is_refused(self, tmp_path: Path) -> None:
        """Foreign lines are not written behind."""
        (tmp_path / "events-2026-01-01.jsonl").write_bytes(b"hello\n")
        with pytest.raises(StorageFailure, match="does not end with a message"):
            FileStream(tmp_path)

    def test_a_folder_that_has_gone_is_told(self, tmp_path: Path) -> None:
        """It is tried again; when the folder is back, nothing is missing."""
        stream = FileStream(tmp_path / "stream")
        stream.send([message(1)])
        (tmp_path / "stream").rename(tmp_path / "away")
        with pytest.raises(TransientError, match="cannot be written"):
            stream.send([message(2)])
        (tmp_path / "away").rename(tmp_path / "stream")
        stream.send([message(2)])
        assert [one.position for one in _lines(tmp_path / "stream")] == [1, 2]
