"""What can happen to an execution. Past tense, frozen; `at` is milliseconds since the epoch, UTC."""

from __future__ import annotations

from typing import Any

import msgspec

from dirigent.domain.approval import ANYBODY, Deciders
from dirigent.domain.archive_event import ExecutionsArchived as ExecutionsArchived  # noqa: PLC0414
from dirigent.domain.archive_event import ExecutionsRestored as ExecutionsRestored  # noqa: PLC0414
from dirigent.domain.circuit_event import CircuitClosed as CircuitClosed  # noqa: PLC0414
from dirigent.domain.circuit_event import CircuitHalfOpened as CircuitHalfOpened  # noqa: PLC0414
from dirigent.domain.circuit_event import CircuitOpened as CircuitOpened  # noqa: PLC0414
from dirigent.domain.effect_event import CallEnded as CallEnded  # noqa: PLC0414
from dirigent.domain.effect_event import CallStarted as CallStarted  # noqa: PLC0414
from dirigent.domain.effect_event import EffectAcknowledged as EffectAcknowledged  # noqa: PLC0414
from dirigent.domain.effect_event import OutcomeObserved as OutcomeObserved  # noqa: PLC0414
from dirigent.domain.effect_event import ReadBackRequested as ReadBackRequested  # noqa: PLC0414
from dirigent.domain.effect_event import StepOutcomeResolved as StepOutcomeResolved  # noqa: PLC0414
from dirigent.domain.effect_event import StepOutcomeUnknown as StepOutcomeUnknown  # noqa: PLC0414
from dirigent.domain.event_base import Event as Event  # noqa: PLC0414  # events are taken from here
from dirigent.domain.event_base import Failure as Failure  # noqa: PLC0414
from dirigent.domain.origin import Origin as Origin  # noqa: PLC0414
from dirigent.domain.policy import Finding
from dirigent.domain.trigger_event import ConnectorAdvanced as ConnectorAdvanced  # noqa: PLC0414
from dirigent.domain.trigger_event import ConsumerAdvanced as ConsumerAdvanced  # noqa: PLC0414
from dirigent.domain.trigger_event import DeadLetterReplayed as DeadLetterReplayed  # noqa: PLC0414
from dirigent.domain.trigger_event import EventDeadLettered as EventDeadLettered  # noqa: PLC0414
from dirigent.domain.trigger_event import EventPublished as EventPublished  # noqa: PLC0414
from dirigent.domain.trigger_event import FiringDecided as FiringDecided  # noqa: PLC0414
from dirigent.domain.trigger_event import ScheduleAdvanced as ScheduleAdvanced  # noqa: PLC0414
from dirigent.domain.trigger_event import TriggerPaused as TriggerPaused  # noqa: PLC0414
from dirigent.domain.trigger_event import TriggerResumed as TriggerResumed  # noqa: PLC0414
from dirigent.domain.trigger_event import WebhookKept as WebhookKept  # noqa: PLC0414
from dirigent.domain.trigger_event import WebhookMended as WebhookMended  # noqa: PLC0414
from dirigent.domain.trigger_event import WebhookRefused as WebhookRefused  # noqa: PLC0414
from dirigent.domain.workflow_event import WorkflowPaused as WorkflowPaused  # noqa: PLC0414
from dirigent.domain.workflow_event import WorkflowResumed as WorkflowResumed  # noqa: PLC0414
from dirigent.domain.workflow_event import WorkflowRolledBack as WorkflowRolledBack  # noqa: PLC0414
from dirigent.domain.workflow_event import WorkflowSaved as WorkflowSaved  # noqa: PLC0414


