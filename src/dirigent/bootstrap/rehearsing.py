"""Many runs of one workflow of somebody's own, on every core; the agents' own code is never called."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from dirigent.agents.catalogue import catalogue
from dirigent.bootstrap.agent_loading import load_agents
from dirigent.bootstrap.simulation import quieten
from dirigent.control.catalogue import control_agents
from dirigent.domain.errors import InvalidInput
from dirigent.execution.registry import Registry
from dirigent.interpreter.inputs import check_input
from dirigent.runtimes.clock import SystemClock
from dirigent.runtimes.local import LocalRuntime
from dirigent.settings import AGENTS, read_settings
from dirigent.testing.simulation.process import Drivers
from dirigent.testing.simulation.rehearsal import Break, Plan, Rehearsal, Rehearsed
from dirigent.testing.simulation.stand_ins import StandIns
from dirigent.testing.simulation.world import Run

NEVER_SET_S = 1e9  # nobody sets these clocks, so that nothing has to be looked after meanwhile
DRIVERS = Drivers(
    runtime=LocalRuntime,
    clock=lambda wall, steady: SystemClock(wall=wall, steady=steady, longest_sleep_s=NEVER_SET_S),
)
CHUNK = 50
IN_ONE_PROCESS = 200


@dataclass(kw_only=True)
class Broken:
    """One thing that went wrong: in how many runs, in how many of them for good, and the first seed."""

    what: Break
    runs: int = 0
    fatal: int = 0
    seed: int = 0


@dataclass(kw_only=True)
class Rehearsals:
    """What many runs came to: how they ended, what broke, and what the engine itself did wrong."""

    runs: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    first_with: dict[str, int] = field(default_factory=dict)
    broken: dict[tuple[str, str], Broken] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    crashes: int = 0
    red: dict[int, Run] = field(default_factory=dict)

    def count(self, one: Rehearsed) -> None:
        """Take in a run."""
        self.runs += 1
        self.statuses[one.status] += 1
        self.first_with.setdefault(one.status, one.seed)
        self.faults.update(one.run.faults)
        self.crashes += one.run.crashes
        for found in one.breaks:
            broken = self.broken.setdefault((found.step, found.code), Broken(what=found, seed=one.seed))
            broken.runs += 1
            broken.fatal += one.status not in GOOD
        if not one.run.report.sound:
            self.red[one.seed] = one.run

    @property
    def failed(self) -> int:
        """How many runs ended neither completed nor completed in part."""
        return self.runs - sum(self.statuses[status] for status in GOOD)

    def by_weight(self) -> list[Broken]:
        """What broke, the worst first."""
        return sorted(
            self.broken.values(), key=lambda one: (-one.fatal, -one.runs, one.what.step, one.what.code)
        )


GOOD = ("completed", "partially_completed")


def unregistered(plan: Plan) -> list[str]:
    """The agents of a workflow that nobody has registered; raises `InvalidInput` for what cannot be played.

    That is an action that a registered agent does not have, a rate or an output for an agent that the
    workflow never asks, and an input that it does not take.
    """
    stand_ins = StandIns(_registry())
    asked = plan.actions()
    made = [stand_ins.action(agent, action) for agent, action in asked]
    known = {
        name
        for one in made
        for agent in (one.asked, one.agent.key)
        for name in (agent, f"{agent}.{one.spec.name}")
    }
    for option, names in (("--fail", plan.fail), ("--gives", plan.gives)):
        for name in names:
            if name not in known:
                there = ", ".join(f"{agent}.{action}" for agent, action in asked) or "no agent at all"
                raise InvalidInput(
                    f"{option} names {name!r}, which the workflow does not ask.",
                    fix=f"It asks {there}; name an agent, or agent.action.",
                    field=option.strip("-"),
                )
    check_input(plan.definition, plan.input)
    return sorted({one.asked for one in made if one.real is None})


def undeclared(plan: Plan) -> list[str]:
    """The actions of registered agents that declare no fields of what they give, so that it is `{}` here.

    What the plan says they give is no guess, and not among them.
    """
    stand_ins = StandIns(_registry())
    found = []
    for one in (stand_ins.action(agent, action) for agent, action in plan.actions()):
        name = f"{one.asked}.{one.spec.name}"
        planned = {one.asked, one.agent.key, name, f"{one.agent.key}.{one.spec.name}"} & plan.gives.keys()
        schema = one.real.output_schema() if one.real is not None else {}
        if schema.get("type") == "object" and not schema.get("properties") and not planned:
            found.append(name)
    return found


def rehearse(
    plan: Plan, seeds: Sequence[int], jobs: int, told: Callable[[int], None] = lambda runs: None
) -> Rehearsals:
    """Play seeds in so many processes; `told` hears how many are over."""
    whole = Rehearsals()
    for part in _parts(plan, seeds, jobs):
        for one in part:
            whole.count(one)
        told(whole.runs)
    return whole


def rehearse_one(plan: Plan, seed: int) -> Rehearsed:
    """One seed."""
    [[one]] = _parts(plan, [seed], jobs=1)
    return one


def _parts(plan: Plan, seeds: Sequence[int], jobs: int) -> Iterator[list[Rehearsed]]:
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    if jobs <= 1 or len(seeds) <= IN_ONE_PROCESS:
        _begin_worker(plan)
        yield from map(_play, chunks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin_worker, initargs=(plan,)) as pool:
        yield from pool.map(_play, chunks)


_at_hand: list[tuple[Plan, StandIns]] = []


def _begin_worker(plan: Plan) -> None:
    quieten()
    _at_hand[:] = [(plan, StandIns(_registry()))]


def _play(seeds: Sequence[int]) -> list[Rehearsed]:
    [(plan, stand_ins)] = _at_hand
    return [Rehearsal(seed, plan, DRIVERS, stand_ins).play() for seed in seeds]


def _registry() -> Registry:
    registry = Registry([*control_agents(), *catalogue()])
    for own in load_agents(read_settings().agents, AGENTS):
        registry.register(own)
    return registry
