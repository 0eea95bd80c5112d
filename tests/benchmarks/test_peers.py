"""The comparison is fair to count on: ratios pair what was measured together, environments are pinned."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from benchmarks.peers import dirigent_runs, protocol
from benchmarks.peers.comparing import figures
from benchmarks.peers.contenders import DBOS, LANGGRAPH, OURS
from benchmarks.peers.races import Duel, Entry, Metric, Race, races

REQUIREMENTS = Path("benchmarks/peers")


def _race(*, less: bool) -> Race:
    ours, peer = (Entry(contender=each, workload="steps", sizes={}) for each in (OURS, LANGGRAPH))
    return Race(
        name="race",
        metrics=(
            Metric(key="a", unit="", title="first", less=less),
            Metric(key="b", unit="", title="second"),
        ),
        entries=(ours, peer),
        duels=(Duel(ours=ours, peer=peer, times=3.0),),
    )


def test_ratios_are_taken_round_by_round_and_judged_by_the_first_metric() -> None:
    """A round that was slow for both counts as much as a quick one; a metric a peer lacks is left out."""
    answers = {
        "Dirigent": [{"a": 8.0, "b": 1.0}, {"a": 80.0, "b": 1.0}, {"a": 20.0, "b": 1.0}],
        "LangGraph": [{"a": 2.0}, {"a": 20.0}, {"a": 20.0}],
    }
    found = figures(_race(less=False), answers)
    duel = found["first"][-1]
    assert (duel.value, duel.target, duel.verdict) == (4.0, 3.0, "ok")
    assert [figure.name for figure in found["second"]] == ["Dirigent"]


def test_where_little_is_good_the_ratio_is_how_much_less_ours_took() -> None:
    """Two milliseconds against four is twice as good, and short of three times."""
    answers = {"Dirigent": [{"a": 2.0, "b": 1.0}], "LangGraph": [{"a": 4.0, "b": 5.0}]}
    found = figures(_race(less=True), answers)
    assert (found["first"][-1].value, found["first"][-1].verdict) == (2.0, "short")
    assert (found["second"][-1].value, found["second"][-1].target) == (5.0, None)


def test_every_duel_is_between_entries_of_its_race() -> None:
    """Whoever is compared has run; entries of a race have names of their own."""
    for race in (*races(full=False).values(), *races(full=True).values()):
        names = [entry.name for entry in race.entries]
        assert len(set(names)) == len(names)
        assert all(duel.ours in race.entries and duel.peer in race.entries for duel in race.duels)


@pytest.mark.parametrize("peer", [LANGGRAPH.environment, DBOS.environment])
def test_a_peers_environment_is_pinned(peer: str) -> None:
    """Every package of it has one version and a hash, what is asked for is in it, and no index is named."""
    locked = (REQUIREMENTS / f"{peer}.txt").read_text()
    pinned = re.findall(r"^([\w-]+)==\S+( ;[^\\]*)? \\\n    --hash=sha256:", locked, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[^\s#]", locked, re.MULTILINE)) > 0
    for asked in (REQUIREMENTS / f"{peer}.in").read_text().split():
        assert f"{asked} \\\n" in locked or f"{asked} ;" in locked
    assert "://" not in locked
    assert "index" not in locked


@pytest.mark.parametrize(
    ("workload", "sizes", "said"),
    [
        ("steps", {"runs": 20}, "steps/s"),
        ("keyed", {"runs": 20}, "steps/s"),
        ("alone", {"steps": 2, "runs": 3}, "ms"),
        ("fan", {"steps": 30}, "s"),
        ("long", {"steps": 30}, "s"),
    ],
)
def test_our_runs_answer_like_the_others(
    workload: str,
    sizes: dict[str, int],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Started like a peer, each workload does its work and says in JSON what it took."""
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path), "asyncio", workload, json.dumps(sizes)])
    protocol.main({workload: getattr(dirigent_runs, workload)})
    answer = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert answer[said] > 0
