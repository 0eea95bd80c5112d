"""One tenant's memory, a context over it, and calls of guarded actions as the dispatcher makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from dirigent.domain.errors import NotFound
from dirigent.domain.policy import Autonomy, Decision
from dirigent.execution.registry import Registry
from dirigent.ports import BoundRecords, Context, MemoryItem, Model, ModelReply
from dirigent.security.admission import AGENT_ATTRIBUTE, Admission

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


Hits = list[tuple[MemoryItem, float]]


class FakeMemory:
    """The port `BoundMemory` over a dict; relevance is the share of the query's words that a text has."""

    def __init__(self) -> None:
        self.items: dict[str, MemoryItem] = {}

    def store(self, items: Sequence[MemoryItem]) -> int:
        for item in items:
            self.items.pop(item.id, None)
            self.items[item.id] = item
        return len(items)

    def search(self, query: str, *, kind: str | None = None, limit: int = 8) -> Hits:
        words = set(query.lower().split())
        scored = [(item, _share(words, item.text)) for item in self.list(kind=kind, limit=len(self.items))]
        found = [(item, score) for item, score in scored if score]
        return sorted(found, key=lambda pair: -pair[1])[:limit]

    def list(self, *, kind: str | None = None, limit: int = 1000) -> list[MemoryItem]:
        kept = [item for item in reversed(self.items.values()) if kind in (None, item.kind)]
        return sorted(kept, key=lambda item: item.created_at, reverse=True)[:limit]


def _share(words: set[str], text: str) -> float:
    return len(words & set(text.lower().split())) / len(words)


@dataclass
class FakeContext:
    """The port `Context` for agents that need time, ids and memory."""

    memory: FakeMemory = field(default_factory=FakeMemory)
    tenant: str = "org_123"
    execution_id: str = "run_1"
    step: str = "step_1"
    attempt: int = 1
    key: str = "0123456789abcdef0123456789abcdef"
    now: datetime = NOON
    autonomy: Autonomy = Autonomy.L1

    @property
    def records(self) -> BoundRecords:
        raise AssertionError("no agent here reads records")

    @property
    def model(self) -> Model:
        raise AssertionError("no agent here asks a model")

    async def call(self, agent: str, action: str, **inputs: Any) -> Any:
        raise NotFound(f"There is no agent {agent!r}.")

    async def act_on(self, reply: ModelReply) -> list[Any]:
        raise AssertionError("no agent here acts on a model")

    def decide(self, point: str, facts: Mapping[str, Any]) -> Decision:
        raise AssertionError("no agent here asks policies")

    def deliver(self, message_id: str, content: bytes) -> Path:
        raise AssertionError("no agent here lets a message leave")

    def progress(self, done: int, total: int, message: str = "") -> None:
        raise AssertionError("no agent here takes long")

    def agents(self) -> list[dict[str, Any]]:
        raise AssertionError("no agent here looks for others")


async def call(agent: type[Any], name: str, ctx: FakeContext | None = None, /, **inputs: Any) -> Any:
    """Call an action with JSON inputs inside an admission of its own, and return its output as JSON data."""
    action = _registry(agent).action(getattr(agent, AGENT_ATTRIBUTE).key, name)
    arguments = action.read_inputs(inputs)
    with Admission(action.agent.key, action.spec, _refuse):
        return action.plain_output(await action.invoke(arguments, cast(Context, ctx or FakeContext())))


_REGISTRIES: dict[type[Any], Registry] = {}


def _registry(agent: type[Any]) -> Registry:
    return _REGISTRIES.setdefault(agent, Registry([agent]))


def _refuse(agent: str, action: str) -> None:
    raise AssertionError(f"{agent}.{action} was refused")
