"""One workflow of somebody's own, played through with what may go wrong: what breaks, and where."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import msgspec

from dirigent.domain.approval import ANYBODY
from dirigent.domain.errors import NotFound
from dirigent.domain.event import Event, SignalAwaited, StepOutcomeUnknown
from dirigent.domain.ids import defined_step
from dirigent.domain.patterns import matches
from dirigent.domain.policy import Autonomy
from dirigent.domain.workflow import Definition
from dirigent.engine import Engine, Start
from dirigent.interpreter.inputs import with_defaults
from dirigent.interpreter.reading import StepReading, read_execution
from dirigent.testing.invariants import Quiet, start_body
from dirigent.testing.simulation.agents import Line
from dirigent.testing.simulation.client import Clients, Wish
from dirigent.testing.simulation.faults import Rates
from dirigent.testing.simulation.process import Drivers
from dirigent.testing.simulation.receiver import Receiver
from dirigent.testing.simulation.stand_ins import StandIn, StandIns
from dirigent.testing.simulation.world import Run, Simulation

TENANT = "rehearsal"
REQUESTER = "requester"
EXECUTION = "run"
HORIZON_S = 60 * 86_400
LOOKED_AFTER_MAX = 5
FAILURES = ("refused", "failed_after", "lost_reply", "hung", "permanent", "misshapen")
MESSAGE_MAX = 160


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is played: a workflow, what it may start by name, what it is given, and what goes wrong.

    `fail` are shares of the calls of an agent, or of an `agent.action`, that fail, each in a way drawn by
    chance; `gives` is what an agent or action gives, in place of an example of what it declares. `signals`
    are the data of signals by name; `reject` is the share of approvals that people refuse, `crash` that of
    runs in which the engine dies.
    """

    definition: Definition
    library: Mapping[str, Definition] = {}
    input: dict[str, Any] = {}
    fail: Mapping[str, float] = {}
    gives: Mapping[str, Any] = {}
    signals: Mapping[str, Any] = {}
    reject: float = 0.0
    crash: float = 0.0
    autonomy: Autonomy = Autonomy.L2
    budget: float | None = None

    def actions(self) -> list[tuple[str, str]]:
        """Agent and action of everything that it may ask for, as written."""
        definitions = (self.definition, *self.library.values())
        asked = {pair for one in definitions for step in one.every_step() for pair in step.actions}
        return sorted(asked)


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """Something that did not go well: in which step, as which code, and in whose words."""

    step: str
    code: str
    message: str


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one run. `status` is that of the execution; `run` is what was checked besides."""

    seed: int
    status: str
    breaks: tuple[Break, ...]
    run: Run


class Rehearsal(Simulation):
    """The world of one seed, with one execution in it."""

    def __init__(self, seed: int, plan: Plan, drivers: Drivers, stand_ins: StandIns) -> None:
        self.plan = plan
        self.stand_ins = stand_ins
        dies = random.Random(f"{seed}/dies").random() < plan.crash
        super().__init__(seed, drivers, stand_ins, rates=Rates(crashes=int(dies)))

    def play(self) -> Rehearsed:
        """From its start until it has ended, or nothing moves it for two months."""
        Line.receiver = self.receiver
        self._open()
        self.clients.begin(1, 0.0)
        self._play(until=HORIZON_S)
        now = self._now_ms()
        quiet = Quiet(at=now, faults_ended_at=now) if self._all_done() else None
        self._close()
        run = self._checked(quiet, None, twice=False)
        streams = self._streams()
        status = read_execution(streams[0]).status if streams else "never_started"
        breaks = tuple(found for events in streams for found in breaks_of(events))
        return Rehearsed(seed=self.seed, status=status, breaks=breaks, run=run)

    def _streams(self) -> list[list[Event]]:
        streams: dict[str, list[Event]] = {EXECUTION: []}
        for recorded in self.disk.recorded:
            if recorded.stream == EXECUTION or recorded.stream.startswith(EXECUTION + "/"):
                streams.setdefault(recorded.stream, []).append(recorded.event)
        return [events for events in streams.values() if events]

    def outside(self) -> Receiver:
        """Systems that fail as often as the plan says."""
        return Outside(
            self.scheduler,
            self.faults,
            self._chance("outside"),
            tick=self.tick,
            durable=lambda: self.disk.durable,
            passed=self.passed,
        ).bound(self.plan, self.stand_ins)

    def people(self) -> Clients:
        """One who asks, and those who do what the run waits for."""
        return People(
            self,
            self.scheduler,
            self.faults,
            self._chance("clients"),
            tick=self.tick,
            happened=self.receiver.happened,
        ).bound(self.plan)

    def library(self, tenant: str, name: str) -> Definition:
        """A workflow that the plan brings along; raises `NotFound`."""
        found = self.plan.library.get(name)
        if found is None:
            fix = "Name its file behind the first one."
            raise NotFound(
                f"There is no workflow {name!r} in this simulation. {fix}", code="workflow_not_found"
            )
        return found


class Outside(Receiver):
    """Gives what the plan says, or an example of what an action declares; fails as often as planned."""

    def bound(self, plan: Plan, stand_ins: StandIns) -> Outside:
        """Follow a plan."""
        self._plan, self._stand_ins = plan, stand_ins
        return self

    def fault_of(self, agent: str, action: str, effect: str) -> str:
        """Nothing, or one of the ways to fail."""
        rate = _of(self._plan.fail, self._named(agent, action), 0.0)
        if not self._faults.on or self._chance.random() >= rate:
            return ""
        fault = self._chance.choice(FAILURES)
        self._faults.note(f"{agent}.{action} {fault}")
        return fault

    def given(self, called: dict[str, Any]) -> Any:
        """As planned, else an example."""
        stand_in = self._named(called["agent"], called["action"])
        planned = _of(self._plan.gives, stand_in, None)
        return stand_in.example(self._chance) if planned is None else planned

    def _named(self, agent: str, action: str) -> StandIn:
        return self._stand_ins.action(agent, action)


class People(Clients):
    """They decide what they are asked, tell what is waited for, and look after effects of unknown outcome."""

    tenants = (TENANT,)
    tries_max = 1_000
    fork_share = 0.0

    def bound(self, plan: Plan) -> People:
        """Follow a plan."""
        self._plan = plan
        self._awaited: dict[tuple[str, str], str] = {}
        self._signalled: set[tuple[str, str]] = set()
        return self

    def begin(self, executions: int, within_s: float) -> None:
        """Ask for the run."""
        self.started[EXECUTION] = TENANT
        self._start(EXECUTION, TENANT)

    def heard(self, session: str, execution: str, event: Event) -> None:
        """As ever; what is waited for is noted first."""
        if isinstance(event, SignalAwaited):
            self._awaited[execution, event.step] = event.event
        super().heard(session, execution, event)

    async def _look(self, engine: Engine, tenant: str) -> dict[str, Any]:
        found = await super()._look(engine, tenant)
        self._awaited |= {(row.execution_id, row.step): row.event for row in found["waiting"]}
        return found

    def _start(self, name: str, tenant: str) -> None:
        plan = self._plan
        start = Start(
            definition=plan.definition,
            tenant=tenant,
            actor=REQUESTER,
            input=plan.input,
            autonomy=plan.autonomy,
            budget=plan.budget,
            execution_id=name,
        )
        body = start_body(plan.definition.content_hash, with_defaults(plan.definition.input, plan.input))
        wish = Wish(
            request="start",
            execution=name,
            work=lambda engine: engine.start(start),
            tenant=tenant,
            actor=REQUESTER,
            body=body,
        )
        self._send(wish)

    def _plan_decision(self, approval: str, execution: str) -> None:
        if approval not in self._plans.decided:
            self._plans.decided.add(approval)
            self._scheduler.after(self._hesitation(), self._ask_around, approval, execution)

    def _ask_around(self, approval: str, execution: str) -> None:
        """As many as it takes say the same."""
        deciders = self._plans.deciders.get(approval, ANYBODY)
        word = "reject" if self._chance.random() < self._plan.reject else "approve"
        needed = deciders.required if word == "approve" else deciders.reject_after
        names = deciders.approvers or tuple(f"decider-{number}" for number in range(1, needed + 1))
        for actor in names[:needed]:

            def work(engine: Engine, actor: str = actor) -> Awaitable[Any]:
                decide = engine.approve if word == "approve" else engine.reject
                return decide(approval, actor, roles=deciders.roles or None)

            self._send(Wish(request=word, execution=execution, work=work, subject=approval, actor=actor))

    def _settle(self, execution: str, step: str, attempt: int, place: str) -> None:
        """As ever; what gets lost again and again is left for what it is."""
        if attempt <= LOOKED_AFTER_MAX:
            super()._settle(execution, step, attempt, place)

    def _plan_signal(self, execution: str, step: str) -> None:
        if (execution, step) not in self._signalled:
            self._signalled.add((execution, step))
            signal_id = f"{execution}:{step}:signal"
            self._scheduler.after(self._hesitation(), self._signal, execution, signal_id)

    def _signal(self, execution: str, signal_id: str) -> None:
        step = signal_id.removeprefix(f"{execution}:").removesuffix(":signal")
        awaited = self._awaited[execution, step]
        planned = next((name for name in self._plan.signals if matches(awaited, name)), "")
        name, data = planned or awaited.replace("*", "any"), self._plan.signals.get(planned, {})

        def work(engine: Engine) -> Awaitable[Any]:
            return engine.signal(execution, name, data, signal_id=signal_id)

        self._send(Wish(request="signal", execution=execution, work=work, subject=signal_id))


def breaks_of(events: Sequence[Event]) -> list[Break]:
    """What did not go well in an execution, by the ids of its definition; each once."""
    reading = read_execution(events)
    lost = [event.step for event in events if isinstance(event, StepOutcomeUnknown)]
    broke = [(name, *_what_broke(step)) for name, step in reading.steps.items()]
    broke += [(name, "outcome_unknown", "a person had to look whether it happened") for name in lost]
    if reading.error is not None and not any(code for _, code, _ in broke):
        broke.append(("", reading.error.code, reading.error.message))
    inside = reading.execution_id.removeprefix(EXECUTION).removeprefix("/")
    found = {
        (defined_step(name), code): Break(
            step="/".join(filter(None, (inside, defined_step(name)))),
            code=code,
            message=message[:MESSAGE_MAX],
        )
        for name, code, message in broke
        if code
    }
    return list(found.values())


def _what_broke(step: StepReading) -> tuple[str, str]:
    if step.status == "failed" and step.error is not None:
        return step.error.code, step.error.message
    if step.fell_back:
        return "fell_back", "its fallback took its place"
    if step.status.startswith("waiting"):
        return "waits", "it still waits, after two months"
    if step.status == "skipped" and step.reason.startswith("budget"):
        return "out_of_budget", step.reason
    return "", ""


def _of(planned: Mapping[str, Any], stand_in: StandIn, default: Any) -> Any:
    """What is planned for an action: by its own name before its agent's, as written or as registered."""
    for agent in (stand_in.asked, stand_in.agent.key):
        for name in (f"{agent}.{stand_in.spec.name}", agent):
            if name in planned:
                return planned[name]
    return default
