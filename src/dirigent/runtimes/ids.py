"""Fresh ids: by time, so that what was made together lies together on the disk."""

from __future__ import annotations

import os
import uuid

RANDOM_BYTES = 10
BUFFERED_IDS = 256


class FreshIds:
    """Names executions `exec_<UUID>`: version 7 (RFC 9562), 48 bits of Unix time in ms, then chance.

    Chance is fetched from the operating system for many ids at once.
    """

    def __init__(self) -> None:
        self._chance = memoryview(b"")

    def make(self, now_ms: int) -> str:
        """A new id for a moment."""
        if not self._chance:
            self._chance = memoryview(os.urandom(RANDOM_BYTES * BUFFERED_IDS))
        chance, self._chance = self._chance[:RANDOM_BYTES], self._chance[RANDOM_BYTES:]
        value = (now_ms & (1 << 48) - 1) << 80 | int.from_bytes(chance, "big")
        value &= ~(0xF << 76 | 0x3 << 62)
        return f"exec_{uuid.UUID(int=value | 0x7 << 76 | 0x2 << 62)}"
