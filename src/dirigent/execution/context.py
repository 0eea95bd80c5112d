"""What an action is handed: its call's facts, and the world behind the dispatcher."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dirigent.domain.errors import Refused
from dirigent.domain.policy import Autonomy, Decision
from dirigent.execution.request import Request
from dirigent.ports import Memory, MemoryItem, Model, ModelReply, Records


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


class CallContext:
    """The context of one admitted call; see `ports.Context`."""

    def __init__(
        self,
        request: Request,
        key: str,
        *,
        records: Records,
        memory: Memory,
        model: Model,
        call: Callable[[str, str, dict[str, Any], bool], Awaitable[Any]],
        decide: Callable[[str, Mapping[str, Any]], Decision],
        deliver: Callable[[str, bytes], Path],
        progress: Callable[[int, int, str], None],
        agents: Callable[[], list[dict[str, Any]]],
    ) -> None:
        passport = request.passport
        self.tenant = passport.tenant
        self.execution_id = request.execution_id
        self.step = request.call or request.step
        self.attempt = request.attempt
        self.key = key
        self.now = datetime.fromtimestamp(request.now_ms / 1000, UTC)
        self.autonomy = Autonomy(passport.autonomy)
        self.records = TenantRecords(records, passport.tenant)
        self.memory = TenantMemory(memory, passport.tenant)
        self.model = model
        self.decide = decide
        self.deliver = deliver
        self.agents = agents
        self._call = call
        self._progress = progress

    async def call(self, agent: str, action: str, **inputs: Any) -> Any:
        """Run another action through the dispatcher and return its output."""
        return await self._call(agent, action, inputs, False)

    async def act_on(self, reply: ModelReply) -> list[Any]:
        """Run what a model proposed, one verdict each; a refusal stands in its place as `refused`."""
        outputs: list[Any] = []
        for proposal in reply.tool_calls:
            try:
                outputs.append(await self._call(proposal.agent, proposal.action, proposal.inputs, True))
            except Refused as refusal:
                outputs.append({"refused": str(refusal), "rules": list(refusal.rules)})
        return outputs

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Tell the person who watches how far the action is."""
        self._progress(done, total, message)
