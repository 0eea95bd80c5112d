"""A recorded run replays to the same state and the same commands in any process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from dirigent import Dirigent
from tests.acceptance import replay
from tests.acceptance.books import small_books

GOAL = "Reactivate 50 dormant enterprise leads"


async def test_recorded_goal_replays_under_other_hash_seeds(tmp_path: Path) -> None:
    """Two other processes with two other hash seeds give the digests that this one gives."""
    async with Dirigent(tmp_path) as dirigent:
        small_books(dirigent, "default")
        await dirigent.process_goal(GOAL)
    here = await replay.replay(tmp_path)
    assert len(here) == 3
    for seed in ("1", "4242"):
        assert _elsewhere(tmp_path, seed) == here


def _elsewhere(folder: Path, seed: str) -> dict[str, list[str]]:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    script = Path(replay.__file__)
    done = subprocess.run(
        [sys.executable, str(script), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found
