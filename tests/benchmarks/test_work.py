"""The benchmarks measure what they say: the work is done, and figures are judged as their targets mean."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import apsw

from benchmarks import events, targets, telling
from benchmarks.figures import Figure, lines, missed, percentile
from benchmarks.limit import BareLoop
from benchmarks.work import SIGNAL, Bench, chain, fan, held_after, items_of, parked, timed, told, wide
from dirigent import Dirigent
from dirigent.domain.event import StepCompleted


async def test_every_definition_does_the_steps_that_are_counted(tmp_path: Path) -> None:
    """A chain, a fan and a wide definition end with as many completed steps as a figure divides by."""
    bench = Bench()
    async with Dirigent(tmp_path, agents=[bench]) as dirigent:
        for definition, given, steps in (
            (chain(7), {}, 7),
            (timed(3), {"since": time.perf_counter()}, 3),
            (fan(9), {"items": items_of(9)}, 9 + 2),
            (wide(9), {}, 9 + 1),
            (parked("soon", 1), {}, 2),
        ):
            reading = await dirigent.run(definition, given)
            events = dirigent.engine.events(reading.execution_id)
            assert reading.status == "completed", definition.name
            assert sum(isinstance(event, StepCompleted) for event in events) == steps, definition.name
    assert len(bench.marks) == 1


async def test_a_large_fan_is_spread_over_several(tmp_path: Path) -> None:
    """More items than one `foreach` takes run side by side, all before the join."""
    assert len(fan(50_000).steps) == 5 + 1
    assert {connection.target for connection in fan(50_000).connections} == {"join"}
    assert len(items_of(50_000)) == 10_000


async def test_keyed_effects_reach_the_receiver_once_each(tmp_path: Path) -> None:
    """Every keyed step hands the receiver a key of its own."""
    bench = Bench()
    async with Dirigent(tmp_path, agents=[bench]) as dirigent:
        assert (await dirigent.run(chain(5, "put"))).status == "completed"
        assert (await dirigent.run(chain(5, "put_and_mark"))).status == "completed"
    assert sorted(bench.received.values()) == sorted([*range(5)] * 2)
    assert len(bench.gaps_ms()) == 4
    assert not bench.marks


async def test_a_held_execution_stays_at_work(tmp_path: Path) -> None:
    """What recovery is measured with has its steps behind it and never ends by itself."""
    bench = Bench()
    async with Dirigent(tmp_path, agents=[bench]) as dirigent:
        name = await dirigent.intake.run_workflow(held_after(3))
        while not bench.held:
            await asyncio.sleep(0)
        assert dirigent.projections.unfinished() == [name]


async def test_a_listener_goes_on_when_it_is_told(tmp_path: Path) -> None:
    """What waits for a signal takes the one that is sent, and ends."""
    async with Dirigent(tmp_path, agents=[Bench()]) as dirigent:
        name = await dirigent.intake.run_workflow(told())
        await dirigent.engine.signal(name, SIGNAL)
        assert (await dirigent.engine.rest(name)).status == "completed"


async def test_the_bare_loop_stores_three_events_a_step(tmp_path: Path) -> None:
    """The limit is a limit of durable work: when a run returns, every event of it is in the file."""
    file = tmp_path / "limit.db"
    with BareLoop(file) as bare:
        await asyncio.gather(*(bare.run(5) for _ in range(4)))
        stored = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
        per_run = stored.execute("SELECT run, count(*), max(seq) FROM events GROUP BY run").fetchall()
        stored.close()
    assert per_run == [(run, 15, 14) for run in range(1, 5)]


def test_a_figure_is_judged_by_the_side_its_target_is_on() -> None:
    """Rates are at least, times at most; a share of the limit is one where the figure equals it."""
    rate = Figure(name="rate", value=50, unit="/s", target=40, limit=100)
    slow = Figure(name="time", value=4, unit="ms", target=2, at_most=True, limit=1)
    assert (rate.verdict, rate.share) == ("ok", 0.5)
    assert (slow.verdict, slow.share) == ("short", 0.25)
    assert Figure(name="plain", value=1, unit="").verdict == ""
    heading, first, second = lines([rate, slow])
    assert "target" in heading
    assert "≥ 40 ok" in first
    assert "≤ 2 short" in second
    assert missed([rate, slow]) == ["time"]


def test_a_percentile_is_one_of_the_values() -> None:
    """Of a hundred values the 95th percentile leaves five above it; of few, the 99th is the largest."""
    assert percentile(list(range(1, 101)), 95) == 95
    assert percentile([3.0, 1.0, 2.0], 99) == 3.0


async def test_the_promised_rate_of_events_is_asked_for(tmp_path: Path) -> None:
    """Ten thousand a second at least; each event meets two of a thousand triggers, and starts nothing."""
    assert min(targets.EVENTS_IN_BATCHES, targets.EVENTS_ONE_BY_ONE) >= 10_000
    async with Dirigent(tmp_path, workflows=events.watchers()) as dirigent:
        table = dirigent.triggers.table
        assert len(table) == events.TRIGGERS == 1000
        happened = [events.event(number) for number in range(20)]
        for one in happened:
            assert len(table.for_event(one)) == 2
        await dirigent.triggers.publish_all(happened)
        assert len(dirigent.event_index.events()) == len(happened)
        assert not dirigent.engine.executions()
        assert not dirigent.triggers.firings.firings()


async def test_every_event_of_a_followed_run_is_timed(tmp_path: Path) -> None:
    """Its start and end, and those of each step; none is seen before it is on stable storage."""
    for pause_s in (0.0, 0.001):
        times = await telling.seen(tmp_path / str(pause_s), pause_s, count=3)
        assert len(times) == 3 * (2 + 2 * telling.STEPS)
        assert min(times) >= 0
