"""How events become the rows of the projections; the same when they happen and when all is folded anew."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import apsw
import msgspec

from dirigent.domain.approval import Vote
from dirigent.domain.domain_event import event_key
from dirigent.domain.errors import InvalidInput
from dirigent.domain.event import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    CancelRequested,
    CompensationStarted,
    Event,
    EventPublished,
    ExecutionAdmitted,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionPassivated,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionStarted,
    FiringDecided,
    OutcomeObserved,
    SignalAwaited,
    StepCancelled,
    StepOutcomeResolved,
    StepOutcomeUnknown,
    WaitEnded,
    WorkflowPaused,
    WorkflowResumed,
    WorkflowRolledBack,
    WorkflowSaved,
)
from dirigent.storage.sqlite.codec import decode, encode, restore
from dirigent.storage.sqlite.database import PROJECTIONS_MARK, SQL
from dirigent.storage.sqlite.database import PROJECTIONS_SQL as FOLDS

PAGE_EVENTS = 2000
INTEGER_MAX = 2**63 - 1
_NUMBERS = ("expires_at", "due", "event_position", "count", "version", "attempt", "sent_at")


_Begun = tuple[int, str, ExecutionStarted]
_Ended = tuple[str, str, int]  # which, how and when


class Occurrence(NamedTuple):
    """An event that changes a projection, and where it stands."""

    position: int
    stream: str
    event: Event


def occurrence(position: int, stream: str, event: Event, body: bytes) -> Occurrence:
    """An event as the journal will say it, so that folding anew gives the very same rows.

    Raises `InvalidInput` for what could be written but never be read or folded again.
    """
    if type(event) is EventPublished and _is_plain(event):
        return Occurrence(position, stream, event)
    try:
        said = decode(body)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"The event cannot be stored: {error}.") from error
    if not _has_times(said):
        raise InvalidInput(f"The event cannot be stored: {said.at} is no time.", field="at")
    return Occurrence(position, stream, said)


def _is_plain(event: EventPublished) -> bool:
    """Whether what is folded of it is what it will be read as; so masses of them need no second look."""
    said = event.event
    return (
        type(said.tenant) is type(said.source) is type(said.id) is type(said.type) is str
        and type(event.at) is int
        and abs(event.at) <= INTEGER_MAX
    )


def _has_times(event: Event) -> bool:
    for name in _numbers_of(type(event)):  # noqa: SIM110  # a generator costs more than the work
        if getattr(event, name) > INTEGER_MAX:
            return False
    return True


@functools.cache
def _numbers_of(kind: type[Event]) -> tuple[str, ...]:
    return tuple(name for name in ("at", *_NUMBERS) if name in kind.__struct_fields__)


def fold(connection: apsw.Connection, happened: Occurrence) -> None:
    """Bring the projections up to date with one event."""
    PROJECTED[type(happened.event)](connection, happened.position, happened.stream, happened.event)


def fold_all(connection: apsw.Connection, happened: Iterable[Occurrence]) -> None:
    """As `fold`, for everything that is committed together; what arrives in masses goes in at one go.

    An execution's start comes before all else about it and its end after all else, so the order of the rest
    is enough.
    """
    begun: list[_Begun] = []
    rest: list[Occurrence] = []
    ended: list[_Ended] = []
    published = []
    for one in happened:
        event = one.event
        if isinstance(event, ExecutionStarted):
            begun.append((one.position, one.stream, event))
        elif isinstance(event, ExecutionCompleted):
            ended.append((one.stream, event.status, event.at))
        elif isinstance(event, EventPublished):
            published.append(_published_row(one.position, event))
        else:
            rest.append(one)
    _begin_all(connection, begun)
    for one in rest:
        fold(connection, one)
    _end_all(connection, ended)
    connection.executemany(FOLDS["event_published"], published)


def refold(connection: apsw.Connection) -> None:
    """Throw the projections away and fold them from the whole journal; the caller holds the transaction.

    Events that cannot be read leave no trace here; that they are damaged is for `verify` to say.
    """
    connection.execute(FOLDS["drop"])
    connection.execute(FOLDS["schema"])
    for happened in occurrences(connection):
        fold(connection, happened)
    connection.execute(SQL["set_meta"], ("projections", PROJECTIONS_MARK))


def occurrences(connection: apsw.Connection) -> Iterator[Occurrence]:
    """Everything in the journal that changes a projection, in order; what cannot be read is left out."""

    def payload(key: bytes) -> bytes:
        content: Any = connection.execute(SQL["payload"], (key,)).get
        if not isinstance(content, bytes) or sha256(content).digest() != key:
            raise LookupError(key.hex())
        return content

    for position, _, _, body, _, name, _ in _rows(connection):
        if not isinstance(body, bytes):  # a damaged page may hold any type
            continue
        try:
            event = restore(body, payload)
        except (LookupError, ValueError, TypeError, RecursionError, msgspec.MsgspecError):
            continue
        if type(event) in PROJECTED and _has_times(event) and isinstance(name, bytes):
            yield Occurrence(position, name.decode(errors="replace"), event)


def _rows(connection: apsw.Connection) -> Iterator[Any]:
    after: Any = 0
    while page := connection.execute(SQL["tail"], (after, PAGE_EVENTS)).fetchall():
        for row in page:
            if row[0] <= after:  # pages in the wrong order would lead round in a circle
                return
            after = row[0]
            yield row


def _started(connection: apsw.Connection, position: int, stream: str, event: ExecutionStarted) -> None:
    _begin_all(connection, [(position, stream, event)])


def _begin_all(connection: apsw.Connection, begun: Sequence[_Begun]) -> None:
    connection.executemany(FOLDS["execution_started"], [_started_row(*one) for one in begun])
    for position, stream, event in begun:
        _fired(connection, position, stream, event)


def _started_row(position: int, stream: str, event: ExecutionStarted) -> tuple[Any, ...]:
    summary = str(event.labels.get("summary", ""))
    status = "pending" if event.pending else "running"
    values = (position, stream, event.passport.tenant, event.workflow, status, event.trigger)
    return (*values, event.parent or None, event.at, summary, event.forked_from or None)


def _fired(connection: apsw.Connection, position: int, stream: str, event: ExecutionStarted) -> None:
    if trigger := event.labels.get("trigger"):
        cause = str(event.labels.get("cause", ""))
        fired = (position, stream, event.passport.tenant, str(trigger), event.workflow, cause, event.at)
        connection.execute(FOLDS["firing_started"], fired)


def _paused(connection: apsw.Connection, position: int, stream: str, event: ExecutionPaused) -> None:
    connection.execute(FOLDS["execution_paused"], (stream,))


def _resumed(connection: apsw.Connection, position: int, stream: str, event: ExecutionResumed) -> None:
    connection.execute(FOLDS["execution_resumed"], (stream,))


def _admitted(connection: apsw.Connection, position: int, stream: str, event: ExecutionAdmitted) -> None:
    connection.execute(FOLDS["execution_admitted"], (stream,))


def _passivated(connection: apsw.Connection, position: int, stream: str, event: ExecutionPassivated) -> None:
    values = (position, stream, event.until, event.moving, event.budget, event.spent)
    connection.execute(FOLDS["execution_passivated"], values)


def _cancel_requested(connection: apsw.Connection, _: int, stream: str, event: CancelRequested) -> None:
    connection.execute(FOLDS["cancel_requested"], (stream,))
    connection.execute(FOLDS["close_approvals_but_of_undoing"], (event.at, stream))
    connection.execute(FOLDS["waits_ended"], (stream,))


def _compensating(connection: apsw.Connection, _: int, stream: str, event: CompensationStarted) -> None:
    connection.execute(FOLDS["compensation_started"], (stream,))


def _ended(
    connection: apsw.Connection, _: int, stream: str, event: ExecutionCompleted | ExecutionFailed
) -> None:
    _end_all(connection, [(stream, event.status, event.at)])


def _cancelled(connection: apsw.Connection, _: int, stream: str, event: ExecutionCancelled) -> None:
    _end_all(connection, [(stream, "cancelled", event.at)])


def _end_all(connection: apsw.Connection, ended: Sequence[_Ended]) -> None:
    connection.executemany(FOLDS["execution_ended"], [(status, at, stream) for stream, status, at in ended])
    connection.executemany(FOLDS["close_approvals"], [(at, stream) for stream, _, at in ended])
    connection.executemany(FOLDS["waits_ended"], [(stream,) for stream, _, _ in ended])
    connection.executemany(FOLDS["outcomes_left"], [(at, stream) for stream, _, at in ended])
    connection.executemany(FOLDS["no_longer_passive"], [(stream,) for stream, _, _ in ended])


def _requested(connection: apsw.Connection, position: int, stream: str, event: ApprovalRequested) -> None:
    values = {name: getattr(event, name) for name in _REQUEST}
    values |= {"position": position, "stream": stream, "preview": encode(event.preview)}
    values["deciders"] = encode(event.deciders).decode()
    connection.execute(FOLDS["approval_requested"], values)


def _voted(connection: apsw.Connection, _: int, stream: str, event: ApprovalVoted) -> None:
    vote = Vote(actor=event.actor, decision=event.decision, at=event.at, comment=event.comment)
    connection.execute(FOLDS["approval_voted"], (encode(vote).decode(), event.approval_id, stream))


def _decided(connection: apsw.Connection, _: int, stream: str, event: ApprovalDecided) -> None:
    values = (event.decision, event.actor, event.at, event.comment, event.approval_id, stream)
    connection.execute(FOLDS["approval_decided"], values)


def _unknown(connection: apsw.Connection, position: int, stream: str, event: StepOutcomeUnknown) -> None:
    values: dict[str, Any] = {name: getattr(event, name) for name in _SENT}
    values |= {"position": position, "stream": stream, "inputs": encode(event.inputs).decode()}
    connection.execute(FOLDS["outcome_unknown"], values)


def _observed(connection: apsw.Connection, _: int, stream: str, event: OutcomeObserved) -> None:
    connection.execute(FOLDS["outcome_observed"], (stream, event.step))


def _resolved(connection: apsw.Connection, _: int, stream: str, event: StepOutcomeResolved) -> None:
    state = "happened" if event.happened else "not_happened"
    connection.execute(FOLDS["outcome_resolved"], (state, event.actor, event.at, stream, event.step))


def _awaited(connection: apsw.Connection, position: int, stream: str, event: SignalAwaited) -> None:
    values = {name: getattr(event, name) for name in ("step", "event", "at", "expires_at")}
    connection.execute(FOLDS["signal_awaited"], values | {"position": position, "stream": stream})


def _wait_ended(connection: apsw.Connection, _: int, stream: str, event: WaitEnded) -> None:
    connection.execute(FOLDS["wait_ended"], (stream, event.step))


def _step_cancelled(connection: apsw.Connection, _: int, stream: str, event: StepCancelled) -> None:
    """Nobody waits any more at this step, neither for a person nor for a signal."""
    connection.execute(FOLDS["close_approvals_of_step"], (event.at, stream, event.step))
    connection.execute(FOLDS["wait_ended"], (stream, event.step))


def _published(connection: apsw.Connection, position: int, _: str, event: EventPublished) -> None:
    connection.execute(FOLDS["event_published"], _published_row(position, event))


def _published_row(position: int, event: EventPublished) -> tuple[int, bytes, str, str]:
    said = event.event
    return position, event_key(said.tenant, said.source, said.id), said.tenant, said.type


def _firing(connection: apsw.Connection, position: int, _: str, event: FiringDecided) -> None:
    connection.execute(FOLDS["firing_decided"], msgspec.structs.asdict(event) | {"position": position})


def _workflow_saved(connection: apsw.Connection, position: int, _: str, event: WorkflowSaved) -> None:
    values = msgspec.structs.asdict(event) | {"position": position}
    connection.execute(FOLDS["workflow_version_saved"], values)
    connection.execute(FOLDS["workflow_in_force"], values)


def _workflow_chosen(connection: apsw.Connection, position: int, _: str, event: WorkflowRolledBack) -> None:
    connection.execute(FOLDS["workflow_in_force"], msgspec.structs.asdict(event) | {"position": position})


def _workflow_paused(connection: apsw.Connection, _: int, __: str, event: WorkflowPaused) -> None:
    values = (event.at, event.actor, event.reason, event.tenant, event.workflow)
    connection.execute(FOLDS["workflow_state"], ("paused", *values))


def _workflow_resumed(connection: apsw.Connection, _: int, __: str, event: WorkflowResumed) -> None:
    values = (event.at, event.actor, "", event.tenant, event.workflow)
    connection.execute(FOLDS["workflow_state"], ("active", *values))


_SENT = (
    "step",
    "attempt",
    "agent",
    "action",
    "key",
    "payload",
    "reference",
    "sent_at",
    "at",
    "lookup",
    "call",
)
_REQUEST = (
    "approval_id",
    "step",
    "agent",
    "action",
    "risk",
    "reason",
    "kind",
    "payload",
    "at",
    "expires_at",
)

PROJECTED: dict[type[Event], Callable[[apsw.Connection, int, str, Any], None]] = {
    ExecutionStarted: _started,
    ExecutionAdmitted: _admitted,
    ExecutionPassivated: _passivated,
    ExecutionPaused: _paused,
    ExecutionResumed: _resumed,
    CancelRequested: _cancel_requested,
    CompensationStarted: _compensating,
    ExecutionCompleted: _ended,
    ExecutionFailed: _ended,
    ExecutionCancelled: _cancelled,
    ApprovalRequested: _requested,
    ApprovalVoted: _voted,
    ApprovalDecided: _decided,
    StepOutcomeUnknown: _unknown,
    OutcomeObserved: _observed,
    StepOutcomeResolved: _resolved,
    SignalAwaited: _awaited,
    WaitEnded: _wait_ended,
    StepCancelled: _step_cancelled,
    EventPublished: _published,
    FiringDecided: _firing,
    WorkflowSaved: _workflow_saved,
    WorkflowRolledBack: _workflow_chosen,
    WorkflowPaused: _workflow_paused,
    WorkflowResumed: _workflow_resumed,
}
