"""What this machine can do at most: durable writes a second."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

ROUNDS = 5
WRITES = 200


def fsyncs_per_second(folder: Path) -> float:
    """Median over rounds of 4 KB appends, each made durable by itself."""
    file = folder / "fsync.probe"
    rates = []
    with file.open("ab", buffering=0) as handle:
        for _ in range(ROUNDS):
            began = time.perf_counter()
            for _ in range(WRITES):
                handle.write(b"x" * 4096)
                os.fdatasync(handle.fileno())
            rates.append(WRITES / (time.perf_counter() - began))
    file.unlink()
    return statistics.median(rates)


def resident_mb() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
