"""Every port of Dirigent: what the engine and the agents need from the world, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec

from dirigent.domain.approval import ANYBODY, APPROVE, Deciders, Vote
from dirigent.domain.event import Event, ExecutionStarted, SignalReceived
from dirigent.domain.policy import Autonomy, Decision, Subject
from dirigent.domain.workflow import Definition
from dirigent.ports.changes import Change as Change
from dirigent.ports.changes import Changes as Changes
from dirigent.ports.changes import ChangeSource as ChangeSource
from dirigent.ports.events import Acknowledged as Acknowledged
from dirigent.ports.events import EventIndex as EventIndex
from dirigent.ports.events import EventSink as EventSink
from dirigent.ports.journal import Damage as Damage
from dirigent.ports.journal import FollowedJournal as FollowedJournal
from dirigent.ports.journal import Journal as Journal
from dirigent.ports.journal import Recorded as Recorded
from dirigent.ports.journal import Snapshot as Snapshot
from dirigent.ports.journal import Snapshots as Snapshots
from dirigent.ports.journal import Verification as Verification
from dirigent.ports.outcomes import OutcomeRow as OutcomeRow
from dirigent.ports.streams import EventStream as EventStream
from dirigent.ports.streams import StreamMessage as StreamMessage
from dirigent.ports.triggers import FiringRow as FiringRow
from dirigent.ports.triggers import Firings as Firings
from dirigent.ports.web import Web as Web
from dirigent.ports.web import WebReply as WebReply
from dirigent.ports.web import WebRequest as WebRequest
from dirigent.ports.workflows import VersionRow as VersionRow
from dirigent.ports.workflows import WorkflowRow as WorkflowRow
from dirigent.ports.workflows import Workflows as Workflows


class ExecutionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One execution in the projection that lists read. Times are milliseconds since the epoch.

    `paused` holds for one that is paused, also where its status says that what it did is being undone.
    """

    execution_id: str
    tenant: str
    workflow: str
    status: str
    trigger: str
    parent: str | None
    started_at: int
    ended_at: int | None
    summary: str
    forked_from: str | None = None
    paused: bool = False


class ApprovalRow(msgspec.Struct, frozen=True, kw_only=True):
    """One request for a decision. `state` is open, approved, rejected, expired, edited or cancelled.

    `votes` is what people have said so far, where several have to agree.
    """

    approval_id: str
    execution_id: str
    tenant: str
    step: str
    agent: str
    action: str
    risk: str
    reason: str
    kind: str
    payload_hash: str
    preview: dict[str, Any]
    requested_at: int
    expires_at: int
    state: str
    decided_by: str | None = None
    decided_at: int | None = None
    comment: str = ""
    deciders: Deciders = ANYBODY
    votes: tuple[Vote, ...] = ()

    @property
    def progress(self) -> str:
        """How many have approved, of how many that have to: `1 of 2`; empty where one decides."""
        if self.deciders.required == 1:
            return ""
        return f"{sum(vote.decision == APPROVE for vote in self.votes)} of {self.deciders.required}"


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One step that waits for a signal. `event` is its name or a pattern of names (`domain.patterns`)."""

    execution_id: str
    tenant: str
    step: str
    event: str
    since: int
    expires_at: int | None = None


class Passive(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An execution that waits outside of memory; see `ExecutionPassivated`."""

    execution_id: str
    until: int
    moving: bool
    budget: float | None
    spent: float


@runtime_checkable
class Projections(Protocol):
    """Readings of the journal for lists and look-ups. They can be dropped and rebuilt."""

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
        ...

    def execution(self, execution_id: str) -> ExecutionRow | None:
        """One execution, or None."""
        ...

    def unfinished(self) -> list[str]:
        """Ids of the executions that have started and not ended, oldest first."""
        ...

    def passive(self) -> list[Passive]:
        """Those of the unfinished that were put out of memory and that nothing has happened to since."""
        ...

    def approvals(
        self, tenant: str | None = None, *, state: str | None = "open", execution: str | None = None
    ) -> list[ApprovalRow]:
        """Approvals, oldest first; `execution` takes in its children."""
        ...

    def approval(self, approval_id: str) -> ApprovalRow | None:
        """One approval, or None."""
        ...

    def waiting(
        self, tenant: str | None = None, *, event: str | None = None, execution: str | None = None
    ) -> list[Waiting]:
        """Steps that wait for a signal, longest first: for one of this very name, or of one execution."""
        ...

    def outcomes(
        self, tenant: str | None = None, *, state: str | None = "open", execution: str | None = None
    ) -> list[OutcomeRow]:
        """Effects of unknown outcome, oldest first; `execution` takes in its children."""
        ...

    def definition(self, content_hash: str) -> dict[str, Any] | None:
        """A stored workflow definition by its content hash."""
        ...


