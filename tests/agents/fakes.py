"""A tenant's records in memory, a context over them, and the leave to call a guarded action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from dirigent.domain.agent import ActionSpec
from dirigent.domain.errors import InvalidInput
from dirigent.domain.policy import Autonomy, Decision
from dirigent.ports import Acknowledged, BoundMemory, Context, Model, ModelReply
from dirigent.security.admission import AGENT_ATTRIBUTE, Admission

KEYS = {
    "customers": ("customer_id",),
    "contacts": ("contact_id",),
    "products": ("sku",),
    "orders": ("order_id",),
    "order_lines": ("order_id", "line"),
    "messages": ("message_id",),
    "suppressions": ("address",),
    "stock": ("product_id",),
}
CONTACT = {
    "contact_id": "k-1",
    "customer_id": "c-1",
    "name": "Ada Byron",
    "role": "Buyer",
    "email": "ada@example.com",
    "country": "GB",
    "timezone": "Europe/London",
    "consent": "soft_opt_in",
    "consent_at": None,
    "consent_source": None,
    "opted_out": False,
}


class FakeRecords:
    """The port `BoundRecords` over lists of rows; every row handed out is a copy."""

    def __init__(self, **entities: Sequence[Mapping[str, Any]]) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in KEYS}
        for entity, rows in entities.items():
            self.save(entity, rows)

    def fetch(
        self,
        entity: str,
        *,
        where: Mapping[str, Any] | None = None,
        columns: Sequence[str] | None = None,
        order_by: str | None = None,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        found = [row for row in self._entity(entity) if _matches(row, where or {})]
        order = (order_by,) if order_by else KEYS[entity]
        found.sort(key=lambda row: tuple(str(row[name]) for name in order))
        return [{name: row[name] for name in columns or row} for row in found[:limit]]

    def count(self, entity: str, *, where: Mapping[str, Any] | None = None) -> int:
        return sum(_matches(row, where or {}) for row in self._entity(entity))

    def save(self, entity: str, rows: Sequence[Mapping[str, Any]]) -> int:
        kept = {tuple(row[name] for name in KEYS[entity]): row for row in self._entity(entity)}
        kept.update({tuple(row[name] for name in KEYS[entity]): dict(row) for row in rows})
        self.rows[entity] = list(kept.values())
        return len(rows)

    def as_of(self) -> datetime | None:
        times = [row["ordered_at"] for row in self.rows["orders"]]
        return datetime.fromisoformat(max(times)).replace(tzinfo=UTC) if times else None

    def _entity(self, entity: str) -> list[dict[str, Any]]:
        if entity not in self.rows:
            raise InvalidInput(f"There is no entity {entity!r}.")
        return self.rows[entity]


def _matches(row: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    return all(
        row[name] in wanted if isinstance(wanted, list | tuple) else row[name] == wanted
        for name, wanted in where.items()
    )


@dataclass
class FakeContext:
    """The port `Context` for one call; what is delivered or published is kept here."""

    records: FakeRecords = field(default_factory=FakeRecords)
    tenant: str = "org_123"
    execution_id: str = "run_1"
    step: str = "step_1"
    attempt: int = 1
    key: str = "0123456789abcdef0123456789abcdef"
    now: datetime = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    autonomy: Autonomy = Autonomy.L1
    held: str = ""
    delivered: dict[str, bytes] = field(default_factory=dict)
    published: list[tuple[str, Any, str]] = field(default_factory=list)

    @property
    def memory(self) -> BoundMemory:
        raise AssertionError("no agent here uses memory")

    @property
    def model(self) -> Model:
        raise AssertionError("no agent here asks a model")

    async def call(self, agent: str, action: str, **inputs: Any) -> Any:
        raise AssertionError("no agent here calls another")

    async def act_on(self, reply: ModelReply) -> list[Any]:
        raise AssertionError("no agent here acts on a model")

    def decide(self, point: str, facts: Mapping[str, Any]) -> Decision:
        raise AssertionError("no agent here asks policies itself")

    def deliver(self, message_id: str, content: bytes) -> Path:
        self.delivered[message_id] = content
        return Path(f"{message_id}.eml")

    async def publish(self, type: str, data: Any = None, *, subject: str = "") -> Acknowledged:
        self.published.append((type, data, subject))
        return Acknowledged(event_id=f"e{len(self.published)}", position=len(self.published))

    def progress(self, done: int, total: int, message: str = "") -> None:
        raise AssertionError("no agent here tells progress")

    def agents(self) -> list[dict[str, Any]]:
        raise AssertionError("no agent here lists agents")


def spec_of(agent: type[Any], action: str) -> ActionSpec:
    """The declaration of an action."""
    return cast(ActionSpec, getattr(agent, AGENT_ATTRIBUTE).actions[action])


async def invoke(agent: type[Any], action: str, context: FakeContext, **inputs: Any) -> Any:
    """Call an action as the dispatcher does: inside its admission."""
    spec = spec_of(agent, action)
    admission = Admission(getattr(agent, AGENT_ATTRIBUTE).key, spec, on_refusal=lambda *_: None)
    with admission:
        return await getattr(agent(), action)(**inputs, ctx=cast(Context, context))


def orders_of(customer_id: str, *days: str, value: float = 100.0, kind: str = "sale") -> list[dict[str, Any]]:
    """One order on each day, worth `value`."""
    return [
        {
            "order_id": f"{customer_id}/{kind}/{day}",
            "customer_id": customer_id,
            "ordered_at": f"{day}T10:00:00",
            "kind": kind,
            "value": -value if kind in ("cancellation", "return") else value,
        }
        for day in days
    ]


def contact_of(customer_id: str, **changes: Any) -> dict[str, Any]:
    """A contact of a customer who may be written to, unless `changes` say otherwise."""
    own = {
        "contact_id": f"k-{customer_id}",
        "customer_id": customer_id,
        "email": f"{customer_id}@example.com",
    }
    return {**CONTACT, **own, **changes}
