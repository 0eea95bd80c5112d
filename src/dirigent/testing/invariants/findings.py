"""The invariants by their ids, what broke them, and how often each was put to the test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

INVARIANTS: dict[str, str] = {
    "S1": "What was acknowledged is in the journal, whatever crashed since.",
    "S2": "Every acknowledged execution is there and stays there.",
    "S3": "Streams are append-only and gapless; one event per version.",
    "S4": "Every digest and chain verifies, up to the head.",
    "S5": "A replay gives the same state and decides the same events, every time.",
    "S6": "Nothing is told before it is durable.",
    "S7": "A subscriber is told every event of a stream, in order, without a gap.",
    "S8": "An execution ends at most once, and nothing follows its end.",
    "S9": "Steps go through their lifecycle and no other way; what was left behind begins nothing.",
    "S10": "An effect has an earlier durable intent with the same key and payload.",
    "S11": "A keyed effect happens at most once per step, once where that completed, not again in a fork.",
    "S12": "At-most-once actions are called once; queryable ones again only after looking.",
    "S13": "Who lost its lease neither appends nor acts.",
    "S14": "A timer fires once, and never before its time.",
    "S15": "A decision or signal is applied exactly once; of several people, when enough said so.",
    "S16": "What is done is what was approved, in time, and on nobody else's approval.",
    "S17": "A verdict stands before each effect, and none follows a denial.",
    "S18": "What was done is undone where a run has no result: once each, the last first.",
    "S19": "After an acknowledged cancel or pause, or a time limit, no new effect starts.",
    "S20": "Nothing crosses from one tenant to another.",
    "S21": "Projections say what a rebuild from the journal says.",
    "S22": "Budgets are never exceeded.",
    "S23": "Attempts, back-off, rounds of loops and fallbacks are as the step allows.",
    "S24": "No secret and no bare personal data stands in events.",
    "S25": "An execution stays on the definition it was started with.",
    "S26": "Starting twice starts once; another body under the same id is refused.",
    "S27": "Recorded time never goes backwards inside a stream.",
    "S28": "After a storage error nothing is acknowledged until the store was opened anew.",
    "L1": "Every runnable step is dispatched.",
    "L2": "Every execution ends or waits for something that is named.",
    "L3": "No wake-up is lost: timers, decisions, ends of children.",
    "L4": "Recovery is bounded by the size of the journal.",
    "L5": "No tenant starves.",
    "L6": "An open circuit lets a probe through after its cool-down.",
    "L7": "An execution that fails stops no other.",
    "L8": "What was given up is listed and can be taken up again.",
    "L9": "A backlog drains.",
    "L10": "An orderly stop comes to its end.",
    "L11": "An approval nobody decides expires at its deadline.",
    "L12": "A dead holder's lease is released.",
    "X1": "No callback of the engine raises, and no task fails unheard.",
}

ELSEWHERE: dict[str, str] = {
    "S13": "one process holds the data folder by a lock of the operating system; there is no lease to lose",
    "S24": "logs of calls and answers say nothing about secrets; the security tests look for them",
    "L4": "recovery costs real time, which is measured where processes are killed",
    "L5": "waiting under load is measured by the benchmarks",
    "L8": "an effect of unknown outcome is the only thing given up, and S12 and L2 look at those",
    "L9": "waiting under load is measured by the benchmarks",
    "L12": "one process holds the data folder by a lock of the operating system; there is no lease to lose",
}

PARTS: dict[str, str] = {
    "compensation": "what was done is undone",
    "loop": "steps go round",
    "block": "steps inside a block all end",
    "join": "a step begins with some of the ways that lead to it",
    "race that was lost": "somebody else was first",
    "votes": "one of several says yes or no",
    "fallback": "something stands in for a result",
    "time limit": "the time of a run is over",
    "time limit of a step": "the time of a block, or of what a step started, is over",
    "fork": "a run takes over from another",
    "retry": "a run does what another left undone",
}


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One invariant broken at one place."""

    invariant: str
    text: str
    stream: str = ""
    version: int = 0

    def __str__(self) -> str:
        place = f" [{self.stream}@{self.version}]" if self.version else f" [{self.stream}]"
        return f"{self.invariant}{place if self.stream else ''} {self.text}"


@dataclass(kw_only=True)
class Report:
    """What a check found: violations, and how often each invariant was put to the test.

    `parts` says how often each of `PARTS` was done.
    """

    violations: list[Violation] = field(default_factory=list)
    exercised: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)

    @property
    def sound(self) -> bool:
        """Whether nothing was broken."""
        return not self.violations

    @property
    def never_exercised(self) -> tuple[str, ...]:
        """The invariants that could have been put to the test and never were."""
        return tuple(id for id in INVARIANTS if id not in ELSEWHERE and not self.exercised[id])

    @property
    def broken(self) -> tuple[str, ...]:
        """The ids of the invariants that were broken, in their order."""
        found = {violation.invariant for violation in self.violations}
        return tuple(id for id in INVARIANTS if id in found)

    def take_in(self, other: Report) -> None:
        """Add what another check found."""
        self.violations += other.violations
        self.exercised.update(other.exercised)
        self.parts.update(other.parts)


class Findings:
    """Gathers what the checks find."""

    def __init__(self) -> None:
        self.report = Report()

    def met(self, invariant: str, times: int = 1) -> None:
        """The invariant was put to the test."""
        self.report.exercised[invariant] += times

    def did(self, part: str) -> None:
        """Something was done that workflows are made of."""
        assert part in PARTS, f"{part} is no part"
        self.report.parts[part] += 1

    def broken(self, invariant: str, text: str, stream: str = "", version: int = 0) -> None:
        """The invariant does not hold."""
        assert invariant in INVARIANTS, f"{invariant} is no invariant"
        violation = Violation(invariant=invariant, text=text, stream=stream, version=version)
        self.report.violations.append(violation)

    def expect(self, invariant: str, holds: bool, text: str, stream: str = "", version: int = 0) -> None:
        """The invariant was put to the test; where it does not hold, say so."""
        self.met(invariant)
        if not holds:
            self.broken(invariant, text, stream, version)


def joined(reports: Iterable[Report]) -> Report:
    """One report of many."""
    whole = Report()
    for report in reports:
        whole.take_in(report)
    return whole
