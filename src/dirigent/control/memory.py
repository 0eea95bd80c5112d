"""The memory service: stores and retrieves what a tenant knows, recognises patterns, sums up context."""

from __future__ import annotations

import hashlib
from datetime import UTC
from typing import Annotated, Any, Final

from pydantic import Field

from dirigent.control.extract import Source, extract, tokens_of
from dirigent.control.history import LEARNED_KINDS, read_outcomes_of, read_patterns
from dirigent.control.patterns import Pattern
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import InvalidInput
from dirigent.domain.shape import Excerpt, Shape
from dirigent.ports import Context, MemoryItem
from dirigent.security.admission import action, agent

ITEMS_MAX: Final = 100
TEXT_LENGTH_MAX: Final = 20_000
TOKENS_MAX: Final = 1_000_000
UNSCORED: Final = 0.5
PREFIX: Final = "mem_"


class Remembered(Shape):
    """One thing remembered."""

    id: str
    kind: str
    text: str
    data: dict[str, Any]
    created_at: str
    source: str


class Found(Shape):
    """An item with its relevance, 0 to 1."""

    item: Remembered
    score: Annotated[float, Field(ge=0, le=1)]


class Retrieved(Shape):
    """The items found, the best first."""

    items: list[Found]


class ItemToStore(Shape):
    """Something to remember. `source` says where it comes from; without it, from this execution."""

    kind: Annotated[str, Field(min_length=1, max_length=60)]
    text: Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX)]
    data: dict[str, Any] = Field(default_factory=dict)
    source: str = ""


class Stored(Shape):
    """The id under which something is remembered."""

    id: str


class Patterns(Shape):
    """Stated patterns, then those recognised in outcomes, by their lift."""

    goal_type: str
    patterns: list[Pattern]


class ItemToSummarize(Excerpt):
    """A text to sum up, with its id; where it was retrieved, with its score."""

    id: str
    text: str
    score: Annotated[float, Field(ge=0, le=1)] = UNSCORED


class Summary(Shape):
    """Sentences taken word for word, each behind the id of its item, and about how many tokens they are."""

    context: str
    used_ids: list[str]
    tokens: int


@agent(
    "rag_service",
    domain="core",
    aliases=("RagServiceAgent", "RAGAgent", "RagAgent", "ARE RAG Service"),
)
class RagServiceAgent:
    """Keeps context and finds it again; one tenant never sees another's."""

    @action(risk=Risk.R0, effect=Effect.READ)
    async def retrieve(
        self,
        query: str,
        kind: str | None = None,
        k: Annotated[int, Field(ge=1, le=ITEMS_MAX)] = 8,
        *,
        ctx: Context,
    ) -> Retrieved:
        """Find at most `k` items by words, the best first; an empty query gives the newest at score 0."""
        if not query.strip():
            newest = ctx.memory.list(kind=kind, limit=k)
            return Retrieved(items=[Found(item=_shown(item), score=0.0) for item in newest])
        found = ctx.memory.search(query, kind=kind, limit=k)
        return Retrieved(
            items=[Found(item=_shown(item), score=min(1.0, max(0.0, score))) for item, score in found]
        )

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def store(self, item: ItemToStore, *, ctx: Context) -> Stored:
        """Remember an item under an id made from the call's key; a repeated call changes nothing.

        What only the learner may write (outcomes, signals, statistics) raises `InvalidInput`.
        """
        if item.kind in LEARNED_KINDS:
            raise InvalidInput(
                f"Items of the kind {item.kind!r} are written by the learner alone.",
                fix="Use another kind, such as 'fact' or 'pattern'.",
                field="item.kind",
            )
        item_id = PREFIX + hashlib.sha256(f"{ctx.tenant}\x1f{ctx.key}".encode()).hexdigest()[:24]
        ctx.memory.store([_kept(item, item_id, ctx)])
        return Stored(id=item_id)

    @action(risk=Risk.R0, effect=Effect.READ)
    async def recognize_patterns(self, goal_type: str, *, ctx: Context) -> Patterns:
        """Find which conditions went with success in the outcomes of a goal type, and by how much."""
        outcomes = read_outcomes_of(ctx.memory, goal_type)
        return Patterns(goal_type=goal_type, patterns=read_patterns(ctx.memory, goal_type, outcomes))

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def summarize_context(
        self,
        items: Annotated[list[ItemToSummarize | Found], Field(max_length=ITEMS_MAX)],
        budget_tokens: Annotated[int, Field(ge=1, le=TOKENS_MAX)],
        *,
        ctx: Context,
    ) -> Summary:
        """Sum up items in sentences of their own, within a budget of tokens.

        Items may be given as retrieved, or as id and text.
        """
        context, used = extract([_source(item) for item in items], budget_tokens)
        return Summary(context=context, used_ids=used, tokens=tokens_of(context))


def _shown(item: MemoryItem) -> Remembered:
    return Remembered(
        id=item.id,
        kind=item.kind,
        text=item.text,
        data=item.data,
        created_at=item.created_at,
        source=item.source,
    )


def _kept(item: ItemToStore, item_id: str, ctx: Context) -> MemoryItem:
    return MemoryItem(
        id=item_id,
        kind=item.kind,
        text=item.text,
        data=item.data,
        created_at=ctx.now.astimezone(UTC).isoformat(),
        source=item.source or ctx.execution_id,
    )


def _source(item: ItemToSummarize | Found) -> Source:
    if isinstance(item, Found):
        return Source(id=item.item.id, text=item.item.text, weight=item.score)
    return Source(id=item.id, text=item.text, weight=item.score)
