"""Schedules at work, with a clock in the test's hands: fired once, missed by a stated rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dirigent.domain.workflow import Definition
from dirigent.intake.time_zones import tzdata_version
from dirigent.testing.frozen_clock import FrozenClock
from tests.intake.triggers.house import House, house, workflow

MINUTE, HOUR = 60_000, 3_600_000


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def at(**keys: Any) -> dict[str, Any]:
    return {"type": "schedule", "input": {"at": "${schedule.at}"}, **keys}


def nine(**keys: Any) -> Definition:
    """A workflow on workdays at nine."""
    return workflow("report", at(schedule="0 9 * * 1-5", **keys))


async def until(home: House, text: str) -> None:
    """Let time pass, stopping wherever something comes due."""
    clock = home.clock
    assert isinstance(clock, FrozenClock)
    end = ms(text)
    schedules = home.dirigent.triggers.schedules
    await schedules.rest()
    while (due := clock.next_due()) is not None and due <= end:
        clock.move_to(due)
        await schedules.rest()
    clock.move_to(end)


def fired(home: House) -> list[str]:
    """The times that were fired for, oldest first."""
    return [row.cause for row in home.dirigent.triggers.firings.firings(decision="started")[::-1]]


async def test_workdays_at_nine(tmp_path: Path) -> None:
    """It fires on Friday and then on Monday; the start says for which time and by which zones."""
    async with house(tmp_path, nine(), clock=FrozenClock(ms("2024-11-22T08:00"))) as home:
        await until(home, "2024-11-25T12:00")
        assert fired(home) == ["2024-11-22T09:00:00Z", "2024-11-25T09:00:00Z"]
        await home.rest()
        assert home.clerk.noted == [{"at": "2024-11-22T09:00:00Z"}, {"at": "2024-11-25T09:00:00Z"}]
        row = home.dirigent.engine.executions()[0]
        started = home.dirigent.engine.read(row.execution_id).started
        assert (row.trigger, started.at) == ("schedule", ms("2024-11-25T09:00"))
        assert started.labels["schedule"] == {
            "at": "2024-11-25T09:00:00Z",
            "local": "2024-11-25T09:00:00+00:00",
            "timezone": "UTC",
            "tzdata": tzdata_version(),
        }


async def test_local_time_follows_the_zone(tmp_path: Path) -> None:
    """Nine in Berlin is eight in winter and seven in summer."""
    flow = workflow("w", at(schedule="0 9 * * *", timezone="Europe/Berlin"))
    async with house(tmp_path, flow, clock=FrozenClock(ms("2024-03-30T00:00"))) as home:
        await until(home, "2024-03-31T23:00")
        assert fired(home) == ["2024-03-30T08:00:00Z", "2024-03-31T07:00:00Z"]


async def test_spans_and_single_moments(tmp_path: Path) -> None:
    """`every` counts from the epoch, `at` comes once."""
    flows = (workflow("often", at(every="15m")), workflow("once", at(at="2024-01-01T08:20:00")))
    async with house(tmp_path, *flows, clock=FrozenClock(ms("2024-01-01T08:01"))) as home:
        await until(home, "2024-01-01T08:31")
        assert fired(home) == ["2024-01-01T08:15:00Z", "2024-01-01T08:20:00Z", "2024-01-01T08:30:00Z"]


async def test_the_past_before_it_was_put_to_work_does_not_count(tmp_path: Path) -> None:
    """A new schedule begins now, also with catch_up."""
    async with house(tmp_path, nine(catch_up=True), clock=FrozenClock(ms("2024-11-22T10:00"))) as home:
        await until(home, "2024-11-22T23:00")
        assert fired(home) == []


async def away(
    tmp_path: Path, flow: Definition, gone: str, back: str, then: str
) -> tuple[list[str], list[Any]]:
    """Put a schedule to work, be away for a while, and see what fired and what was left out."""
    async with house(tmp_path, flow, clock=FrozenClock(ms(gone) - HOUR)) as home:
        await until(home, gone)
    async with house(tmp_path, flow, clock=FrozenClock(ms(back))) as home:
        await until(home, then)
        left_out = home.dirigent.triggers.firings.firings(decision="skipped")
        return fired(home), [(row.cause, row.count) for row in left_out]


async def test_what_was_missed_is_left_out(tmp_path: Path) -> None:
    """Down from 08:55 to 09:05 without catch_up: no run, and that is on record."""
    times, left_out = await away(tmp_path, nine(), "2024-11-22T08:55", "2024-11-22T09:05", "2024-11-25T10:00")
    assert times == ["2024-11-25T09:00:00Z"]
    assert left_out == [("2024-11-22T09:00:00Z", 1)]


async def test_what_was_missed_is_caught_up_once(tmp_path: Path) -> None:
    """Down from 08:55 to 09:05 with catch_up: one late run, whatever was missed."""
    flow = nine(catch_up=True)
    times, left_out = await away(tmp_path, flow, "2024-11-22T08:55", "2024-11-22T09:05", "2024-11-22T10:00")
    assert (times, left_out) == (["2024-11-22T09:00:00Z"], [])


async def test_of_many_missed_the_last_is_caught_up(tmp_path: Path) -> None:
    """A day away from a schedule of every hour: the latest of them runs, the others are counted."""
    flow = workflow("w", at(schedule="0 * * * *", catch_up=True))
    times, left_out = await away(tmp_path, flow, "2024-01-01T08:30", "2024-01-02T08:30", "2024-01-02T09:30")
    assert times == ["2024-01-01T08:00:00Z", "2024-01-02T08:00:00Z", "2024-01-02T09:00:00Z"]
    assert left_out == [("2024-01-02T07:00:00Z", 23)]


async def test_as_many_are_caught_up_as_are_asked_for(tmp_path: Path) -> None:
    """A number bounds the burst: the last three run, in order."""
    flow = workflow("w", at(schedule="0 * * * *", catch_up=3))
    times, left_out = await away(tmp_path, flow, "2024-01-01T08:30", "2024-01-02T08:30", "2024-01-02T08:40")
    assert times[1:] == ["2024-01-02T06:00:00Z", "2024-01-02T07:00:00Z", "2024-01-02T08:00:00Z"]
    assert left_out == [("2024-01-02T05:00:00Z", 21)]


async def test_a_short_restart_misses_nothing(tmp_path: Path) -> None:
    """What passed less than a minute ago is late and fires all the same."""
    times, left_out = await away(
        tmp_path, nine(), "2024-11-22T08:59:50", "2024-11-22T09:00:20", "2024-11-22T10:00"
    )
    assert (times, left_out) == (["2024-11-22T09:00:00Z"], [])


async def test_it_fires_once_over_restarts(tmp_path: Path) -> None:
    """Restarted at the very moment, several times: one firing."""
    for _ in range(3):
        async with house(tmp_path, nine(), clock=FrozenClock(ms("2024-11-22T08:59:58"))) as home:
            await until(home, "2024-11-22T09:00:01")
            assert fired(home) == ["2024-11-22T09:00:00Z"]
            assert len(home.dirigent.engine.executions()) == 1


async def test_a_lost_record_fires_nothing_twice(tmp_path: Path) -> None:
    """Where the process died between the start and the note of it, the start is recognised."""
    async with house(tmp_path, nine(), clock=FrozenClock(ms("2024-11-22T08:00"))) as home:
        await until(home, "2024-11-22T09:01")
        (kept,) = home.dirigent.triggers.schedules
        journal = home.dirigent.journal
        earlier = journal.read(kept.stream)[0]
        await journal.append(kept.stream, journal.head(kept.stream), [earlier])
    for back in ("2024-11-22T09:00:30", "2024-11-22T12:00"):
        async with house(tmp_path, nine(), clock=FrozenClock(ms(back))) as home:
            await home.dirigent.triggers.schedules.rest()
            assert len(home.dirigent.engine.executions()) == 1
            assert home.decisions() == ["started"]


async def test_overlap_of_a_schedule(tmp_path: Path) -> None:
    """While one runs the next is left out; of a queue at most one waits."""
    for overlap, expected in (
        ("skip", ["started", "skipped", "skipped"]),
        ("queue", ["started", "queued", "skipped"]),
    ):
        flow = workflow("w", {"type": "schedule", "every": "1m", "overlap": overlap}, action="wait")
        clock = FrozenClock(ms("2024-01-01T08:00:30"))
        async with house(tmp_path / overlap, flow, clock=clock) as home:
            home.clerk.gate.clear()
            await until(home, "2024-01-01T08:03:10")
            assert home.decisions() == expected
            home.clerk.gate.set()


async def test_jitter_moves_the_start_and_not_the_time(tmp_path: Path) -> None:
    """It starts up to the span later, always the same, for the time it stands for."""
    flow = workflow("w", at(schedule="0 9 * * *", jitter="10m"))
    async with house(tmp_path, flow, clock=FrozenClock(ms("2024-01-01T08:00"))) as home:
        await until(home, "2024-01-03T10:00")
        rows = home.dirigent.engine.executions()[::-1]
        assert fired(home) == [f"2024-01-0{day}T09:00:00Z" for day in (1, 2, 3)]
        delays = [row.started_at - ms(f"2024-01-0{day}T09:00") for day, row in enumerate(rows, 1)]
        assert all(0 <= delay < 10 * MINUTE for delay in delays)
        assert len(set(delays)) == 3


async def test_a_paused_schedule_starts_nothing(tmp_path: Path) -> None:
    """Its times pass, on record, and do not come back when it is resumed."""
    async with house(tmp_path, nine(catch_up=True), clock=FrozenClock(ms("2024-11-20T08:00"))) as home:
        (armed,) = home.dirigent.triggers.table
        await home.dirigent.triggers.pause(armed.id, "ada")
        await until(home, "2024-11-21T10:00")
        await home.dirigent.triggers.resume(armed.id, "ada")
        await until(home, "2024-11-22T10:00")
        assert home.decisions() == ["paused", "paused", "started"]


async def test_a_schedule_taken_out_fires_no_more(tmp_path: Path) -> None:
    """Neither does the earlier version of one that was put to work again."""
    async with house(tmp_path, nine(), clock=FrozenClock(ms("2024-11-20T08:00"))) as home:
        home.dirigent.arm(workflow("report", at(schedule="0 10 * * *")))
        await until(home, "2024-11-20T12:00")
        assert fired(home) == ["2024-11-20T10:00:00Z"]
        home.dirigent.triggers.remove("report")
        await until(home, "2024-11-25T12:00")
        assert len(fired(home)) == 1


async def test_a_sleeping_machine_catches_up_by_the_rule(tmp_path: Path) -> None:
    """Where the clock jumps over several times while the process is there, they were missed."""
    flow = workflow("w", at(schedule="0 * * * *"))
    clock = FrozenClock(ms("2024-01-01T08:30"))
    async with house(tmp_path, flow, clock=clock) as home:
        await home.dirigent.triggers.schedules.rest()
        clock.move(int(timedelta(hours=5).total_seconds()) * 1000)
        await home.dirigent.triggers.schedules.rest()
        assert fired(home) == []
        assert [row.count for row in home.dirigent.triggers.firings.firings()] == [5]
        await until(home, "2024-01-01T14:10")
        assert fired(home) == ["2024-01-01T14:00:00Z"]


async def test_fired_by_hand_a_schedule_reads_the_time_now(tmp_path: Path) -> None:
    """A person need not wait for nine."""
    async with house(tmp_path, nine(), clock=FrozenClock(ms("2024-11-20T08:00"))) as home:
        (armed,) = home.dirigent.triggers.table
        await home.dirigent.triggers.fire(armed.id)
        await home.rest()
        assert home.clerk.noted == [{"at": "2024-11-20T08:00:00Z"}]
