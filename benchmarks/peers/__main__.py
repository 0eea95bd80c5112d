"""The command `python -m benchmarks.peers`: limit, ours and peers in turn on this machine."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import msgspec

from benchmarks.figures import Figure, lines
from benchmarks.peers.comparing import figures, run_race
from benchmarks.peers.contenders import EVERYBODY, perform
from benchmarks.peers.races import races
from benchmarks.setting import LOOPS

ROUNDS = 3


def main() -> None:
    """Compare in a folder beside the checkout, so that everybody writes to the same disk."""
    options = _options()
    missing = {each.environment for each in EVERYBODY if not each.ready}
    if missing:
        sys.exit(
            f"No environment for {', '.join(sorted(missing))}: run `make bench-peers`, which makes them."
        )
    with tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as name:
        asyncio.run(_compare(options, Path(name)))


async def _compare(options: argparse.Namespace, folder: Path) -> None:
    shown = sys.stderr if options.json else sys.stdout
    print(
        f"Everybody on {options.loop}, in turn, {options.rounds} rounds; medians. More x is better for us.",
        file=shown,
    )
    for contender in EVERYBODY:
        about = await perform(contender, "about", folder, options.loop, {})
        versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
        print(f"  {contender.name}: {versions}; {about['settings']}", file=shown)
    found: dict[str, dict[str, list[Figure]]] = {}
    for name, race in races(full=options.full).items():
        if options.only and name not in options.only:
            continue
        answers = await run_race(race, folder, options.loop, options.rounds)
        found[name] = figures(race, answers)
        for title, reached in found[name].items():
            print(f"\n{name}: {title}", *lines(reached), sep="\n", file=shown, flush=True)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())


def _options() -> argparse.Namespace:
    names = list(races(full=False))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--full", action="store_true", help="ten thousand parallel and parked, not one")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds to take medians of")
    parser.add_argument("--loop", choices=LOOPS, default="uvloop", help="event loop for everybody")
    parser.add_argument("--json", action="store_true", help="figures as JSON on standard output")
    return parser.parse_args()


if __name__ == "__main__":
    main()
