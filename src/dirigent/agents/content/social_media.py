"""Social media: posts are drafted, made better, scheduled, published and measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from dirigent.agents.content.brief import BrandGuidelines, Brief, Topic, brief_of
from dirigent.agents.content.drafting import Draft, draft_for
from dirigent.agents.content.platforms import ALL, PLATFORMS, OnPlatform
from dirigent.agents.content.quality import Check, CheckName, quality_of, review
from dirigent.agents.content.repairing import Case, repaired
from dirigent.agents.content.stored import Content, brief_on_record, content_of, keep
from dirigent.domain.agent import Effect, Risk
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
