"""Long executions are taken up from a snapshot; without one, or with a wrong one, from their beginning."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from dirigent import Dirigent, Effect, Risk, action, agent
from dirigent.domain.event import Event
from dirigent.domain.workflow import Connection, Definition, Kind, Step
from dirigent.engine import Start
from dirigent.runtimes.live import SNAPSHOT_EVENTS
from dirigent.storage.sqlite.journal import SqliteJournal
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


class CountingJournal(SqliteJournal):
    """Counts the events of executions that are read."""

    def __init__(self, *given: object, **named: object) -> None:
        super().__init__(*given, **named)  # type: ignore[arg-type]
        self.counted = 0

    def read(self, stream: str, after: int = 0) -> list[Event]:
        """The events, counted."""
        events = super().read(stream, after)
        self.counted += len(events)
        return events


class Counting(Dirigent):
    """A Dirigent over a journal that counts."""

    journals = CountingJournal


def _rounds(times: int) -> Definition:
    inside = Step(id="s", kind=Kind.AGENT, agent="counter", action="count", parameters={"n": "${index}"})
    loop = Step(id="again", kind=Kind.LOOP, max_iterations=times, steps=(inside,))
    return Definition(name="rounds", steps=(loop, Step(id="wait", kind=Kind.WAIT_FOR_EVENT, event="go")))


@pytest.mark.parametrize("times", [1_000, 3_000])
async def test_however_long_only_the_newest_events_are_folded(tmp_path: Path, times: int) -> None:
    """What is read when a long execution is taken up does not grow with its history."""
    async with _dirigent(tmp_path) as dirigent:
        started = Start(definition=_rounds(times), tenant="t", actor="a", execution_id="e")
        await dirigent.engine.start(started)
        await dirigent.engine.rest("e")
        assert dirigent.journal.head("e") > 3 * times
    async with Counting(tmp_path, agents=[Counter], clock=FrozenClock()) as again:
        await again.engine.signal("e", "go", {"n": 1})
        assert isinstance(again.journal, CountingJournal)
        assert 0 < again.journal.counted <= 2 * SNAPSHOT_EVENTS
        reading = await again.engine.rest("e")
        assert (reading.status, reading.output) == ("completed", {"n": 1})


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
