"""The one door to the world: nothing acts but through `Dispatcher.dispatch`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from msgspec.structs import replace

from dirigent.domain.effect_event import OUTCOME_UNKNOWN
from dirigent.domain.errors import DirigentError, NoPlaceLeft, Refused
from dirigent.domain.event import CallEnded, CallStarted, Failure, OutcomeObserved, StepCompleted, StepFailed
from dirigent.domain.policy import Decision, Subject
from dirigent.execution.breaker import Breakers
from dirigent.execution.budget import Budgets
from dirigent.execution.context import CallContext
from dirigent.execution.failures import (
    AGENT_ERROR,
    circuit_open,
    failure_of,
    is_certain,
    is_transient,
    raised_at,
    unreadable,
    was_let_out,
)
from dirigent.execution.filling import filled_in
from dirigent.execution.gates import Gates, Judgement, held_back
from dirigent.execution.limits import Capacity, time_limit
from dirigent.execution.recording import Recorder, can_be_read_back
from dirigent.execution.registry import Action, Registry
from dirigent.execution.request import Ledger, Request
from dirigent.execution.stepping import Pulse, begin, within
from dirigent.ports import Clock, EventSink, Memory, Model, Outbox, Records, Web
from dirigent.security.admission import Admission

log = structlog.get_logger("dirigent.agents")

UNKNOWN = Failure(code=OUTCOME_UNKNOWN, message="It is not known whether the effect happened.")


@dataclass(frozen=True, kw_only=True)
class World:
    """What actions may reach through their context."""

    records: Records
    memory: Memory
    model: Model
    outbox: Outbox
    clock: Clock
    events: EventSink | None = None
    web: Web | None = None


class Outcome(msgspec.Struct, kw_only=True):
    """What came of acting: an output, a failure, or that nobody knows. `begun` once it is announced.

    `sent_at` is when its effect was let out, `reference` what the receiver called it.
    """

    output: Any = None
    failure: Failure | None = None
    unknown: bool = True
    begun: bool = False
    sent_at: int = 0
    reference: str = ""


class Dispatcher:
    """Judges, reserves, records the intent, acts, checks the result and records the outcome."""

    def __init__(
        self,
        registry: Registry,
        gates: Gates,
        world: World,
        *,
        progress: Callable[[str, str, int, int, str], None] | None = None,
        breakers: Breakers | None = None,
    ) -> None:
        self.registry = registry
        self.breakers = breakers or Breakers(world.clock.now_ms)
        self.budgets = Budgets()
        self.capacity = Capacity()
        registry.tell_left(self.capacity.keep)
        self._gates = gates
        self._world = world
        self._recorder = Recorder(world.clock.now_ms)
        self._effects: dict[tuple[str, str, int], Outcome] = {}
        self._unclear: dict[tuple[str, str], dict[str, Request]] = {}
        self._pulses: dict[tuple[str, str, int], Pulse] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._progress = progress or (lambda *_: None)

    def dispatch(self, request: Request, ledger: Ledger) -> Coroutine[Any, Any, None]:
        """Take a step's action and record what became of it.

        Only a pure action may run ahead of the durability of the events that led to it; before any other
        runs, these and what announces it are on stable storage.
        """
        if self.budgets.has_claims(request.root):
            return self._dispatch_claimed(request, ledger)
        return self._dispatch(request, ledger)

    async def _dispatch_claimed(self, request: Request, ledger: Ledger) -> None:
        try:
            await self._dispatch(request, ledger)
        finally:
            self.budgets.give_up(request.root, request.claim)

    async def _dispatch(self, request: Request, ledger: Ledger) -> None:
        try:
            action = self.registry.action(request.agent, request.action)
            request = filled_in(request, action, ledger)
            arguments = action.read_inputs(request.inputs)
        except DirigentError as error:
            ledger.note(self._recorder.failed(request, failure_of(error)))
            return
        if request.look:
            ledger.note(await self._read_back(request, action, ledger))
            return
        if request.started and not action.repeatable:
            await self._look_first(request, action, ledger)
            return
        judgement = self._gates.judge(request, action)
        if judgement.course != "run":
            self._turn_away(request, action, judgement, ledger)
        elif not self.budgets.reserve(request.root, action.spec.cost, request.claim):
            ledger.note(self._recorder.out_of_budget(request, self._budget_reason(request, action)))
        else:
            await self._run_step(held_back(request, judgement), action, arguments, judgement, ledger)

    async def submit(self, agent: str, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a function, sync or async, within an agent's bound on calls at once.

        For work of the caller's own that shares the agent's capacity; actions go through `dispatch`. The
        result or the exception is passed on, and a call that raises or is cancelled frees its place.
        """
        bound = self.registry.agent(agent)
        return await self.capacity.submit(bound.key, func, *args, limit=bound.max_concurrency, **kwargs)

    def _turn_away(self, request: Request, action: Action, judgement: Judgement, ledger: Ledger) -> None:
        recorder = self._recorder
        if judgement.course == "deny":
            ledger.note(recorder.refused(request, action, judgement))
            if request.started and action.announced:  # it may have happened before the no
                ledger.note(recorder.unknown(request, action))
            else:
                self._end(request, action, recorder.failed(request, _denial(judgement)), ledger)
        elif judgement.course == "simulate":
            ledger.note(recorder.started(request, action, judgement, simulated=True))
            output = {"simulated": True, "would": action.name}
            ledger.note(recorder.completed(request, output, mode="simulated"))
        else:
            ledger.note(recorder.ask(request, action, judgement))

    async def _run_step(
        self,
        request: Request,
        action: Action,
        arguments: dict[str, Any],
        judgement: Judgement,
        ledger: Ledger,
    ) -> None:
        outcome = Outcome()
        place = self.capacity.place(action.agent.key, action.agent.max_concurrency)
        try:
            with place if place.take() else await place.turn():
                ledger.note(self._recorder.started(request, action, judgement))
                outcome.begun = True
                if not action.pure:
                    await ledger.durable()
                await self._act(request, action, arguments, ledger, outcome)
        except NoPlaceLeft as error:  # nothing was begun
            outcome.unknown, outcome.failure = False, failure_of(error)
        finally:
            self._settle(request, action, outcome)
        self._record_outcome(request, action, outcome, ledger)

    def _record_outcome(self, request: Request, action: Action, outcome: Outcome, ledger: Ledger) -> None:
        if outcome.unknown:
            sent = replace(request, sent_at=outcome.sent_at, reference=outcome.reference)
            ledger.note(self._recorder.unknown(sent, action))
        elif outcome.failure is not None:
            failed = self._recorder.failed(request, outcome.failure, sent_at=outcome.sent_at)
            self._end(request, action, failed, ledger)
        else:
            output, cost, sent_at = outcome.output, action.spec.cost, outcome.sent_at
            done = self._recorder.completed(request, output, cost=cost, sent_at=sent_at)
            self._end(request, action, done, ledger)

    def _end(
        self, request: Request, action: Action, ended: StepCompleted | StepFailed, ledger: Ledger
    ) -> None:
        """Note how a step's action ended; where nobody knows the end of a call of it, nobody knows its own.

        Only then is the ledger asked: when a call of this process was unclear, or the step had begun before.
        """
        if self._unclear or request.started or request.attempt > 1:
            sent = self._unclear.pop((request.execution_id, request.step), {})
            call = ledger.unclear_call(request.step)
            if call is not None:
                ledger.note(self._recorder.unknown_call(request, action, call, sent.get(call.call)))
                return
        ledger.note(ended)

    def _settle(self, request: Request, action: Action, outcome: Outcome) -> None:
        """Turn the reservation into what was spent, or may have been."""
        cost = action.spec.cost
        spent = outcome.begun and outcome.failure is None
        self.budgets.settle(request.root, cost, cost if spent else 0.0)

    async def _act(
        self,
        request: Request,
        action: Action,
        arguments: dict[str, Any],
        ledger: Ledger,
        outcome: Outcome,
    ) -> None:
        """Run the action inside its circuit, time limit and admission; the outcome is filled in."""
        tenant, agent = request.passport.tenant, action.agent.key
        if not self.breakers.allows(tenant, agent):
            outcome.unknown, outcome.failure = False, circuit_open(agent)
            return
        if action.announced:
            outcome.sent_at, outcome.reference = self._recorder.now(), request.reference
            self._effects[_place_of(request)] = outcome
        try:
            entered = self._enter(request, action, arguments, ledger)
            if action.spec.heartbeat_s is not None:
                entered = self._watched(request, action.spec.heartbeat_s, entered)
            output, waiting = begin(entered)
            if waiting is not None:
                output = await within(*time_limit(request, action), waiting)
            outcome.output = output
        except asyncio.CancelledError:
            self.breakers.broken_off(tenant, agent)
            raise
        except Exception as error:  # whatever an agent raises becomes a recorded outcome
            outcome.failure = self._failed(request, action, error)
            outcome.unknown = outcome.failure is None
            outcome.sent_at = outcome.sent_at if was_let_out(error) else 0
            return
        finally:
            if action.announced:
                del self._effects[_place_of(request)]
        outcome.unknown = False
        self.breakers.succeeded(tenant, agent)

    async def _enter(
        self, request: Request, action: Action, arguments: dict[str, Any], ledger: Ledger
    ) -> Any:
        def around(agent: str, name: str) -> None:
            rule, reason = "dispatcher.only_way", "called around the dispatcher"
            refused = self._recorder.turned_away(request.step, agent, name, rule, reason)
            self._on_loop(ledger.note, refused)

        if action.spec.runs_in != "loop":
            self._loop = asyncio.get_running_loop()
        with Admission(action.agent.key, action.spec, around, held=request.held):
            context = self._context(request, action, ledger) if action.takes_context else None
            return action.plain_output(await action.invoke(arguments, context))

    async def _watched(self, request: Request, seconds: float, entered: Coroutine[Any, Any, Any]) -> Any:
        place = _place_of(request)
        pulse = self._pulses[place] = Pulse(seconds)
        try:
            return await pulse.watch(entered)
        finally:
            self._pulses.pop(place, None)

    def _failed(self, request: Request, action: Action, error: Exception) -> Failure | None:
        """The failure an exception stands for; None where the effect may have happened all the same."""
        failure = failure_of(error)
        tenant, agent = request.passport.tenant, action.agent.key
        if failure.code == AGENT_ERROR:
            log.warning("agent.failed", action=action.name, step=request.step, at=raised_at(error))
        if is_transient(failure):
            self.breakers.failed(tenant, agent)
        else:
            self.breakers.succeeded(tenant, agent)
        return failure if is_certain(error, failure, repeatable=action.repeatable) else None

    async def _look_first(self, request: Request, action: Action, ledger: Ledger) -> None:
        """An effect that may have happened: read it back where that is possible, else park it.

        A look-up that is refused or fails leaves the outcome unknown. It is asked anew every time: what an
        earlier one saw was before the effect was tried again.
        """
        if not can_be_read_back(action):
            ledger.note(self._recorder.unknown(request, action))
            return
        seen = await self._read_back(request, action, ledger)
        if seen.error is not None:
            ledger.note(self._recorder.unknown(request, action))
        elif seen.found:
            done = self._recorder.completed(request, seen.output, cost=action.spec.cost, mode="looked_up")
            ledger.note(done)
        else:
            await self._dispatch(replace(request, started=False), ledger)

    async def _read_back(self, request: Request, action: Action, ledger: Ledger) -> OutcomeObserved:
        """Ask whether an effect happened, under the name that the receiver gave it where it gave one."""
        lookup = action.spec.lookup
        if not can_be_read_back(action) or not lookup:
            return self._recorder.observed(request, None, unreadable(action.name))
        call = f"{request.call or request.step}/lookup"
        asked = replace(request, action=lookup, started=False, look=False, call=call)
        try:
            return self._recorder.observed(request, await self._nested(asked, ledger, anew=True), None)
        except DirigentError as error:
            return self._recorder.observed(request, None, failure_of(error))

    async def _nested(self, request: Request, ledger: Ledger, *, anew: bool = False) -> Any:
        """Take an action for a running action; raises where it is refused or fails.

        A call that has ended before, asked with the same inputs, is not made again, except `anew`.
        """
        action = self.registry.action(request.agent, request.action)
        arguments = action.read_inputs(request.inputs)
        before = None if anew else ledger.call(request.call)
        if isinstance(before, CallEnded) and before.payload == request.payload:
            return _result(before)
        judgement = self._gates.judge(request, action)
        if judgement.course != "run":
            ledger.note(self._recorder.refused(request, action, judgement))
            raise Refused(_nested_reason(judgement), rules=judgement.decision.rules)
        if isinstance(before, CallStarted):
            request = replace(request, key=before.key, key_payload=before.payload)
            if not action.repeatable and (found := await self._found(request, action, before, ledger)):
                return _result(found)
        if not self.budgets.reserve(request.root, action.spec.cost, request.claim):
            raise Refused(self._budget_reason(request, action), rules=("budget.exhausted",))
        return await self._run_call(held_back(request, judgement), action, arguments, judgement, ledger)

    async def _run_call(
        self,
        request: Request,
        action: Action,
        arguments: dict[str, Any],
        judgement: Judgement,
        ledger: Ledger,
    ) -> Any:
        outcome = Outcome()
        place = self.capacity.place(action.agent.key, action.agent.max_concurrency)
        try:
            with place if place.take() else await place.turn():
                ledger.note(self._recorder.call_started(request, action, judgement))
                outcome.begun = True
                if not action.pure:
                    await ledger.durable()
                await self._act(request, action, arguments, ledger, outcome)
        except asyncio.CancelledError:
            if outcome.begun and not action.repeatable:
                self._doubt(request, outcome)
            raise
        finally:
            self._settle(request, action, outcome)
        if not action.repeatable:
            await self._make_sure(request, action, outcome, ledger)
        failure = UNKNOWN if outcome.unknown else outcome.failure
        cost = 0.0 if outcome.failure else action.spec.cost
        ended = self._recorder.call_ended(request, outcome.output, failure, cost, outcome.sent_at)
        ledger.note(ended)
        return _result(ended)

    async def _make_sure(self, request: Request, action: Action, outcome: Outcome, ledger: Ledger) -> None:
        """Look at once where nobody knows the end of a call, or of one that it made itself."""
        made = self._unclear.get((request.execution_id, request.step), {})
        outcome.unknown = outcome.unknown or any(call.startswith(f"{request.call}/") for call in made)
        if outcome.unknown and can_be_read_back(action):
            asked = replace(request, reference=outcome.reference)
            seen = await self._read_back(asked, action, ledger)
            outcome.unknown, outcome.output = not seen.found, seen.output
        if outcome.unknown:
            self._doubt(request, outcome)

    def _doubt(self, request: Request, outcome: Outcome) -> None:
        sent = replace(request, sent_at=outcome.sent_at, reference=outcome.reference)
        self._unclear.setdefault((request.execution_id, request.step), {})[request.call] = sent

    async def _found(
        self, request: Request, action: Action, before: CallStarted, ledger: Ledger
    ) -> CallEnded | None:
        """What a call did that may have acted before; None where it is seen that it did not.

        Raises `Refused` where that cannot be seen: only a person can say.
        """
        seen = await self._read_back(request, action, ledger)
        if seen.error is not None:
            self._doubt(request, Outcome(sent_at=before.at))
            raise Refused(
                f"It is not known what became of {request.call}.", rules=("effect.outcome_unknown",)
            )
        if not seen.found:
            return None
        ended = self._recorder.call_ended(request, seen.output, None, action.spec.cost, before.at)
        ledger.note(ended)
        return ended

    async def take(self, request: Request, ledger: Ledger) -> Any:
        """A call of an agent; what a model proposed and does not even fit is refused on the record."""
        try:
            return await self._nested(request, ledger)
        except DirigentError as error:
            if isinstance(error, Refused | NoPlaceLeft) or not request.proposed:
                raise
            rule = "model.unfit_proposal"
            ledger.note(
                self._recorder.turned_away(request.step, request.agent, request.action, rule, str(error))
            )
            raise Refused(str(error), rules=(rule,)) from error

    def decide(self, subject: Subject) -> Decision:
        """Ask the policies without doing anything."""
        return self._gates.decide(subject)

    def tell(self, request: Request, done: int, total: int, message: str) -> None:
        """Pass on how far an action is; that is a sign of life, too."""
        self._on_loop(self._progress, request.execution_id, request.step, done, total, message)
        self.beat(request)

    def beat(self, request: Request) -> None:
        """Take in a sign of life, from whatever thread."""
        pulse = self._pulses.get(_place_of(request))
        if pulse is not None:
            self._on_loop(pulse.beat)

    def acknowledge(self, request: Request, ledger: Ledger, reference: str) -> None:
        """Put on record that the receiver has the effect of a running action, and what it calls it."""
        self._on_loop(self._acknowledge, request, ledger, reference)

    def _acknowledge(self, request: Request, ledger: Ledger, reference: str) -> None:
        outcome = self._effects.get(_place_of(request))
        if outcome is not None:  # else it has no effect, or nobody waits for it any more
            outcome.reference = reference
            ledger.note(self._recorder.acknowledged(request, reference))

    def agents(self) -> list[dict[str, Any]]:
        """The registered agents as plain data."""
        return self.registry.described()

    def _on_loop(self, call: Callable[..., None], *values: Any) -> None:
        """Blocking actions run in other threads; what they tell is told on the event loop."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            assert self._loop is not None, "it is known since the blocking action began"
            self._loop.call_soon_threadsafe(call, *values)
        else:
            call(*values)

    def _context(self, request: Request, action: Action, ledger: Ledger) -> CallContext:
        world = self._world
        return CallContext(
            request,
            action.name,
            ledger,
            self,
            records=world.records,
            memory=world.memory,
            model=world.model,
            outbox=world.outbox,
            events=world.events,
            web=world.web,
            time_limit_ms=round(time_limit(request, action)[0] * 1000),
        )

    def _budget_reason(self, request: Request, action: Action) -> str:
        left = self.budgets.account(request.root).left
        return f"{action.name} may cost {action.spec.cost:g}, {left:g} is left"


def _place_of(request: Request) -> tuple[str, str, int]:
    return request.execution_id, request.call or request.step, request.attempt


def _denial(judgement: Judgement) -> Failure:
    return Failure(code="policy_denied", message=judgement.reason, rules=judgement.decision.rules)


def _nested_reason(judgement: Judgement) -> str:
    if judgement.course == "deny":
        return judgement.reason
    return f"{judgement.reason}; a call inside an action cannot wait for that: make it a step."


def _result(ended: CallEnded) -> Any:
    if ended.error is not None:
        raise Refused(ended.error.message, rules=ended.error.rules or (ended.error.code,))
    return ended.output
