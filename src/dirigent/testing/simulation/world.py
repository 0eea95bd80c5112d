"""One run of the simulation: an engine, its disk, its clients and the systems outside, under faults.

First faults, then calm: while they last nothing may go wrong for good (the S-invariants), and once they are
over everything has to come to its end (the L-invariants). Everything hangs on the seed.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from dirigent.domain.event import Event
from dirigent.domain.workflow import Definition
from dirigent.engine import Engine
from dirigent.execution.registry import Registry
from dirigent.interpreter.graph import Graph
from dirigent.testing.invariants import (
    UNKNOWN,
    Ended,
    Opened,
    Projected,
    Quiet,
    Report,
    StorageFailed,
    check,
)
from dirigent.testing.simulation.agents import Line, Rules
from dirigent.testing.simulation.client import Clients, Outcome
from dirigent.testing.simulation.disk import Disk
from dirigent.testing.simulation.faults import CrashPlan, Faults, Rates, drawn
from dirigent.testing.simulation.process import Drivers, Process, no_library
from dirigent.testing.simulation.receiver import Receiver
from dirigent.testing.simulation.scheduler import Scheduler

EPOCH_S = 1_780_000_000.0
STARTS_WITHIN_S = 60.0
CALM_S = 600.0
SETTLING_MS = 15_000
TRACE_LINES = 200
EXECUTIONS = (6, 9)
LOOKS_S = (0.0, 0.000_01, 0.000_5, 0.003)
ANSWER_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one seed came to."""

    seed: int
    report: Report
    executions: int
    events: int
    faults: dict[str, int]
    crashes: int
    absorbed: int
    seconds: float
    digest: str
    trace: tuple[str, ...]


