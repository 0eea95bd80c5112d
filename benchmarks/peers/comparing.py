"""Contenders in turn, round after round; what is compared was measured in the same round."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, median
from benchmarks.peers.contenders import perform, stored_bytes
from benchmarks.peers.races import Entry, Metric, Race

Answers = dict[str, list[dict[str, Any]]]

# Who takes up by itself what had not ended; with LangGraph, the caller has to know and to invoke again.
TAKE_UP = ("dirigent_runs", "dbos_runs")


async def run_race(race: Race, folder: Path, loop: str, rounds: int) -> Answers:
    """Every entry once a round; its answers by its name."""
    answers: Answers = {entry.name: [] for entry in race.entries}
    for number in range(rounds * race.often):
        for position, entry in enumerate(race.entries):
            place = folder / f"{race.name}-{number}-{position}"
            place.mkdir()
            answers[entry.name].append(await _perform(entry, place, loop))
    return answers


async def _perform(entry: Entry, place: Path, loop: str) -> dict[str, Any]:
    answer = await perform(entry.contender, entry.workload, place, loop, entry.sizes)
    answer["stored_mb"] = stored_bytes(place) / 1e6
    if entry.workload == "park" and entry.contender.module in TAKE_UP:
        again = await perform(entry.contender, "recover", place, loop, entry.sizes)
        answer["recovered"] = again["up"]
    return answer


def figures(race: Race, answers: Answers) -> dict[str, list[Figure]]:
    """By the title of each metric: what everybody reached, and then how many times better ours is."""
    return {
        metric.title: [*_reached(metric, answers), *_duels(race, metric, answers)] for metric in race.metrics
    }


def _reached(metric: Metric, answers: Answers) -> Iterator[Figure]:
    for name, found in answers.items():
        values = [answer[metric.key] for answer in found if metric.key in answer]
        if values:
            yield Figure(name=name, value=median(values), unit=metric.unit)


def _duels(race: Race, metric: Metric, answers: Answers) -> Iterator[Figure]:
    for duel in race.duels:
        pairs = list(zip(answers[duel.ours.name], answers[duel.peer.name], strict=True))
        ratios = [_times(metric, ours, peer) for ours, peer in pairs if metric.key in peer]
        if ratios:
            name = f"  {duel.ours.name} against {duel.peer.name}"
            target = duel.times if metric is race.metrics[0] else None
            yield Figure(name=name, value=median(ratios), unit="x", target=target)


def _times(metric: Metric, ours: dict[str, Any], peer: dict[str, Any]) -> float:
    """How many times better ours did; where little is good, how many times less it took."""
    mine, theirs = float(ours[metric.key]), float(peer[metric.key])
    if metric.less:
        return theirs / max(mine, 1e-9)
    return mine / theirs
