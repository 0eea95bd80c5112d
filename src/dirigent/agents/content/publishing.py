"""Letting posts out: each once, into the outbox or to the web hook of who brings it to its platform.

What stands in the outbox, or comes to the hook, is brought to the platform by others: no platform's own API
is called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Annotated, Any

import msgspec
from pydantic import Field

from dirigent.agents.content.brief import Brief
from dirigent.agents.content.drafting import Draft
from dirigent.agents.content.platforms import post_of
from dirigent.agents.content.stored import PUBLISHED, content_of
from dirigent.domain.errors import ActionFailed, TransientError
from dirigent.domain.shape import Shape
from dirigent.ports import Context
from dirigent.ports.web import WebReply, WebRequest

HELD = "delivery_disabled"
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
EXTERNAL_ID_LENGTH = 200


class Hook(Shape):
    """Who brings posts to a platform: the url that is posted to, and the name of the secret to send along."""

    url: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=2_000)]
    secret: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")] | None = None


class PublishResult(Shape):
    """What became of one post: `external_id` is what the receiver calls it, `held_reason` why it stayed."""

    content_id: str
    platform: str
    published: bool
    external_id: str | None
    held_reason: str | None


async def publish(ctx: Context, row: Mapping[str, Any], hook: Hook | None) -> PublishResult:
    """Let a post out, unless it has left before or nothing may leave now."""
    if row["state"] == PUBLISHED:
        return _result(row, row["external_id"])
    if ctx.held:
        return _held(row, HELD)
    _check_text(row)
    external_id: str | None = None
    if hook is None:
        external_id = _into_outbox(ctx, row)
    else:
        reply = await ctx.web(_request(row, hook))
        if reply.status in TRY_AGAIN:
            raise TransientError(f"The hook answers {reply.status} to {row['content_id']}.")
        if reply.status >= 400:
            return _held(row, f"the hook answers {reply.status}")
        external_id = _id_in(reply)
    done = {"state": PUBLISHED, "published_at": ctx.now.isoformat(), "external_id": external_id}
    ctx.records.save("contents", [{**row, **done}])
    return _result(row, external_id)


def _check_text(row: Mapping[str, Any]) -> None:
    """An id names one text: what somebody approved by its id is what leaves."""
    draft = Draft(text=row["text"], hashtags=tuple(row["hashtags"]))
    named = content_of(draft, row["platform"], Brief.model_validate(row["brief"]))
    if named.content_id != row["content_id"]:
        raise ActionFailed(
            f"The text of {row['content_id']} is not the one that it was made with.",
            fix="Create or enhance the post anew, and publish that.",
        )


def _into_outbox(ctx: Context, row: Mapping[str, Any]) -> str:
    """The same file for the same post, whoever asks how often; its name is the post's id outside."""
    known = f"post-{row['content_id']}"
    message = EmailMessage()
    message["Subject"] = f"Post for {row['platform']}"
    message["X-Platform"] = row["platform"]
    message["X-Content-Id"] = row["content_id"]
    message.set_content(post_of(row["text"], row["hashtags"]))
    ctx.deliver(known, message.as_bytes())
    return known


def _request(row: Mapping[str, Any], hook: Hook) -> WebRequest:
    body = {name: row[name] for name in ("content_id", "platform", "text", "hashtags")}
    return WebRequest(
        method="POST",
        url=hook.url,
        headers={"content-type": "application/json", "idempotency-key": row["content_id"]},
        secrets={"authorization": hook.secret} if hook.secret else {},
        body=msgspec.json.encode(body),
    )


def _id_in(reply: WebReply) -> str | None:
    """What the receiver calls the post, where its answer is JSON with an `id`."""
    try:
        said = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    known = said.get("id") if isinstance(said, dict) else None
    return str(known)[:EXTERNAL_ID_LENGTH] if isinstance(known, str | int) else None


def _result(row: Mapping[str, Any], external_id: str | None) -> PublishResult:
    return PublishResult(
        content_id=row["content_id"],
        platform=row["platform"],
        published=True,
        external_id=external_id,
        held_reason=None,
    )


def _held(row: Mapping[str, Any], reason: str) -> PublishResult:
    return PublishResult(
        content_id=row["content_id"],
        platform=row["platform"],
        published=False,
        external_id=None,
        held_reason=reason,
    )
