"""A slice of the crash campaigns, with their controls: `make crash` runs the whole."""

from __future__ import annotations

import pytest

from campaigns.crash import kills, named_points
from campaigns.crash.lane import Faults
from campaigns.verdict import GREEN
from dirigent.security.folder_key import new_key

SEED = 20_111_209


def test_kills_at_random_lose_nothing_and_repeat_nothing() -> None:
    """The real engine in a process of its own, killed again and again; every invariant is put to the test."""
    plan = kills.Plan(kills=4, executions=0, lanes=1, seed=SEED, alive=kills.SHORTLY_SECONDS, warm=True)
    verdict = kills.campaign(plan)
    assert verdict.trials == 4
    assert not verdict.violations
    assert verdict.counts["effects"] > verdict.counts["absorbed repeats"] > 0


def test_kills_under_a_key_lose_nothing_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same over an encrypted folder: it is opened, verified and gone on with after every kill."""
    monkeypatch.setenv("DIRIGENT_KEY", new_key())
    plan = kills.Plan(kills=3, executions=0, lanes=1, seed=SEED, alive=kills.SHORTLY_SECONDS, warm=True)
    verdict = kills.campaign(plan)
    assert verdict.trials == 3
    assert not verdict.violations
    assert verdict.counts["effects"] > 0


POINTS = (
    "start.handed_in",
    "effect.sent",
    "lookup.handed_in",
    "wal.after_sync",
    "anchor.before_write",
    "recovery.stream_read",
)


def test_kills_at_named_points_lose_nothing_and_repeat_nothing() -> None:
    """Before and after what must not be torn apart, and three times in a row while recovering."""
    verdict = named_points.campaign(named_points.Plan(points=POINTS, times=1, lanes=1, seed=SEED))
    assert verdict.status == GREEN, [*verdict.violations, *verdict.void]
    assert verdict.counts["points"] == len(POINTS)
    assert verdict.trials >= len(POINTS) + named_points.IN_A_ROW - 1


def test_a_result_before_its_effect_is_seen_to_be_a_lie() -> None:
    """The control: a step that ends before anything was done, killed in between."""
    verdict = named_points.control(SEED)
    assert verdict.status == GREEN, verdict.violations


def test_kills_that_repeat_nothing_prove_nothing() -> None:
    """Where no repeat follows a kill between an effect and its outcome, the campaign is void, not green."""
    plan = named_points.Plan(
        points=[named_points.CONTROL_POINT, "result.before_append"], times=1, lanes=1, seed=SEED
    )
    verdict = named_points.campaign(plan, Faults(hasty=True, well_behaved=True))
    assert any(reason.startswith("only 0 repeats caused by 1 kills") for reason in verdict.void)
    assert any(reason.startswith("0 repeats absorbed over 2 kills") for reason in verdict.void)


def test_a_receiver_without_keys_is_seen_to_act_twice() -> None:
    """The control: what the keys absorb would have happened twice."""
    verdict = kills.control(SEED)
    assert verdict.status == GREEN, verdict.violations
