"""Plays seeds against the engine that it is started with, until one is red.

Its arguments are a folder, the first seed, and how many. The folder is where the engine has to come from, so
that nobody plays against the one in the checkout. The last line says, as JSON, the first seed that was red
and what it broke; or that there was none.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import dirigent
from dirigent.bootstrap.simulation import differing, play
from dirigent.testing.simulation.campaign import Tally

SEEDS_AT_ONCE = 5
DIFFERENCE = "X2 another process went another way"


def main(folder: str, first: int, count: int) -> None:
    """Say every stretch before it is played, so that one that never ends is known, too."""
    assert Path(folder) in Path(str(dirigent.__file__)).parents, "the engine is the planted one"
    played = Tally()
    for start in range(first, first + count, SEEDS_AT_ONCE):
        _say(seed=start, playing=True)
        seeds = range(start, min(start + SEEDS_AT_ONCE, first + count))
        tally = play(seeds, jobs=1)
        if tally.red:
            seed = min(tally.red)
            return _say(seed=seed, broken=str(tally.red[seed].report.violations[0]))
        played.take_in(tally)
    different = differing(played)
    return _say(seed=different[0], broken=DIFFERENCE) if different else _say(seed=None)


def _say(**said: object) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
