"""Social media: posts are drafted, made better, scheduled, published and measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from dirigent.agents.content.brief import BrandGuidelines, Brief, Topic, brief_of
from dirigent.agents.content.drafting import Draft, draft_for
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
from dirigent.agents.content.quality import Check, CheckName, quality_of, review
from dirigent.agents.content.repairing import Case, repaired
from dirigent.agents.content.stored import (
    PUBLISHED,
    SCHEDULED,
    Content,
    ContentIds,
    brief_on_record,
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

PERFECT = "Every check is passed: nothing was changed."
NO_WAY = "What is missing cannot be mended with what may be said."

BrandId = Annotated[str, Field(max_length=200)]
Score = Annotated[int, Field(ge=0, le=100)]
Contents = Annotated[list[Content], Field(min_length=1, max_length=200)]


class ContentReview(Shape):
    """The quality of one post, and the checks it comes from."""

    content_id: str
    platform: str
    quality_score: Score
    checks: list[Check]


class ContentCreated(Shape):
    """Posts, one for each platform. `quality_score` is that of the worst; `notes` say what was not known."""

    content: list[Content]
    quality_score: Score
    reviews: list[ContentReview]
    notes: list[str]


class ContentEnhanced(Shape):
    """Posts as they are now, and what was changed; `quality_before` is what the same checks gave before."""

    content: list[Content]
    quality_score: Score
    quality_before: Score
    changes: list[str]
    reviews: list[ContentReview]
    notes: list[str]


class Confirmation(Shape):
    """When a post goes out, in UTC."""

    content_id: str
    platform: str
    at: str


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
        made = []
        for name in dict.fromkeys(platforms or ALL):
            content = content_of(draft_for(PLATFORMS[name], brief), name, brief)
            judged = _review(content, brief)
            keep(ctx, content, brief, judged.quality_score)
            made.append((content, judged))
        return ContentCreated(
            content=[content for content, _ in made],
            quality_score=quality_of([judged.quality_score for _, judged in made]),
            reviews=[judged for _, judged in made],
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
        posts = [
            _enhanced(ctx, one, brief_on_record(ctx.records, one) or given, issues or []) for one in content
        ]
        before, after = (
            quality_of([post.before for post in posts]),
            quality_of([post.review.quality_score for post in posts]),
        )
        changes = [change for post in posts for change in post.changes]
        return ContentEnhanced(
            content=[post.content for post in posts],
            quality_score=after,
            quality_before=before,
            changes=changes,
            reviews=[post.review for post in posts],
            notes=list(_notes(quality_score, before, after, changes)),
        )

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


@dataclass(frozen=True, kw_only=True)
class _Enhanced:
    content: Content
    review: ContentReview
    before: int
    changes: list[str]


def _enhanced(ctx: Context, content: Content, brief: Brief, issues: list[CheckName]) -> _Enhanced:
    platform = PLATFORMS[content.platform]
    draft = Draft(text=content.text, hashtags=tuple(content.hashtags))
    before = review(draft.text, content.hashtags, platform, brief).quality_score
    better, changes = repaired(Case(platform=platform, brief=brief, draft=draft), issues)
    new = content if better == draft and content.content_id else content_of(better, content.platform, brief)
    judged = _review(new, brief)
    if new is not content:
        keep(ctx, new, brief, judged.quality_score, replaces=content.content_id)
    told = [f"{content.platform}: {change}" for change in changes]
    return _Enhanced(content=new, review=judged, before=before, changes=told)


def _review(content: Content, brief: Brief) -> ContentReview:
    found = review(content.text, content.hashtags, PLATFORMS[content.platform], brief)
    return ContentReview(
        content_id=content.content_id or "",
        platform=content.platform,
        quality_score=found.quality_score,
        checks=found.checks,
    )


def _notes(said: float | None, before: int, after: int, changes: list[str]) -> Iterator[str]:
    """What is to be said besides: a score that is another one, and why nothing was changed."""
    if said is not None and int(said) != before:
        yield f"It was said to have {said:g} points; by its checks it had {before}."
    if not changes:
        yield PERFECT if after == 100 else NO_WAY