class Passport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an execution carries through every call: whose it is and what it may do.

    `plan` is the approved envelope: the `agent.action` pairs it may call; empty means any.
    `budget` is the most it and its children may spend; None means no bound of its own. `cause` is the id
    of the event that started it or one of its parents, `cause_depth` that event's depth. `delivery` off
    holds whatever would leave, also where the house lets things leave. `origin` is set where another engine
    asked: its steps, keys and decisions hold.
    """

    tenant: str
    actor: str
    autonomy: str = "L1"
    budget: float | None = None
    plan: tuple[str, ...] = ()
    root: str = ""
    depth: int = 0
    correlation: str = ""
    priority: int = 5
    cause: str = ""
    cause_depth: int = 0
    delivery: bool = True
    origin: Origin | None = None


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a step in the execution that another was forked from: its output or its error.

    `version` is the event that said so, 0 where a person wrote the output for the fork. `child` is the
    execution that the step had started. `item` is the digest of the item, for an item of a `foreach` step.
    """

    output: Any = None
    error: Failure | None = None
    version: int = 0
    child: str = ""
    item: str = ""


class Unsettled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a step that had begun there and is done again here.

    `key` and `payload` are those under which its effect was announced and never settled: the same effect is
    done again under the same key. `instead_key` and `instead_payload` are those of its fallback. `calls` is
    what its action had asked for, `child` the execution that it had started and that did not come to its
    result.
    """

    key: str = ""
    payload: str = ""
    instead_key: str = ""
    instead_payload: str = ""
    calls: tuple[CallStarted | CallEnded, ...] = ()
    child: str = ""


class ExecutionStarted(Event, frozen=True, kw_only=True, tag=True):
    """An execution was accepted. `definition` is the content hash it stays on.

    One that was forked takes over what steps of another gave (`kept`) up to the event `forked_at`, and
    does the others itself.
    """

    execution_id: str
    workflow: str
    definition: str
    input: dict[str, Any]
    passport: Passport
    trigger: str = "manual"
    parent: str = ""
    parent_step: str = ""
    pending: bool = False
    labels: dict[str, Any] = msgspec.field(default_factory=dict)
    forked_from: str = ""
    forked_at: int = 0
    kept: dict[str, Kept] = msgspec.field(default_factory=dict)
    unsettled: dict[str, Unsettled] = msgspec.field(default_factory=dict)


class DefinitionStored(Event, frozen=True, kw_only=True, tag=True):
    """A version of a workflow was stored; the stream is its content hash."""

    content_hash: str
    definition: dict[str, Any]


class ExecutionCompleted(Event, frozen=True, kw_only=True, tag=True):
    """An execution came to its end. `status` is completed or partially_completed."""

    status: str
    output: Any = None


class Compensation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That what a step did was undone, or with `error`, why not."""

    step: str
    error: Failure | None = None


class CompensationStarted(Event, frozen=True, kw_only=True, tag=True):
    """A run that ends without its result undoes what `steps` did, one after the other in this order.

    `status` is what it will end as, and `error` why, where it failed.
    """

    steps: tuple[str, ...]
    status: str
    error: Failure | None = None


class ExecutionFailed(Event, frozen=True, kw_only=True, tag=True):
    """An execution ended without its result. `status` is failed, blocked or rejected."""

    status: str
    error: Failure
    output: Any = None
    compensations: tuple[Compensation, ...] = ()


class ExecutionPaused(Event, frozen=True, kw_only=True, tag=True):
    """A person asked to wait: what runs goes on to its end, nothing new begins."""

    actor: str
    reason: str = ""


class ExecutionResumed(Event, frozen=True, kw_only=True, tag=True):
    """A person asked to go on with what was waiting."""

    actor: str


class ExecutionAdmitted(Event, frozen=True, kw_only=True, tag=True):
    """An execution that had been accepted while too many ran begins now."""


class ExecutionPassivated(Event, frozen=True, kw_only=True, tag=True):
    """An execution that only waits was put out of memory.

    `until` is when its first timer is due, 0 without one; `moving` says that it waits for more than a
    person or a signal. `budget` and `spent` are what its account needs to know meanwhile.
    """

    until: int = 0
    moving: bool = False
    budget: float | None = None
    spent: float = 0.0


