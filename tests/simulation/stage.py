"""A simulated engine in a test's hands: one disk, one process after the other, and nothing by chance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from dirigent.bootstrap.simulation import DRIVERS
from dirigent.domain.event import Event
from dirigent.domain.policy import Autonomy
from dirigent.domain.workflow import Definition
from dirigent.engine import Engine, Start
from dirigent.execution.registry import Registry
from dirigent.testing.invariants import Called, Report, check
from dirigent.testing.simulation.agents import Line, Rules, simulated_agents
from dirigent.testing.simulation.client import Outcome
from dirigent.testing.simulation.disk import Write
from dirigent.testing.simulation.faults import CALM, Faults
from dirigent.testing.simulation.process import Process
from dirigent.testing.simulation.receiver import Receiver
from tests.simulation.surroundings import Surroundings

REGISTRY: Registry = simulated_agents()


class Stage(Surroundings):
    """What a process needs around it. `hold` names the actions whose answers never come."""

    set_up: ClassVar[list[Stage]] = []

    def __init__(self, *, hold: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.told_of: list[tuple[str, str]] = []
        self.die_at: Callable[[str], bool] = lambda point: False
        self.faults = Steady(CALM, self.chance)
        self._sessions = 0
        self.receiver = Holding(
            self.scheduler,
            self.faults,
            self.chance,
            tick=self.tick,
            durable=lambda: self.disk.durable,
            passed=self.passed,
        )
        self.receiver.held = hold
        Line.receiver = self.receiver
        self.set_up.append(self)
        self.open()

    @property
    def engine(self) -> Engine:
        """The engine of the process that runs now."""
        return self.process.engine

    def open(self) -> None:
        """Begin a process and let it take up what there is."""
        self._sessions += 1
        self.process = Process(str(self._sessions), self, DRIVERS, REGISTRY, Rules(), self.faults)
        self.process.begin(lambda: None)
        self.pass_time(0.5)

    @classmethod
    def clear(cls) -> None:
        """Take down every stage that was set up."""
        while cls.set_up:
            cls.set_up.pop().process.crash()

    def crash(self) -> None:
        """The process is gone at once, and another one begins."""
        self.process.crash()
        self.receiver.caller_died()
        self.die_at = lambda point: False
        self.open()

    def start(self, definition: Definition, name: str = "e", **more: Any) -> None:
        """Start an execution."""
        start = Start(
            definition=definition,
            tenant="org_a",
            actor="anna",
            execution_id=name,
            autonomy=Autonomy.L3,
            **more,
        )
        outcome = self.ask(lambda engine: engine.start(start))
        assert outcome.result == "acknowledged", outcome

    def ask(self, work: Callable[[Engine], Awaitable[Any]]) -> Outcome:
        """Ask the engine for something; where the process dies of it, nobody knows what came of it."""
        answers: list[Outcome] = []
        self.process.carry(work, answers.append)
        while not answers and not self.process.loop.killed:
            if not self.step():
                break
        return answers[0] if answers else Outcome(session="", result="unknown")

    def pass_time(self, seconds: float) -> None:
        """Let the world go on for so long."""
        until = self.scheduler.now + seconds
        self.scheduler.at(until, lambda: None)
        while self.scheduler.now < until and not self.process.loop.killed:
            if not self.step():
                return

    def events(self, name: str = "e") -> list[str]:
        """What is on the disk of an execution, by the names of its events."""
        return [type(recorded.event).__name__ for recorded in self.disk.read() if recorded.stream == name]

    def checked(self) -> Report:
        """All invariants over what there is now."""
        return check(self.disk.read(), (), self.receiver.log)

    def passed(self, point: str) -> None:
        if self.die_at(point):
            self.process.loop.kill()

    def storage_failed(self) -> None:
        assert self.faults.fails, "a disk fails when it is told to"

    def told(self, execution: str, event: Event) -> None:
        self.told_of.append((execution, type(event).__name__))


class Steady(Faults):
    """A disk that takes as long as it is told to, and fails when it is told to."""

    write_s = 0.0
    fails = False

    def write(self) -> Write:
        return Write(seconds=self.write_s, kept=not self.fails, reported=not self.fails)


class Holding(Receiver):
    """A receiver that acts, and for some actions does not answer."""

    held: tuple[str, ...] = ()

    def fault_of(self, agent: str, action: str, effect: str) -> str:
        return "lost_reply" if action in self.held else ""

    def calls(self, action: str) -> list[Called]:
        """The calls of an action that arrived."""
        return [called for called in self.log if called.action == action]
