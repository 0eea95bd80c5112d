"""Posts on record: under an id that names their text for ever."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from dirigent.agents.content.brief import Brief
from dirigent.agents.content.drafting import Draft
from dirigent.agents.content.platforms import OnPlatform, PlatformName
from dirigent.domain.canonical import digest_of
from dirigent.domain.errors import InvalidInput, NotFound
from dirigent.domain.shape import Shape
from dirigent.ports import BoundRecords, Context

DRAFT, SCHEDULED, PUBLISHED = "draft", "scheduled", "published"
NEAREST_AMONG = 200
TEXT_LENGTH_MAX = 10_000

ContentId = Annotated[str, Field(min_length=1, max_length=100)]
ContentIds = Annotated[list[ContentId], Field(min_length=1, max_length=200)]


class GivenContent(Shape):
    """A post as somebody hands it in: for which platform, what it says, and its hashtags."""

    content_id: ContentId | None = None
    platform: OnPlatform
    text: Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX)]
    hashtags: Annotated[list[str], Field(max_length=100)] = []  # noqa: RUF012  # pydantic copies it


class Content(GivenContent):
    """A post with its id.

    That is made of its brief, its platform and its text: the same post has the same id, and an id never
    means another text.
    """

    content_id: ContentId


@dataclass(frozen=True, kw_only=True)
class Written:
    """A post, what it was written from, how good it is, and the id of the one that it takes the place of."""

    content: Content
    brief: Brief
    quality: int
    replaces: str | None = None


def content_of(draft: Draft, platform: PlatformName, brief: Brief) -> Content:
    """A draft as a post with its id."""
    named = [brief.model_dump(mode="json"), platform, draft.text, list(draft.hashtags)]
    return Content(
        content_id=f"content_{digest_of(named)[:24]}",
        platform=platform,
        text=draft.text,
        hashtags=list(draft.hashtags),
    )


def keep(ctx: Context, written: Iterable[Written]) -> None:
    """Put posts on record, all of them or none; what is there already stays as it is."""
    by_id = {one.content.content_id: one for one in written}
    there = ctx.records.fetch("contents", where={"content_id": list(by_id)}, columns=["content_id"])
    for row in there:
        del by_id[row["content_id"]]
    ctx.records.save("contents", [_row(ctx, one) for one in by_id.values()])


def _row(ctx: Context, written: Written) -> dict[str, Any]:
    content, brief = written.content, written.brief
    return {
        "content_id": content.content_id,
        "brand_id": brief.brand_id,
        "topic": brief.topic,
        "platform": content.platform,
        "text": content.text,
        "hashtags": content.hashtags,
        "quality": written.quality,
        "brief": brief.model_dump(mode="json"),
        "replaces": written.replaces,
        "state": DRAFT,
        "run_id": ctx.execution_id,
        "created_at": ctx.now.isoformat(timespec="seconds"),
    }


def rows_of(records: BoundRecords, content_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The posts of these ids, in this order, each once; raises `NotFound` for the first that is not there."""
    asked = list(dict.fromkeys(content_ids))
    found = {row["content_id"]: row for row in records.fetch("contents", where={"content_id": asked})}
    for content_id in asked:
        if content_id not in found:
            known = records.fetch("contents", columns=["content_id"], limit=NEAREST_AMONG)
            nearest = difflib.get_close_matches(content_id, [row["content_id"] for row in known], n=3)
            raise NotFound(
                f"There is no content {content_id!r} on record.", code="content_not_found", nearest=nearest
            )
    return {content_id: found[content_id] for content_id in asked}


def for_platform(rows: Mapping[str, Mapping[str, Any]], platform: PlatformName | None) -> None:
    """Raise `InvalidInput` where a post was written for another platform than the one named."""
    for content_id, row in rows.items():
        if platform is not None and row["platform"] != platform:
            raise InvalidInput(
                f"{content_id} was written for {row['platform']}, not for {platform}.",
                fix="Leave platform out: each post goes to its own.",
                field="platform",
            )


def briefs_on_record(records: BoundRecords, contents: Iterable[GivenContent]) -> dict[str, Brief]:
    """What those of the posts that are on record were written from, by id."""
    asked = [content.content_id for content in contents if content.content_id is not None]
    rows = records.fetch("contents", where={"content_id": asked}, columns=["content_id", "brief"])
    return {row["content_id"]: Brief.model_validate(row["brief"]) for row in rows}
