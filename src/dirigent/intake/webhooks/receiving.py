"""Receiving: a call is checked by its signature, mapped, and taken in as an event once."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from dirigent.domain.errors import InvalidInput, NotFound, Overloaded, Refused
from dirigent.domain.event import Event, WebhookKept, WebhookMended, WebhookRefused
from dirigent.intake.events.log import EventLog
from dirigent.intake.events.reading import read_event
from dirigent.intake.triggers.armed import WEBHOOK
from dirigent.intake.webhooks.definition import WebhookDefinition
from dirigent.ports import Acknowledged, Clock, Journal
from dirigent.security.webhook_signatures import check_secret, verify

# What a mapping may read of the headers, and what is kept with a call that did not fit.
HEADERS_SHOWN = ("content-type", "user-agent", "webhook-id", "webhook-timestamp", "x-event", "x-github-event")
REFUSALS_NOTED_EVERY_MS = 60_000
TEXT_LENGTH_MAX = 500
KEPT_MAX = 1000
RETRY_AFTER_S = 600

log = structlog.get_logger("dirigent.webhooks")


class MappingFailed(InvalidInput):
    """A genuine call did not fit its mapping; it is kept for repair under `call`."""

    code = "mapping_failed"

    def __init__(self, message: str, *, call: str, fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.call = call


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a call: the event that it became."""

    event_id: str
    type: str
    position: int
    duplicate: bool


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call whose signature holds. `id` is the sender's, or stands for the very bytes."""

    definition: WebhookDefinition
    tenant: str
    id: str
    headers: Mapping[str, str]
    body: bytes


