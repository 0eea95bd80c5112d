"""The simulator as a whole: runs hang on their seed alone, hold what is promised, and get into danger."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dirigent.bootstrap.simulation import DRIVERS, differing, play, play_one
from dirigent.ports import Journal
from dirigent.testing.conformance import JournalConformance
from dirigent.testing.simulation.campaign import Player, Tally, summary
from dirigent.testing.simulation.disk import Disk, SimulatedJournal, Write
from dirigent.testing.simulation.faults import CALL_FAULTS, CALM
from dirigent.testing.simulation.scheduler import Scheduler
from dirigent.testing.simulation.workload import VERSION
from tests.acceptance.terminal import dirigent

SEEDS = range(1, 151)
LEDGER = Path(__file__).with_name("seeds.txt")


def ledger() -> list[tuple[int, int]]:
    """The seeds that were red once, each with the workload in which it was."""
    lines = [line for line in LEDGER.read_text().splitlines() if line and not line.startswith("#")]
    return [(int(line.split()[0]), int(line.split()[1])) for line in lines]


@pytest.fixture(scope="module")
def tally() -> Tally:
    """A slice of what `make sim` plays."""
    return play(SEEDS, jobs=1)


def test_no_invariant_is_broken(tally: Tally) -> None:
    """A red seed names itself and the command that plays it again."""
    told = [
        f"dirigent simulate --seed {seed}: {run.report.violations[:3]}" for seed, run in tally.red.items()
    ]
    assert not told, "\n".join(told)


def test_every_invariant_is_put_to_the_test(tally: Tally) -> None:
    """And every kind of fault happened: a campaign that never gets into danger proves nothing."""
    assert (tally.never_exercised, tally.never_done) == ((), ())
    kinds = {*CALL_FAULTS, "crash", "slow_write", "failed_write", "clock_jump", "lost_answer"}
    assert kinds <= tally.faults.keys()
    assert tally.crashes >= len(SEEDS)
    assert tally.absorbed >= 0.1 * tally.crashes
    assert tally.executions >= 8 * len(SEEDS)


def test_another_process_under_another_hash_seed_plays_the_same(tally: Tally) -> None:
    """Not one of the sampled runs differs in any trace or digest."""
    assert differing(tally) == []


@pytest.mark.parametrize("seed", sorted({seed for seed, _ in ledger()}))
def test_what_was_red_once_stays_green(seed: int) -> None:
    """Every seed of the ledger."""
    run, _ = Player(DRIVERS).play(seed)
    assert run.report.sound, f"dirigent simulate --seed {seed}: {run.report.violations[:3]}"


def test_a_run_hangs_on_its_seed_alone() -> None:
    """Played after others or first, with warm caches or cold ones: the same to the last byte."""
    player = Player(DRIVERS)
    first = [player.play(seed)[0].digest for seed in (7, 8, 9)]
    again = [Player(DRIVERS).play(seed)[0].digest for seed in (9, 8, 7)]
    assert first == again[::-1]
    assert len(set(first)) == 3


def test_without_faults_nothing_is_repeated() -> None:
    """In calm runs nothing goes wrong, so no call is made twice under one key."""
    player = Player(DRIVERS)
    for seed in range(5):
        run, simulation = player.play(seed, rates=CALM)
        assert run.report.sound, run.report.violations[:3]
        assert (run.faults, run.crashes, run.absorbed) == ({}, 0, 0)
        keys = [called.key for called in simulation.receiver.log if called.effect == "keyed"]
        assert len(keys) == len(set(keys))


def test_the_journal_on_disk_says_the_same_as_the_simulated_one() -> None:
    """Events of a run handed to SQLite verify there, and its lists are those in memory."""
    run = play_one(3)
    assert run.report.sound
    assert run.report.exercised["S21"] > 1


def test_the_summary_is_one_line(tally: Tally) -> None:
    """What was tried, what happened, what that proves."""
    said = summary(tally, 12.0)
    assert "\n" not in said
    for part in ("150 seeds", "absorbed repeats", "violations: 0 (under 2.00% of runs (95 %)); valid"):
        assert part in said
    assert "void" in summary(Tally(runs=1), 1.0)


def test_many_runs_that_never_came_to_something_are_an_error(tally: Tally) -> None:
    """Some may not get there; a thousand have to, or they prove less than they seem to."""
    assert tally.sound
    for count, sound in ((999, True), (1000, False)):
        lacking = Tally(runs=count, exercised=tally.exercised, parts=tally.parts - Counter(votes=1 << 40))
        assert lacking.never_done == ("votes",)
        assert lacking.sound is sound


def test_a_seed_says_in_which_workload_it_was_red() -> None:
    """In one that there has been by now."""
    assert {version for _, version in ledger()} <= set(range(1, VERSION + 1))


def test_the_command_plays_and_tells() -> None:
    """One seed with its faults and trace; many with a summary; JSON for programs."""
    said = dirigent("simulate", "--seed", "5")
    assert said.code == 0
    assert "No invariant is broken." in said.out
    document = dirigent("simulate", "--seed", "5", "-o", "json").data
    assert document["sound"] is True
    assert document["digest"] in said.out
    many = dirigent("simulate", "--seeds", "3", "--jobs", "1", "-o", "json").data
    assert (many["seeds"], many["violations"], many["differing"]) == (3, {}, [])


class _RealTime(Scheduler):
    """What a simulated disk does, done by the loop that pytest runs."""

    def __init__(self) -> None:
        self.now = 0.0

    def after(self, seconds: float, call: Callable[..., object], *args: Any) -> Any:
        return asyncio.get_running_loop().call_later(0, call, *args)


class TestSimulatedJournal(JournalConformance):
    """The simulated journal keeps what every journal promises."""

    def make_journal(self, tmp_path: Path) -> Journal:
        loop: Any = asyncio.get_running_loop()
        loop.killed = False
        faults = SimpleNamespace(write=lambda: Write(seconds=0.0), survives=lambda: True)
        return SimulatedJournal(
            Disk(),
            loop,
            _RealTime(),
            faults,
            passed=lambda point: None,
            failed=lambda: None,
        )
