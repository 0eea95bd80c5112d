"""Those who ask the engine for things: they start, decide, stop, ask again, and write down every answer."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from dirigent.domain.approval import ANYBODY, Deciders
from dirigent.domain.errors import DirigentError
from dirigent.domain.event import (
    TERMINAL,
    ApprovalRequested,
    Event,
    ExecutionCompleted,
    ExecutionStarted,
    SignalAwaited,
    StepOutcomeUnknown,
    StepStarted,
)
from dirigent.domain.policy import Autonomy
from dirigent.domain.workflow import Definition
from dirigent.engine import Engine, Start
from dirigent.testing.invariants import (
    ACKNOWLEDGED,
    REFUSED,
    UNKNOWN,
    Answered,
    Entry,
    Listed,
    Told,
    fingerprint,
    start_body,
)
from dirigent.testing.simulation import workload
from dirigent.testing.simulation.drawing import REQUESTER
from dirigent.testing.simulation.faults import Faults
from dirigent.testing.simulation.scheduler import Scheduler

TENANTS = ("org_a", "org_b", "org_c")
PATIENCE_S = 2.0
TRIES_MAX = 6
SWEEP_S = 20.0
WORKFLOWS = 5
PLANS = 3
FORK_SHARE = 0.15
MAY_BE_PAUSED = ("paused", "compensating", "cancelling")  # one that comes to its end says only that
LEVELS = (Autonomy.L1, Autonomy.L2, Autonomy.L3, Autonomy.L2, Autonomy.L3, Autonomy.L0)


class Line(Protocol):
    """The way to the engine."""

    def carry(self, work: Callable[[Engine], Awaitable[Any]], answer: Callable[[Outcome], None]) -> None:
        """Let the engine do something, and answer when that is done, or never was."""
        ...


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a request: done, refused with a code, or nobody knows; and when the engine said so."""

    session: str
    result: str
    code: str = ""
    value: Any = None
    given: int | None = None


@dataclass(kw_only=True)
class Wish:
    """Something a client wants, until it has heard what came of it."""

    request: str
    execution: str
    work: Callable[[Engine], Awaitable[Any]]
    tenant: str = ""
    subject: str = ""
    actor: str = ""
    body: str = ""
    tries: int = 0


@dataclass
class _Plans:
    """What has been thought of already, so that hearing of it again changes nothing."""

    decided: set[str] = field(default_factory=set)
    told: set[tuple[str, str]] = field(default_factory=set)
    settled: set[tuple[str, str, int]] = field(default_factory=set)
    deciders: dict[str, Deciders] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)


