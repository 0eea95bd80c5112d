"""`dirigent simulate FILE`: what breaks in a workflow of one's own, how often, and how to see it again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dirigent.cli.failures import DONE, FAILED, complain
from dirigent.cli.rehearsal_options import NOTHING, OfAWorkflow
from dirigent.cli.screen import Screen, table
from dirigent.domain.errors import InvalidInput

if TYPE_CHECKING:
    from dirigent.bootstrap.rehearsing import Broken, Rehearsals
    from dirigent.testing.simulation.rehearsal import Plan, Rehearsed

LISTED_MAX = 30
TOLD_EVERY = 500


class Guessed(NamedTuple):
    """Whose answers are made up: agents that nobody registered, and actions that declare no fields."""

    strangers: Sequence[str]
    undeclared: Sequence[str]


def rehearse_workflow(
    screen: Screen, files: Sequence[Path], own: OfAWorkflow, seed: int | None, seeds: range, jobs: int | None
) -> int:
    """Play one seed, or many, of the first of these files."""
    from dirigent.bootstrap.rehearsing import undeclared, unregistered

    plan = read_plan(files, own)
    strangers = unregistered(plan)
    again = _command(files, own)
    if seed is not None:
        return _one(screen, plan, seed)
    return _many(screen, plan, seeds, jobs, own.tolerate, again, Guessed(strangers, undeclared(plan)))


def read_plan(files: Sequence[Path], own: OfAWorkflow) -> Plan:
    """What is to be played; raises `InvalidInput`, `InvalidDefinition` and `NotFound` for what cannot be."""
    from dirigent.cli.workflow_input import read_input
    from dirigent.domain.policy import Autonomy
    from dirigent.intake.workflows import read_text
    from dirigent.interpreter.loading import load_definition
    from dirigent.testing.simulation.rehearsal import Plan

    definitions = [load_definition(read_text(file), source=str(file)) for file in files]
    return Plan(
        definition=definitions[0],
        library={definition.name: definition for definition in definitions},
        input=read_input(own.input),
        fail=dict(_rate(item) for item in own.fail),
        gives=_named(own.gives, "--gives"),
        signals=_named(own.signal, "--signal"),
        reject=_share(own.reject, "--reject"),
        crash=_share(own.crash, "--crash"),
        autonomy=Autonomy(own.autonomy),
        budget=own.budget,
    )


def _rate(item: str) -> tuple[str, float]:
    name, equals, share = item.partition("=")
    try:
        rate = float(share)
    except ValueError:
        rate = -1.0
    if not (name and equals and 0 <= rate <= 1):
        fix = "Write --fail agent=0.1, with a share from 0 to 1."
        raise InvalidInput(f"--fail {item!r} is no share of an agent's calls.", fix=fix, field="fail")
    return name, rate


def _share(value: float, option: str) -> float:
    if not 0 <= value <= 1:
        raise InvalidInput(
            f"{option} is {value:g}.", fix="Give a share from 0 to 1.", field=option.strip("-")
        )
    return value


def _named(items: Sequence[str], option: str) -> dict[str, Any]:
    from dirigent.cli.workflow_input import read_input

    for item in items:
        if item.startswith("@"):
            raise InvalidInput(f"{option} {item} names nothing.", fix=f"Write {option} name=JSON.")
    return read_input(items)


def _one(screen: Screen, plan: Plan, seed: int) -> int:
    from dirigent.bootstrap.rehearsing import rehearse_one

    one = rehearse_one(plan, seed)
    sound = one.run.report.sound
    if screen.json:
        screen.document(_told_of_one(one))
        return DONE if sound else FAILED
    screen.heading(f"seed {seed}: what happened (simulated seconds)")
    for line in one.run.trace:
        screen.say(f"  {line}")
    screen.say()
    faults = ", ".join(f"{kind} {count}" for kind, count in sorted(one.run.faults.items()))
    screen.say(f"{plan.definition.name} ended {one.status}; faults: {faults or 'none'}")
    for found in one.breaks:
        screen.say(f"  {found.step or 'the whole'}: {found.code}: {found.message}")
    _accuse(screen, {seed: one})
    return DONE if sound else FAILED


def _many(
    screen: Screen,
    plan: Plan,
    seeds: range,
    jobs: int | None,
    tolerate: float,
    again: str,
    guessed: Guessed,
) -> int:
    import os

    from dirigent.bootstrap.rehearsing import rehearse

    def told(runs: int) -> None:
        if runs % TOLD_EVERY == 0 and runs < len(seeds):
            screen.say(f"{runs:,} of {len(seeds):,} runs")

    found = rehearse(plan, seeds, jobs or os.cpu_count() or 1, told)
    too_many = found.failed > tolerate * found.runs
    if screen.json:
        screen.document(_told(found, again, guessed.strangers))
    else:
        _report(screen, plan, found, again, guessed)
    if too_many and not screen.json:
        share = found.failed / found.runs
        complain(screen, f"{share:.1%} of the runs failed, more than {tolerate:.1%}.", "See the seeds above.")
    return FAILED if found.red or too_many else DONE


def _report(screen: Screen, plan: Plan, found: Rehearsals, again: str, guessed: Guessed) -> None:
    ends = ", ".join(f"{count:,} {status}" for status, count in found.statuses.most_common())
    faults = f"{found.faults.total():,} faults ({found.crashes:,} crashes)"
    screen.say(f"{found.runs:,} runs of {plan.definition.name} under {faults}: {ends}")
    if guessed.strangers:
        named = ", ".join(guessed.strangers)
        screen.say(
            f"not registered here, so taken to act at most once and to give {{}}: {named}", style="dim"
        )
    if guessed.undeclared and any(code == "expression_error" for _, code in found.broken):
        named, one = ", ".join(guessed.undeclared), guessed.undeclared[0]
        screen.say(
            f"these declare no fields of what they give, so it is {{}}: {named}; say it with"
            f" --gives {one}=JSON",
            style="dim",
        )
    worst = found.by_weight()[:LISTED_MAX]
    if worst:
        columns = ("step", "what", "runs", "share", "failed", "seed", "for example")
        screen.show(
            table(
                columns, [_row(one, found.runs) for one in worst], right=("runs", "share", "failed", "seed")
            )
        )
        screen.say(f"again: {again} --seed {worst[0].seed}")
    else:
        screen.say("Nothing broke.")
    _accuse(screen, found.red, again)


def _row(one: Broken, runs: int) -> tuple[Any, ...]:
    what = one.what
    return (
        what.step or "(the whole)",
        what.code,
        one.runs,
        f"{one.runs / runs:.1%}",
        one.fatal,
        one.seed,
        what.message,
    )


def _accuse(screen: Screen, red: Any, again: str = "") -> None:
    """What the engine itself did wrong: that is never the workflow's fault."""
    for seed in sorted(red):
        run = getattr(red[seed], "run", red[seed])
        for violation in run.report.violations:
            screen.warn(f"seed {seed}: Dirigent broke a promise: {violation}")
        if again and not run.report.sound:
            screen.warn(f"  again: {again} --seed {seed}")


