"""A process that begins with a wrong wall clock: times recorded before it began stay behind."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from dirigent import Dirigent
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.engine import Start
from dirigent.runtimes.clock import SystemClock

EPOCH_S = 1_700_000_000.0
DAY_S = 86_400.0
FLOW = Definition(
    name="two_waits",
    steps=(
        Step(id="person", kind=Kind.APPROVAL),
        Step(id="pause", kind=Kind.WAIT, wait_ms=20),
        Step(id="end", kind=Kind.TRANSFORM),
    ),
)


async def test_a_clock_set_back_between_two_processes_holds_nothing_up(tmp_path: Path) -> None:
    """A day behind: the run goes on at once, and its journal never speaks of an earlier time than before."""
    async with Dirigent(tmp_path, clock=SystemClock(wall=lambda: EPOCH_S)) as dirigent:
        start = Start(definition=FLOW, tenant="t", actor="a", execution_id="e")
        await dirigent.engine.start(start)
        await dirigent.engine.rest("e")
    async with Dirigent(tmp_path, clock=SystemClock(wall=lambda: EPOCH_S - DAY_S)) as dirigent:
        [approval] = dirigent.engine.approvals(execution="e")
        await dirigent.engine.approve(approval.approval_id, actor="b")
        assert (await dirigent.engine.rest("e")).status == "completed"
        times = [event.at for event in dirigent.engine.events("e")]
    assert all(before <= after for before, after in pairwise(times))
    assert 0 <= times[0] - EPOCH_S * 1000 < 60_000
