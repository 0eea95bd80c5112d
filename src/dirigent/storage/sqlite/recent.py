"""What was handed in lately, so that reading it back need not go to the disk."""

from __future__ import annotations

from collections.abc import Sequence

BYTES_MAX = 2 * 1024 * 1024


class Recent:
    """The bodies of whole streams that this process began, up to a bound; the oldest streams go first.

    Bodies and not events are kept: whoever reads gets objects of their own.
    """

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bodies: dict[str, list[bytes]] = {}
        self._bytes = 0
        self._bytes_max = bytes_max

    def add(self, stream: str, after: int, bodies: Sequence[bytes]) -> None:
        """Bodies that follow a version of a stream; those of a stream that is not known whole are let go."""
        kept = self._bodies.get(stream)
        if kept is None:
            if after:
                return
            kept = self._bodies[stream] = []
        kept += bodies
        self._bytes += sum(map(len, bodies))
        while self._bytes > self._bytes_max:
            self._drop(next(iter(self._bodies)))

    def get(self, stream: str) -> Sequence[bytes]:
        """Every body of a stream from its first; nothing where they are not all known."""
        return self._bodies.get(stream, ())

    def _drop(self, stream: str) -> None:
        self._bytes -= sum(map(len, self._bodies.pop(stream)))