@runtime_checkable
class Clock(Protocol):
    """Time as an input. Real, frozen or simulated."""

    def now_ms(self) -> int:
        """Wall-clock time, milliseconds since the epoch, UTC; never less than what was said before."""
        ...

    def not_before(self, at_ms: int) -> None:
        """From now on say no time before this one, which was recorded before this process began."""
        ...

    def call_at(self, due_ms: int, callback: Callable[[], None]) -> Callable[[], None]:
        """Run a callback when the time has come, at once if it has passed; returns a cancel function."""
        ...


@runtime_checkable
class Records(Protocol):
    """Business records, one tenant at a time: customers, contacts, products, orders, messages ...

    A row is a plain dict of JSON values. `where` maps a column to a value or to a list of values.
    Calls are synchronous and safe from any thread.
    """

    def fetch(
        self,
        tenant: str,
        entity: str,
        *,
        where: Mapping[str, Any] | None = None,
        columns: Sequence[str] | None = None,
        order_by: str | None = None,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """Rows of an entity; an unknown entity or column raises `InvalidInput` naming it."""
        ...

    def count(self, tenant: str, entity: str, *, where: Mapping[str, Any] | None = None) -> int:
        """How many rows there are."""
        ...

    def save(self, tenant: str, entity: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert or replace rows by the entity's key, in one transaction; returns how many."""
        ...

    def as_of(self, tenant: str) -> datetime | None:
        """The last moment the imported books speak of; None when there are none."""
        ...


class MemoryItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing remembered: what kind, the text it is found by, its data and where it comes from."""

    id: str
    kind: str
    text: str
    data: dict[str, Any]
    created_at: str
    source: str


@runtime_checkable
class Memory(Protocol):
    """What a tenant has learned: outcomes, patterns and learning signals, found by words."""

    def store(self, tenant: str, items: Sequence[MemoryItem]) -> int:
        """Insert or replace items by id."""
        ...

    def search(
        self, tenant: str, query: str, *, kind: str | None = None, limit: int = 8
    ) -> list[tuple[MemoryItem, float]]:
        """Items by relevance, best first, with a score from 0 to 1."""
        ...

    def list(self, tenant: str, *, kind: str | None = None, limit: int = 1000) -> list[MemoryItem]:
        """Items, newest first."""
        ...


@runtime_checkable
class PolicyGate(Protocol):
    """Asks the rules. A gate that cannot answer raises; the caller then denies."""

    def decide(self, subject: Subject) -> Decision:
        """The strictest verdict of all rules that apply to the subject."""
        ...

    @property
    def version(self) -> str:
        """Names the rule set in force, by content."""
        ...


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """What a model would like to have done: an action of an agent with arguments. Only a proposal."""

    agent: str
    action: str
    inputs: dict[str, Any]


class ModelReply(msgspec.Struct, frozen=True, kw_only=True):
    """What a model answered. It is untrusted data."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    cost: float = 0.0


@runtime_checkable
class Model(Protocol):
    """A language model, or the deterministic provider that stands where none is configured."""

    @property
    def provider(self) -> str:
        """Its name, as results state it."""
        ...

    async def ask(self, task: str, prompt: str, *, tools: Sequence[str] = ()) -> ModelReply:
        """Answer a prompt. `task` names what for; `tools` names actions it may propose."""
        ...


@runtime_checkable
class Outbox(Protocol):
    """Hands finished messages to the outside. Acts only inside an admitted call."""

    def deliver(self, message_id: str, content: bytes) -> Path:
        """Put one message out under its id; the same id and content again changes nothing."""
        ...


class BoundRecords(Protocol):
    """`Records` with the tenant already decided: all an agent can reach."""

    def fetch(
        self,
        entity: str,
        *,
        where: Mapping[str, Any] | None = None,
        columns: Sequence[str] | None = None,
        order_by: str | None = None,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """As `Records.fetch`."""
        ...

    def count(self, entity: str, *, where: Mapping[str, Any] | None = None) -> int:
        """As `Records.count`."""
        ...

    def save(self, entity: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """As `Records.save`."""
        ...

    def as_of(self) -> datetime | None:
        """As `Records.as_of`."""
        ...


class BoundMemory(Protocol):
    """`Memory` with the tenant already decided."""

    def store(self, items: Sequence[MemoryItem]) -> int:
        """As `Memory.store`."""
        ...

    def search(
        self, query: str, *, kind: str | None = None, limit: int = 8
    ) -> list[tuple[MemoryItem, float]]:
        """As `Memory.search`."""
        ...

    def list(self, *, kind: str | None = None, limit: int = 1000) -> list[MemoryItem]:
        """As `Memory.list`."""
        ...


class Context(Protocol):
    """What an action is given besides its inputs. Everything in it is already behind the dispatcher.

    `key` is the idempotency key of this call. `now` is the time of the event that started the
    step, so a repeated attempt sees the same. `reference` is what the receiver called this effect at an
    earlier attempt, empty where it said nothing. `held` says why nothing may leave, in an action that
    `tells_held`; empty where it may. `call` runs another action through the dispatcher;
    `act_on` runs what a model proposed, one verdict each.
    """

    tenant: str
    execution_id: str
    step: str
    attempt: int
    key: str
    now: datetime
    autonomy: Autonomy
    records: BoundRecords
    memory: BoundMemory
    model: Model
    reference: str
    held: str

    async def call(self, agent: str, action: str, **inputs: Any) -> Any:
        """Run another action through the dispatcher and return its output."""
        ...

    async def act_on(self, reply: ModelReply) -> list[Any]:
        """Run the tool calls a model proposed, each through the dispatcher; outputs or refusals, in order."""
        ...

    def decide(self, point: str, facts: Mapping[str, Any]) -> Decision:
        """Ask the tenant's policies about facts, without doing anything."""
        ...

    def deliver(self, message_id: str, content: bytes) -> Path:
        """Hand a message to the outbox; works only in an action declared outward."""
        ...

    def acknowledge(self, reference: str) -> None:
        """Say that the receiver has this action's effect and calls it so; it is not settled by that."""
        ...

    async def publish(self, type: str, data: Any = None, *, subject: str = "") -> Acknowledged:
        """Put a domain event on record under an id of this call's own: a repeated attempt adds nothing."""
        ...

    async def web(self, request: WebRequest) -> WebReply:
        """Send a request to another system; see `ports.web.Web`."""
        ...

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Tell the person who watches how far the action is; not journalled."""
        ...

    def heartbeat(self) -> None:
        """Say that the action is alive, where it declares `heartbeat_s`; `progress` says so too."""
        ...

    def agents(self) -> list[dict[str, Any]]:
        """The registered agents and their actions, as plain data."""
        ...


class RecordsLoad(Protocol):
    """One source on its way into one tenant's records. Nothing of it is visible before `commit`."""

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Stage rows: each its line in the source and then the columns' values."""
        ...

    def withdraw(self, keys: Sequence[str]) -> None:
        """Take out of the records what has one of these keys, unless the source also brings it."""
        ...

    def drop_repeated(self, examples_max: int) -> tuple[int, list[tuple[int, int]]]:
        """Unstage rows whose key an earlier row has: how many, and (line, earlier line) of the first ones."""
        ...

    def commit(self, entry: Mapping[str, Any]) -> None:
        """Merge what is staged and put the import on record, all in one transaction."""
        ...


@runtime_checkable
class RecordsLoader(Protocol):
    """Takes whole files into the records; natural keys decide what is new and what is replaced."""

    def last_import(self, tenant: str, source: str) -> dict[str, Any] | None:
        """What is on record of the last import of a source; None when there was none."""
        ...

    def load(self, tenant: str, entity: str, columns: Sequence[str]) -> AbstractContextManager[RecordsLoad]:
        """Begin to take in one source; leaving without `commit` takes in nothing."""
        ...


@runtime_checkable
class Runtime(Protocol):
    """A driver: runs executions and tells when they come to rest."""

    async def submit(self, definition: Definition, started: ExecutionStarted) -> None:
        """Accept an execution; returns when it is on stable storage."""
        ...

    async def run(self, definition: Definition, started: ExecutionStarted) -> None:
        """Accept an execution; returns when it is at rest, see `rest`, and all of it on stable storage."""
        ...

    async def deliver(self, execution_id: str, event: Event) -> None:
        """Hand an event from outside to a running execution; returns when it is durable.

        A signal that was received before changes nothing; raises `SignalRefused` for one that is not taken.
        """
        ...

    async def offer(self, execution_id: str, signal: SignalReceived) -> bool:
        """Hand over a signal where a step waits for one like it, and tell whether one did.

        Returns when it is durable; nothing is kept where nobody waits.
        """
        ...

    async def rest(self, execution_id: str, *, before: int = 0) -> None:
        """Return when it has ended, or waits for a person, or only for a timer due after `before`."""
        ...

    def observe(
        self, observer: Callable[[str, Event], None], kinds: Collection[type[Event]] = ()
    ) -> Callable[[], None]:
        """Be told of every durable event, or only of some kinds; returns how to stop."""
        ...

    def running(self) -> list[str]:
        """Ids of the executions in memory."""
        ...