class CancelRequested(Event, frozen=True, kw_only=True, tag=True):
    """A person asked to stop; nothing new starts from here on."""

    actor: str
    reason: str = ""


class ExecutionCancelled(Event, frozen=True, kw_only=True, tag=True):
    """An execution stopped because a person asked for it."""

    reason: str = ""
    compensations: tuple[Compensation, ...] = ()


class StepStarted(Event, frozen=True, kw_only=True, tag=True):
    """The dispatcher let an attempt through. For effects this is the durable intent.

    `key` and `payload` (hash of the canonical inputs) are what the receiver will see; `verdict` and
    `rules` are what the policies said; `reserved` is the cost set aside.
    """

    step: str
    attempt: int
    agent: str = ""
    action: str = ""
    risk: str = ""
    effect: str = ""
    verdict: str = "allow"
    rules: tuple[str, ...] = ()
    policy: str = ""
    key: str = ""
    payload: str = ""
    reserved: float = 0.0


class StepCompleted(Event, frozen=True, kw_only=True, tag=True):
    """An attempt ended with its result; its effects are settled.

    `sent_at` is when its own effect was let out, its intent being on stable storage; 0 without one.
    """

    step: str
    attempt: int
    output: Any = None
    cost: float = 0.0
    provider: str = ""
    mode: str = ""
    sent_at: int = 0


class StepFailed(Event, frozen=True, kw_only=True, tag=True):
    """An attempt ended without a result. The machine decides whether there is another.

    `sent_at` is when its own effect was let out; 0 where nothing was.
    """

    step: str
    attempt: int
    error: Failure
    sent_at: int = 0


class StepSkipped(Event, frozen=True, kw_only=True, tag=True):
    """A step will not run, and why. `degrades` says that the run is the poorer for it."""

    step: str
    reason: str
    degrades: bool = False


class StepTakenOver(Event, frozen=True, kw_only=True, tag=True):
    """A step did not run: what it gave in the execution this one was forked from is taken over."""

    step: str


class StepCancelled(Event, frozen=True, kw_only=True, tag=True):
    """A step was stopped because nobody waits for it any more; it has changed nothing outside."""

    step: str
    reason: str


class FallbackStarted(Event, frozen=True, kw_only=True, tag=True):
    """Another action, or a value, takes the place of the result of a step whose last attempt failed."""

    step: str
    attempt: int


class OutputMapped(Event, frozen=True, kw_only=True, tag=True):
    """The output of a step was made from what its action gave."""

    step: str
    attempt: int
    output: Any = None


class IterationStarted(Event, frozen=True, kw_only=True, tag=True):
    """The steps of a loop begin once more; `index` says how often they have run before."""

    step: str
    index: int


class FanOutStarted(Event, frozen=True, kw_only=True, tag=True):
    """A `foreach` step knows its items."""

    step: str
    items: list[Any]


class ApprovalRequested(Event, frozen=True, kw_only=True, tag=True):
    """A person has to decide. `kind` is approval, hold (delivery is off) or step (an approval step)."""

    step: str
    attempt: int
    approval_id: str
    reason: str
    kind: str
    expires_at: int
    agent: str = ""
    action: str = ""
    risk: str = ""
    payload: str = ""
    rules: tuple[str, ...] = ()
    preview: dict[str, Any] = msgspec.field(default_factory=dict)
    deciders: Deciders = ANYBODY


class ApprovalVoted(Event, frozen=True, kw_only=True, tag=True):
    """One of several people said approved or rejected; whether that decides follows from all of them."""

    step: str
    approval_id: str
    decision: str
    actor: str
    comment: str = ""
    payload: str = ""


