"""Web hooks: who may call, how often, and what a call becomes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from dirigent.domain.errors import Conflict, InvalidDefinition, InvalidInput, NotFound, Overloaded
from dirigent.domain.event import EventPublished, WebhookRefused
from dirigent.intake.events.log import EventLog
from dirigent.intake.webhooks.definition import WebhookDefinition, load_webhook, load_webhooks
from dirigent.intake.webhooks.receiving import KEPT_MAX, MappingFailed, Received, Webhooks
from dirigent.security.webhook_signatures import NotGenuine, Replayed, verify
from dirigent.testing.frozen_clock import FrozenClock
from dirigent.testing.memory_event_index import MemoryEventIndex
from dirigent.testing.memory_journal import MemoryJournal

SECRET, OLD, PLAIN = (
    "whsec_" + base64.b64encode(b"a secret of 24 bytes ok!").decode(),
    "whsec_" + base64.b64encode(b"the secret before that.." * 1).decode(),
    "a plain secret of the shop",
)
SECRETS = {"DIRIGENT_WEBHOOK_CRM_SECRET": (SECRET, OLD), "DIRIGENT_WEBHOOK_SHOP_SECRET": (PLAIN,)}
SHOP = """
webhook:
  name: shop
  signature: hmac_sha256
  event:
    type: ${body.event}
    source: shop
    subject: order/${body.order.no}
    data: {no: "${body.order.no}", total: "${double(body.order.total)}"}