class Webhooks:
    """The web hooks of one data folder. `secrets` are by variable (`variable_of`), two while one is changed.

    A web hook without a secret refuses every call. Nothing of a call is believed before its signature
    holds. Secrets and signatures are never stored.
    """

    def __init__(
        self,
        definitions: Iterable[WebhookDefinition],
        secrets: Mapping[str, tuple[str, ...]],
        events: EventLog,
        journal: Journal,
        clock: Clock,
        tenant: str,
    ) -> None:
        self._definitions = {(one.tenant or tenant, one.name): one for one in definitions}
        self._secrets = secrets
        self._events = events
        self._journal = journal
        self._clock = clock
        self._tenant = tenant
        self._ids: dict[tuple[str, str], set[str]] = {}
        self._refusals: dict[tuple[str, str], tuple[int, int]] = {}
        for definition in self._definitions.values():
            known = self._secrets_of(definition)
            for secret in known:
                check_secret(definition.signature, secret, variable_of(definition.name))
            if not known:
                log.warning("webhook.closed", webhook=definition.name, set=variable_of(definition.name))

    def __iter__(self) -> Iterator[tuple[str, WebhookDefinition]]:
        return iter([(tenant, one) for (tenant, _), one in self._definitions.items()])

    def admit(self, name: str, headers: Mapping[str, str], body: bytes, *, tenant: str = "") -> Call:
        """Check who calls; raises `NotFound`, `NotGenuine` or `Replayed`. The body is not read."""
        definition, whose = self._find(name, tenant)
        given = {key.lower(): value for key, value in headers.items()}
        secrets = self._secrets_of(definition)
        try:
            id = verify(definition.signature, secrets, given, body, self._clock.now_ms())
        except Refused as error:
            self._note_refusal(whose, name, error)
            raise
        shown = {key: given[key][:TEXT_LENGTH_MAX] for key in HEADERS_SHOWN if key in given}
        return Call(
            definition=definition,
            tenant=whose,
            id=id or f"sha256:{hashlib.sha256(body).hexdigest()}",
            headers=shown,
            body=body,
        )

    async def take(self, call: Call, body: Any) -> Received:
        """Take in what a call says; the same call again is acknowledged and changes nothing.

        Raises `MappingFailed` where it does not fit, after it was put away for repair.
        """
        try:
            return await self._publish(call.definition, call.tenant, call.id, body, call.headers)
        except InvalidInput as error:
            await self._keep(call, error)
            fix = f"It is kept as {call.id}: mend the mapping, then have it taken in again. {error.fix}"
            raise MappingFailed(error.message, call=call.id, fix=fix) from error

    def kept(self, name: str, *, tenant: str = "") -> list[WebhookKept]:
        """Calls that did not fit and were not mended yet, oldest first."""
        _, whose = self._find(name, tenant)
        found: dict[str, WebhookKept] = {}
        for event in self._journal.read(_stream(whose, name)):
            if isinstance(event, WebhookKept):
                found[event.call] = event
            elif isinstance(event, WebhookMended):
                found.pop(event.call, None)
        return list(found.values())

    async def mend(self, name: str, call: str, actor: str, *, tenant: str = "", body: Any = None) -> Received:
        """Take in a kept call by the mapping of today, or with another body.

        Raises `NotFound` where no such call is kept and `InvalidInput` where it still does not fit.
        """
        definition, whose = self._find(name, tenant)
        kept = next((one for one in self.kept(name, tenant=tenant) if one.call == call), None)
        if kept is None:
            raise NotFound(f"The web hook {name!r} keeps no call {call!r}.", code="call_not_found")
        given = msgspec.json.decode(kept.body) if body is None else body
        received = await self._publish(definition, whose, call, given, kept.headers)
        self._ids.pop((whose, name), None)
        await self._append(
            WebhookMended(
                at=self._clock.now_ms(),
                tenant=whose,
                webhook=name,
                call=call,
                actor=actor,
                event_id=received.event_id,
            )
        )
        return received

    async def _publish(
        self, definition: WebhookDefinition, tenant: str, call: str, body: Any, headers: Mapping[str, str]
    ) -> Received:
        attributes = {"source": definition.name, **definition.attributes(body, headers)}
        event = read_event(attributes, tenant=tenant, new_id=call)
        marked = msgspec.structs.replace(event, extensions={WEBHOOK: definition.name})
        answer: Acknowledged = await self._events.publish(marked)
        return Received(
            event_id=answer.event_id, type=event.type, position=answer.position, duplicate=answer.duplicate
        )

    async def _keep(self, call: Call, error: InvalidInput) -> None:
        kept = self._kept_ids(call)
        if call.id in kept:
            return
        if len(kept) >= KEPT_MAX:
            raise Overloaded(
                f"{KEPT_MAX:,} calls of the web hook {call.definition.name!r} wait for repair.",
                retry_after_s=RETRY_AFTER_S,
                fix="Mend the mapping and take them in again.",
            )
        kept.add(call.id)
        await self._append(
            WebhookKept(
                at=self._clock.now_ms(),
                tenant=call.tenant,
                webhook=call.definition.name,
                call=call.id,
                body=call.body.decode(errors="replace"),
                error=str(error)[:TEXT_LENGTH_MAX],
                headers=dict(call.headers),
            )
        )

    def _kept_ids(self, call: Call) -> set[str]:
        """Which calls of a web hook wait for repair, read from the journal once."""
        name = call.definition.name
        found = self._ids.get((call.tenant, name))
        if found is None:
            kept = self.kept(name, tenant=call.tenant)
            found = self._ids[call.tenant, name] = {one.call for one in kept}
        return found

    def _find(self, name: str, tenant: str) -> tuple[WebhookDefinition, str]:
        whose = tenant or self._tenant
        found = self._definitions.get((whose, name))
        if found is None:
            raise NotFound(f"There is no web hook {name!r}.", code="webhook_not_found")
        return found, whose

    def _secrets_of(self, definition: WebhookDefinition) -> tuple[str, ...]:
        return self._secrets.get(variable_of(definition.name), ())

    def _note_refusal(self, tenant: str, name: str, error: Refused) -> None:
        """One record a minute at most, however many are refused: a flood does not fill the disk."""
        now = self._clock.now_ms()
        noted_at, since = self._refusals.get((tenant, name), (0, 0))
        if now - noted_at < REFUSALS_NOTED_EVERY_MS:
            self._refusals[tenant, name] = (noted_at, since + 1)
            return
        self._refusals[tenant, name] = (now, 0)
        log.warning("webhook.refused", webhook=name, tenant=tenant, reason=error.code)
        _ = self._append(
            WebhookRefused(at=now, tenant=tenant, webhook=name, reason=error.code, count=since + 1)
        )

    def _append(self, event: WebhookRefused | WebhookKept | WebhookMended) -> Awaitable[None]:
        stream = _stream(event.tenant, event.webhook)
        events: list[Event] = [event]
        return self._journal.append(stream, self._journal.head(stream), events)


def variable_of(name: str) -> str:
    """The environment variable that holds the secrets of a web hook."""
    return f"DIRIGENT_WEBHOOK_{name.upper().replace('-', '_')}_SECRET"


def _stream(tenant: str, name: str) -> str:
    return f"webhooks/{tenant}/{name}"