class ApprovalDecided(Event, frozen=True, kw_only=True, tag=True):
    """A person decided, or several, or time did: `decision` is approved, rejected, expired or edited.

    Edited means that something else is asked for: `inputs` take the place of those of the action.
    """

    step: str
    approval_id: str
    decision: str
    actor: str
    comment: str = ""
    payload: str = ""
    inputs: dict[str, Any] | None = None


class TimerFired(Event, frozen=True, kw_only=True, tag=True):
    """The time of a timer has come.

    `timer` is `execution`, or `retry:`, `wait:`, `approval:`, `signal:`, `timeout:` or `look:` and the step.
    """

    timer: str


class WaitStarted(Event, frozen=True, kw_only=True, tag=True):
    """A step of type wait goes on at a moment, in milliseconds since 1970. Older journals do not say so."""

    step: str
    until: int


class SignalAwaited(Event, frozen=True, kw_only=True, tag=True):
    """A step waits for a signal; `event` is its name or a pattern, `expires_at` is 0 where no time is set."""

    step: str
    event: str
    expires_at: int = 0


class SignalReceived(Event, frozen=True, kw_only=True, tag=True):
    """Something was told from outside. `signal_id` names it, so that telling it again changes nothing.

    A domain event comes as a signal, too: `name` is then its type, `event_id`, `source`, `subject` and
    `time` are what it says of itself. `to_all` where it went to whoever waits, so that a filter that it
    does not suit in form just does not take it; what was told to one execution is an error there.
    """

    name: str
    signal_id: str
    data: Any = None
    sender: str = ""
    event_id: str = ""
    source: str = ""
    subject: str = ""
    time: str = ""
    to_all: bool = False


class WaitEnded(Event, frozen=True, kw_only=True, tag=True):
    """A step waits no longer for a signal: it took the one named, or none and has an error."""

    step: str
    signal_id: str = ""
    error: Failure | None = None


class ChildEnded(Event, frozen=True, kw_only=True, tag=True):
    """An execution started by a step has ended, having spent so much."""

    step: str
    child: str
    status: str
    output: Any = None
    error: Failure | None = None
    spent: float = 0.0


class ActionRefused(Event, frozen=True, kw_only=True, tag=True):
    """Something tried to act and was not let through."""

    step: str
    agent: str
    action: str
    rules: tuple[str, ...]
    reason: str
    findings: tuple[Finding, ...] = ()


AnyEvent = (
    ExecutionStarted
    | ExecutionsArchived
    | ExecutionsRestored
    | CircuitOpened
    | CircuitHalfOpened
    | CircuitClosed
    | DefinitionStored
    | ExecutionCompleted
    | CompensationStarted
    | ExecutionFailed
    | ExecutionPaused
    | ExecutionResumed
    | ExecutionAdmitted
    | ExecutionPassivated
    | CancelRequested
    | ExecutionCancelled
    | StepStarted
    | StepCompleted
    | StepFailed
    | StepSkipped
    | StepTakenOver
    | StepCancelled
    | FallbackStarted
    | OutputMapped
    | IterationStarted
    | EffectAcknowledged
    | StepOutcomeUnknown
    | ReadBackRequested
    | OutcomeObserved
    | StepOutcomeResolved
    | FanOutStarted
    | ApprovalRequested
    | ApprovalVoted
    | ApprovalDecided
    | TimerFired
    | WaitStarted
    | SignalAwaited
    | SignalReceived
    | WaitEnded
    | ChildEnded
    | CallStarted
    | CallEnded
    | ActionRefused
    | EventPublished
    | ConsumerAdvanced
    | EventDeadLettered
    | DeadLetterReplayed
    | FiringDecided
    | TriggerPaused
    | TriggerResumed
    | ScheduleAdvanced
    | WorkflowSaved
    | WorkflowRolledBack
    | WorkflowPaused
    | WorkflowResumed
    | WebhookRefused
    | WebhookKept
    | WebhookMended
    | ConnectorAdvanced
)

TERMINAL = (ExecutionCompleted, ExecutionFailed, ExecutionCancelled)
