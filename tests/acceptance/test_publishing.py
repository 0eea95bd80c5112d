"""Posts leave once, where they may: through the gate, with leave, into the outbox or to a web hook."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dirigent import Autonomy, Dirigent
from dirigent.domain.errors import TransientError
from dirigent.domain.workflow import Definition, Kind, Retry, Step
from dirigent.interpreter.reading import Reading
from dirigent.ports import WebReply, WebRequest
from dirigent.settings import Config, Settings
from dirigent.storage.sqlite.records import SqliteRecords

TENANT = "org_1"
HOOK = {"url": "https://poster.example/x", "secret": "POSTER"}


@dataclass
class Poster:
    """Who brings posts to their platform; it notes what reached it, and answers as it is told."""

    answers: list[WebReply | Exception] = field(default_factory=list)
    seen: list[WebRequest] = field(default_factory=list)

    async def send(self, request: WebRequest) -> WebReply:
        """Take a post."""
        self.seen.append(request)
        answer = self.answers.pop(0) if self.answers else WebReply(status=201, headers={}, body=b'{"id": 77}')
        if isinstance(answer, Exception):
            raise answer
        return answer


class ForgetfulRecords(SqliteRecords):
    """Records that lose the first word of a post that was published."""

    lost = False

    def save(self, tenant: str, entity: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Keep rows, but for that one time."""
        if not self.lost and rows[0].get("state") == "published":
            self.lost = True
            raise TransientError("the disk went away")
        return super().save(tenant, entity, rows)


class Forgetting(Dirigent):
    """The system over those records."""

    record_books = ForgetfulRecords


def _open(
    folder: Path, *, delivery: bool, web: Poster | None = None, house: type[Dirigent] = Dirigent
) -> Dirigent:
    config = Config(maxAutonomyPerOrg={"default": Autonomy.L3})
    settings = Settings(data_folder=folder, allow_delivery=delivery, config=config, tenant=TENANT)
    return house(settings=settings, web=web or Poster())


async def _do(dirigent: Dirigent, action: str, level: Autonomy = Autonomy.L3, **inputs: Any) -> Reading:
    step = Step(
        id="do",
        kind=Kind.AGENT,
        agent="social-media-content",
        action=action,
        parameters=inputs,
        retry=Retry(max_attempts=3, initial_ms=1),
    )
    return await dirigent.run(Definition(name="do", steps=(step,)), autonomy=level)


async def _drafts(dirigent: Dirigent, *platforms: str) -> list[dict[str, Any]]:
    made = await _do(
        dirigent, "create_content", brand_id="b-1", content_topic="espresso", platforms=list(platforms)
    )
    posts: list[dict[str, Any]] = made.output["content"]
    return posts


def _outbox(folder: Path) -> list[Path]:
    return sorted((folder / "outbox").glob("*"))


@pytest.mark.parametrize("level", [Autonomy.L1, Autonomy.L3])
async def test_while_delivery_is_off_each_post_is_told_as_held(tmp_path: Path, level: Autonomy) -> None:
    """`delivery_disabled`, nothing in the outbox, nothing at the hook, and the posts stay drafts."""
    web = Poster()
    async with _open(tmp_path, delivery=False, web=web) as dirigent:
        ids = [post["content_id"] for post in await _drafts(dirigent, "x", "linkedin")]
        for hook in (None, HOOK):
            reading = await _do(dirigent, "publish_content", level, content_ids=ids, hook=hook)
            assert reading.status == "completed"
            told = reading.output["results"]
            assert [one["content_id"] for one in told] == ids
            assert {(one["published"], one["external_id"], one["held_reason"]) for one in told} == {
                (False, None, "delivery_disabled")
            }
        assert {row["state"] for row in dirigent.records.fetch(TENANT, "contents")} == {"draft"}
        assert not dirigent.engine.approvals()
    assert (web.seen, _outbox(tmp_path)) == ([], [])


async def test_with_delivery_a_post_leaves_once(tmp_path: Path) -> None:
    """Called twice, in two runs, there is one post; it says what was written, and the record who has it."""
    async with _open(tmp_path, delivery=True) as dirigent:
        [post] = await _drafts(dirigent, "x")
        said: dict[str, Any] = {"content_ids": [post["content_id"]], "platform": "x"}
        first = await _do(dirigent, "publish_content", **said)
        again = await _do(dirigent, "publish_content", **said)
        [row] = dirigent.records.fetch(TENANT, "contents")
    [told] = first.output["results"]
    assert (told["published"], told["held_reason"]) == (True, None)
    assert again.output == first.output
    [file] = _outbox(tmp_path)
    assert file.stem == told["external_id"] == row["external_id"]
    assert row["state"] == "published"
    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    assert message.get_content().strip() == f"{post['text']}\n\n{' '.join(post['hashtags'])}"
    assert message["X-Platform"] == "x"


async def test_called_by_two_at_once_a_post_leaves_once(tmp_path: Path) -> None:
    """Whoever is second finds it in the outbox already."""
    async with _open(tmp_path, delivery=True) as dirigent:
        ids = [post["content_id"] for post in await _drafts(dirigent, "x", "threads")]
        one, other = await asyncio.gather(
            _do(dirigent, "publish_content", content_ids=ids),
            _do(dirigent, "publish_content", content_ids=ids[::-1]),
        )
    assert one.output["results"] == other.output["results"][::-1]
    assert len(_outbox(tmp_path)) == 2


