"""Posts judged by their checks, and made better by them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from dirigent.agents.content.brief import Brief
from dirigent.agents.content.drafting import Draft
from dirigent.agents.content.platforms import PLATFORMS
from dirigent.agents.content.quality import Check, CheckName, quality_of, review
from dirigent.agents.content.repairing import Case, repaired
from dirigent.agents.content.stored import (
    Content,
    GivenContent,
    Written,
    briefs_on_record,
    content_of,
    keep,
)
from dirigent.domain.shape import Shape
from dirigent.ports import Context

PERFECT = "Every check is passed: nothing was changed."
NO_WAY = "What is missing cannot be mended with what may be said."

Score = Annotated[int, Field(ge=0, le=100)]


class ContentReview(Shape):
    """The quality of one post, and the checks it comes from."""

    content_id: str
    platform: str
    quality_score: Score
    checks: list[Check]


class ContentEnhanced(Shape):
    """Posts as they are now, and what was changed; `quality_before` is what the same checks gave before."""

    content: list[Content]
    quality_score: Score
    quality_before: Score
    changes: list[str]
    reviews: list[ContentReview]
    notes: list[str]


@dataclass(frozen=True, kw_only=True)
class _Enhanced:
    written: Written
    review: ContentReview
    before: int
    changes: list[str]


def reviewed(content: Content, brief: Brief) -> ContentReview:
    """The quality of a post by what it was written from."""
    found = review(content.text, content.hashtags, PLATFORMS[content.platform], brief)
    return ContentReview(
        content_id=content.content_id,
        platform=content.platform,
        quality_score=found.quality_score,
        checks=found.checks,
    )


def enhance(
    ctx: Context,
    contents: Sequence[GivenContent],
    otherwise: Brief,
    issues: Sequence[CheckName],
    said: float | None,
) -> ContentEnhanced:
    """Repair posts by their briefs, those that are not on record by the brief given `otherwise`.

    `said` is the score that somebody gave them.
    """
    briefs = briefs_on_record(ctx.records, contents)
    posts = [_enhanced(one, briefs.get(one.content_id or "", otherwise), issues) for one in contents]
    keep(ctx, [post.written for post in posts])
    before = quality_of([post.before for post in posts])
    after = quality_of([post.review.quality_score for post in posts])
    changes = [change for post in posts for change in post.changes]
    return ContentEnhanced(
        content=[post.written.content for post in posts],
        quality_score=after,
        quality_before=before,
        changes=changes,
        reviews=[post.review for post in posts],
        notes=list(_notes(said, before, after, changes)),
    )


def _notes(said: float | None, before: int, after: int, changes: Sequence[str]) -> Iterator[str]:
    """What is to be said besides: a score that is another one, and why nothing was changed."""
    if said is not None and int(said) != before:
        yield f"It was said to have {said:g} points; by its checks it had {before}."
    if not changes:
        yield PERFECT if after == 100 else NO_WAY


def _enhanced(given: GivenContent, brief: Brief, issues: Sequence[CheckName]) -> _Enhanced:
    platform = PLATFORMS[given.platform]
    draft = Draft(text=given.text, hashtags=tuple(given.hashtags))
    before = review(draft.text, given.hashtags, platform, brief).quality_score
    better, changes = repaired(Case(platform=platform, brief=brief, draft=draft), issues)
    content = content_of(better, given.platform, brief)
    judged = reviewed(content, brief)
    replaces = given.content_id if given.content_id != content.content_id else None
    return _Enhanced(
        written=Written(content=content, brief=brief, quality=judged.quality_score, replaces=replaces),
        review=judged,
        before=before,
        changes=[f"{given.platform}: {change}" for change in changes],
    )
