"""What the journal's events are called when people are told of them, and on which channels they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from dirigent.domain.canonical import plain
from dirigent.domain.event import (
    ActionRefused,
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    CallEnded,
    CallStarted,
    CancelRequested,
    ChildEnded,
    CircuitClosed,
    CircuitHalfOpened,
    CircuitOpened,
    CompensationStarted,
    Event,
    ExecutionAdmitted,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionStarted,
    FallbackStarted,
    FanOutStarted,
    FiringDecided,
    IterationStarted,
    SignalAwaited,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepOutcomeResolved,
    StepOutcomeUnknown,
    StepSkipped,
    StepStarted,
    StepTakenOver,
    WaitStarted,
    WebhookKept,
)
from dirigent.domain.moments import iso
from dirigent.ports import Recorded

EXECUTIONS, AGENTS, ALERTS = "executions", "agents", "alerts"
CHANNELS = (EXECUTIONS, AGENTS, ALERTS)
MOMENTS = ("expires_at", "until")
GOOD_ENDS = ("completed", "partially_completed")
WORTH_A_LOOK = ("cut", "failed")


class Naming(NamedTuple):
    """An event outside: its name, its channels, and which fields. Inputs and outputs stay in the house.

    `name` is a function where it depends on what the event says; empty means that it is not told.
    """

    name: str | Callable[[Any], str]
    channels: tuple[str, ...]
    fields: tuple[str, ...] = ()


def _start(event: ExecutionStarted) -> str:
    return "execution.accepted" if event.pending else "execution.started"


def _child_end(event: ChildEnded) -> str:
    return "step.succeeded" if event.status in GOOD_ENDS else "step.failed"


def _call_end(event: CallEnded) -> str:
    return "call.succeeded" if event.error is None else "call.failed"


def _firing(event: FiringDecided) -> str:
    return f"trigger.{event.decision}" if event.decision in WORTH_A_LOOK else ""


RUN, RUN_AND_ALERT = (EXECUTIONS,), (EXECUTIONS, ALERTS)
AGENT, AGENT_AND_ALERT = (AGENTS,), (AGENTS, ALERTS)
DOING = ("step", "attempt", "agent", "action")

NAMINGS: Mapping[type[Event], Naming] = {
    ExecutionStarted: Naming(_start, RUN, ("workflow", "trigger", "parent", "parent_step")),
    ExecutionAdmitted: Naming("execution.started", RUN),
    ExecutionPaused: Naming("execution.paused", RUN, ("actor", "reason")),
    ExecutionResumed: Naming("execution.resumed", RUN, ("actor",)),
    CancelRequested: Naming("execution.cancelling", RUN, ("actor", "reason")),
    CompensationStarted: Naming("execution.compensating", RUN, ("steps", "status", "error")),
    ExecutionCompleted: Naming("execution.completed", RUN, ("status",)),
    ExecutionFailed: Naming("execution.failed", RUN_AND_ALERT, ("status", "error")),
    ExecutionCancelled: Naming("execution.cancelled", RUN, ("reason",)),
    StepStarted: Naming("step.started", (EXECUTIONS, AGENTS), DOING),
    FanOutStarted: Naming("step.started", RUN, ("step",)),
    IterationStarted: Naming("step.repeated", RUN, ("step", "index")),
    WaitStarted: Naming("step.waiting", RUN, ("step", "until")),
    SignalAwaited: Naming("step.waiting", RUN, ("step", "event", "expires_at")),
    FallbackStarted: Naming("step.falling_back", RUN, ("step", "attempt")),
    StepCompleted: Naming("step.succeeded", RUN, ("step", "attempt", "cost")),
    StepFailed: Naming("step.failed", RUN, ("step", "attempt", "error")),
    StepSkipped: Naming("step.skipped", RUN, ("step", "reason")),
    StepCancelled: Naming("step.cancelled", RUN, ("step", "reason")),
    StepTakenOver: Naming("step.taken_over", RUN, ("step",)),
    StepOutcomeUnknown: Naming("step.outcome_unknown", RUN_AND_ALERT, (*DOING, "call", "key", "reference")),
    StepOutcomeResolved: Naming(
        "step.outcome_resolved", RUN_AND_ALERT, ("step", "attempt", "happened", "actor")
    ),
    ChildEnded: Naming(_child_end, RUN, ("step", "child", "status", "error")),
    ApprovalRequested: Naming(
        "approval.requested",
        RUN_AND_ALERT,
        ("step", "approval_id", "kind", "reason", "expires_at", "agent", "action", "risk"),
    ),
    ApprovalVoted: Naming("approval.voted", RUN, ("step", "approval_id", "decision", "actor")),
    ApprovalDecided: Naming("approval.decided", RUN_AND_ALERT, ("step", "approval_id", "decision", "actor")),
    CallStarted: Naming("call.started", AGENT, ("call", *DOING)),
    CallEnded: Naming(_call_end, AGENT, ("call", "error", "cost")),
    ActionRefused: Naming("action.refused", AGENT_AND_ALERT, ("step", "agent", "action", "rules", "reason")),
    CircuitOpened: Naming("circuit.opened", AGENT_AND_ALERT, ("agent", "failures", "until")),
    CircuitHalfOpened: Naming("circuit.half_opened", AGENT, ("agent",)),
    CircuitClosed: Naming("circuit.closed", AGENT_AND_ALERT, ("agent",)),
    FiringDecided: Naming(
        _firing, (ALERTS,), ("trigger", "workflow", "cause", "reason", "execution_id", "count")
    ),
    WebhookKept: Naming("webhook.kept", (ALERTS,), ("webhook", "call", "error")),
}


class Notice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event as followers are told of it: `text` is JSON. `execution_id` is empty where it has none."""

    position: int
    tenant: str
    execution_id: str
    channels: tuple[str, ...]
    text: str


def notice_of(recorded: Recorded, tenant_of: Callable[[str], str]) -> Notice | None:
    """What is told of an event of the journal; None where that is nothing.

    An event that names its tenant itself is of the house, any other of the execution that its stream is.
    """
    event = recorded.event
    naming = NAMINGS.get(type(event))
    if naming is None:
        return None
    name = naming.name if isinstance(naming.name, str) else naming.name(event)
    if not name:
        return None
    of_house: str = getattr(event, "tenant", "")
    execution_id = "" if of_house else recorded.stream
    tenant = of_house or tenant_of(execution_id)
    said = {
        "type": name,
        "id": str(recorded.position),
        "channels": naming.channels,
        "time": iso(event.at),
        "org_id": tenant,
        "execution_id": execution_id or None,
        "data": {field: _told(field, getattr(event, field)) for field in naming.fields},
    }
    return Notice(
        position=recorded.position,
        tenant=tenant,
        execution_id=execution_id,
        channels=naming.channels,
        text=msgspec.json.encode(said).decode(),
    )


def _told(field: str, value: Any) -> Any:
    if field in MOMENTS:
        return iso(value) if value else None
    return plain(value)