class Simulation:
    """The world of one seed."""

    def __init__(
        self, seed: int, drivers: Drivers, registry: Registry, *, rates: Rates | None = None
    ) -> None:
        self.seed = seed
        order = self._chance("order")
        self.scheduler = Scheduler(order, order.choice(LOOKS_S))
        self.disk = Disk()
        self.crashes = 0
        chance = self._chance("faults")
        self.faults = Faults(rates or drawn(chance), chance)
        self.receiver = self.outside()
        self.clients = self.people()
        self._drivers = drivers
        self._registry = registry
        self._machine = self._chance("machine")
        self._order = 0
        self._set_by_s = 0.0
        self._sessions = 0
        self._process: Process | None = None
        self._plan: CrashPlan | None = None
        self._passed: dict[str, int] = {}
        self._open_requests: dict[int, Callable[[Outcome], None]] = {}
        self._unhandled: list[str] = []
        self._delivers = True
        self._closing = False
        self._faults_ended_at = 0
        self._trace: deque[str] = deque(maxlen=TRACE_LINES)
        self._digest = blake2b(digest_size=16)

    def outside(self) -> Receiver:
        """The systems that actions talk to."""
        return Receiver(
            self.scheduler,
            self.faults,
            self._chance("outside"),
            tick=self.tick,
            durable=lambda: self.disk.durable,
            passed=self.passed,
        )

    def library(self, tenant: str, name: str) -> Definition:
        """A workflow that another names."""
        return no_library(tenant, name)

    def people(self) -> Clients:
        """Those who ask the engine for things."""
        return Clients(
            self,
            self.scheduler,
            self.faults,
            self._chance("clients"),
            tick=self.tick,
            happened=self.receiver.happened,
        )

    # --- what the parts ask of the world ----------------------------------------------------------------

    def tick(self) -> int:
        """The next place in the order of what is seen from outside."""
        self._order += 1
        return self._order

    def wall(self) -> float:
        """The wall clock of the machine that the engine runs on."""
        return EPOCH_S + self.scheduler.now + self._set_by_s

    def allows_delivery(self, tenant: str) -> bool:
        """Whether anything may leave."""
        return self._delivers

    def passed(self, point: str) -> None:
        """Die here, if that was planned."""
        plan = self._plan
        if plan is None or plan.point != point:
            return
        times = self._passed[point] = self._passed.get(point, 0) + 1
        if times == plan.nth and self._process is not None:
            self._process.loop.kill()

    def told(self, execution: str, event: Event) -> None:
        """An observer in the engine was told of an event; the clients are connected to it."""
        process = self._process
        assert process is not None, "only a process that runs tells anything"
        self.trace(f"told {execution} {type(event).__name__}{_about(event)}")
        self.clients.heard(process.session, execution, event)
        self.passed("told")

    def storage_failed(self) -> None:
        """The disk refused a write: whoever watches over the process starts it anew."""
        process = self._process
        assert process is not None, "only a process that runs writes"
        self.trace("the disk failed")
        failed = StorageFailed(order=self.tick(), session=process.session, durable=self.disk.durable)
        self.clients.log.append(failed)
        self.scheduler.after(self._machine.uniform(0.01, 2.0), self._restart, process.session)

    def carry(self, work: Callable[[Engine], Awaitable[Any]], answer: Callable[[Outcome], None]) -> None:
        """A request on its way to the engine, and its answer on the way back; once it closes nobody asks."""
        if self._closing:
            return
        number = self.tick()
        self._open_requests[number] = answer
        self.scheduler.after(self._machine.choice((0.0, 0.001, 0.02)), self._arrive, number, work)

    def trace(self, line: str) -> None:
        """Note what happened, for the digest and for whoever looks for the cause of a violation."""
        told = f"{self.scheduler.now:.6f} {line}"
        self._trace.append(told)
        self._digest.update(told.encode())

    # --- the course of a run ----------------------------------------------------------------------------

    def run(self, graphs: dict[str, Graph] | None = None, *, twice: bool = True) -> Run:
        """Play it to its end and check it."""
        Line.receiver = self.receiver
        chance = self._chance("course")
        executions = chance.randint(*EXECUTIONS)
        self._delivers = chance.random() < 0.7
        self._open()
        self.clients.begin(executions, STARTS_WITHIN_S)
        for _ in range(self.faults.rates.jumps):
            self.scheduler.after(chance.uniform(0, 2 * STARTS_WITHIN_S), self._set_clock)
        self._play(until=chance.uniform(STARTS_WITHIN_S, 1200))
        self._calm()
        self._play(until=self.scheduler.now + CALM_S)
        quiet = Quiet(at=self._now_ms(), faults_ended_at=self._faults_ended_at)
        self._close()
        return self._checked(quiet, graphs, twice=twice)

    def _play(self, *, until: float) -> None:
        """Let time pass until all is done, or until a time."""
        scheduler = self.scheduler
        while scheduler.now < until:
            process = self._process
            if process is not None and not process.loop.idle:
                process.loop.turn()
                if not process.loop.killed:
                    scheduler.catch_up()
            elif self._all_done() or not scheduler.advance():
                return
            if process is not None and process.loop.killed and process is self._process:
                self._died(process)

    def _all_done(self) -> bool:
        rows, clients = self.disk.rows, self.clients
        return not (
            clients.waiting
            or rows.unfinished()
            or any(rows.execution(name) is None for name in clients.started)
        )

    def _calm(self) -> None:
        self.faults.end()
        self._plan = None
        self._delivers = True
        self.trace("the faults are over")
        process = self._process
        if process is not None:
            process.loop.kill_at = 0
        if process is None or not process.ready or process.journal.failed:
            self._restart(process.session if process is not None else "")
        self._faults_ended_at = self._now_ms() + SETTLING_MS
        self.clients.calm()

    def _close(self) -> None:
        process, self._closing = self._process, True
        if process is None:
            return
        since = self.scheduler.now
        ended: list[float] = []
        process.close(lambda: ended.append(self.scheduler.now))
        while not ended and self.scheduler.now < since + 60:
            if not process.loop.idle:
                process.loop.turn()
                self.scheduler.catch_up()
            elif not self.scheduler.advance():
                break
        took = (ended[0] if ended else self.scheduler.now + 60) - since
        self._process = None
        self.clients.log.append(
            Ended(order=self.tick(), session=process.session, how="closed", took_ms=round(took * 1000))
        )
        process.loop.hear()
        process.loop.hear()
        self._unhandled += process.loop.raised + process.raised
        process.loop.kill()

    def _checked(self, quiet: Quiet | None, graphs: dict[str, Graph] | None, *, twice: bool) -> Run:
        journal = self.disk.recorded
        rows = self.disk.rows
        for number in self._open_requests:
            self._unhandled.append(f"request {number} was never answered")
        report = check(
            journal,
            self.clients.log,
            self.receiver.log,
            verification=self.disk.verify(),
            projected=Projected(
                executions=rows.executions(limit=10_000), approvals=rows.approvals(state=None)
            ),
            quiet=quiet,
            unhandled=self._unhandled,
            twice=twice,
            graphs=graphs,
        )
        for stored in self.disk.events:
            self._digest.update(stored.digest)
        return Run(
            seed=self.seed,
            report=report,
            executions=len(rows.executions(limit=10_000)),
            events=len(journal),
            faults=dict(self.faults.happened),
            crashes=self.crashes,
            absorbed=sum(called.absorbed for called in self.receiver.log),
            seconds=self.scheduler.now,
            digest=self._digest.hexdigest(),
            trace=tuple(self._trace),
        )

    # --- lives and deaths -------------------------------------------------------------------------------

    def _open(self) -> None:
        self._sessions += 1
        session = str(self._sessions)
        self._passed.clear()
        self._plan = self.faults.next_crash()
        process = self._process = Process(
            session, self, self._drivers, self._registry, Rules(), self.faults, self.library
        )
        if self._plan is not None and not self._plan.point:
            process.loop.kill_at = self._plan.nth
        self.trace(f"process {session} begins")
        process.begin(self._opened)

    def _opened(self) -> None:
        process = self._process
        assert process is not None, "it has just begun"
        self.clients.log.append(Opened(order=self.tick(), session=process.session))
        self.trace(f"process {process.session} is ready")
        if self._sessions > 1:
            self.scheduler.after(0.01, self.clients.sweep)

    def _died(self, process: Process) -> None:
        """The process is gone. Whoever waited for an answer hears nothing; soon another one begins."""
        self.crashes += 1
        self.faults.note("crash")
        self.trace(f"process {process.session} dies")
        process.crash()
        self._unhandled += process.loop.raised + process.raised
        self.receiver.caller_died()
        self._process = self._plan = None
        self.clients.log.append(Ended(order=self.tick(), session=process.session, how="crashed"))
        lost = Outcome(session=process.session, result=UNKNOWN)
        for number in list(self._open_requests):
            self.scheduler.after(ANSWER_S, self._answer, number, lost)
        pause = self._machine.choice((0.05, 0.5, 5.0, 30.0)) if self.faults.on else 0.05
        self.scheduler.after(pause, self._open_again)

    def _open_again(self) -> None:
        if self._process is None:
            self._open()

    def _restart(self, session: str) -> None:
        """End a process that is of no use any more."""
        process = self._process
        if process is None:
            self._open()
        elif process.session == session and not process.loop.killed:
            process.loop.kill()
            self._died(process)

    def _set_clock(self) -> None:
        if not self.faults.on:
            return
        self._set_by_s += self.faults.jump_s()
        self.trace(f"the wall clock is off by {self._set_by_s:g} s")

    def _now_ms(self) -> int:
        """The time on the clock of the engine, which has yet to be told where the journal ends."""
        process = self._process
        now = process.clock.now_ms() if process is not None else int(self.wall() * 1000)
        return max(self.disk.last_at, now)

    # --- requests ---------------------------------------------------------------------------------------

    def _arrive(self, number: int, work: Callable[[Engine], Awaitable[Any]]) -> None:
        process = self._process
        if process is None or not process.ready or process.loop.killed:
            lost = Outcome(session="", result=UNKNOWN)
            self.scheduler.after(ANSWER_S, self._answer, number, lost)
            return

        def answered(outcome: Outcome) -> None:
            self.passed("answered")
            if not process.loop.killed:
                self.scheduler.after(self._machine.choice((0.0, 0.001, 0.02)), self._answer, number, outcome)

        process.carry(work, answered)

    def _answer(self, number: int, outcome: Outcome) -> None:
        answer = self._open_requests.pop(number, None)
        if answer is not None:
            self.trace(f"answer {number} {outcome.result} {outcome.code}")
            answer(outcome)

    def _chance(self, about: str) -> random.Random:
        return random.Random(f"{self.seed}/{about}")


def _about(event: Event) -> str:
    """The step, timer or status that an event names."""
    for name in ("step", "timer", "call", "status"):
        if found := getattr(event, name, ""):
            return f" {found}"
    return ""
