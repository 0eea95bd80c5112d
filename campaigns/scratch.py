"""Folders to work in, gone afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")


@contextmanager
def scratch(*, in_memory: bool = True) -> Iterator[Path]:
    """A folder of its own: in memory where only bytes count, else beside the checkout, on the disk in use."""
    place = MEMORY if in_memory and MEMORY.is_dir() else Path.cwd()
    with tempfile.TemporaryDirectory(dir=place, prefix=".campaign-") as name:
        yield Path(name)
