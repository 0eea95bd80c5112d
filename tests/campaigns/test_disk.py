"""A slice of the disk campaigns, with their controls: `make damage` runs the whole."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from campaigns.disk import damage, failing, power
from campaigns.disk.tape import Disk, Operation
from campaigns.verdict import GREEN, RED, VOID, Verdict, as_control, worst
from dirigent.storage.sqlite.writer import Writer

SEED = 20_111_209


def test_power_cuts_lose_nothing_that_was_acknowledged() -> None:
    """Cut between any two writes, also while recovering from a cut: all is there, and it goes on."""
    verdict = power.campaign(400, SEED)
    assert verdict.status == GREEN, verdict.violations or verdict.void


@pytest.mark.parametrize("writer", [power.ForgetfulWriter, power.HastyWriter])
def test_power_cuts_find_a_journal_that_does_not_wait_for_the_disk(writer: type[Writer]) -> None:
    """With `synchronous=NORMAL`, or acknowledging before the commit, acknowledged events are missed."""
    verdict = power.campaign(200, SEED, writer)
    assert verdict.status == RED
    assert "acknowledged" in verdict.violations[0]


def test_damage_is_found_named_and_kept_to_what_it_hit() -> None:
    """Bits, pages, tails and files: nothing is read that was not written, and every finding has a name."""
    verdict = damage.campaign(0.04, SEED)
    assert verdict.status == GREEN, verdict.violations or verdict.void


def test_sqlite_by_itself_finds_little_of_it() -> None:
    """The control: without digests most damage passes for data."""
    assert damage.control(SEED).status == GREEN


def test_a_disk_that_fails_stops_the_journal() -> None:
    """Nothing handed in after a failure is acknowledged, reading goes on, nothing acknowledged is lost."""
    verdict = failing.campaign(7, SEED)
    assert verdict.status == GREEN, verdict.violations or verdict.void


def test_a_journal_that_goes_on_after_a_failure_is_found() -> None:
    """The control: a writer that forgets its failure acknowledges what it must not."""
    assert failing.campaign(11, SEED, failing.StubbornWriter).status == RED


def test_the_simulated_disk_drops_reorders_and_tears() -> None:
    """Of two writes of two sectors each, every sector may be kept or not; what was synchronised stays."""
    disk = Disk({})
    for operation in (
        Operation("create", "f"),
        Operation("write", "f", 0, b"a" * 1024),
        Operation("sync", "f"),
        Operation("sync_folder"),
        Operation("write", "f", 0, b"b" * 1024),
        Operation("write", "f", 1024, b"c" * 1024),
    ):
        disk.take(operation)
    seen = {disk.after_cut(random.Random(seed))["f"] for seed in range(400)}
    sectors = {bytes(content[place : place + 1]) for content in seen for place in range(0, len(content), 512)}
    torn = b"a" * 512 + b"b" * 512
    assert sectors == {b"a", b"b", b"c", b"\0"}
    assert {content[:1024] for content in seen} == {b"a" * 1024, b"b" * 1024, torn, torn[::-1]}
    assert disk.now() == {"f": b"b" * 1024 + b"c" * 1024}


def test_what_was_not_listed_may_be_gone() -> None:
    """A new name is certain only when its folder was synchronised, and so is the end of an old one."""
    disk = Disk({"old": b"o"})
    for operation in (Operation("create", "new"), Operation("sync", "new"), Operation("delete", "old")):
        disk.take(operation)
    seen = {frozenset(disk.after_cut(random.Random(seed))) for seed in range(200)}
    assert seen == {frozenset(names) for names in (["old"], ["new"], ["old", "new"], [])}


def test_a_tape_that_misses_a_write_is_noticed(tmp_path: Path) -> None:
    """The simulated disk is compared with the real folder after every session."""
    session = power.Session({}, [])
    session.tape.add("create", "nothing like it")
    with pytest.raises(AssertionError, match="another story"):
        asyncio.run(power.record(session, tmp_path / "s", random.Random(1), Writer))


def test_a_verdict_says_what_it_is_worth() -> None:
    """Zero in a hundred is below three percent; a control that saw nothing is red; void is not green."""
    green = Verdict(campaign="x", trials=100, unit="cuts", repeat="again", counts={"acked": 1_000})
    red, void = (Verdict(**{**vars(green), key: ("y",)}) for key in ("violations", "void"))
    assert green.line() == "x: 100 cuts, 1,000 acked, 0 violations, below 3.00% of cuts (95 %), valid"
    assert red.line() == "x: 100 cuts, 1,000 acked, 1 violations, RED"
    assert void.line().endswith("VOID")
    assert as_control(red, "a fault").status == GREEN
    assert as_control(green, "a fault").status == RED
    assert (worst([green]), worst([green, void]), worst([void, red])) == (GREEN, VOID, RED)
