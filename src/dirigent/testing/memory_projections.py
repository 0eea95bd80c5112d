"""Projections in memory, for tests and simulation: the rows that the stores on disk keep, folded the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from dirigent.domain.approval import Vote
from dirigent.domain.event import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    CancelRequested,
    CompensationStarted,
    DefinitionStored,
    Event,
    ExecutionAdmitted,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionPassivated,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionStarted,
    OutcomeObserved,
    SignalAwaited,
    StepCancelled,
    StepOutcomeResolved,
    StepOutcomeUnknown,
    WaitEnded,
)
from dirigent.domain.ids import compensation_step
from dirigent.domain.patterns import matches
from dirigent.ports import ApprovalRow, ExecutionRow, OutcomeRow, Passive, Recorded, Waiting

_with = msgspec.structs.replace


class MemoryProjections:
    """The port `Projections`, told of durable events one after the other by `take`."""

    def __init__(self, recorded: Iterable[Recorded] = ()) -> None:
        self._executions: dict[str, ExecutionRow] = {}
        self._unfinished: dict[str, None] = {}
        self._passive: dict[str, Passive] = {}
        self._approvals: dict[str, ApprovalRow] = {}
        self._open: dict[str, set[str]] = {}
        self._waiting: dict[tuple[str, str], Waiting] = {}
        self._outcomes: list[OutcomeRow] = []
        self._definitions: dict[str, dict[str, Any]] = {}
        for one in recorded:
            self.take(one)

    def take(self, recorded: Recorded) -> None:
        """Fold one event; each is to be handed in once, in the order of positions."""
        if isinstance(recorded.event, ExecutionPassivated):
            self._passivated(recorded.stream, recorded.event)
        else:
            self._passive.pop(recorded.stream, None)
        fold = _FOLDS.get(type(recorded.event))
        if fold is not None:
            fold(self, recorded.stream, recorded.event)

    def executions(
        self,
        tenant: str | None = None,
        *,
        statuses: Sequence[str] = (),
        parent: str | None = None,
        forked_from: str | None = None,
        limit: int = 100,
    ) -> list[ExecutionRow]:
        """Executions, newest first; `parent=""` lists only those that no other execution started."""
        shown = (
            row
            for row in map(self._shown, reversed(self._executions.values()))
            if tenant in (None, row.tenant)
            and (not statuses or row.status in statuses)
            and (parent is None or (row.parent or "") == parent)
            and forked_from in (None, row.forked_from)
        )
        return [row for row, _ in zip(shown, range(limit), strict=False)]

    def execution(self, execution_id: str) -> ExecutionRow | None:
        """One execution, or None."""
        row = self._executions.get(execution_id)
        return None if row is None else self._shown(row)

    def unfinished(self) -> list[str]:
        """Ids of the executions that have started and not ended, oldest first."""
        return list(self._unfinished)

    def passive(self) -> list[Passive]:
        """Those of the unfinished that were put out of memory and that nothing has happened to since."""
        return list(self._passive.values())

    def approvals(
        self, tenant: str | None = None, *, state: str | None = "open", execution: str | None = None
    ) -> list[ApprovalRow]:
        """Approvals, oldest first; `execution` takes in its children."""
        return [
            row
            for row in self._approvals.values()
            if tenant in (None, row.tenant)
            and state in (None, row.state)
            and (execution is None or _below(row.execution_id, execution))
        ]

    def approval(self, approval_id: str) -> ApprovalRow | None:
        """One approval, or None."""
        return self._approvals.get(approval_id)

    def waiting(
        self, tenant: str | None = None, *, event: str | None = None, execution: str | None = None
    ) -> list[Waiting]:
        """Steps that wait for a signal, longest first: for one of this very name, or of one execution."""
        return [
            row
            for row in self._waiting.values()
            if tenant in (None, row.tenant)
            and execution in (None, row.execution_id)
            and (event is None or matches(row.event, event))
        ]

    def outcomes(
        self, tenant: str | None = None, *, state: str | None = "open", execution: str | None = None
    ) -> list[OutcomeRow]:
        """Effects of unknown outcome, oldest first; `execution` takes in its children."""
        return [
            row
            for row in self._outcomes
            if tenant in (None, row.tenant)
            and state in (None, row.state)
            and (execution is None or _below(row.execution_id, execution))
        ]

    def definition(self, content_hash: str) -> dict[str, Any] | None:
        """A stored workflow definition by its content hash."""
        return self._definitions.get(content_hash)

    def _shown(self, row: ExecutionRow) -> ExecutionRow:
        if row.status == "running" and any(_below(name, row.execution_id) for name in self._open):
            return _with(row, status="awaiting_approval")
        return row

    def _stored(self, stream: str, event: DefinitionStored) -> None:
        self._definitions.setdefault(stream, event.definition)

    def _started(self, stream: str, event: ExecutionStarted) -> None:
        if stream in self._executions:
            return
        self._unfinished[stream] = None
        self._executions[stream] = ExecutionRow(
            execution_id=stream,
            tenant=event.passport.tenant,
            workflow=event.workflow,
            status="pending" if event.pending else "running",
            trigger=event.trigger,
            parent=event.parent or None,
            started_at=event.at,
            ended_at=None,
            summary=str(event.labels.get("summary", "")),
            forked_from=event.forked_from or None,
        )

    def _turned(self, stream: str, status: str, *, out_of: Sequence[str]) -> None:
        row = self._executions.get(stream)
        if row is not None and row.status in out_of:
            self._executions[stream] = _with(row, status=status)

    def _held_up(self, stream: str, *, paused: bool) -> None:
        row = self._executions.get(stream)
        if row is not None and row.ended_at is None:
            self._executions[stream] = _with(row, paused=paused)
            turned, out_of = ("paused", ("running", "pending")) if paused else ("running", ("paused",))
            self._turned(stream, turned, out_of=out_of)

    def _cancelling(self, stream: str, event: CancelRequested) -> None:
        row = self._executions.get(stream)
        if row is not None and row.status in ("running", "paused"):
            self._executions[stream] = _with(row, status="cancelling", paused=False)
        self._let_go(stream, event.at, but=compensation_step(""))

    def _ended(self, stream: str, status: str, at: int) -> None:
        row = self._executions.get(stream)
        if row is not None:
            self._executions[stream] = _with(row, status=status, ended_at=at, paused=False)
            self._unfinished.pop(stream, None)
        self._let_go(stream, at)
        self._change_outcomes(stream, None, lambda row: _with(row, state="left", settled_at=at))

    def _let_go(self, stream: str, at: int, *, but: str = "") -> None:
        """Nobody waits any more, neither for a signal nor for a person; `but` steps whose names begin so."""
        for place in [place for place in self._waiting if place[0] == stream]:
            del self._waiting[place]
        for approval in list(self._open.get(stream, ())):
            row = self._approvals[approval]
            if not (but and row.step.startswith(but)):
                self._open[stream].discard(approval)
                self._approvals[approval] = _with(row, state="cancelled", decided_at=at)

    def _requested(self, stream: str, event: ApprovalRequested) -> None:
        if event.approval_id in self._approvals:
            return
        owner = self._executions.get(stream)
        self._open.setdefault(stream, set()).add(event.approval_id)
        self._approvals[event.approval_id] = ApprovalRow(
            approval_id=event.approval_id,
            execution_id=stream,
            tenant=owner.tenant if owner is not None else "",
            step=event.step,
            agent=event.agent,
            action=event.action,
            risk=event.risk,
            reason=event.reason,
            kind=event.kind,
            payload_hash=event.payload,
            preview=event.preview,
            requested_at=event.at,
            expires_at=event.expires_at,
            state="open",
            deciders=event.deciders,
        )

    def _passivated(self, stream: str, event: ExecutionPassivated) -> None:
        self._passive.pop(stream, None)
        if stream in self._unfinished:
            self._passive[stream] = Passive(
                execution_id=stream,
                until=event.until,
                moving=event.moving,
                budget=event.budget,
                spent=event.spent,
            )

    def _vote(self, stream: str, event: ApprovalVoted) -> None:
        row = self._approvals.get(event.approval_id)
        if row is not None and event.approval_id in self._open.get(stream, ()):
            vote = Vote(actor=event.actor, decision=event.decision, at=event.at, comment=event.comment)
            self._approvals[event.approval_id] = _with(row, votes=(*row.votes, vote))

    def _decide(self, stream: str, event: ApprovalDecided) -> None:
        waiting = self._open.get(stream, set())
        if event.approval_id not in waiting:
            return
        waiting.discard(event.approval_id)
        if not waiting:
            del self._open[stream]
        self._approvals[event.approval_id] = _with(
            self._approvals[event.approval_id],
            state=event.decision,
            decided_by=event.actor,
            decided_at=event.at,
            comment=event.comment,
        )

    def _awaited(self, stream: str, event: SignalAwaited) -> None:
        owner = self._executions.get(stream)
        row = Waiting(
            execution_id=stream,
            tenant=owner.tenant if owner is not None else "",
            step=event.step,
            event=event.event,
            since=event.at,
            expires_at=event.expires_at or None,
        )
        self._waiting.setdefault((stream, event.step), row)

    def _step_cancelled(self, stream: str, event: StepCancelled) -> None:
        self._waiting.pop((stream, event.step), None)
        open_ones = self._open.get(stream, set())
        for approval in [name for name in open_ones if self._approvals[name].step == event.step]:
            open_ones.discard(approval)
            row = self._approvals[approval]
            self._approvals[approval] = _with(row, state="cancelled", decided_at=event.at)
        if not open_ones:
            self._open.pop(stream, None)

    def _unclear(self, stream: str, event: StepOutcomeUnknown) -> None:
        owner = self._executions.get(stream)
        row = OutcomeRow(
            execution_id=stream,
            tenant=owner.tenant if owner is not None else "",
            step=event.step,
            attempt=event.attempt,
            agent=event.agent,
            action=event.action,
            inputs=event.inputs,
            key=event.key,
            payload_hash=event.payload,
            reference=event.reference,
            sent_at=event.sent_at,
            since=event.at,
            lookup=event.lookup,
            call=event.call,
        )
        self._outcomes.append(row)

    def _looked(self, stream: str, event: OutcomeObserved) -> None:
        self._change_outcomes(stream, event.step, lambda row: _with(row, looks=row.looks + 1))

    def _resolved(self, stream: str, event: StepOutcomeResolved) -> None:
        state = "happened" if event.happened else "not_happened"
        settled = {"state": state, "settled_by": event.actor, "settled_at": event.at}
        self._change_outcomes(stream, event.step, lambda row: _with(row, **settled))

    def _change_outcomes(
        self, stream: str, step: str | None, change: Callable[[OutcomeRow], OutcomeRow]
    ) -> None:
        for place, row in enumerate(self._outcomes):
            if row.state == "open" and row.execution_id == stream and step in (None, row.step):
                self._outcomes[place] = change(row)

    def _taken(self, stream: str, event: WaitEnded) -> None:
        self._waiting.pop((stream, event.step), None)


_FOLDS: dict[type[Event], Callable[[MemoryProjections, str, Any], None]] = {
    DefinitionStored: MemoryProjections._stored,
    ExecutionStarted: MemoryProjections._started,
    ExecutionAdmitted: lambda rows, stream, _: rows._turned(stream, "running", out_of=("pending",)),
    ExecutionPaused: lambda rows, stream, _: rows._held_up(stream, paused=True),
    ExecutionResumed: lambda rows, stream, _: rows._held_up(stream, paused=False),
    CancelRequested: MemoryProjections._cancelling,
    CompensationStarted: lambda rows, stream, _: rows._turned(
        stream, "compensating", out_of=("running", "paused", "cancelling")
    ),
    ExecutionCompleted: lambda rows, stream, event: rows._ended(stream, event.status, event.at),
    ExecutionFailed: lambda rows, stream, event: rows._ended(stream, event.status, event.at),
    ExecutionCancelled: lambda rows, stream, event: rows._ended(stream, "cancelled", event.at),
    ApprovalRequested: MemoryProjections._requested,
    ApprovalVoted: MemoryProjections._vote,
    ApprovalDecided: MemoryProjections._decide,
    SignalAwaited: MemoryProjections._awaited,
    WaitEnded: MemoryProjections._taken,
    StepOutcomeUnknown: MemoryProjections._unclear,
    OutcomeObserved: MemoryProjections._looked,
    StepOutcomeResolved: MemoryProjections._resolved,
    StepCancelled: MemoryProjections._step_cancelled,
}


def _below(execution: str, ancestor: str) -> bool:
    return execution == ancestor or execution.startswith(ancestor + "/")
