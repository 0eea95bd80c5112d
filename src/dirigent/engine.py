"""The facade: start, approve, reject, cancel, resolve, wait and read executions."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from dirigent.domain.canonical import canonical_bytes, storable
from dirigent.domain.domain_event import DomainEvent, event_key
from dirigent.domain.errors import Conflict, InvalidInput, NotFound, SignalRefused
from dirigent.domain.event import (
    ApprovalDecided,
    CancelRequested,
    Event,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionStarted,
    Passport,
    SignalReceived,
    StepOutcomeResolved,
)
from dirigent.domain.ids import goal_execution_id
from dirigent.domain.patterns import is_name
from dirigent.domain.policy import Autonomy
from dirigent.domain.workflow import Definition
from dirigent.interpreter.forking import fork_of
from dirigent.interpreter.graph import build_graph
from dirigent.interpreter.inputs import check_input
from dirigent.interpreter.loading import stored_definition
from dirigent.interpreter.reading import Reading, read_execution
from dirigent.ports import (
    ApprovalRow,
    Clock,
    ExecutionRow,
    Journal,
    Projections,
    Runtime,
    Verification,
    Waiting,
)

GOALS_PER_SECOND_MAX = 100_000
PRIORITY_MAX = 9
FIRING = ("trigger", "cause")  # labels by which a trigger finds what it started
SIGNAL_BYTES_MAX = 256 * 1024


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What an execution is started with.

    `labels` are kept with the start and shown in lists (`summary`); `budget` bounds what it and all it
    starts may spend; `execution_id` is made when it is empty. `correlation` joins what belongs together
    (the execution's own id where it is empty); `cause` and `cause_depth` are those of the passport.
    `priority`, 0 to 9, says how soon it is wanted among those of its tenant.
    `allow_delivery` off holds whatever would leave, whatever the house allows.
    """

    definition: Definition
    tenant: str
    actor: str
    input: dict[str, Any] = {}
    autonomy: Autonomy = Autonomy.L1
    budget: float | None = None
    trigger: str = "manual"
    labels: dict[str, Any] = {}
    execution_id: str = ""
    correlation: str = ""
    cause: str = ""
    cause_depth: int = 0
    priority: int = 5
    allow_delivery: bool = True


def _random_id(now_ms: int) -> str:
    _ = now_ms
    return f"exec_{uuid.uuid4()}"


def _priority(priority: int) -> int:
    if not 0 <= priority <= PRIORITY_MAX:
        raise InvalidInput(f"The priority {priority} is not within 0 to {PRIORITY_MAX}.", field="priority")
    return priority