async def test_a_crash_behind_the_outbox_sends_nothing_twice(tmp_path: Path) -> None:
    """The record of it is lost once: the next attempt finds the file, and says that it is published."""
    async with _open(tmp_path, delivery=True, house=Forgetting) as dirigent:
        [post] = await _drafts(dirigent, "x")
        reading = await _do(dirigent, "publish_content", content_ids=[post["content_id"]])
    assert reading.steps["do"].attempts == 2
    assert reading.output["results"][0]["published"]
    assert len(_outbox(tmp_path)) == 1


async def test_at_level_1_a_person_decides_about_the_very_texts(tmp_path: Path) -> None:
    """The request shows what was handed in; texts that are not those of the posts are refused."""
    async with _open(tmp_path, delivery=True) as dirigent:
        [post] = await _drafts(dirigent, "x")
        said: dict[str, Any] = {"content_ids": [post["content_id"]], "texts": [post["text"]]}
        asks = await _do(dirigent, "publish_content", Autonomy.L1, **said)
        [asked] = dirigent.engine.approvals()
        assert (asks.status, asked.preview["texts"], _outbox(tmp_path)) == (
            "awaiting_approval",
            [post["text"]],
            [],
        )
        await dirigent.engine.approve(asked.approval_id, "boss")
        reading = await dirigent.engine.rest(asks.execution_id)
        assert reading.output["results"][0]["published"]
        other = await _do(dirigent, "publish_content", **{**said, "texts": ["something else"]})
    assert other.error is not None
    assert "do not say what was shown" in other.error.message
    assert len(_outbox(tmp_path)) == 1


async def test_a_text_that_was_tampered_with_stays(tmp_path: Path) -> None:
    """An id names one text: another one under it is not let out."""
    async with _open(tmp_path, delivery=True) as dirigent:
        [post] = await _drafts(dirigent, "x")
        [row] = dirigent.records.fetch(TENANT, "contents")
        dirigent.records.save(TENANT, "contents", [{**row, "text": "Buy now"}])
        reading = await _do(dirigent, "publish_content", content_ids=[post["content_id"]])
    assert reading.error is not None
    assert "not the one that it was made with" in reading.error.message
    assert _outbox(tmp_path) == []


async def test_a_hook_gets_each_post_once(tmp_path: Path) -> None:
    """Under the post's id as key, with the secret by its name; a lost connection is tried again."""
    web = Poster([TransientError("reset"), WebReply(status=503, headers={}, body=b"")])
    async with _open(tmp_path, delivery=True, web=web) as dirigent:
        [post] = await _drafts(dirigent, "x")
        said: dict[str, Any] = {"content_ids": [post["content_id"]], "hook": HOOK}
        reading = await _do(dirigent, "publish_content", **said)
        again = await _do(dirigent, "publish_content", **said)
    assert reading.output["results"][0]["external_id"] == "77"
    assert again.output == reading.output
    assert len(web.seen) == 3
    assert {request.headers["idempotency-key"] for request in web.seen} == {post["content_id"]}
    assert web.seen[0].secrets == {"authorization": "POSTER"}
    assert json.loads(web.seen[0].body or b"")["text"] == post["text"]
    assert _outbox(tmp_path) == []


async def test_what_a_hook_does_not_take_is_told(tmp_path: Path) -> None:
    """The refused post stays a draft, with the answer; the other one is published."""
    web = Poster([WebReply(status=403, headers={}, body=b"no")])
    async with _open(tmp_path, delivery=True, web=web) as dirigent:
        ids = [post["content_id"] for post in await _drafts(dirigent, "x", "threads")]
        reading = await _do(dirigent, "publish_content", content_ids=ids, hook=HOOK)
    told = reading.output["results"]
    assert [(one["published"], one["held_reason"]) for one in told] == [
        (False, "the hook answers 403"),
        (True, None),
    ]


async def test_a_post_goes_to_its_own_platform(tmp_path: Path) -> None:
    """Another one is refused before anything leaves, and so is a post that nobody knows."""
    async with _open(tmp_path, delivery=True) as dirigent:
        ids = [post["content_id"] for post in await _drafts(dirigent, "x", "threads")]
        wrong = await _do(dirigent, "publish_content", content_ids=ids, platform="x")
        unknown = await _do(dirigent, "publish_content", content_ids=[ids[0], "content_0"])
    assert wrong.error is not None
    assert f"{ids[1]} was written for threads, not for x" in wrong.error.message
    assert unknown.error is not None
    assert (unknown.error.code, "'content_0'" in unknown.error.message) == ("content_not_found", True)
    assert _outbox(tmp_path) == []


async def test_figures_come_by_an_event(tmp_path: Path) -> None:
    """Whoever measures publishes `content.measured`; the analysis then knows the post's rate."""
    async with _open(tmp_path, delivery=False) as dirigent:
        [post] = await _drafts(dirigent, "x")
        data = {"content_id": post["content_id"], "impressions": 400, "engagement": 10, "followers": 3}
        event = {"type": "content.measured", "source": "x-insights", "data": data}
        taken = await dirigent.publish({**event, "time": "2026-11-20T10:00:00Z"})
        await dirigent.reactions.event_loop.kafka_consumer.caught_up(taken.position)
        reading = await _do(dirigent, "analyze_content")
    [figures] = reading.output["analytics"]
    assert (figures["content_id"], figures["rate"]) == (post["content_id"], 0.025)
    assert figures["measured_at"] == "2026-11-20T10:00:00Z"
