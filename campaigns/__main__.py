"""Run campaigns: `python -m campaigns CAMPAIGN --seed N`; the same seed repeats one.

The exit status is 0 where everything is valid, 1 where something was violated, 2 where a campaign proves
nothing because it did not reach what it is there for.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator

from campaigns.crash import kills, named_points
from campaigns.disk import damage, failing, power
from campaigns.mutants import hunting
from campaigns.verdict import Verdict, worst

Campaign = Callable[[argparse.Namespace], Iterable[Verdict]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m campaigns", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="CAMPAIGN")

    def command(name: str, text: str, run: Campaign) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="repeats a run")
        added.set_defaults(run=run)
        return added

    kill = command("kills", "kill the engine at random moments", _kills)
    kill.add_argument("--kills", type=int, default=kills.KILLS)
    kill.add_argument("--executions", type=int, default=kills.EXECUTIONS, help="at least")
    kill.add_argument("--lanes", type=int, default=kills.LANES, help="data folders worked on at once")
    point = command("points", "have the engine die at named points, also while it recovers", _points)
    point.add_argument("--times", type=int, default=named_points.TIMES, help="hits of each point")
    point.add_argument("--lanes", type=int, default=named_points.LANES, help="data folders at once")
    command("crash", "kills and points in full", _crash)
    cut = command("power", "cut the power between any two writes", lambda a: power.run(a.cuts, a.seed))
    cut.add_argument("--cuts", type=int, default=power.CUTS)
    hurt = command("damage", "damage the journal's files", lambda a: damage.run(a.share, a.seed))
    hurt.add_argument("--share", type=float, default=1.0, help="of all damage, for a quick look")
    fail = command("failing", "fail the n-th write or sync", lambda a: failing.run(a.every, a.seed))
    fail.add_argument("--every", type=int, default=1, help="only every so many-th operation fails")
    plant = command(
        "mutants", "plant faults, and see which of them the simulation and the tests find", _mutants
    )
    plant.add_argument("--seeds", type=int, default=hunting.SEEDS, help="played against each mutant at most")
    plant.add_argument("--only", default="", help="those whose name holds this")
    plant.add_argument("--jobs", type=int, default=hunting.JOBS, help="mutants tried at once")
    plant.set_defaults(seed=1)
    command("disk", "power, damage and failing in full", _disk)
    return parser


def _kills(given: argparse.Namespace) -> Iterator[Verdict]:
    plan = kills.Plan(kills=given.kills, executions=given.executions, lanes=given.lanes, seed=given.seed)
    yield kills.campaign(plan)
    yield kills.control(given.seed)


def _points(given: argparse.Namespace) -> Iterator[Verdict]:
    yield named_points.campaign(named_points.Plan(times=given.times, lanes=given.lanes, seed=given.seed))
    yield named_points.control(given.seed)


def _crash(given: argparse.Namespace) -> Iterator[Verdict]:
    yield kills.campaign(kills.Plan(seed=given.seed))
    yield kills.control(given.seed)
    yield named_points.campaign(named_points.Plan(seed=given.seed))
    yield named_points.control(given.seed)


def _mutants(given: argparse.Namespace) -> Iterator[Verdict]:
    return hunting.campaign(seeds=given.seeds, first=given.seed, only=given.only, jobs=given.jobs)


def _disk(given: argparse.Namespace) -> Iterator[Verdict]:
    yield from power.run(power.CUTS, given.seed)
    yield from damage.run(1.0, given.seed)
    yield from failing.run(1, given.seed)


def main() -> int:
    """Run what is asked for and print a line for each campaign."""
    given = _parser().parse_args()
    print(f"seed {given.seed}", flush=True)
    return worst([_told(verdict) for verdict in given.run(given)])


def _told(verdict: Verdict) -> Verdict:
    verdict.tell()
    return verdict


if __name__ == "__main__":
    sys.exit(main())
