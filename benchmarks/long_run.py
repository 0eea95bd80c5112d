"""One run of five thousand steps: the last hundred must cost what the first hundred did."""

from __future__ import annotations

from pathlib import Path

import apsw

from benchmarks.figures import Figure, median
from benchmarks.setting import Setting
from benchmarks.targets import FLAT
from benchmarks.work import Bench, chain, completed
from dirigent import Dirigent

STEPS = 5000
PART = 100
WARM_UP = 500
STORED = "SELECT sum(payload) FROM dbstat"


async def measure(setting: Setting) -> list[Figure]:
    """Times are medians of the rounds; what is stored is the same in every round."""
    parts = [await _times(setting.place(f"long-{number}")) for number in range(setting.rounds)]
    first, last = median([part[0] for part in parts]), median([part[1] for part in parts])
    stored = {
        steps: await _stored(setting.place(f"stored-{steps}"), steps)
        for steps in (1, PART, STEPS - PART, STEPS)
    }
    first_bytes = (stored[PART] - stored[1]) / (PART - 1)
    last_bytes = (stored[STEPS] - stored[STEPS - PART]) / PART
    note = f"last {PART} of {STEPS:,} steps over the first"
    return [
        Figure(name=f"a step among the first {PART}", value=first * 1000, unit="us"),
        Figure(name=f"a step among the last {PART}", value=last * 1000, unit="us"),
        _flat("time, last over first", median([part[1] / part[0] for part in parts]), note),
        Figure(name=f"stored for a step among the first {PART}", value=first_bytes, unit="bytes"),
        Figure(name=f"stored for a step among the last {PART}", value=last_bytes, unit="bytes"),
        _flat("bytes, last over first", last_bytes / first_bytes, note),
        Figure(name=f"stored by a run of {STEPS:,} steps", value=stored[STEPS] / 1e6, unit="MB"),
    ]


def _flat(name: str, value: float, note: str) -> Figure:
    return Figure(name=name, value=value, unit="", target=FLAT, at_most=True, note=note)


async def _times(folder: Path) -> tuple[float, float]:
    """Milliseconds a step took among the first and among the last, on an engine that has run before."""
    bench = Bench()
    async with Dirigent(folder, agents=[bench]) as dirigent:
        completed(await dirigent.run(chain(WARM_UP, "mark")))
        bench.marks.clear()
        completed(await dirigent.run(chain(STEPS, "mark")))
    gaps = bench.gaps_ms()
    return sum(gaps[:PART]) / PART, sum(gaps[-PART:]) / PART


async def _stored(folder: Path, steps: int) -> int:
    """Bytes in all rows and indexes of every database after one run of so many steps."""
    async with Dirigent(folder, agents=[Bench()]) as dirigent:
        before = _payload(folder)
        completed(await dirigent.run(chain(steps)))
    return _payload(folder) - before


def _payload(folder: Path) -> int:
    total = 0
    for file in folder.glob("*.db"):
        connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
        total += int(connection.execute(STORED).get or 0)
        connection.close()
    return total
