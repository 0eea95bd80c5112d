"""Calls of other engines: each is taken once under its key, and asked again it gives its first outcome."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from weakref import WeakValueDictionary

import msgspec

from dirigent.domain.canonical import digest_of
from dirigent.domain.errors import Conflict, DirigentError, InvalidInput, NotFound
from dirigent.domain.event import ApprovalRequested, Event, Failure, OutcomeObserved, StepFailed, StepStarted
from dirigent.domain.policy import Autonomy, clamp
from dirigent.domain.workflow import Definition, FlowType, Kind, Step
from dirigent.engine import Engine, Start
from dirigent.execution.elsewhere import contract_of
from dirigent.execution.registry import Action, Registry
from dirigent.interpreter.reading import Reading, StepReading
from dirigent.ports.remote import FAILED, OUTCOME_UNKNOWN, SUCCEEDED, UNCLEAR, RemoteAnswer, RemoteCall

STEP = "call"
HELD = "hold"  # the verdict of what ran without a way out
TRIES_MAX = 100
TRIGGER = "remote"
AT_REST_MS = 1  # whatever waits longer than this, waits for a person or for a look
OURSELVES = "dirigent"


class ContractDiffers(Conflict):
    """Caller and server know different declarations of the same action."""

    code = "contract_differs"


class KeyReused(Conflict):
    """A key under which something else was done is used for other inputs."""

    code = "key_reused"


class ServedCalls:
    """Takes calls as executions of one step.

    What has an effect is named by tenant, action and key: the journal of that execution answers a repeated
    call. Pure and reading actions run anew every time. The caller's word that a person approved counts as if
    it had been given here; the policies, the delivery switch and the checks of inputs are this house's own.
    """

    def __init__(
        self, engine: Engine, registry: Registry, max_autonomy: Callable[[str], Autonomy], version: str
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._max_autonomy = max_autonomy
        self._version = version
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._leaving: set[asyncio.Task[None]] = set()

    async def take(self, call: RemoteCall) -> RemoteAnswer:
        """Take an action, or say what came of it before.

        Raises `NotFound`, `InvalidInput`, `ContractDiffers`, `KeyReused` and `Overloaded`: in each case
        nothing was done. Cancelled, it stops what has no effect, or has not begun: an effect under way comes
        to its end and is kept.
        """
        action = self._registry.action(call.agent, call.action)
        self._check_contract(action, call)
        action.read_inputs(dict(call.inputs))
        if not action.announced:
            return await self._anew(action, call)
        if not call.origin.key:
            raise InvalidInput("The call names no key.", fix="Send origin.key.", field="origin.key")
        name = _name_of(action, call)
        turn = self._turns.get(name)
        if turn is None:
            turn = self._turns[name] = asyncio.Lock()
        async with turn:
            return await self._once(action, call, name)

    def _check_contract(self, action: Action, call: RemoteCall) -> None:
        ours = contract_of(action)
        if call.contract != ours:
            raise ContractDiffers(
                f"{action.name} is declared as {call.contract[:12]} by the caller and as {ours[:12]} here "
                f"(Dirigent {self._version}).",
                fix="Run the same version of the agent on both sides.",
            )

    async def _anew(self, action: Action, call: RemoteCall) -> RemoteAnswer:
        execution_id = self._engine.new_execution_id()
        await self._engine.start(self._start(action, call, execution_id))
        return await self._answered(action, execution_id)

    async def _once(self, action: Action, call: RemoteCall, name: str) -> RemoteAnswer:
        for number in range(1, TRIES_MAX + 1):
            execution_id = name if number == 1 else f"{name}.{number}"
            if not self._engine.is_known(execution_id):
                await self._engine.start(self._start(action, call, execution_id))
                return await self._answered(action, execution_id)
            try:
                answer = await self._answered(action, execution_id)
            except NotFound:
                return _put_away(action, execution_id)
            if _may_be_tried_again(action, answer):
                continue
            before = self._engine.read(execution_id).started.input
            if digest_of(before) != digest_of(call.inputs):
                if answer.status == FAILED:  # nothing came of that; what is asked for now is something else
                    continue
                raise KeyReused(
                    f"The key of this call was used for other inputs ({execution_id}).",
                    fix="Ask for something else under a key of its own.",
                )
            if answer.status == OUTCOME_UNKNOWN:
                answer = await self._settled(action, call, execution_id)
            return msgspec.structs.replace(answer, replayed=True)
        raise Conflict(f"{action.name} was tried {TRIES_MAX} times under this key.", fix="Use another key.")

    async def _answered(self, action: Action, execution_id: str) -> RemoteAnswer:
        """What came of an execution, once it is at rest; one that would wait for a person is ended."""
        try:
            reading = await self._engine.rest(execution_id, patience_ms=AT_REST_MS)
        except asyncio.CancelledError:
            self._leave(action, execution_id)
            raise
        if self._engine.approvals(state="open", execution=execution_id):
            with suppress(DirigentError):  # somebody may have decided in between
                await self._engine.cancel(
                    execution_id, OURSELVES, "Its caller cannot wait for a person here."
                )
            reading = await self._engine.rest(execution_id, patience_ms=AT_REST_MS)
        return _answer_of(action, reading, self._engine.events(execution_id))

    async def _settled(self, action: Action, call: RemoteCall, execution_id: str) -> RemoteAnswer:
        """An outcome that nobody knew, asked for again: it is looked at, or the caller has settled it.

        A caller comes with a later attempt only where its own journal says that the one before did not
        happen.
        """
        with suppress(Conflict, InvalidInput):  # somebody else may have settled it in between
            if await self._is_missing(call, execution_id):
                attempts = self._engine.read(execution_id).steps[STEP].attempts
                await self._engine.resolve(
                    execution_id, STEP, happened=False, actor=call.actor, attempt=attempts
                )
        return await self._answered(action, execution_id)

    async def _is_missing(self, call: RemoteCall, execution_id: str) -> bool:
        """Whether an effect is seen not to be there; where it cannot be seen, whether the caller says so."""
        if any(row.lookup for row in self._engine.unknown_outcomes(execution=execution_id)):
            await self._engine.read_back(execution_id, STEP, actor=call.actor)
            await self._engine.rest(execution_id, patience_ms=AT_REST_MS)
            return _seen_missing(self._engine.events(execution_id))
        reading = self._engine.read(execution_id)
        origin = reading.started.passport.origin
        assert origin is not None, "served calls have one"
        return call.origin.attempt > origin.attempt + reading.steps[STEP].attempts - 1

    def _start(self, action: Action, call: RemoteCall, execution_id: str) -> Start:
        step = Step(
            id=STEP,
            kind=Kind.AGENT,
            agent=action.agent.key,
            action=action.spec.name,
            parameters={name: f"${{input.{name}}}" for name in call.inputs},
            timeout_ms=call.time_limit_ms,
        )
        return Start(
            definition=Definition(name=action.name, type=FlowType.SEQUENTIAL, steps=(step,)),
            tenant=call.tenant,
            actor=call.actor,
            input=dict(call.inputs),
            autonomy=clamp(_autonomy(call.autonomy), self._max_autonomy(call.tenant)),
            trigger=TRIGGER,
            labels={"summary": f"{action.name} for {call.origin.execution_id}"},
            execution_id=execution_id,
            correlation=call.correlation,
            cause=call.cause,
            cause_depth=call.cause_depth,
            allow_delivery=call.delivery,
            origin=call.origin,
        )

    async def settled(self) -> None:
        """Return when all has been told to stop that nobody waits for."""
        await asyncio.gather(*self._leaving, return_exceptions=True)

    def _leave(self, action: Action, execution_id: str) -> None:
        """Stop what nobody waits for any more; what has an effect only where that has not begun."""
        leaving = asyncio.ensure_future(self._stopped(action, execution_id))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _stopped(self, action: Action, execution_id: str) -> None:
        with suppress(DirigentError):  # it may have ended meanwhile
            if not (action.announced and _begun(self._engine.events(execution_id))):
                await self._engine.cancel(execution_id, OURSELVES, "The caller does not wait any more.")


def _name_of(action: Action, call: RemoteCall) -> str:
    parts = "\x1f".join((call.tenant, action.name, call.origin.key))
    return f"call_{hashlib.sha256(parts.encode()).hexdigest()[:32]}"


def _autonomy(level: str) -> Autonomy:
    try:
        return Autonomy(level)
    except ValueError as error:
        raise InvalidInput(f"{level!r} is no autonomy level.", fix="L0 to L3.", field="autonomy") from error


def _may_be_tried_again(action: Action, answer: RemoteAnswer) -> bool:
    """Whether another try may end otherwise: nothing was let out, or what was wrong may be over."""
    if answer.status == UNCLEAR:
        return action.repeatable
    retryable = answer.error is not None and answer.error.retryable
    return answer.status in (SUCCEEDED, FAILED) and (retryable or not answer.let_out)


def _answer_of(action: Action, reading: Reading, events: list[Event]) -> RemoteAnswer:
    step = reading.steps.get(STEP)
    if step is None:
        return _refused(reading, f"The agent's server did not begin: it is {reading.status}.", ())
    if step.status == SUCCEEDED and step.verdict == "simulate":
        return _refused(reading, "The agent's server only simulates (autonomy level L0).", ("autonomy.L0",))
    known = RemoteAnswer(
        status=step.status, execution_id=reading.execution_id, reference=step.reference, output=step.output
    )
    if step.status == SUCCEEDED:
        return msgspec.structs.replace(known, let_out=step.verdict != HELD)
    if step.status == OUTCOME_UNKNOWN:
        message = f"The agent's server does not know what became of {action.name} ({reading.execution_id})."
        return msgspec.structs.replace(known, error=Failure(code=OUTCOME_UNKNOWN, message=message))
    begun = _begun(events)
    asked = [event for event in events if isinstance(event, ApprovalRequested)]
    if begun is None and asked:
        why = f"The agent's server would ask a person first: {asked[-1].reason}."
        return _refused(reading, why, asked[-1].rules)
    status = UNCLEAR if begun is not None and step.error is None and action.announced else FAILED
    failure = _failure(reading, step)
    return msgspec.structs.replace(known, status=status, error=failure, let_out=_let_out(events), output=None)


def _put_away(action: Action, execution_id: str) -> RemoteAnswer:
    message = f"What became of {action.name} is in an archive of the agent's server ({execution_id})."
    failure = Failure(code=OUTCOME_UNKNOWN, message=message)
    return RemoteAnswer(status=OUTCOME_UNKNOWN, error=failure, execution_id=execution_id)


def _refused(reading: Reading, reason: str, rules: tuple[str, ...]) -> RemoteAnswer:
    failure = Failure(code="refused", message=reason, rules=rules)
    return RemoteAnswer(status=FAILED, error=failure, let_out=False, execution_id=reading.execution_id)


def _failure(reading: Reading, step: StepReading) -> Failure:
    found = step.error or reading.error
    return found or Failure(code=step.status, message=step.reason or f"The call is {step.status}.")


def _begun(events: list[Event]) -> StepStarted | None:
    started = (event for event in events if isinstance(event, StepStarted) and event.step == STEP)
    return next(started, None)


def _let_out(events: list[Event]) -> bool:
    failed = [event for event in events if isinstance(event, StepFailed) and event.step == STEP]
    return failed[-1].sent_at > 0 if failed else _begun(events) is not None


def _seen_missing(events: list[Event]) -> bool:
    looks = [event for event in events if isinstance(event, OutcomeObserved) and event.step == STEP]
    return bool(looks) and not looks[-1].found and looks[-1].error is None