class Engine:
    """One door for people and programs to executions. Everything acknowledged is on stable storage.

    `fresh_id` names an execution that is accepted at a time (milliseconds since the epoch).
    """

    def __init__(
        self,
        runtime: Runtime,
        journal: Journal,
        projections: Projections,
        clock: Clock,
        allow_delivery: Callable[[str], bool],
        fresh_id: Callable[[int], str] = _random_id,
    ) -> None:
        self.runtime = runtime
        self._journal = journal
        self._projections = projections
        self._clock = clock
        self._allow_delivery = allow_delivery
        self._fresh_id = fresh_id

    async def start(self, start: Start) -> str:
        """Accept an execution and return its id; it runs in the background.

        Raises `Conflict` where an execution of that id exists and `InvalidInput` where the input is not
        what the definition takes.
        """
        now = self._clock.now_ms()
        execution_id = start.execution_id or self._fresh_id(now)
        started = ExecutionStarted(
            at=now,
            execution_id=execution_id,
            workflow=start.definition.name,
            definition=start.definition.content_hash,
            input=storable(check_input(start.definition, start.input), "The input"),
            passport=Passport(
                tenant=start.tenant,
                actor=start.actor,
                autonomy=start.autonomy.value,
                budget=start.budget,
                correlation=start.correlation or execution_id,
                cause=start.cause,
                cause_depth=start.cause_depth,
                priority=_priority(start.priority),
                delivery=start.allow_delivery,
            ),
            trigger=start.trigger,
            labels=start.labels,
        )
        await self.runtime.submit(start.definition, started)
        return execution_id

    def new_execution_id(self) -> str:
        """A free id for an execution accepted now."""
        return self._fresh_id(self._clock.now_ms())

    def is_known(self, execution_id: str) -> bool:
        """Whether an execution of this id was handed in, whether or not it is on stable storage yet."""
        return self._journal.head(execution_id) > 0

    async def fork(
        self,
        execution_id: str,
        actor: str,
        *,
        at: int | str | None = None,
        edits: Mapping[str, Any] | None = None,
        input: Mapping[str, Any] | None = None,
        again: Collection[str] = (),
        trigger: str = "fork",
    ) -> str:
        """Start an execution that takes over from another what its steps gave, and does the others itself.

        `at` is a version of its history, or the step before which it is forked; without it all is kept
        that was settled. `edits` gives steps other outputs, `input` takes the place of the whole input.
        Nothing that is kept is done again; what was undone is. An effect whose end nobody knows is done
        again under its key where it has one; otherwise `Conflict` asks for its output in `edits`, or for
        its step in `again`. Raises `InvalidInput` for steps and versions that do not exist.
        """
        events = self.events(execution_id)
        before = events[0]
        assert isinstance(before, ExecutionStarted), "every execution starts with its start"
        if before.parent:
            root = execution_id.partition("/")[0]
            raise Conflict(f"{execution_id!r} belongs to {root!r}.", fix="Fork that one.")
        definition = self._definition(before.definition)
        kept = storable(dict(edits or {}), "The edits")
        fork = fork_of(build_graph(definition), events, at=at, edits=kept, again=again, exists=self.is_known)
        now = self._clock.now_ms()
        forked = self._fresh_id(now)
        given = before.input if input is None else storable(check_input(definition, input), "The input")
        passport = msgspec.structs.replace(before.passport, actor=actor, correlation=forked)
        started = ExecutionStarted(
            at=now,
            execution_id=forked,
            workflow=before.workflow,
            definition=before.definition,
            input=given,
            passport=passport,
            trigger=trigger,
            labels={name: said for name, said in before.labels.items() if name not in FIRING},
            forked_from=execution_id,
            forked_at=fork.version,
            kept=fork.kept,
            unsettled=fork.unsettled,
        )
        await self.runtime.submit(definition, started)
        return forked

    async def retry(
        self, execution_id: str, actor: str, *, step: str | None = None, again: Collection[str] = ()
    ) -> str:
        """Do what an execution left undone that ended without its result: a fork of it, linked to it.

        With `step` that step and everything behind it is done again as well.
        """
        status = self.row(execution_id).status
        if status not in ("failed", "blocked", "rejected", "cancelled"):
            raise Conflict(f"{execution_id!r} is {status}.", fix="Fork it to do some of its steps again.")
        return await self.fork(execution_id, actor, at=step, again=again, trigger="retry")

    def new_goal_id(self) -> str:
        """A free id for a goal accepted now."""
        stamp = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).strftime("%Y%m%d_%H%M%S")
        for number in range(1, GOALS_PER_SECOND_MAX):
            candidate = goal_execution_id(stamp, number)
            if self._journal.head(candidate) == 0:
                return candidate
        raise Conflict("A hundred thousand goals were handed in within one second.", fix="Try again.")

    async def rest(self, execution_id: str) -> Reading:
        """Wait until the execution has ended or only waits for a person; returns how it stands."""
        await self.runtime.rest(execution_id)
        return self.read(execution_id)

    async def approve(self, approval_id: str, actor: str, comment: str = "") -> ApprovalRow:
        """Let exactly what was shown go on. What leaves the house needs delivery to be on."""
        row = self._open_approval(approval_id)
        if row.kind == "hold" and not self._allow_delivery(row.tenant):
            raise Conflict(
                f"{row.agent}.{row.action} is held because delivery is off.",
                fix="Turn it on with DIRIGENT_ALLOW_DELIVERY=1, then approve again.",
            )
        if row.kind == "hold" and not self.read(row.execution_id).started.passport.delivery:
            raise Conflict(
                f"{row.agent}.{row.action} is held because its run was started without delivery.",
                fix="Reject it, and start a run that may deliver.",
            )
        return await self._decide(row, "approved", actor, comment)

    async def reject(self, approval_id: str, actor: str, comment: str = "") -> ApprovalRow:
        """Say no; the step ends as rejected."""
        return await self._decide(self._open_approval(approval_id), "rejected", actor, comment)

    async def signal(
        self, execution_id: str, name: str, data: Any = None, *, signal_id: str = "", sender: str = ""
    ) -> str:
        """Tell a running execution something; returns the id of the signal once it is on stable storage.

        The step that waits for a signal of this name takes it; until one does it is kept. The same
        signal under the same id counts once, also after the end. Raises `SignalRefused` where the id
        stands for another signal or where too many are kept, `Conflict` where the execution has ended.
        """
        if not is_name(name):
            raise InvalidInput(
                f"{name!r} is no name of a signal.", fix="Write it as order.paid.", field="name"
            )
        signal = SignalReceived(
            at=self._clock.now_ms(),
            name=name,
            signal_id=signal_id or f"sig_{uuid.uuid4().hex}",
            data=_bounded(data),
            sender=sender,
        )
        try:
            await self.runtime.deliver(execution_id, signal)
        except SignalRefused:
            raise
        except Conflict:
            if not self._was_received(execution_id, signal):
                raise
        return signal.signal_id

    async def deliver_event(self, tenant: str, event: DomainEvent) -> list[str]:
        """Hand a domain event to every execution of the tenant that waits for one like it; returns their ids.

        Each takes it once, however often it is handed in.
        """
        signal = SignalReceived(
            at=self._clock.now_ms(),
            name=event.type,
            signal_id=event_key(tenant, event.source, event.id).hex(),
            data=event.data,
            event_id=event.id,
            source=event.source,
            subject=event.subject,
            time=event.time,
        )
        waiting = self._projections.waiting(tenant, event=event.type)
        executions = dict.fromkeys(row.execution_id for row in waiting)
        return [name for name in executions if await self.runtime.offer(name, signal)]

    async def cancel(self, execution_id: str, actor: str, reason: str = "") -> None:
        """Stop an execution and all it started; nothing new acts from here on but what undoes."""
        event = CancelRequested(at=self._clock.now_ms(), actor=actor, reason=reason)
        await self.runtime.deliver(execution_id, event)

    async def pause(self, execution_id: str, actor: str, reason: str = "") -> None:
        """Begin nothing new in an execution and all it started; what runs goes on to its end."""
        await self.runtime.deliver(
            execution_id, ExecutionPaused(at=self._clock.now_ms(), actor=actor, reason=reason)
        )

    async def resume(self, execution_id: str, actor: str) -> None:
        """Go on with what a pause held back."""
        await self.runtime.deliver(execution_id, ExecutionResumed(at=self._clock.now_ms(), actor=actor))

    async def resolve(
        self,
        execution_id: str,
        step: str,
        *,
        happened: bool,
        actor: str,
        output: Any = None,
        attempt: int | None = None,
    ) -> None:
        """Say what became of an effect whose outcome nobody knew.

        With `attempt` the word holds for that attempt only, so that saying it again, when another attempt
        has lost its outcome meanwhile, raises `Conflict` and decides nothing.
        """
        found = self.read(execution_id).steps.get(step)
        if found is None or found.status != "outcome_unknown":
            raise InvalidInput(f"The step {step!r} does not wait for its outcome.", field="step")
        if attempt is not None and attempt != found.attempts:
            raise Conflict(
                f"Attempt {attempt} of {step!r} is settled; attempt {found.attempts} waits for its outcome.",
                fix="Look again, then say what became of that one.",
            )
        await self.runtime.deliver(
            execution_id,
            StepOutcomeResolved(
                at=self._clock.now_ms(),
                step=step,
                attempt=found.attempts,
                happened=happened,
                actor=actor,
                output=output,
            ),
        )

    def read(self, execution_id: str) -> Reading:
        """How an execution stands, from its durable events."""
        reading = read_execution(self.events(execution_id))
        row = self._projections.execution(execution_id)
        if row is not None and not reading.ended_at:
            reading.status = row.status
        return reading

    def events(self, execution_id: str) -> list[Event]:
        """Every event of an execution, in order; raises `NotFound`."""
        events = self._journal.read(execution_id)
        if not events or not isinstance(events[0], ExecutionStarted):
            raise NotFound(f"There is no execution {execution_id!r}.", code="execution_not_found")
        return events

    def executions(
        self,
        tenant: str | None = None,
        *,
        statuses: Sequence[str] = (),
        parent: str | None = "",
        limit: int = 100,
    ) -> list[ExecutionRow]:
        """Executions, newest first; `parent=""` leaves out those that others started."""
        return self._projections.executions(tenant, statuses=statuses, parent=parent, limit=limit)

    def forks(self, execution_id: str) -> list[ExecutionRow]:
        """Executions that were forked from one, oldest first."""
        return self._projections.executions(forked_from=execution_id)[::-1]

    def children(self, execution_id: str) -> list[ExecutionRow]:
        """Executions that one started, oldest first."""
        return self._projections.executions(parent=execution_id)[::-1]

    def row(self, execution_id: str) -> ExecutionRow:
        """One line about an execution; raises `NotFound`."""
        found = self._projections.execution(execution_id)
        if found is None:
            raise NotFound(f"There is no execution {execution_id!r}.", code="execution_not_found")
        return found

    def approvals(
        self, tenant: str | None = None, *, state: str | None = "open", execution: str | None = None
    ) -> list[ApprovalRow]:
        """Requests for a person's decision, oldest first."""
        return self._projections.approvals(tenant, state=state, execution=execution)

    def approval(self, approval_id: str) -> ApprovalRow:
        """One request for a decision; raises `NotFound`."""
        found = self._projections.approval(approval_id)
        if found is None:
            raise NotFound(f"There is no approval {approval_id!r}.", code="approval_not_found")
        return found

    def waiting(
        self, tenant: str | None = None, *, event: str | None = None, execution: str | None = None
    ) -> list[Waiting]:
        """Steps that wait for a signal, longest first."""
        return self._projections.waiting(tenant, event=event, execution=execution)

    def verify(self) -> Verification:
        """Check the whole journal."""
        return self._journal.verify()

    def _was_received(self, execution_id: str, signal: SignalReceived) -> bool:
        """Whether an execution that has ended took this very signal; raises `SignalRefused` for another."""
        received = [event for event in self.events(execution_id) if isinstance(event, SignalReceived)]
        found = next((event for event in received if event.signal_id == signal.signal_id), None)
        if found is not None and (found.name, found.data) != (signal.name, signal.data):
            raise SignalRefused(
                f"The signal {signal.signal_id!r} was received before and said something else."
            )
        return found is not None

    def _definition(self, content_hash: str) -> Definition:
        stored = self._projections.definition(content_hash)
        if stored is None:
            raise NotFound(f"The definition {content_hash[:12]} is not stored.", code="definition_not_found")
        return stored_definition(stored)

    def _open_approval(self, approval_id: str) -> ApprovalRow:
        row = self.approval(approval_id)
        if row.state != "open":
            raise Conflict(f"The approval {approval_id!r} is {row.state} already.")
        return row

    async def _decide(self, row: ApprovalRow, decision: str, actor: str, comment: str) -> ApprovalRow:
        now = self._clock.now_ms()
        if now > row.expires_at:
            raise Conflict(
                f"The time to decide about {row.approval_id!r} has passed.",
                fix="The step ends as expired; start it anew if it is still wanted.",
            )
        event = ApprovalDecided(
            at=now,
            step=row.step,
            approval_id=row.approval_id,
            decision=decision,
            actor=actor,
            comment=comment,
            payload=row.payload_hash,
        )
        await self.runtime.deliver(row.execution_id, event)
        return self.approval(row.approval_id)


def _bounded(data: Any) -> Any:
    """What a signal says, as the journal will give it back."""
    kept = storable(data, "The data of the signal")
    size = len(canonical_bytes(kept))
    if size > SIGNAL_BYTES_MAX:
        raise InvalidInput(
            f"The data of the signal has {size:,} bytes.",
            fix=f"Keep it under {SIGNAL_BYTES_MAX:,} and refer to it.",
            field="data",
        )
    return kept
