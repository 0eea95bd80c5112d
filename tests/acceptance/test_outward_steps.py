"""Steps that publish, ask elsewhere and tell: through one door, once, and held while nothing may leave."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent
from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.errors import TransientError
from dirigent.domain.event import EventPublished, StepStarted
from dirigent.domain.policy import Autonomy
from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import definition_from
from dirigent.ports import WebReply, WebRequest
from dirigent.settings import Settings
from tests.acceptance.till import until

TENANT = "org_1"


@dataclass
class Elsewhere:
    """Another system: it notes what reached it, and answers as it is told."""

    answers: list[WebReply | Exception] = field(default_factory=list)
    seen: list[WebRequest] = field(default_factory=list)

    async def send(self, request: WebRequest) -> WebReply:
        """Be asked."""
        self.seen.append(request)
        answer = self.answers.pop(0) if self.answers else _json({"id": 7})
        if isinstance(answer, Exception):
            raise answer
        return answer


def _json(value: Any, status: int = 200) -> WebReply:
    headers = {"content-type": "application/json; charset=utf-8", "etag": "x", "set-cookie": "secret"}
    return WebReply(status=status, headers=headers, body=json.dumps(value).encode())


def _flow(*steps: dict[str, Any], **root: Any) -> Definition:
    return definition_from(
        {"name": "flow", "steps": [{"id": f"s{n}", **s} for n, s in enumerate(steps)], **root}
    )


def _open(folder: Path, web: Elsewhere | None = None, *, delivery: bool = False) -> Dirigent:
    settings = Settings(data_folder=folder, tenant=TENANT, allow_delivery=delivery)
    settings.config.maxAutonomyPerOrg["default"] = Autonomy.L3
    return Dirigent(settings=settings, web=web)


def _published(dirigent: Dirigent) -> list[DomainEvent]:
    events = [recorded.event for recorded in dirigent.journal.tail(0, 10_000)]
    return [event.event for event in events if isinstance(event, EventPublished)]


# --- emit ------------------------------------------------------------------------------------------


async def test_an_event_is_published_once_and_says_where_it_comes_from(tmp_path: Path) -> None:
    """With run and tenant, one more deep in the chain of causes; a run that waits for it goes on."""
    emit = {"type": "emit", "event": "order.paid", "data": {"sum": "${input.sum}"}, "subject": "order/7"}
    waits = _flow({"type": "wait_for_event", "event": "order.*", "filter": "event.data.sum == 5"})
    async with _open(tmp_path) as dirigent:
        waiting = await dirigent.run(waits)
        reading = await dirigent.run(_flow(emit), {"sum": 5})
        [event] = _published(dirigent)
        await until(lambda: dirigent.engine.row(waiting.execution_id).ended_at)
        told = dirigent.engine.read(waiting.execution_id)
    assert reading.status == "completed"
    assert (event.type, event.data, event.subject) == ("order.paid", {"sum": 5}, "order/7")
    assert (event.source, event.tenant, event.depth) == ("dirigent", TENANT, 1)
    assert (event.causationid, event.correlationid) == (reading.execution_id, reading.execution_id)
    assert reading.output["event_id"] == event.id
    assert (told.status, told.output) == ("completed", {"sum": 5})


async def test_each_item_publishes_an_event_of_its_own(tmp_path: Path) -> None:
    """Three items, three events; the intent stands in the journal before each."""
    emit = {"type": "emit", "event": "n.${item}", "foreach": "input.rows", "data": "${item}"}
    async with _open(tmp_path) as dirigent:
        reading = await dirigent.run(_flow(emit), {"rows": ["a", "b", "c"]})
        events = _published(dirigent)
        intents = [e for e in dirigent.engine.events(reading.execution_id) if isinstance(e, StepStarted)]
    assert sorted(event.type for event in events) == ["n.a", "n.b", "n.c"]
    assert len({event.id for event in events}) == 3
    assert [(intent.effect, bool(intent.key)) for intent in intents] == [("keyed", True)] * 3


# --- http ------------------------------------------------------------------------------------------


async def test_asking_is_a_read_and_its_answer_is_data(tmp_path: Path) -> None:
    """JSON comes back parsed, with the headers that matter, and needs neither a person nor delivery."""
    web = Elsewhere()
    get = {
        "type": "http",
        "url": "https://shop.example/orders/${input.id}",
        "query": {"full": True, "q": "a b"},
        "headers": {"Authorization": {"secret": "SHOP"}, "Accept": "application/json"},
    }
    async with _open(tmp_path, web) as dirigent:
        reading = await dirigent.run(_flow(get), {"id": 7})
    assert reading.status == "completed"
    assert reading.output["body"] == {"id": 7}
    assert reading.output["headers"] == {"content-type": "application/json; charset=utf-8", "etag": "x"}
    [request] = web.seen
    assert (request.method, request.url) == ("GET", "https://shop.example/orders/7?full=true&q=a+b")
    assert (request.secrets, request.body) == ({"Authorization": "SHOP"}, None)


async def test_changing_something_elsewhere_is_held_and_asked_about(tmp_path: Path) -> None:
    """Held while nothing may leave; at L1 a person decides; then it is sent with a key."""
    web = Elsewhere()
    post = _flow({"type": "http", "method": "POST", "url": "https://shop.example/orders", "body": {"n": 1}})
    async with _open(tmp_path / "held", web) as dirigent:
        held = await dirigent.run(post)
        assert (held.steps["s0"].status, web.seen) == ("held", [])
    async with _open(tmp_path / "asks", web, delivery=True) as dirigent:
        asks = await dirigent.run(post)
        assert (asks.steps["s0"].status, web.seen) == ("waiting", [])
        [approval] = dirigent.engine.approvals()
        await dirigent.engine.approve(approval.approval_id, "boss")
        reading = await dirigent.engine.rest(asks.execution_id)
        intents = [e for e in dirigent.engine.events(asks.execution_id) if isinstance(e, StepStarted)]
    [request] = web.seen
    assert reading.status == "completed"
    assert (request.method, json.loads(request.body or b"")) == ("POST", {"n": 1})
    assert request.headers["idempotency-key"] == intents[0].key
    assert request.headers["content-type"] == "application/json"


async def test_every_attempt_sends_the_same_key(tmp_path: Path) -> None:
    """No answer and 503 are tried again under it; 404 is not tried again and says what came back."""
    web = Elsewhere([TransientError("reset"), _json({}, 503), _json({"ok": True}, 201)])
    post = {
        "type": "http", "method": "PUT", "url": "https://shop.example/x", "body": "text",
        "retry_policy": {"max_attempts": 3, "initial": "1ms"},
    }  # fmt: skip
    async with _open(tmp_path, web, delivery=True) as dirigent:
        good = await dirigent.run(_flow(post), autonomy=Autonomy.L3)
        web.answers = [WebReply(status=404, headers={}, body=b"no such\n\nthing")]
        bad = await dirigent.run(_flow(post), autonomy=Autonomy.L3)
    assert (good.status, good.output["status"], good.steps["s0"].attempts) == ("completed", 201, 3)
    keys = [request.headers["idempotency-key"] for request in web.seen]
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]
    assert len(web.seen) == 4
    assert bad.error is not None
    assert (bad.error.code, bad.error.message) == ("action_failed", "The answer is 404: no such thing")


async def test_what_knows_no_key_is_not_sent_twice(tmp_path: Path) -> None:
    """Without an answer nobody knows what became of it; a refusal is known not to have happened."""
    web = Elsewhere([TransientError("reset")])
    once = {
        "type": "http", "method": "POST", "url": "https://shop.example/x", "effect": "at_most_once",
        "retry_policy": {"max_attempts": 3, "initial": "1ms"},
    }  # fmt: skip
    async with _open(tmp_path, web, delivery=True) as dirigent:
        reading = await dirigent.run(_flow(once), autonomy=Autonomy.L3)
        assert (reading.steps["s0"].status, len(web.seen)) == ("outcome_unknown", 1)
        web.answers = [_json({}, 422)]
        refused = await dirigent.run(_flow(once), autonomy=Autonomy.L3)
    assert (refused.status, len(web.seen)) == ("failed", 2)
    assert "idempotency-key" not in web.seen[0].headers


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [(b"plain", "text/plain", "plain"), (b"\x00\xff", "image/png", None), (b"", "application/json", None)],
)
async def test_answers_that_are_no_json(tmp_path: Path, body: bytes, kind: str, told: Any) -> None:
    """Text is text, bytes are counted only, and nothing is nothing."""
    web = Elsewhere([WebReply(status=200, headers={"content-type": kind}, body=body)])
    async with _open(tmp_path, web) as dirigent:
        reading = await dirigent.run(_flow({"type": "http", "url": "https://shop.example/x"}))
    assert (reading.output["body"], reading.output["size"]) == (told, len(body))


async def test_an_answer_that_only_says_it_is_json_fails(tmp_path: Path) -> None:
    """It is no data."""
    web = Elsewhere([WebReply(status=200, headers={"content-type": "application/json"}, body=b"<html>")])
    async with _open(tmp_path, web) as dirigent:
        reading = await dirigent.run(_flow({"type": "http", "url": "https://shop.example/x"}))
    assert reading.error is not None
    assert "not" in reading.error.message


async def test_nothing_inside_the_house_is_asked(tmp_path: Path) -> None:
    """The real way out refuses what is not public, without a name service in between."""
    async with _open(tmp_path) as dirigent:
        reading = await dirigent.run(
            _flow({"type": "http", "url": "http://169.254.169.254/latest/meta-data"})
        )
    assert reading.error is not None
    assert (reading.error.code, reading.error.rules) == ("refused", ("destination.not_public",))


async def test_at_level_0_nothing_is_asked_at_all(tmp_path: Path) -> None:
    """It is only said what would have been done."""
    web = Elsewhere()
    async with _open(tmp_path, web) as dirigent:
        reading = await dirigent.run(
            _flow({"type": "http", "url": "https://shop.example/x"}), autonomy=Autonomy.L0
        )
    assert (reading.output, web.seen) == ({"simulated": True, "would": "http.read"}, [])


# --- notify ----------------------------------------------------------------------------------------


async def test_operators_are_told_without_anything_leaving(tmp_path: Path) -> None:
    """The notice is kept where they look, once, with its level and its run."""
    notify = {"type": "notify", "message": "Sum ${input.sum}", "level": "warning", "subject": "Look"}
    async with _open(tmp_path) as dirigent:
        reading = await dirigent.run(_flow(notify), {"sum": 5})
        [notice] = dirigent.records.fetch(TENANT, "notices")
    assert reading.status == "completed"
    assert (notice["kind"], notice["level"], notice["message"]) == ("notification", "warning", "Sum 5")
    assert (notice["run_id"], notice["state"]) == (reading.execution_id, "unread")
    assert [report["delivered"] for report in reading.output["deliveries"]] == [True]


async def test_what_leaves_the_house_obeys_the_gate(tmp_path: Path) -> None:
    """By e-mail it is held while delivery is off; with delivery and leave it is a message in the outbox."""
    notify = {"type": "notify", "message": "Come\nnow", "to": ["ann@books.example"], "channels": ["email"]}
    async with _open(tmp_path / "held") as dirigent:
        held = await dirigent.run(_flow(notify), autonomy=Autonomy.L3)
        assert held.steps["s0"].status == "held"
    async with _open(tmp_path / "open", delivery=True) as dirigent:
        sender = {"organization_id": "o", "sender_email": "desk@books.example"}
        dirigent.records.save(TENANT, "organizations", [sender])
        reading = await dirigent.run(_flow(notify), autonomy=Autonomy.L3)
    [letter] = list((tmp_path / "open" / "outbox").glob("*.eml"))
    assert b"To: ann@books.example" in letter.read_bytes()
    assert b"Subject: Come" in letter.read_bytes()
    assert reading.output["deliveries"][0]["delivered"]


async def test_two_recipients_over_two_channels_are_four_deliveries(tmp_path: Path) -> None:
    """What stays inside is delivered; the e-mails are not while delivery is off, and say why."""
    step = {
        "type": "agent", "agent_type": "notifier", "action": "send_notification",
        "parameters": {"content": "hi", "recipients": ["ann", "ben"], "channels": ["in_app", "email"]},
    }  # fmt: skip
    async with _open(tmp_path) as dirigent:
        reading = await dirigent.run(_flow(step))
        kept = dirigent.records.count(TENANT, "notices")
    told = reading.output["deliveries"]
    assert [(one["recipient"], one["channel"], one["delivered"]) for one in told] == [
        ("ann", "in_app", True),
        ("ann", "email", False),
        ("ben", "in_app", True),
        ("ben", "email", False),
    ]
    assert "allow_delivery is off" in told[1]["error"]
    assert kept == 2


async def test_alerts_and_statuses_are_kept(tmp_path: Path) -> None:
    """An alert is open until somebody acknowledges it; a status is an entry in a history."""
    alert = {
        "type": "agent", "agent_type": "notifier", "action": "create_alert",
        "parameters": {
            "level": "critical", "message": "queue is full", "metric_type": "depth", "current_value": 90,
            "threshold": 80, "suggested_actions": ["add a worker"],
        },
    }  # fmt: skip
    status = {
        "type": "agent", "agent_type": "notifier", "action": "update_status",
        "parameters": {"subject": {"type": "order", "id": "o1"}, "status": "paid", "note": "by card"},
    }  # fmt: skip
    async with _open(tmp_path) as dirigent:
        reading = await dirigent.run(_flow(alert, status))
        notices = dirigent.records.fetch(TENANT, "notices", order_by="kind")
    assert reading.steps["s0"].output["alert"]["threshold"] == 80
    assert [(n["kind"], n["state"], n["message"]) for n in notices] == [
        ("alert", "open", "queue is full"),
        ("status", "paid", "order o1 is paid: by card"),
    ]


async def test_every_such_step_stays_inside_the_plan(tmp_path: Path) -> None:
    """What a plan may call names the actions behind these steps as well."""
    inner = {"name": "plan", "steps": [{"id": "tell", "type": "notify", "message": "x"}]}
    outer = _flow({"type": "subworkflow", "workflow": "${input.plan}"})
    async with _open(tmp_path) as dirigent:
        reading = await dirigent.run(outer, {"plan": inner})
        child = dirigent.engine.read(f"{reading.execution_id}/s0")
    assert child.status == "completed"
    assert child.started.passport.plan == ("notifier.send_notification",)
