"""Plant one fault after the other in a copy of the engine, and see by what each is found."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from campaigns.mutants.planted import Mutant, Unplanted, plant, planted
from campaigns.scratch import scratch
from campaigns.verdict import Verdict

SOURCE = Path(__file__).parents[2] / "src"
SEEDS = 300
SEEDS_BESIDE_TESTS = 25
SHARE_MIN = 0.9
PLAY_S_MAX = 180.0
TESTS_S_MAX = 240.0
JOBS = 2
LINE_MAX = 110
SOUND = Mutant(name="nothing is planted", file="__init__.py", old="", new="")


@dataclass(frozen=True, kw_only=True)
class Found:
    """What became of one mutant: by what it was found, a seed or a test; empty where nothing saw it."""

    mutant: Mutant
    by: str = ""
    how: str = ""


def campaign(*, seeds: int = SEEDS, first: int = 1, only: str = "", jobs: int = JOBS) -> Iterator[Verdict]:
    """Try the engine as it is, then every mutant, or those whose name holds `only`.

    `seeds` seeds are played against each. One that has tests of its own is tried with a few seeds only, and
    then with these.
    """
    chosen = [mutant for mutant in planted() if only in mutant.name]
    repeat = f'python -m campaigns mutants --seed {first} --seeds {seeds} --only "{only}"'
    with scratch() as folder:
        copy = shutil.copytree(SOURCE, folder / "sound", ignore=shutil.ignore_patterns("*.egg-info"))
        compileall.compile_dir(copy, quiet=2)
        sound = _tried(SOUND, folder, min(seeds, SEEDS_BESIDE_TESTS), first)
        if sound.by:
            reason = f"with nothing planted it is red, too: {sound.by}: {sound.how}"
            yield Verdict(campaign="mutants", trials=0, unit="mutants", repeat=repeat, void=(reason,))
            return
        with ThreadPoolExecutor(jobs) as lanes:
            tried = []
            for found in lanes.map(lambda mutant: _tried(mutant, folder, seeds, first), chosen):
                print(_row(found), flush=True)
                tried.append(found)
    yield verdict(tried, repeat)


def verdict(tried: Sequence[Found], repeat: str) -> Verdict:
    """Red where more than one mutant in ten was seen by nothing."""
    alive = [found.mutant.name for found in tried if not found.by]
    by_seeds = sum(found.by.startswith("seed") for found in tried)
    killed = len(tried) - len(alive)
    share = killed / len(tried) if tried else 0.0
    missed = f"{killed} of {len(tried)} were found ({share:.0%}), not {SHARE_MIN:.0%}"
    return Verdict(
        campaign="mutants",
        trials=len(tried),
        unit="mutants",
        repeat=repeat,
        counts={"found by simulation": by_seeds, "found by tests": killed - by_seeds, "alive": len(alive)},
        details=[f"alive: {name}" for name in alive],
        violations=() if share >= SHARE_MIN else (missed,),
        is_control=True,
    )


def _tried(mutant: Mutant, folder: Path, seeds: int, first: int) -> Found:
    place = folder / f"mutant-{id(mutant)}"
    source = shutil.copytree(folder / "sound", place)
    try:
        if mutant is not SOUND:
            plant(mutant, source)
    except Unplanted as stale:
        shutil.rmtree(place)
        return Found(mutant=mutant, how=str(stale))
    try:
        played = min(seeds, SEEDS_BESIDE_TESTS) if mutant.tests else seeds
        return _by_seeds(mutant, source, played, first) or _by_tests(mutant, source) or Found(mutant=mutant)
    finally:
        shutil.rmtree(place)


def _by_seeds(mutant: Mutant, source: Path, seeds: int, first: int) -> Found | None:
    command = ["-m", "campaigns.mutants.victim", str(source), str(first), str(seeds)]
    said, status = _run(command, source, PLAY_S_MAX)
    last = _last_said(said)
    seed, broken = last.get("seed"), str(last.get("broken", ""))
    if status == 0 and seed is None:
        return None
    ended = "it never came to its end" if status is None else said.strip()[-LINE_MAX:]
    return Found(mutant=mutant, by=f"seed {seed}", how=broken or ended)


def _by_tests(mutant: Mutant, source: Path) -> Found | None:
    if not mutant.tests:
        return None
    said, status = _run(
        ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutant.tests], source, TESTS_S_MAX
    )
    if status == 0:
        return None
    failed = [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    name, _, how = (failed[0] if failed else said.strip()[-LINE_MAX:]).partition(" - ")
    return Found(mutant=mutant, by=name.partition(" ")[2] or "a test", how=how)


def _run(command: Sequence[str], source: Path, seconds: float) -> tuple[str, int | None]:
    """What a Python over a copy of the engine says, and its exit status; None where it took too long."""
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=SOURCE.parent,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode(), None
    return done.stdout.decode(), done.returncode


def _last_said(said: str) -> dict[str, object]:
    lines = [line for line in said.splitlines() if line.startswith('{"seed"')]
    found: dict[str, object] = json.loads(lines[-1]) if lines else {}
    return found


def _row(found: Found) -> str:
    return f"    {'found' if found.by else 'ALIVE'}  {found.mutant.name:<66} {found.by}  {found.how}"[:200]
