"""What goes wrong in one run: which kinds of faults, how often, and when. All of it drawn from the seed.

Each kind is switched on or off by itself (a swarm), so that some runs see one kind alone and others all of
them. Rates stay inside bounds that leave something to be done: replies lost up to 30 %, repeated up to 50 %,
writes failing up to 10 %.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from dirigent.testing.simulation.disk import Write

CALL_FAULTS = (
    "refused",
    "failed_after",
    "lost_reply",
    "hung",
    "slow",
    "repeated",
    "permanent",
    "crashed",
    "misshapen",
    "large",
)
CRASH_POINTS = (
    "append",
    "write",
    "durable",
    "acknowledged",
    "sent",
    "arrived",
    "applied",
    "replied",
    "told",
    "asked",
    "answered",
    "opening",
)
CALL_RATE_MAX = {"lost_reply": 0.3, "failed_after": 0.3, "repeated": 0.5, "slow": 0.5, "large": 0.1}
RATE_MAX = 0.15
JUMPS_S = (1, 60, 3600, 86_400, 10 * 365 * 86_400)


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How often things go wrong. Rates are shares of one; `crashes` and `jumps` are numbers of times."""

    calls: Mapping[str, float] = field(default_factory=dict)
    slow_write: float = 0.0
    failed_write: float = 0.0
    crashes: int = 0
    jumps: int = 0
    lost_answer: float = 0.0
    repeated_request: float = 0.0
    contrary: float = 0.0

    @property
    def kinds(self) -> int:
        """How many kinds of faults there are in this run."""
        single = (self.slow_write, self.failed_write, self.crashes, self.jumps)
        of_clients = (self.lost_answer, self.repeated_request, self.contrary)
        return sum(map(bool, (*single, *of_clients))) + sum(rate > 0 for rate in self.calls.values())


CALM = Rates()


def drawn(chance: random.Random) -> Rates:
    """The faults of one run: each kind is on or off, at least three are on."""
    while True:
        calls = {
            kind: chance.uniform(0.02, CALL_RATE_MAX.get(kind, RATE_MAX))
            for kind in CALL_FAULTS
            if chance.random() < 0.45
        }
        rates = Rates(
            calls=calls,
            slow_write=_maybe(chance, 0.5, 0.02, 0.3),
            failed_write=_maybe(chance, 0.3, 0.005, 0.03),
            crashes=chance.choice((1, 1, 2, 2, 3, 4)) if chance.random() < 0.85 else 0,
            jumps=chance.randint(1, 4) if chance.random() < 0.4 else 0,
            lost_answer=_maybe(chance, 0.5, 0.02, 0.3),
            repeated_request=_maybe(chance, 0.5, 0.05, 0.5),
            contrary=_maybe(chance, 0.6, 0.02, 0.25),
        )
        if rates.kinds >= 3:
            return rates


def _maybe(chance: random.Random, share: float, least: float, most: float) -> float:
    return chance.uniform(least, most) if chance.random() < share else 0.0


@dataclass(frozen=True, kw_only=True)
class CrashPlan:
    """When a process dies: at its n-th passing of a point, or at its n-th callback where `point` is empty."""

    point: str
    nth: int


class Faults:
    """The dice of one run. After `end` nothing goes wrong any more."""

    def __init__(self, rates: Rates, chance: random.Random) -> None:
        self.rates = rates
        self.happened: dict[str, int] = {}
        self._chance = chance
        self._crashes_left = rates.crashes
        self._on = True

    @property
    def on(self) -> bool:
        """Whether things may still go wrong."""
        return self._on

    def end(self) -> None:
        """From here on everything works."""
        self._on = False

    def note(self, kind: str) -> None:
        """Something went wrong."""
        self.happened[kind] = self.happened.get(kind, 0) + 1

    def write(self) -> Write:
        """What the disk makes of the next batch."""
        seconds = self._chance.choice((0.0, 0.0002, 0.001, 0.004))
        if not self._on:
            return Write(seconds=seconds)
        if self._strikes("slow_write", self.rates.slow_write):
            stalled = self._chance.random() < 0.05
            seconds = self._chance.uniform(5, 30) if stalled else self._chance.uniform(0.05, 0.5)
        if self._strikes("failed_write", self.rates.failed_write):
            return Write(seconds=seconds, kept=self._chance.random() < 0.5, reported=False)
        return Write(seconds=seconds)

    def survives(self) -> bool:
        """Whether a write under way when the process died reached the disk."""
        return self._chance.random() < 0.5

    def call(self) -> str:
        """What goes wrong with the next call to the outside; empty where nothing does."""
        if not self._on:
            return ""
        for kind, rate in self.rates.calls.items():
            if self._strikes(kind, rate):
                return kind
        return ""

    def answer_is_lost(self) -> bool:
        """Whether the client hears nothing of its request."""
        return self._on and self._strikes("lost_answer", self.rates.lost_answer)

    def request_is_repeated(self) -> bool:
        """Whether the client sends its request twice."""
        return self._on and self._strikes("repeated_request", self.rates.repeated_request)

    def client_is_contrary(self) -> bool:
        """Whether the client wants something else all of a sudden."""
        return self._on and self._strikes("contrary", self.rates.contrary)

    def next_crash(self) -> CrashPlan | None:
        """When the process that is about to begin is going to die."""
        if not self._on or not self._crashes_left:
            return None
        self._crashes_left -= 1
        if self._chance.random() < 0.5:
            return CrashPlan(point="", nth=int(2 ** self._chance.uniform(0, 11)))
        return CrashPlan(point=self._chance.choice(CRASH_POINTS), nth=int(2 ** self._chance.uniform(0, 5.5)))

    def jump_s(self) -> float:
        """By how much the wall clock is set, and in which direction."""
        self.note("clock_jump")
        return self._chance.choice(JUMPS_S) * self._chance.choice((-1.0, 1.0))

    def _strikes(self, kind: str, rate: float) -> bool:
        if self._chance.random() >= rate:
            return False
        self.note(kind)
        return True
