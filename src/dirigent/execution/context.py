"""What an action is handed: its call's facts, and the world behind the dispatcher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from msgspec.structs import replace

from dirigent.domain.domain_event import DomainEvent, emitted_id
from dirigent.domain.errors import ActionFailed, InvalidInput, Refused
from dirigent.domain.event import Origin
from dirigent.domain.policy import Autonomy, Decision, Subject
from dirigent.execution.delivery import deliver_admitted, publish_admitted
from dirigent.execution.request import Ledger, Request, asking_step, key_of
from dirigent.ports import (
    Acknowledged,
    EventSink,
    Memory,
    MemoryItem,
    Model,
    ModelReply,
    Outbox,
    Records,
    Web,
    WebReply,
    WebRequest,
)
from dirigent.ports.remote import RemoteCall

REFERENCE_LENGTH_MAX = 500
SOURCE = "dirigent"  # of the events that runs publish


class TenantRecords:
    """`Records` of one tenant; there is no way to name another."""

    __slots__ = ("__records", "__tenant")

    def __init__(self, records: Records, tenant: str) -> None:
        self.__records = records
        self.__tenant = tenant

    def fetch(
        self,
        entity: str,
        *,
        where: Mapping[str, Any] | None = None,
        columns: Sequence[str] | None = None,
        order_by: str | None = None,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """Rows of an entity."""
        return self.__records.fetch(
            self.__tenant, entity, where=where, columns=columns, order_by=order_by, limit=limit
        )

    def count(self, entity: str, *, where: Mapping[str, Any] | None = None) -> int:
        """How many rows there are."""
        return self.__records.count(self.__tenant, entity, where=where)

    def save(self, entity: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert or replace rows by the entity's key."""
        return self.__records.save(self.__tenant, entity, rows)

    def as_of(self) -> datetime | None:
        """The last moment the imported books speak of."""
        return self.__records.as_of(self.__tenant)


class TenantMemory:
    """`Memory` of one tenant."""

    __slots__ = ("__memory", "__tenant")

    def __init__(self, memory: Memory, tenant: str) -> None:
        self.__memory = memory
        self.__tenant = tenant

    def store(self, items: Sequence[MemoryItem]) -> int:
        """Insert or replace items by id."""
        return self.__memory.store(self.__tenant, items)

    def search(
        self, query: str, *, kind: str | None = None, limit: int = 8
    ) -> list[tuple[MemoryItem, float]]:
        """Items by relevance, best first."""
        return self.__memory.search(self.__tenant, query, kind=kind, limit=limit)

    def list(self, *, kind: str | None = None, limit: int = 1000) -> list[MemoryItem]:
        """Items, newest first."""
        return self.__memory.list(self.__tenant, kind=kind, limit=limit)


class Door(Protocol):
    """The dispatcher as a running action reaches it, through its context only."""

    async def take(self, request: Request, ledger: Ledger) -> Any:
        """Take an action for a running action; raises where it is refused or fails."""
        ...

    def decide(self, subject: Subject) -> Decision:
        """Ask the policies without doing anything."""
        ...

    def tell(self, request: Request, done: int, total: int, message: str) -> None:
        """Pass on how far an action is."""
        ...

    def acknowledge(self, request: Request, ledger: Ledger, reference: str) -> None:
        """Put on record that the receiver has the effect of a running action."""
        ...

    def beat(self, request: Request) -> None:
        """Take in a sign of life."""
        ...

    def agents(self) -> list[dict[str, Any]]:
        """The registered agents as plain data."""
        ...


