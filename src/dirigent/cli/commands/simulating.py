"""`dirigent simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from dirigent.cli.failures import DONE, FAILED, complain
from dirigent.cli.options import DEFAULT, Common
from dirigent.cli.rehearsal_options import NOTHING, OfAWorkflow
from dirigent.domain.errors import InvalidInput

if TYPE_CHECKING:
    from dirigent.cli.screen import Screen
    from dirigent.testing.simulation.campaign import Tally
    from dirigent.testing.simulation.world import Run

SEEDS = 1000
SEEDS_PER_LINE = 1000
SHOWN_MAX = 20
TRACE_SHOWN = 40


def simulate_command(
    workflows: Annotated[tuple[Path, ...], Parameter(negative=())] = (),
    /,
    *,
    seed: Annotated[int | None, Parameter(help="Play this one, and show what happened.")] = None,
    seeds: Annotated[int, Parameter(name=("--seeds", "--runs"), help="How many runs to play.")] = SEEDS,
    first: Annotated[int, Parameter(help="The seed to begin with.")] = 1,
    jobs: Annotated[int | None, Parameter(help="Processes; else one per core.")] = None,
    own: OfAWorkflow = NOTHING,
    common: Common = DEFAULT,
) -> int:
    """Play runs under faults; exit code 1 where a promise of the engine is broken.

    Without a file the engine plays workflows made up by chance. With one it plays yours, and says what breaks
    in it. Nothing outside is reached: disk, time, agents and people are simulated, and every run hangs on
    its seed alone.

    Parameters
    ----------
    workflows
        Your workflow, and behind it those that it starts by name; YAML or JSON.
    """
    screen = common.screen()
    if workflows:
        from dirigent.cli.rehearsal import rehearse_workflow

        return rehearse_workflow(screen, workflows, own, seed, range(first, first + seeds), jobs)
    if own != NOTHING:
        raise InvalidInput(
            "These options are about a workflow, and none is named.", fix="dirigent simulate FILE ..."
        )
    return _one(screen, seed) if seed is not None else _many(screen, range(first, first + seeds), jobs)


def _one(screen: Screen, seed: int) -> int:
    from dirigent.bootstrap.simulation import play_one

    run = play_one(seed)
    if screen.json:
        screen.document(_told(run))
        return DONE if run.report.sound else FAILED
    screen.say(
        f"seed {seed}: {run.executions} executions, {run.events} events, {run.crashes} crashes, "
        f"{run.seconds:,.0f} simulated seconds, trace {run.digest}"
    )
    screen.say("faults: " + (", ".join(f"{kind} {n}" for kind, n in sorted(run.faults.items())) or "none"))
    if run.report.sound:
        screen.say("No invariant is broken.")
        return DONE
    screen.heading("The last that happened (simulated seconds)")
    for line in run.trace[-TRACE_SHOWN:]:
        screen.say(f"  {line}")
    _complain(screen, {seed: run})
    return FAILED


def _many(screen: Screen, seeds: range, jobs: int | None) -> int:
    import os
    import time

    from dirigent.bootstrap.simulation import differing, play
    from dirigent.testing.simulation.campaign import Tally, summary

    since, played = time.monotonic(), Tally()

    def told(part: Tally) -> None:
        before = played.runs // SEEDS_PER_LINE
        played.take_in(part)
        if played.runs // SEEDS_PER_LINE > before and played.runs < len(seeds):
            screen.say(f"{played.runs:,} of {len(seeds):,} seeds, {len(played.red)} red")

    tally = play(seeds, jobs or os.cpu_count() or 1, told)
    different = differing(tally)
    if screen.json:
        screen.document(_counted(tally, different))
        return DONE if tally.sound and not different else FAILED
    screen.say(summary(tally, time.monotonic() - since))
    _complain(screen, tally.red)
    if different:
        complain(
            screen,
            f"{len(different)} seeds went another way under another hash seed: {different[:5]}.",
            "Something hangs on the order of a set, on an address or on real time.",
        )
    if tally.void and not tally.sound:
        never = ", ".join((*tally.never_exercised, *tally.never_done))
        complain(screen, f"{tally.runs:,} seeds never came to: {never}.", "They prove nothing about that.")
    return DONE if tally.sound and not different else FAILED


def _complain(screen: Screen, red: dict[int, Run]) -> None:
    for seed in sorted(red)[:SHOWN_MAX]:
        for violation in red[seed].report.violations[:SHOWN_MAX]:
            screen.warn(f"seed {seed}: {violation}")
        screen.warn(f"  again: dirigent simulate --seed {seed}    (make sim SEED={seed})")


def _told(run: Run) -> dict[str, Any]:
    return {
        "seed": run.seed,
        "sound": run.report.sound,
        "violations": run.report.violations,
        "exercised": dict(run.report.exercised),
        "parts": dict(run.report.parts),
        "executions": run.executions,
        "events": run.events,
        "crashes": run.crashes,
        "absorbed": run.absorbed,
        "simulated_s": run.seconds,
        "faults": run.faults,
        "digest": run.digest,
        "trace": run.trace,
    }


def _counted(tally: Tally, different: list[int]) -> dict[str, Any]:
    return {
        "seeds": tally.runs,
        "executions": tally.executions,
        "events": tally.events,
        "crashes": tally.crashes,
        "absorbed": tally.absorbed,
        "simulated_s": tally.simulated_s,
        "faults": dict(tally.faults),
        "exercised": dict(tally.exercised),
        "never_exercised": tally.never_exercised,
        "parts": dict(tally.parts),
        "never_done": tally.never_done,
        "void": tally.void,
        "violations": {seed: run.report.violations for seed, run in tally.red.items()},
        "bound": tally.bound,
        "differing": different,
    }