class Clients:
    """All clients of one run.

    `log` is what they wrote down. They hear of what happens while they are connected, and look after every
    crash for what they missed.
    """

    tenants: ClassVar[tuple[str, ...]] = TENANTS
    tries_max: ClassVar[int] = TRIES_MAX
    fork_share: ClassVar[float] = FORK_SHARE

    def __init__(
        self,
        line: Line,
        scheduler: Scheduler,
        faults: Faults,
        chance: random.Random,
        *,
        tick: Callable[[], int],
        happened: Callable[[str, str], Any],
    ) -> None:
        self.log: list[Entry] = []
        self.waiting = 0
        self.started: dict[str, str] = {}
        self.patient = True
        self._line = line
        self._scheduler = scheduler
        self._faults = faults
        self._chance = chance
        self._tick = tick
        self._happened = happened
        self._plans = _Plans()
        self._workflows = [chance.randrange(workload.KINDS) for _ in range(WORKFLOWS)]
        self._plans_at_hand = [chance.randrange(workload.KINDS) for _ in range(PLANS)]
        self._numbers = 0

    def begin(self, executions: int, within_s: float) -> None:
        """Plan to start so many executions within some seconds."""
        for number in range(executions):
            name, tenant = f"e{number}", self._chance.choice(self.tenants)
            self.started[name] = tenant
            self._scheduler.after(self._chance.uniform(0, within_s), self._start, name, tenant)

    def calm(self) -> None:
        """From here on nobody changes their mind, everything is decided, and what was paused goes on."""
        self.patient = False
        self.sweep()

    def heard(self, session: str, execution: str, event: Event) -> None:
        """An observer inside the engine was told of an event."""
        kind = type(event).__name__
        self.log.append(
            Told(
                order=self._tick(),
                session=session,
                execution=execution,
                event=kind,
                digest=fingerprint(event),
            )
        )
        if isinstance(event, ApprovalRequested):
            self._plans.deciders[event.approval_id] = event.deciders
            self._plan_decision(event.approval_id, execution)
        elif isinstance(event, SignalAwaited):
            self._plan_signal(execution, event.step)
        elif isinstance(event, StepOutcomeUnknown):
            self._plan_settling(execution, event.step, event.attempt, event.call or event.step)
        elif isinstance(event, TERMINAL):
            self._plan_fork(execution, has_result=isinstance(event, ExecutionCompleted))
        elif isinstance(event, ExecutionStarted | StepStarted) and self._faults.client_is_contrary():
            self._scheduler.after(self._chance.uniform(0, 5), self._change_mind, execution)

    def sweep(self) -> None:
        """Look for what was missed; in the end again and again."""
        for tenant in self.tenants:
            self._ask(lambda engine, tenant=tenant: self._look(engine, tenant), self._looked)  # type: ignore[misc]
        if not self.patient:
            self._scheduler.after(SWEEP_S, self.sweep)

    # --- what they want -----------------------------------------------------------------------------

    def _start(self, name: str, tenant: str) -> None:
        chance = self._chance
        definition = self._plans.definitions[name] = workload.definition(chance.choice(self._workflows))
        level = chance.choice(LEVELS)
        budget = chance.choice((None, None, None, 3.0, 6.0))
        given = workload.given(chance, self._plans_at_hand)

        def wish(data: dict[str, Any]) -> Wish:
            start = Start(
                definition=definition,
                tenant=tenant,
                actor=REQUESTER,
                input=data,
                autonomy=level,
                budget=budget,
                execution_id=name,
            )
            body = start_body(definition.content_hash, data)
            return Wish(
                request="start",
                execution=name,
                work=lambda engine: engine.start(start),
                tenant=tenant,
                actor=REQUESTER,
                body=body,
            )

        self._send(wish(given))
        if self._faults.client_is_contrary():
            self._scheduler.after(chance.uniform(0, 3), self._send, wish(given | {"n": 9}))

    def _plan_decision(self, approval: str, execution: str) -> None:
        chance = self._chance
        if approval in self._plans.decided or (self.patient and chance.random() < 0.1):
            return
        self._plans.decided.add(approval)
        self._ask_around(approval, execution)
        if self._faults.client_is_contrary():
            self._ask_around(approval, execution)

    def _ask_around(self, approval: str, execution: str) -> None:
        """Everybody who is named has a say, also after it is decided; else as many as it may take.

        Now and then somebody else tries to have one.
        """
        deciders = self._plans.deciders.get(approval, ANYBODY)
        several = deciders.required + deciders.reject_after - 1
        for actor in deciders.approvers or [self._somebody("boss") for _ in range(several)]:
            self._scheduler.after(self._hesitation(), self._decide, approval, execution, actor)
        if deciders.approvers and self._faults.client_is_contrary():
            stranger = self._somebody("stranger")
            self._scheduler.after(self._hesitation(), self._decide, approval, execution, stranger)

    def _decide(self, approval: str, execution: str, actor: str) -> None:
        word = "approve" if self._chance.random() < 0.75 else "reject"

        def work(engine: Engine) -> Awaitable[Any]:
            decide = engine.approve if word == "approve" else engine.reject
            return decide(approval, actor)

        self._send(Wish(request=word, execution=execution, work=work, subject=approval, actor=actor))

    def _plan_fork(self, execution: str, *, has_result: bool) -> None:
        """Now and then somebody wants more of a run that is over; but nobody in the end."""
        definition = self._plans.definitions.get(execution)
        if definition is None or not self.patient or self._chance.random() >= self.fork_share:
            return
        word = self._chance.choice(("fork", "fork" if has_result else "retry"))
        steps: list[int | str | None] = [step.id for step in definition.steps]
        at = self._chance.choice([None, *steps])
        if word == "fork" and self._chance.random() < 0.2:
            at = self._chance.randint(1, 40)
        self._scheduler.after(self._hesitation(), self._fork, word, execution, at)

    def _fork(self, word: str, execution: str, at: int | str | None) -> None:
        actor = self._somebody(REQUESTER)

        def work(engine: Engine) -> Awaitable[Any]:
            if word == "fork":
                return engine.fork(execution, actor, at=at)
            assert not isinstance(at, int), "one tries again from a step on"
            return engine.retry(execution, actor, step=at)

        subject = "" if at is None else str(at)
        self._send(Wish(request=word, execution=execution, work=work, subject=subject, actor=actor))

    def _plan_signal(self, execution: str, step: str) -> None:
        if (execution, step) not in self._plans.told and self._chance.random() < 0.7:
            self._plans.told.add((execution, step))
            self._scheduler.after(self._hesitation(), self._signal, execution, self._somebody("signal"))

    def _signal(self, execution: str, signal_id: str) -> None:
        def work(engine: Engine) -> Awaitable[Any]:
            return engine.signal(execution, workload.SIGNAL, {"id": signal_id}, signal_id=signal_id)

        self._send(Wish(request="signal", execution=execution, work=work, subject=signal_id))

    def _plan_settling(self, execution: str, step: str, attempt: int, place: str) -> None:
        if (execution, step, attempt) not in self._plans.settled:
            self._plans.settled.add((execution, step, attempt))
            self._scheduler.after(self._hesitation(), self._settle, execution, step, attempt, place)

    def _settle(self, execution: str, step: str, attempt: int, place: str) -> None:
        """Say truly what became of an effect, having looked outside; `place` is the step or its call."""
        actor = self._somebody("operator")

        def work(engine: Engine) -> Awaitable[Any]:
            seen = self._seen(engine, execution, place)
            return engine.resolve(
                execution, step, happened=seen is not None, actor=actor, output=seen, attempt=attempt
            )

        self._send(Wish(request="resolve", execution=execution, work=work, subject=step, actor=actor))

    def _seen(self, engine: Engine, execution: str, place: str) -> Any:
        """What is to be seen outside; a call may have been made by a run that this one was forked from."""
        seen = self._happened(execution, place)
        before = engine.row(execution).forked_from if "/" in place else None
        return self._seen(engine, before, place) if seen is None and before else seen

    def _change_mind(self, execution: str) -> None:
        word = self._chance.choice(("cancel", "pause", "pause", "rest", "rest", "early"))
        if word == "rest":
            self._send(Wish(request="rest", execution=execution, work=lambda engine: engine.rest(execution)))
        elif word == "early":
            self._signal(execution, self._somebody("signal"))
        else:
            self._note(word, execution)
        if word == "pause":
            self._scheduler.after(self._chance.uniform(1, 60), self._note, "resume", execution)

    def _note(self, word: str, execution: str) -> None:
        actor = self._somebody("anna")

        def work(engine: Engine) -> Awaitable[Any]:
            asked: Callable[[str, str], Awaitable[Any]] = getattr(engine, word)
            return asked(execution, actor)

        self._send(Wish(request=word, execution=execution, work=work, actor=actor))

    # --- looking --------------------------------------------------------------------------------------

    async def _look(self, engine: Engine, tenant: str) -> dict[str, Any]:
        rows = engine.executions(tenant, parent=None)
        running = [row for row in rows if row.ended_at is None]
        unknown = [
            (row.execution_id, step.id, step.attempts, step.unclear_call or step.id)
            for row in running
            for step in engine.read(row.execution_id).steps.values()
            if step.status == "outcome_unknown"
        ]
        return {
            "tenant": tenant,
            "executions": tuple(row.execution_id for row in rows),
            "paused": [row.execution_id for row in running if row.status in MAY_BE_PAUSED],
            "unknown": unknown,
            "approvals": engine.approvals(tenant),
            "waiting": engine.waiting(tenant),
        }

    def _looked(self, outcome: Outcome) -> None:
        if outcome.result != ACKNOWLEDGED:
            return
        found = outcome.value
        self.log.append(
            Listed(
                order=self._tick(),
                session=outcome.session,
                tenant=found["tenant"],
                executions=found["executions"],
                approvals=tuple(row.execution_id for row in found["approvals"]),
            )
        )
        for row in found["approvals"]:
            self._plans.deciders[row.approval_id] = row.deciders
            self._plan_decision(row.approval_id, row.execution_id)
        for row in found["waiting"]:
            self._plan_signal(row.execution_id, row.step)
        for execution, step, attempt, place in found["unknown"]:
            self._plan_settling(execution, step, attempt, place)
        if not self.patient:
            self._go_on(found)

    def _go_on(self, found: dict[str, Any]) -> None:
        """In the end nothing is left lying: not what is paused, nor what was asked for and not heard of."""
        for execution in found["paused"]:
            self._note("resume", execution)
        for row in found["approvals"]:
            self._ask_around(row.approval_id, row.execution_id)
        for execution, step, attempt, place in found["unknown"]:
            self._settle(execution, step, attempt, place)

    # --- asking and hearing -------------------------------------------------------------------------

    def _send(self, wish: Wish) -> None:
        wish.tries += 1
        asked = self._tick()
        self._ask(wish.work, lambda outcome: self._hear(wish, asked, outcome))
        if wish.tries == 1 and self._faults.request_is_repeated():
            self._scheduler.after(self._hesitation(), self._send, wish)

    def _ask(self, work: Callable[[Engine], Awaitable[Any]], answered: Callable[[Outcome], None]) -> None:
        self.waiting += 1

        def answer(outcome: Outcome) -> None:
            self.waiting -= 1
            answered(outcome)

        self._line.carry(work, answer)

    def _hear(self, wish: Wish, asked: int, outcome: Outcome) -> None:
        if outcome.result != UNKNOWN and self._faults.answer_is_lost():
            outcome = Outcome(session=outcome.session, result=UNKNOWN)
        self.log.append(
            Answered(
                order=self._tick(),
                session=outcome.session,
                request=wish.request,
                execution=wish.execution,
                asked=asked,
                result=outcome.result,
                code=outcome.code,
                tenant=wish.tenant,
                actor=wish.actor,
                subject=wish.subject,
                body=wish.body,
                made=self._made(wish, outcome),
                given=outcome.given,
            )
        )
        again = outcome.result == UNKNOWN or outcome.code in ("storage_failure", "execution_not_found")
        if again and (wish.tries < self.tries_max or wish.request == "start"):
            self._scheduler.after(PATIENCE_S, self._send, wish)

    def _made(self, wish: Wish, outcome: Outcome) -> str:
        """The execution that a request made; it may be forked in turn."""
        if wish.request not in ("fork", "retry") or not isinstance(outcome.value, str):
            return ""
        self._plans.definitions[outcome.value] = self._plans.definitions[wish.execution]
        return outcome.value

    def _hesitation(self) -> float:
        return self._chance.choice((0.0, 0.001, 0.5, 5.0, 30.0)) if self.patient else 0.01

    def _somebody(self, kind: str) -> str:
        self._numbers += 1
        return f"{kind}-{self._numbers}"


def outcome_of(session: str, error: BaseException | None, value: Any, given: int) -> Outcome:
    """What a request of the engine came to."""
    if error is None:
        return Outcome(session=session, result=ACKNOWLEDGED, value=value, given=given)
    if isinstance(error, DirigentError):
        return Outcome(session=session, result=REFUSED, code=error.code, given=given)
    return Outcome(session=session, result=UNKNOWN, code=type(error).__name__, given=given)
