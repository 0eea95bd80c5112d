"""Many runs, one after the other, and what they came to together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dirigent.execution.registry import Registry
from dirigent.interpreter.graph import Graph
from dirigent.testing.invariants import ELSEWHERE, INVARIANTS, PARTS, Report
from dirigent.testing.simulation.agents import simulated_agents
from dirigent.testing.simulation.faults import Rates
from dirigent.testing.simulation.process import Drivers
from dirigent.testing.simulation.world import Run, Simulation

TWICE_EVERY = 10
GRAPHS_MAX = 2_000
ENOUGH = 1_000  # runs after which there is no excuse for something never having been put to the test
CONFIDENCE = 3.0  # the rule of three: none in n trials bounds the rate by 3/n, with 95 % confidence


@dataclass(kw_only=True)
class Tally:
    """What runs came to: how much of everything there was, and the runs in which something was broken."""

    runs: int = 0
    executions: int = 0
    events: int = 0
    crashes: int = 0
    absorbed: int = 0
    simulated_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    exercised: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    digests: dict[int, str] = field(default_factory=dict)
    red: dict[int, Run] = field(default_factory=dict)

    def count(self, run: Run) -> None:
        """Take in one run."""
        self.runs += 1
        self.executions += run.executions
        self.events += run.events
        self.crashes += run.crashes
        self.absorbed += run.absorbed
        self.simulated_s += run.seconds
        self.faults.update(run.faults)
        self.exercised.update(run.report.exercised)
        self.parts.update(run.report.parts)
        self.broken.update(violation.invariant for violation in run.report.violations)
        self.digests[run.seed] = run.digest
        if not run.report.sound:
            self.red[run.seed] = run

    def take_in(self, other: Tally) -> None:
        """Add what another process counted."""
        self.runs += other.runs
        self.executions += other.executions
        self.events += other.events
        self.crashes += other.crashes
        self.absorbed += other.absorbed
        self.simulated_s += other.simulated_s
        self.faults.update(other.faults)
        self.exercised.update(other.exercised)
        self.parts.update(other.parts)
        self.broken.update(other.broken)
        self.digests.update(other.digests)
        self.red.update(other.red)

    @property
    def violations(self) -> int:
        """How many violations there were."""
        return self.broken.total()

    @property
    def never_exercised(self) -> tuple[str, ...]:
        """The invariants that were never put to the test, of those that could have been."""
        return Report(exercised=self.exercised).never_exercised

    @property
    def never_done(self) -> tuple[str, ...]:
        """What workflows are made of, and none of these runs did."""
        return tuple(part for part in PARTS if not self.parts[part])

    @property
    def void(self) -> bool:
        """Whether the runs prove less than they seem to: something was not put to the test."""
        return bool(self.never_exercised or self.never_done)

    @property
    def sound(self) -> bool:
        """Whether nothing was broken, and of many runs nothing was left untried."""
        return not (self.red or (self.void and self.runs >= ENOUGH))

    @property
    def bound(self) -> float:
        """The share of runs in which something may be broken, with 95 % confidence, where nothing was."""
        return CONFIDENCE / self.runs if self.runs else 1.0


class Player:
    """Plays runs in one process; what is compiled once serves all of them."""

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers
        self._registry: Registry = simulated_agents()
        self._graphs: dict[str, Graph] = {}

    def play(self, seed: int, *, rates: Rates | None = None) -> tuple[Run, Simulation]:
        """One run, and the world as it was at its end."""
        if len(self._graphs) > GRAPHS_MAX:
            self._graphs.clear()
        simulation = Simulation(seed, self._drivers, self._registry, rates=rates)
        return simulation.run(self._graphs, twice=seed % TWICE_EVERY == 0), simulation

    def play_all(
        self,
        seeds: Iterable[int],
        *,
        look: Callable[[Run, Simulation], None] = lambda run, simulation: None,
    ) -> Tally:
        """All of them. `look` may look at each when it is over, and add to its report."""
        tally = Tally()
        for seed in seeds:
            run, simulation = self.play(seed)
            look(run, simulation)
            tally.count(run)
        return tally


def summary(tally: Tally, seconds: float) -> str:
    """One line: what was tried, what happened, and what that proves."""
    judged = len(INVARIANTS) - len(ELSEWHERE)
    never = (*tally.never_exercised, *tally.never_done)
    untried = (
        f"never exercised: {', '.join(never)}" if never else f"all {judged} exercised, in {len(PARTS)} parts"
    )
    verdict = "void" if tally.void else "valid"
    bound = f"under {tally.bound:.2%} of runs (95 %)" if not tally.violations else "no bound"
    return (
        f"{tally.runs:,} seeds, {tally.executions:,} executions, {tally.events:,} events, "
        f"{tally.faults.total():,} faults ({tally.crashes:,} crashes), {tally.absorbed:,} absorbed repeats, "
        f"{tally.simulated_s / 3600:,.0f} simulated hours in {seconds:.0f} s; "
        f"invariants: {untried}; violations: {tally.violations} ({bound}); {verdict}"
    )
