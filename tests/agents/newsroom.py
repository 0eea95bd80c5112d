"""A newsroom over real records: the social media agent called as by one step after another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from dirigent.agents.content.social_media import SocialMediaContentAgent
from dirigent.execution.context import TenantRecords
from dirigent.execution.registry import Registry
from dirigent.storage.sqlite.records import SqliteRecords
from tests.agents.fakes import FakeContext, FakeRecords, invoke

TENANT = "org_123"
AGENT = "social-media-content"
BRAND = {
    "brand_id": "b-9",
    "name": "Trieste Roasters",
    "terms": "single origin",
    "banned_terms": "cheap; guaranteed",
    "key_messages": "The winter roast comes from one farm; The roast is on sale from 1 December",
    "hashtags": "#TriesteCoffee",
    "call_to_action": "Order yours",
    "link": "https://roasters.example/winter",
}


class Newsroom:
    """Records in memory, and the agent."""

    def __init__(self) -> None:
        self.records = SqliteRecords(":memory:")
        self._registry = Registry([SocialMediaContentAgent])
        self._steps = 0

    def context(self, **changes: Any) -> FakeContext:
        """The context of the next step, with a key of its own."""
        self._steps += 1
        own = cast(FakeRecords, TenantRecords(self.records, TENANT))
        made = FakeContext(records=own, step=f"step_{self._steps}", key=f"key_{self._steps}")
        return replace(made, **changes)

    async def ask(self, action: str, ctx: FakeContext | None = None, **inputs: Any) -> Any:
        """What an action gives for plain inputs, checked as the door checks them."""
        arguments = self._registry.action(AGENT, action).read_inputs(inputs)
        return await invoke(SocialMediaContentAgent, action, ctx or self.context(), **arguments)

    async def create(self, topic: str = "New Product Launch", brand: str = "b-1", **inputs: Any) -> Any:
        """Posts on a topic."""
        return await self.ask("create_content", brand_id=brand, content_topic=topic, **inputs)

    def rows(self) -> dict[str, dict[str, Any]]:
        """The posts on record, by id."""
        return {row["content_id"]: row for row in self.records.fetch(TENANT, "contents")}

    def save(self, entity: str, *rows: dict[str, Any]) -> None:
        """Put rows on record."""
        self.records.save(TENANT, entity, rows)