class CallContext:
    """The context of one admitted call; see `ports.Context`. What it offers is made when it is asked for."""

    __slots__ = (
        "__action",
        "__door",
        "__events",
        "__ledger",
        "__memory",
        "__ordinal",
        "__outbox",
        "__published",
        "__records",
        "__request",
        "__time_limit_ms",
        "__web",
        "attempt",
        "execution_id",
        "model",
        "step",
        "tenant",
    )

    def __init__(
        self,
        request: Request,
        action: str,
        ledger: Ledger,
        door: Door,
        *,
        records: Records,
        memory: Memory,
        model: Model,
        outbox: Outbox,
        events: EventSink | None = None,
        web: Web | None = None,
        time_limit_ms: int = 0,
    ) -> None:
        self.tenant = request.passport.tenant
        origin = request.passport.origin
        self.execution_id = request.execution_id if origin is None else origin.execution_id
        self.step = asking_step(request)
        self.attempt = request.attempt if origin is None else origin.attempt + request.attempt - 1
        self.model = model
        self.__request = request
        self.__action = action
        self.__ledger = ledger
        self.__door = door
        self.__records = records
        self.__memory = memory
        self.__outbox = outbox
        self.__events = events
        self.__web = web
        self.__time_limit_ms = time_limit_ms
        self.__published = 0
        self.__ordinal = 0

    @property
    def key(self) -> str:
        """The idempotency key of this call; the same for every attempt."""
        return key_of(self.__request, self.__action)

    @property
    def now(self) -> datetime:
        """The time of the event that started the step."""
        origin = self.__request.passport.origin
        now_ms = self.__request.now_ms if origin is None else origin.now_ms
        return datetime.fromtimestamp(now_ms / 1000, UTC)

    @property
    def autonomy(self) -> Autonomy:
        """How freely the execution may act."""
        return Autonomy(self.__request.passport.autonomy)

    @property
    def records(self) -> TenantRecords:
        """The tenant's business records."""
        return TenantRecords(self.__records, self.tenant)

    @property
    def memory(self) -> TenantMemory:
        """What the tenant has learned."""
        return TenantMemory(self.__memory, self.tenant)

    def decide(self, point: str, facts: Mapping[str, Any]) -> Decision:
        """Ask the tenant's policies about facts, without doing anything."""
        return self.__door.decide(Subject(point=point, tenant=self.tenant, facts=dict(facts)))

    def deliver(self, message_id: str, content: bytes) -> Path:
        """Hand a message to the outbox; works only in an action declared outward."""
        return deliver_admitted(self.__outbox, message_id, content)

    async def publish(self, type: str, data: Any = None, *, subject: str = "") -> Acknowledged:
        """Put a domain event on record under an id of this call's own."""
        if self.__events is None:
            raise ActionFailed("Nothing takes in events here.", fix="Run it in a Dirigent with an event log.")
        request = self.__request
        event = DomainEvent(
            id=emitted_id(self.execution_id, self.step, self.__published),
            source=SOURCE,
            type=type,
            tenant=self.tenant,
            subject=subject,
            correlationid=request.passport.correlation,
            causationid=self.execution_id,
            depth=request.passport.cause_depth + 1,
            data=data,
        )
        self.__published += 1
        return await publish_admitted(self.__events, event)

    def acknowledge(self, reference: str) -> None:
        """Say that the receiver has this action's effect and calls it by this name."""
        if not reference or len(reference) > REFERENCE_LENGTH_MAX or not reference.isprintable():
            raise InvalidInput(
                f"{reference!r:.80} is no reference.",
                fix=f"Up to {REFERENCE_LENGTH_MAX} printable characters.",
            )
        self.__door.acknowledge(self.__request, self.__ledger, reference)

    @property
    def reference(self) -> str:
        """What the receiver called this effect at an earlier attempt; empty where it said nothing."""
        origin = self.__request.passport.origin
        return self.__request.reference or ("" if origin is None else origin.reference)

    def to_send(self, agent: str, action: str, contract: str) -> RemoteCall:
        """This call, as the server of its agent has to know it."""
        request, passport = self.__request, self.__request.passport
        origin = Origin(
            execution_id=self.execution_id,
            step=self.step,
            attempt=self.attempt,
            key=self.key,
            now_ms=round(self.now.timestamp() * 1000),
            reference=self.reference,
            approved=bool(request.approved) and request.approved == request.payload,
        )
        return RemoteCall(
            agent=agent,
            action=action,
            contract=contract,
            inputs=request.inputs,
            tenant=self.tenant,
            actor=passport.actor,
            autonomy=passport.autonomy,
            origin=origin,
            correlation=passport.correlation,
            cause=passport.cause,
            cause_depth=passport.cause_depth,
            delivery=passport.delivery and not request.held,
            time_limit_ms=self.__time_limit_ms,
        )

    @property
    def held(self) -> str:
        """Why nothing may leave now; empty where it may."""
        return self.__request.held

    async def web(self, request: WebRequest) -> WebReply:
        """Send a request to another system."""
        if self.__web is None:
            raise ActionFailed("Nothing reaches other systems here.", fix="Run it in a Dirigent.")
        return await self.__web.send(request)

    def agents(self) -> list[dict[str, Any]]:
        """The registered agents and their actions, as plain data."""
        return self.__door.agents()

    async def call(self, agent: str, action: str, **inputs: Any) -> Any:
        """Run another action through the dispatcher and return its output."""
        return await self.__call(agent, action, inputs, proposed=False)

    async def act_on(self, reply: ModelReply) -> list[Any]:
        """Run what a model proposed, one verdict each; a refusal stands in its place as `refused`."""
        outputs: list[Any] = []
        for proposal in reply.tool_calls:
            try:
                output = await self.__call(proposal.agent, proposal.action, proposal.inputs, proposed=True)
                outputs.append(output)
            except Refused as refusal:
                outputs.append({"refused": str(refusal), "rules": list(refusal.rules)})
        return outputs

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Tell the person who watches how far the action is."""
        self.__door.tell(self.__request, done, total, message)

    def heartbeat(self) -> None:
        """Say that the action is alive."""
        self.__door.beat(self.__request)

    async def __call(self, agent: str, action: str, inputs: dict[str, Any], *, proposed: bool) -> Any:
        self.__ordinal += 1
        nested = replace(
            self.__request,
            agent=agent,
            action=action,
            inputs=inputs,
            call=f"{self.__request.call or self.__request.step}/{self.__ordinal}",
            approved="",
            started=False,
            timeout_ms=0,
            proposed=proposed,
            sent_at=0,
            reference="",
            held="",
        )
        return await self.__door.take(nested, self.__ledger)
