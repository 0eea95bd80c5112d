"""Long executions are taken up from a snapshot; without one, or with a wrong one, from their beginning."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from dirigent import Dirigent, Effect, Risk, action, agent
from dirigent.domain.workflow import Connection, Definition, Kind, Step
from dirigent.engine import Start
from dirigent.storage.sqlite.snapshots import FILE
from dirigent.testing.frozen_clock import FrozenClock

STEPS = 600


@agent("counter", domain="test")
class Counter:
    """Counts."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def count(self, n: int) -> int:
        """The number."""
        return n


def _long() -> Definition:
    steps = [
        Step(id=f"s{n}", kind=Kind.AGENT, agent="counter", action="count", parameters={"n": n})
        for n in range(STEPS)
    ]
    ask = Step(id="ask", kind=Kind.APPROVAL)
    last = Step(id="sum", kind=Kind.TRANSFORM, parameters={"last": f"${{steps.s{STEPS - 1}}}"})
    all_steps = (*steps, ask, last)
    ways = tuple(Connection(source=a.id, target=b.id) for a, b in itertools.pairwise(all_steps))
    return Definition(name="long", steps=all_steps, connections=ways)


def _dirigent(folder: Path) -> Dirigent:
    return Dirigent(folder, agents=[Counter], clock=FrozenClock())


async def _parked(folder: Path) -> None:
    async with _dirigent(folder) as dirigent:
        await dirigent.engine.start(Start(definition=_long(), tenant="t", actor="a", execution_id="e"))
        reading = await dirigent.engine.rest("e")
        assert reading.status == "awaiting_approval"
        assert dirigent.snapshots.get("e") is not None


async def _goes_on(folder: Path, *, kept: bool) -> None:
    async with _dirigent(folder) as again:
        assert (again.snapshots.get("e") is not None) is kept
        [waiting] = again.engine.approvals()
        await again.engine.approve(waiting.approval_id, "a boss")
        reading = await again.engine.rest("e")
        assert (reading.status, reading.output) == ("completed", {"last": STEPS - 1})
        assert again.snapshots.get("e") is None


async def test_a_long_execution_goes_on_from_its_snapshot(tmp_path: Path) -> None:
    """What ran before the snapshot is not folded again, and nothing differs for it."""
    await _parked(tmp_path)
    await _goes_on(tmp_path, kept=True)


def _lost(file: Path) -> None:
    file.unlink()


def _rubbish(file: Path) -> None:
    file.write_bytes(b"no database at all" * 100)


def _changed(statement: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        connection = apsw.Connection(str(file))
        connection.execute(statement)
        connection.close()

    return change


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(_lost, id="lost"),
        pytest.param(_rubbish, id="no database"),
        pytest.param(_changed("UPDATE snapshots SET state = zeroblob(9)"), id="other bytes"),
        pytest.param(_changed("UPDATE snapshots SET digest = zeroblob(32)"), id="of another history"),
        pytest.param(_changed("UPDATE snapshots SET position = 10000000"), id="ahead of the journal"),
    ],
)
async def test_without_a_good_snapshot_all_is_folded(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """A snapshot is a convenience: whatever happens to it, the execution goes on the same."""
    await _parked(tmp_path)
    harm(tmp_path / FILE)
    await _goes_on(tmp_path, kept=False)
