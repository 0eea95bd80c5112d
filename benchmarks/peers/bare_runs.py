"""The work on the bare loop: the limit of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import msgspec

from benchmarks.limit import BareLoop
from benchmarks.peers.protocol import STEPS, alone_ms, main, steps_a_second


async def steps(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    with BareLoop(folder / "bare.db") as bare:
        return await steps_a_second(sizes["runs"], lambda: bare.run(STEPS))


async def alone(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    with BareLoop(folder / "bare.db") as bare:
        return await alone_ms(sizes["runs"], lambda: bare.run(sizes["steps"]))


async def about(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    return {
        "versions": {"apsw": apsw.apsw_version(), "msgspec": msgspec.__version__},
        "settings": "no engine: three events a step, group commit (WAL, synchronous=FULL)",
    }


if __name__ == "__main__":
    main({work.__name__: work for work in (steps, alone, about)})
