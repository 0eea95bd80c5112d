"""Social media: posts are drafted, made better, scheduled, published and measured."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from dirigent.agents.content.brief import BrandGuidelines, Topic, brief_of
from dirigent.agents.content.drafting import draft_for
from dirigent.agents.content.enhancing import (
    ContentEnhanced,
    ContentReview,
    Score,
    enhance,
    reviewed,
)
from dirigent.agents.content.figures import (
    MEASURED,
    ContentFigures,
    MeasuredEvent,
    Performance,
    figures_of,
    latest_figures,
    moment_of_event,
    performance_of,
    utc_second,
)
from dirigent.agents.content.platforms import ALL, PLATFORMS, OnPlatform
from dirigent.agents.content.publishing import Hook, PublishResult, publish
from dirigent.agents.content.quality import CheckName, quality_of
from dirigent.agents.content.stored import (
    PUBLISHED,
    SCHEDULED,
    Content,
    ContentIds,
    GivenContent,
    Written,
    content_of,
    for_platform,
    keep,
    rows_of,
)
from dirigent.agents.content.timetable import Period, Window, one_time, period_of, times_within, zone_of
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import ActionFailed, InvalidInput
from dirigent.domain.shape import Shape
from dirigent.ports import Context
from dirigent.security.admission import action, agent

BrandId = Annotated[str, Field(max_length=200)]
Contents = Annotated[list[GivenContent], Field(min_length=1, max_length=50)]


class ContentCreated(Shape):
    """Posts, one for each platform. `quality_score` is that of the worst; `notes` say what was not known."""

    content: list[Content]
    quality_score: Score
    reviews: list[ContentReview]
    notes: list[str]


class Confirmation(Shape):
    """When a post goes out, in UTC."""

    content_id: str
    platform: str
    at: datetime


class ContentScheduled(Shape):
    """When which post goes out, in the order asked for."""

    confirmations: list[Confirmation]


class ContentPublished(Shape):
    """What became of each post, in the order asked for."""

    results: list[PublishResult]


@agent(
    "social-media-content",
    domain="content",
    aliases=(
        "SocialMediaContentAgent",
        "Social Media Content Agent",
        "Social Media Content",
        "ContentSpecialist",
        "NewSocialMediaContentAgent",
    ),
)
class SocialMediaContentAgent:
    """Drafts, improves, schedules, publishes and analyses posts for social platforms."""

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def create_content(
        self,
        brand_id: BrandId,
        content_topic: Topic,
        guidelines: BrandGuidelines | None = None,
        platforms: Annotated[list[OnPlatform], Field(min_length=1)] | None = None,
        *,
        ctx: Context,
    ) -> ContentCreated:
        """Write a post for each platform from its topic, the guidelines and the brand's records alone.

        The posts are kept as drafts; the same brief gives the same posts under the same ids.
        """
        brief, notes = brief_of(ctx.records, brand_id, content_topic, guidelines)
        posts = [
            content_of(draft_for(PLATFORMS[name], brief), name, brief)
            for name in dict.fromkeys(platforms or ALL)
        ]
        reviews = [reviewed(post, brief) for post in posts]
        keep(
            ctx,
            [
                Written(content=post, brief=brief, quality=judged.quality_score)
                for post, judged in zip(posts, reviews, strict=True)
            ],
        )
        return ContentCreated(
            content=posts,
            quality_score=quality_of([judged.quality_score for judged in reviews]),
            reviews=reviews,
            notes=notes,
        )

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def enhance_content(
        self,
        content: Contents,
        quality_score: Annotated[float, Field(ge=0, le=100)] | None = None,
        issues: list[CheckName] | None = None,
        brand_id: BrandId = "",
        content_topic: Topic | None = None,
        guidelines: BrandGuidelines | None = None,
        *,
        ctx: Context,
    ) -> ContentEnhanced:
        """Repair the checks that posts fail, one by one; never worse than before, and nothing new is claimed.

        A post on record is judged by what it was written from, another one by the topic and guidelines given
        here. `quality_score` is what somebody says it has: it is measured anew. `issues` names the checks to
        repair, usually all that fail. A changed post is another one, with an id of its own.
        """
        given, _ = brief_of(ctx.records, brand_id, content_topic or "", guidelines)
        return enhance(ctx, content, given, issues or [], quality_score)

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def schedule_content(
        self,
        content_ids: ContentIds,
        at: str | None = None,
        window: Window | None = None,
        platform: OnPlatform | None = None,
        timezone: str = "UTC",
        *,
        ctx: Context,
    ) -> ContentScheduled:
        """Set when posts go out: all `at` one time, or spaced evenly over a `window`.

        The first stands at the start of the window, the last at its end. Times without an offset are local to
        the `timezone`. A time that is past is refused. Publishing then is what a workflow with `wait` does.
        """
        rows = rows_of(ctx.records, content_ids)
        for_platform(rows, platform)
        if not all(row["scheduled_by"] == ctx.key for row in rows.values()):
            times = _times(at, window, len(rows), timezone, ctx.now)
            _schedule(ctx, rows, times)
        kept = rows_of(ctx.records, content_ids).values()
        return ContentScheduled(
            confirmations=[
                Confirmation(content_id=row["content_id"], platform=row["platform"], at=row["scheduled_at"])
                for row in kept
            ]
        )

    @action(risk=Risk.R3, effect=Effect.KEYED, outward=True, tells_held=True)
    async def publish_content(
        self,
        content_ids: ContentIds,
        platform: OnPlatform | None = None,
        texts: list[str] | None = None,
        hook: Hook | None = None,
        confidence: Annotated[float, Field(ge=0, le=1)] | None = None,
        *,
        ctx: Context,
    ) -> ContentPublished:
        """Let posts out now, each once: into the outbox, or to the hook of who brings them to the platform.

        While delivery is off nothing leaves, and each is told as `held_reason: delivery_disabled`. `texts`
        are for whoever approves: what the posts must say, in their order. `confidence` is for the
        dispatcher, which asks a person below 0.8. One that was published before is told as that, and not
        sent again.
        """
        _ = confidence
        rows = rows_of(ctx.records, content_ids)
        for_platform(rows, platform)
        if texts is not None and texts != [row["text"] for row in rows.values()]:
            raise ActionFailed(
                "The posts do not say what was shown.", fix="Show their texts as they are, and ask anew."
            )
        return ContentPublished(results=[await publish(ctx, row, hook) for row in rows.values()])

    @action(risk=Risk.R1, effect=Effect.KEYED, handles=(MEASURED,))
    async def record_figures(self, event: MeasuredEvent, *, ctx: Context) -> ContentFigures:
        """Put on record what a post has brought by some time; the same time again replaces what was said."""
        figures = event.data
        rows_of(ctx.records, [figures.content_id])
        row = {
            "content_id": figures.content_id,
            "measured_at": utc_second(moment_of_event(event, ctx.now)),
            "impressions": figures.impressions,
            "engagement": figures.engagement,
            "source": event.source,
        }
        ctx.records.save("content_figures", [row])
        return figures_of(row)

    @action(risk=Risk.R0, effect=Effect.READ)
    async def analyze_content(
        self,
        content_ids: ContentIds | None = None,
        window: Period | None = None,
        timezone: str = "UTC",
        *,
        ctx: Context,
    ) -> Performance:
        """Compare what posts brought: rates with their uncertainty, the best, and whether by accident.

        Of these posts or of all; the last figures of each, measured in the window where one is given.
        """
        asked = list(rows_of(ctx.records, content_ids)) if content_ids is not None else None
        between = period_of(window, zone_of(timezone)) if window is not None else None
        figures = latest_figures(ctx.records, asked, between)
        return performance_of(figures, [one for one in asked or () if one not in figures])


def _times(at: str | None, window: Window | None, count: int, timezone: str, now: datetime) -> list[datetime]:
    zone = zone_of(timezone)
    if at is not None and window is None:
        return [one_time(at, zone, now)] * count
    if window is not None and at is None:
        return times_within(window, count, zone, now)
    raise InvalidInput(
        "When the posts go out is said either by at or by window.", fix="Give one of the two.", field="at"
    )


def _schedule(ctx: Context, rows: Mapping[str, Mapping[str, Any]], times: list[datetime]) -> None:
    gone = [content_id for content_id, row in rows.items() if row["state"] == PUBLISHED]
    if gone:
        fix = "Leave it out, or write a new post."
        raise InvalidInput(f"{gone[0]} has been published.", fix=fix, field="content_ids")
    said = {"state": SCHEDULED, "scheduled_by": ctx.key}
    timed = zip(rows.values(), times, strict=True)
    ctx.records.save(
        "contents", [{**row, **said, "scheduled_at": utc_second(moment)} for row, moment in timed]
    )
