"""A slice of the crash campaigns, with their controls: `make crash` runs the whole."""

from __future__ import annotations

from campaigns.crash import kills
from campaigns.verdict import GREEN

SEED = 20_111_209


def test_kills_at_random_lose_nothing_and_repeat_nothing() -> None:
    """The real engine in a process of its own, killed again and again; every invariant is put to the test."""
    plan = kills.Plan(kills=4, executions=0, lanes=1, seed=SEED, alive=kills.SHORTLY_SECONDS, warm=True)
    verdict = kills.campaign(plan)
    assert verdict.trials == 4
    assert not verdict.violations
    assert verdict.counts["effects"] > verdict.counts["absorbed repeats"] > 0


def test_a_receiver_without_keys_is_seen_to_act_twice() -> None:
    """The control: what the keys absorb would have happened twice."""
    verdict = kills.control(SEED)
    assert verdict.status == GREEN, verdict.violations