def _command(files: Sequence[Path], own: OfAWorkflow) -> str:
    """The command that was called, but for how many runs and which."""
    words = ["dirigent", "simulate", *map(str, files)]
    for name in ("fail", "gives", "signal", "input"):
        for item in getattr(own, name):
            words += [f"--{name}", item]
    for name in ("reject", "crash", "autonomy", "budget"):
        if getattr(own, name) != getattr(NOTHING, name):
            words += [f"--{name}", str(getattr(own, name))]
    return shlex.join(words)


def _told(found: Rehearsals, again: str, strangers: Sequence[str]) -> dict[str, Any]:
    return {
        "runs": found.runs,
        "statuses": dict(found.statuses),
        "failed": found.failed,
        "faults": dict(found.faults),
        "crashes": found.crashes,
        "not_registered": list(strangers),
        "breaks": [
            {
                "step": one.what.step,
                "code": one.what.code,
                "message": one.what.message,
                "runs": one.runs,
                "share": one.runs / found.runs,
                "failed": one.fatal,
                "seed": one.seed,
                "again": f"{again} --seed {one.seed}",
            }
            for one in found.by_weight()
        ],
        "violations": {seed: run.report.violations for seed, run in found.red.items()},
    }


def _told_of_one(one: Rehearsed) -> dict[str, Any]:
    return {
        "seed": one.seed,
        "status": one.status,
        "breaks": one.breaks,
        "faults": one.run.faults,
        "violations": one.run.report.violations,
        "trace": one.run.trace,
    }
