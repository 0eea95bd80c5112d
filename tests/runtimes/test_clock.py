"""The system's clock: it never goes back, never stands still, and wakes nobody early."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from dirigent.ports import Clock
from dirigent.runtimes.clock import ALARMS_PER_TURN, COMPACT_FROM, LONGEST_SLEEP_S, SystemClock
from dirigent.testing.simulation.loop import simulated_loop
from dirigent.testing.simulation.scheduler import Scheduler

EPOCH_S = 1_700_000_000.0
HOUR_MS = 3_600_000


class Machine:
    """A machine in simulated time whose wall clock can be set."""

    def __init__(self, seed: int = 1) -> None:
        self.scheduler = Scheduler(random.Random(seed))
        self.loop = simulated_loop(self.scheduler)
        self.set_by = 0.0
        self.clock = SystemClock(wall=self.wall, steady=self.scheduler.time)

    def wall(self) -> float:
        return EPOCH_S + self.scheduler.now + self.set_by

    def sleep(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def alarm(self, in_ms: int, callback: Callable[[], None]) -> Callable[[], None]:
        async def arm() -> Callable[[], None]:
            return self.clock.call_at(self.clock.now_ms() + in_ms, callback)

        return self.loop.run_until_complete(arm())


def test_is_a_clock() -> None:
    """It has everything the port names."""
    assert isinstance(SystemClock(), Clock)


@pytest.mark.parametrize("jump_s", [-1.0, -3600.0, -86_400.0, -10 * 365 * 86_400.0])
def test_goes_on_where_the_wall_clock_is_set_back(jump_s: float) -> None:
    """The time said before stays behind, and an hour later it is an hour later."""
    machine = Machine()
    before = machine.clock.now_ms()
    machine.set_by = jump_s
    assert machine.clock.now_ms() >= before
    machine.sleep(3600)
    assert machine.clock.now_ms() == pytest.approx(before + HOUR_MS, abs=2)


def test_follows_a_wall_clock_that_is_set_ahead() -> None:
    """And stays there when it is set back again."""
    machine = Machine()
    before = machine.clock.now_ms()
    machine.set_by = 3600
    assert machine.clock.now_ms() == pytest.approx(before + HOUR_MS, abs=2)
    machine.set_by = 0
    machine.sleep(60)
    assert machine.clock.now_ms() == pytest.approx(before + HOUR_MS + 60_000, abs=2)


def test_says_no_time_before_what_was_recorded() -> None:
    """A process that begins with a wrong wall clock goes on where the journal ends."""
    machine = Machine()
    recorded = machine.clock.now_ms() + HOUR_MS
    machine.clock.not_before(recorded)
    assert machine.clock.now_ms() == recorded
    machine.sleep(60)
    assert machine.clock.now_ms() == pytest.approx(recorded + 60_000, abs=2)
    machine.clock.not_before(recorded)
    assert machine.clock.now_ms() > recorded


def test_alarms_go_off_in_the_order_of_their_times() -> None:
    """Whatever the order in which they were asked for, and never early."""
    machine, seen = Machine(), list[tuple[int, int]]()
    start = machine.clock.now_ms()
    for wait in (5000, 1000, 90_000, 3000, 1000, 0, 2 * HOUR_MS):
        machine.alarm(wait, lambda wait=wait: seen.append((wait, machine.clock.now_ms() - start)))  # type: ignore[misc]
    machine.sleep(3 * 3600)
    assert [wait for wait, _ in seen] == [0, 1000, 1000, 3000, 5000, 90_000, 2 * HOUR_MS]
    assert all(0 <= at - wait <= 2 for wait, at in seen)


@pytest.mark.parametrize("jump_s", [-7200.0, 0.5, 7200.0])
def test_no_alarm_is_early_or_lost_where_the_wall_clock_is_set(jump_s: float) -> None:
    """Set back: after as long as was asked for. Set ahead: as soon as that is noticed."""
    machine, seen = Machine(), list[float]()
    machine.alarm(60_000, lambda: seen.append(machine.scheduler.now))
    machine.set_by = jump_s
    machine.sleep(120)
    [at] = seen
    latest = LONGEST_SLEEP_S if jump_s >= 60 else 60
    assert at <= latest + 0.1
    assert jump_s >= 60 or at >= 60 - max(jump_s, 0) - 0.1


def test_a_cancelled_alarm_does_not_go_off() -> None:
    """Not even where many are cancelled and the rest has to be sorted anew; cancelling again is harmless."""
    machine, seen = Machine(), list[int]()
    cancels = [machine.alarm(1000 + n, lambda n=n: seen.append(n)) for n in range(4 * COMPACT_FROM)]  # type: ignore[misc]
    for number, cancel in enumerate(cancels):
        if number % 4:
            cancel()
            cancel()
    machine.sleep(10)
    assert seen == list(range(0, 4 * COMPACT_FROM, 4))


def test_many_alarms_at_once_leave_room_for_others() -> None:
    """Only some go off in one turn of the loop; what else is ready has its turn in between."""
    machine, seen = Machine(), list[str]()

    def another(left: int) -> None:
        seen.append("other")
        if left:
            machine.loop.call_soon(another, left - 1)

    for _ in range(ALARMS_PER_TURN * 3):
        machine.alarm(1000, lambda: seen.append("alarm"))
    machine.alarm(999, lambda: another(10))
    machine.sleep(2)
    assert seen.count("alarm") == ALARMS_PER_TURN * 3
    first, last = seen.index("alarm"), len(seen) - 1 - seen[::-1].index("alarm")
    assert "other" in seen[first:last]


def test_an_alarm_that_raises_takes_no_other_along() -> None:
    """The error is the loop's to tell; the next alarm goes off all the same."""
    machine, seen = Machine(), list[str]()
    machine.alarm(1000, lambda: divmod(1, 0))  # type: ignore[arg-type]
    machine.alarm(1000, lambda: seen.append("next"))
    machine.sleep(5)
    assert seen == ["next"]
    assert machine.loop.raised == ["ZeroDivisionError: integer division or modulo by zero"]


def test_a_second_loop_is_woken_as_well() -> None:
    """Where the first loop has ended, the next one that asks is served."""
    clock, seen = SystemClock(), list[str]()

    async def ask(name: str) -> None:
        clock.call_at(clock.now_ms(), lambda: seen.append(name))
        await asyncio.sleep(0.01)

    asyncio.run(ask("first"))
    asyncio.run(ask("second"))
    assert seen == ["first", "second"]