"""
PAID = {"event": "order.paid", "order": {"no": "A-17", "total": "49.00"}}


class Door:
    """Web hooks over a journal in memory, and a sender who signs."""

    def __init__(self, *definitions: WebhookDefinition) -> None:
        self.journal = MemoryJournal()
        self.index = MemoryEventIndex(self.journal)
        self.clock = FrozenClock()
        self.log = EventLog(self.journal, self.index, self.clock)
        self.webhooks = Webhooks(definitions, SECRETS, self.log, self.journal, self.clock, "t")

    def standard(self, id: str, body: bytes, *, secret: str = SECRET, late_s: int = 0) -> dict[str, str]:
        stamp = datetime.fromtimestamp(self.clock.now_ms() // 1000 - late_s, UTC)
        signature = Webhook(secret).sign(msg_id=id, timestamp=stamp, data=body.decode())
        return {
            "Webhook-Id": id,
            "Webhook-Timestamp": str(int(stamp.timestamp())),
            "Webhook-Signature": signature,
        }

    def plain(self, body: bytes, *, secret: str = PLAIN, late_s: int = 0) -> dict[str, str]:
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        stamp = self.clock.now_ms() // 1000 - late_s
        return {"X-Signature-256": f"sha256={digest}", "X-Timestamp": str(stamp)}

    async def call(self, name: str, body: Any, headers: dict[str, str], *, tenant: str = "") -> Received:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.webhooks.take(
            self.webhooks.admit(name, headers, raw, tenant=tenant), json.loads(raw)
        )

    def events(self) -> list[Any]:
        found = [recorded.event for recorded in self.index.events()]
        return [event.event for event in found if isinstance(event, EventPublished)]


@asynccontextmanager
async def door(*definitions: WebhookDefinition) -> AsyncIterator[Door]:
    made = Door(*definitions)
    yield made
    await made.journal.close()


CRM = WebhookDefinition(name="crm")


async def test_a_standard_call_becomes_an_event() -> None:
    """Type and data as Standard Webhooks lays them out; the sender's id is the event's."""
    body = json.dumps(
        {"type": "deal.won", "timestamp": "2024-11-26T14:30:00Z", "data": {"value": 3}}
    ).encode()
    async with door(CRM) as home:
        received = await home.call("crm", body, home.standard("msg_1", body))
        assert (received.event_id, received.type, received.duplicate) == ("msg_1", "deal.won", False)
        (event,) = home.events()
        assert (event.source, event.data, event.tenant) == ("crm", {"value": 3}, "t")
        assert event.extensions == {"webhook": "crm"}


async def test_a_foreign_form_is_mapped() -> None:
    """The mapping of the shop turns its payload into the event form, numbers and subject included."""
    body = json.dumps(PAID).encode()
    async with door(load_webhook(SHOP)) as home:
        received = await home.call("shop", body, home.plain(body))
        assert received.type == "order.paid"
        (event,) = home.events()
        assert (event.source, event.subject, event.data) == (
            "shop",
            "order/A-17",
            {"no": "A-17", "total": 49.0},
        )


async def test_a_call_again_changes_nothing() -> None:
    """A sender that tries again, under a new time, is acknowledged; nothing new comes of it."""
    body = json.dumps({"type": "deal.won", "data": 1}).encode()
    async with door(CRM, load_webhook(SHOP)) as home:
        first = await home.call("crm", body, home.standard("msg_1", body))
        home.clock.move(60_000)
        again = await home.call("crm", body, home.standard("msg_1", body))
        assert (again.duplicate, again.position) == (True, first.position)
        paid = json.dumps(PAID).encode()
        assert not (await home.call("shop", paid, home.plain(paid))).duplicate
        assert (await home.call("shop", paid, home.plain(paid))).duplicate
        other = json.dumps({"type": "deal.lost", "data": 1}).encode()
        with pytest.raises(Conflict):
            await home.call("crm", other, home.standard("msg_1", other))
        assert len(home.events()) == 2


async def test_both_secrets_hold_while_one_is_changed() -> None:
    """The new and the old one open; a third does not."""
    body = json.dumps({"type": "a", "data": 1}).encode()
    async with door(CRM) as home:
        for number, secret in enumerate((SECRET, OLD)):
            await home.call("crm", body, home.standard(f"m{number}", body, secret=secret))
        signatures = [
            home.standard("m3", body, secret=one)["Webhook-Signature"] for one in ("whsec_c2VjcmV0", OLD)
        ]
        several = home.standard("m3", body) | {"Webhook-Signature": " ".join(signatures)}
        await home.call("crm", body, several)
        with pytest.raises(NotGenuine):
            await home.call("crm", body, home.standard("m4", body, secret="whsec_c2VjcmV0"))


@pytest.mark.parametrize(
    "change",
    [
        {"Webhook-Signature": "v1,AAAA"},
        {"Webhook-Signature": "v1"},
        {"Webhook-Signature": ""},
        {"Webhook-Signature": "v2,ö"},
        {"Webhook-Id": "other"},
        {"Webhook-Id": ""},
        {"Webhook-Timestamp": "now"},
        {"Webhook-Timestamp": "9" * 30},
        {"Webhook-Timestamp": "1700000001"},
    ],
)
async def test_a_signature_that_does_not_hold_says_nothing(change: dict[str, str]) -> None:
    """Whatever is wrong with it, the answer is the same, and nothing was taken in."""
    body = b'{"type": "a"}'
    async with door(CRM) as home:
        with pytest.raises(NotGenuine) as caught:
            await home.call("crm", body, home.standard("m", body) | change)
        assert str(caught.value) == str(NotGenuine())
        assert (caught.value.code, caught.value.http_status) == ("signature_invalid", 401)
        with pytest.raises(NotGenuine):
            await home.call("crm", body + b" ", home.standard("m", body))
        with pytest.raises(NotGenuine):
            await home.call("crm", body, {})
        with pytest.raises(NotGenuine):
            await home.call("crm", b"\xff", home.standard("m", body))
        assert home.events() == []


@pytest.mark.parametrize("late_s", [301, -301, 86_400])
async def test_an_old_call_is_refused(late_s: int) -> None:
    """Genuine but of more than five minutes ago, or ahead: code replay."""
    body = json.dumps(PAID).encode()
    async with door(CRM, load_webhook(SHOP)) as home:
        for headers, name in (
            (home.standard("m", body, late_s=late_s), "crm"),
            (home.plain(body, late_s=late_s), "shop"),
        ):
            with pytest.raises(Replayed) as caught:
                await home.call(name, body, headers)
            assert (caught.value.code, caught.value.http_status) == ("replay", 401)
        await home.call("shop", body, home.plain(body, late_s=299))


async def test_refusals_are_on_record_without_filling_the_disk() -> None:
    """The first is noted at once, the others of its minute with the next that is noted."""
    async with door(CRM) as home:
        for _ in range(50):
            with pytest.raises(NotGenuine):
                home.webhooks.admit("crm", {}, b"{}")
        home.clock.move(61_000)
        with pytest.raises(NotGenuine):
            home.webhooks.admit("crm", {}, b"{}")
        body = b'{"type": "a", "data": 1}'
        await home.call("crm", body, home.standard("m", body))
        notes = home.journal.read("webhooks/t/crm")
        assert [(note.reason, note.count) for note in notes if isinstance(note, WebhookRefused)] == [
            ("signature_invalid", 1),
            ("signature_invalid", 50),
        ]


async def test_what_does_not_fit_is_kept_and_mended() -> None:
    """The payload waits for a better mapping or a better body, once each, and then is taken in."""
    bodies = [json.dumps({"event": "order.paid", "number": number}).encode() for number in (1, 2)]
    async with door(load_webhook(SHOP)) as home:
        for body in (*bodies, bodies[0]):
            with pytest.raises(MappingFailed) as caught:
                await home.call("shop", body, home.plain(body))
            assert (caught.value.http_status, caught.value.code) == (422, "mapping_failed")
        first, second = home.webhooks.kept("shop")
        assert json.loads(first.body) == {"event": "order.paid", "number": 1}
        assert "order" in first.error
        with pytest.raises(InvalidInput):
            await home.webhooks.mend("shop", first.call, "ada")
        await home.webhooks.mend("shop", first.call, "ada", body=PAID)
        mapped = WebhookDefinition(
            name="shop", signature="hmac_sha256", event={"type": "${body.event}", "data": "${body.number}"}
        )
        newer = Webhooks([mapped], SECRETS, home.log, home.journal, home.clock, "t")
        await newer.mend("shop", second.call, "ada")
        assert newer.kept("shop") == []
        assert [event.data for event in home.events()] == [{"no": "A-17", "total": 49.0}, 2]
        with pytest.raises(NotFound):
            await newer.mend("shop", second.call, "ada")


async def test_secrets_and_signatures_are_never_stored() -> None:
    """Neither an event nor a kept call holds anything that opens the door."""
    body = b'{"event": "x"}'
    async with door(load_webhook(SHOP)) as home:
        headers = home.plain(body) | {"Authorization": "Bearer abc", "Content-Type": "application/json"}
        with pytest.raises(MappingFailed):
            await home.call("shop", body, headers)
        stored = repr([recorded.event for recorded in home.journal.tail(0)])
        for secret in (PLAIN, headers["X-Signature-256"], "Bearer"):
            assert secret not in stored
        assert home.webhooks.kept("shop")[0].headers == {"content-type": "application/json"}


async def test_a_web_hook_without_a_secret_is_closed() -> None:
    """An empty key opens nothing, and an unknown name is told."""
    async with door(WebhookDefinition(name="bare", signature="hmac_sha256")) as home:
        with pytest.raises(NotGenuine):
            await home.call("bare", b"{}", home.plain(b"{}", secret=""))
        with pytest.raises(NotFound):
            home.webhooks.admit("none", {}, b"{}")
        with pytest.raises(NotFound):
            home.webhooks.admit("bare", {}, b"{}", tenant="other")
    with pytest.raises(NotGenuine):
        verify("hmac_sha256", (), {}, b"", 0)


async def test_tenants_have_their_own() -> None:
    """The address names the tenant whose event it becomes."""
    body = b'{"type": "a", "data": 1}'
    async with door(WebhookDefinition(name="crm", tenant="org_2")) as home:
        await home.call("crm", body, home.standard("m", body), tenant="org_2")
        assert home.events()[0].tenant == "org_2"


def test_a_secret_that_cannot_be_used_is_told_by_its_variable() -> None:
    """The error names the variable and never the value."""
    journal = MemoryJournal()
    log = EventLog(journal, MemoryEventIndex(journal), FrozenClock())
    for signature, secret in (("standard", "whsec_ü"), ("standard", "whsec_"), ("hmac_sha256", "short")):
        definition = WebhookDefinition(name="crm", signature=signature)
        with pytest.raises(InvalidInput, match="DIRIGENT_WEBHOOK_CRM_SECRET") as caught:
            Webhooks(
                [definition], {"DIRIGENT_WEBHOOK_CRM_SECRET": (secret,)}, log, journal, FrozenClock(), "t"
            )
        assert secret not in str(caught.value).replace("whsec_ and", "")


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("name: shop\n", "WF008", 1),
        ("webhook: {event: {}}\n", "WF011", 1),
        ("webhook:\n  name: a b\n", "WF011", 2),
        ("webhook:\n  name: a\n  signature: md5\n", "WF010", 3),
        ("webhook:\n  name: a\n  event: {kind: x}\n", "WF006", 3),
        ("webhook:\n  name: a\n  event: {type: '${event.x}'}\n", "WF032", 3),
        ("webhook:\n  name: a\n  event: {type: '${body.'}\n", "WF018", 3),
        ("webhook:\n  name: a\n  event: {type: '${body. }'}\n", "WF018", 3),
        ("webhook:\n  name: a\n  secret: x\n", "WF006", 3),
        ("webhook: [\n", "WF001", 2),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, code: str, line: int) -> None:
    """File, line, column, what was expected and a fix, as for workflows."""
    with pytest.raises(InvalidDefinition) as caught:
        load_webhook(text, source="shop.yaml")
    problem: Any = caught.value.problems[0]
    assert (problem.code, problem.line, problem.file) == (code, line, "shop.yaml")
    assert problem.fix


def test_a_folder_of_web_hooks(tmp_path: Path) -> None:
    """Every YAML file is one; no folder is none, a missing one is told."""
    (tmp_path / "shop.yaml").write_text(SHOP)
    (tmp_path / "notes.txt").write_text("nothing")
    assert [one.name for one in load_webhooks(tmp_path)] == ["shop"]
    assert load_webhooks(None) == []
    with pytest.raises(NotFound):
        load_webhooks(tmp_path / "none")


async def test_there_is_an_end_to_what_is_kept() -> None:
    """A sender that never fits cannot fill the disk; what is kept stays, and mending makes room."""
    async with door(load_webhook(SHOP)) as home:

        async def misfit(number: int) -> None:
            body = json.dumps({"number": number}).encode()
            with pytest.raises(MappingFailed):
                await home.call("shop", body, home.plain(body))

        for number in range(KEPT_MAX):
            await misfit(number)
        body = b'{"number": -1}'
        with pytest.raises(Overloaded):
            await home.call("shop", body, home.plain(body))
        first, *others = home.webhooks.kept("shop")
        assert len(others) == KEPT_MAX - 1
        await home.webhooks.mend("shop", first.call, "ada", body=PAID)
        await misfit(KEPT_MAX)
