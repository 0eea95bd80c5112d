"""What every stream of events has to pass. Subclass, say how it is made, and run pytest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dirigent.ports import EventStream, StreamMessage
from dirigent.testing.frame import pytest

DAY_MS = 24 * 3600 * 1000


def message(position: int, *, at: int = 0, topic: str = "executions") -> StreamMessage:
    """A small message that can be told from others."""
    event = msgspec.Raw(msgspec.json.encode({"id": str(position), "type": "execution.completed"}))
    return StreamMessage(position=position, at=at, topic=topic, key="x", event=event)


class StreamConformance(ABC):
    """The promises of the port `EventStream`."""

    @abstractmethod
    def open_stream(self, tmp_path: Path) -> EventStream:
        """The stream; the same one again for the same folder."""

    @abstractmethod
    def kept(self, tmp_path: Path) -> Sequence[StreamMessage]:
        """What the stream holds, as somebody who follows it reads it."""

    def test_an_empty_stream(self, tmp_path: Path) -> None:
        """It begins at 0, and sending nothing changes nothing."""
        stream = self.open_stream(tmp_path)
        stream.send([])
        assert stream.position() == 0
        assert list(self.kept(tmp_path)) == []
        stream.close()

    def test_order_is_kept(self, tmp_path: Path) -> None:
        """Messages come out as they went in, whatever their topic."""
        stream = self.open_stream(tmp_path)
        sent = [message(3), message(4, topic="events"), message(9)]
        stream.send(sent[:2])
        stream.send(sent[2:])
        assert stream.position() == 9
        assert list(self.kept(tmp_path)) == sent
        stream.close()

    def test_what_is_there_is_not_taken_twice(self, tmp_path: Path) -> None:
        """Sent again, alone or among others, a message is there once."""
        stream = self.open_stream(tmp_path)
        stream.send([message(1), message(2)])
        stream.send([message(1), message(2), message(3)])
        stream.send([message(3)])
        assert [one.position for one in self.kept(tmp_path)] == [1, 2, 3]
        stream.close()

    def test_it_goes_on_after_a_restart(self, tmp_path: Path) -> None:
        """The position is that of what is kept."""
        first = self.open_stream(tmp_path)
        first.send([message(5), message(6, at=DAY_MS)])
        first.close()
        again = self.open_stream(tmp_path)
        assert again.position() == 6
        again.send([message(6, at=DAY_MS), message(7, at=0)])
        assert [one.position for one in self.kept(tmp_path)] == [5, 6, 7]
        again.close()

    @pytest.mark.parametrize("size", [1, 100_000])
    def test_large_and_small(self, tmp_path: Path, size: int) -> None:
        """A message comes out with every byte it went in with."""
        text = "ü\n" * size
        event = msgspec.Raw(msgspec.json.encode({"data": text}))
        sent = StreamMessage(position=1, at=0, topic="events", key="k\n", event=event)
        stream = self.open_stream(tmp_path)
        stream.send([sent])
        stream.close()
        assert self.open_stream(tmp_path).position() == 1
        (kept,) = self.kept(tmp_path)
        assert msgspec.json.decode(kept.event) == {"data": text}
