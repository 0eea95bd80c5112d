"""Telling our own people: notifications, alerts and the status of things, kept where operators look."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field

from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import ActionFailed, DirigentError, Refused, TransientError
from dirigent.domain.shape import Shape
from dirigent.ports import BoundRecords, Context
from dirigent.ports.web import WebRequest
from dirigent.security.addresses import one_address
from dirigent.security.admission import action, agent

Level = Literal["info", "warning", "error", "critical"]
Inside = Literal["in_app", "log"]
Outside = Literal["email", "webhook"]
Text = Annotated[str, Field(max_length=10_000)]
Recipients = Annotated[list[Annotated[str, Field(min_length=1, max_length=500)]], Field(max_length=100)]

EVERYBODY = "operators"
SUBJECT_LENGTH = 120


class DeliveryReport(Shape):
    """What became of a notification for one recipient over one channel."""

    recipient: str
    channel: str
    delivered: bool
    id: str | None
    error: str | None


class Deliveries(Shape):
    """What became of a notification, by recipient and channel."""

    deliveries: list[DeliveryReport]


class Alert(Shape):
    """Something that people have to look at, until somebody acknowledges it."""

    id: str
    level: Level
    message: str
    metric_type: str | None
    current_value: float | None
    threshold: float | None
    suggested_actions: list[str]
    state: str
    at: str
    tenant_id: str


class EntityRef(Shape):
    """A thing by its type and id."""

    type: str
    id: str


class StatusEntry(Shape):
    """One entry in the history of a thing's status."""

    id: str
    subject: EntityRef
    status: str
    note: str
    at: str


class AlertCreated(Shape):
    """The alert that was raised."""

    alert: Alert


class StatusUpdated(Shape):
    """The entry that was added."""

    status_entry: StatusEntry


@agent("notifier", domain="operations", aliases=("NotifierAgent", "Notifier Agent", "Notifier"))
class NotifierAgent:
    """Tells our own people what there is to know."""

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def send_notification(
        self, content: Text = "", recipients: Recipients | None = None,
        channels: list[Inside | Outside] | None = None, subject: str = "", level: Level = "info",
        *, ctx: Context,
    ) -> Deliveries:  # fmt: skip
        """Put a notification where operators see it. What is to leave the house asks for leave on its own.

        Without recipients it is for all operators, without channels it stays in the application. A channel
        that leaves the house and is not let through is told as not delivered, with the reason.
        """
        notice = _Notice(content or f"{ctx.step} of {ctx.execution_id}", subject, level)
        reports = []
        for recipient, channel in _places(recipients, channels):
            if channel in ("in_app", "log"):
                reports.append(_keep(ctx, notice, recipient, channel))
            else:
                reports.append(await _pass_on(ctx, notice, recipient, channel))
        return Deliveries(deliveries=reports)

    @action(risk=Risk.R3, effect=Effect.KEYED, outward=True)
    async def send_outside(
        self, content: Text, recipients: Recipients, channels: list[Inside | Outside], subject: str = "",
        level: Level = "info", *, ctx: Context,
    ) -> Deliveries:  # fmt: skip
        """Send a notification out of the house as well: by e-mail, or to a web hook of our own people.

        A recipient of an e-mail is one plain address, of a web hook its url.
        """
        notice = _Notice(content, subject, level)
        reports = []
        for number, (recipient, channel) in enumerate(_places(recipients, channels)):
            if channel in ("in_app", "log"):
                reports.append(_keep(ctx, notice, recipient, channel))
            elif channel == "email":
                reports.append(_mail(ctx, notice, recipient, number))
            else:
                reports.append(await _post(ctx, notice, recipient, number))
        return Deliveries(deliveries=reports)

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def create_alert(
        self, level: Level = "warning", message: Text = "", metric_type: str | None = None,
        current_value: float | None = None, threshold: float | None = None,
        suggested_actions: list[str] | None = None, *, ctx: Context,
    ) -> AlertCreated:  # fmt: skip
        """Raise an alert; a repeated attempt raises none."""
        alert = Alert(
            id=f"alert_{ctx.key[:24]}",
            level=level,
            message=message or f"{ctx.step} of {ctx.execution_id}",
            metric_type=metric_type,
            current_value=current_value,
            threshold=threshold,
            suggested_actions=suggested_actions or [],
            state="open",
            at=ctx.now.isoformat(timespec="seconds"),
            tenant_id=ctx.tenant,
        )
        _save(ctx, "alert", alert.id, level, alert.message, alert.model_dump(mode="json"), state="open")
        return AlertCreated(alert=alert)

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def update_status(
        self, subject: EntityRef | None = None, status: str = "reached", note: Text = "", *, ctx: Context
    ) -> StatusUpdated:
        """Add to the history of a thing's status; without a subject it is this run."""
        entry = StatusEntry(
            id=f"status_{ctx.key[:24]}",
            subject=subject or EntityRef(type="execution", id=ctx.execution_id),
            status=status,
            note=note,
            at=ctx.now.isoformat(timespec="seconds"),
        )
        text = f"{entry.subject.type} {entry.subject.id} is {status}" + (f": {note}" if note else "")
        _save(ctx, "status", entry.id, "info", text, entry.model_dump(mode="json"), state=status)
        return StatusUpdated(status_entry=entry)


class _Notice(msgspec.Struct, frozen=True):
    content: str
    subject: str
    level: Level

    @property
    def heading(self) -> str:
        first = self.content.strip().partition("\n")[0]
        return " ".join((self.subject or first).split())[:SUBJECT_LENGTH]


def _places(recipients: list[str] | None, channels: list[Any] | None) -> Iterator[tuple[str, str]]:
    for recipient in recipients or [EVERYBODY]:
        for channel in channels or ["in_app"]:
            yield recipient, channel


def _keep(ctx: Context, notice: _Notice, recipient: str, channel: str) -> DeliveryReport:
    known = f"notice_{ctx.key[:16]}_{recipient}_{channel}"
    data = {"recipient": recipient, "channel": channel, "subject": notice.heading}
    _save(ctx, "notification", known, notice.level, notice.content, data, state="unread")
    return DeliveryReport(recipient=recipient, channel=channel, delivered=True, id=known, error=None)


async def _pass_on(ctx: Context, notice: _Notice, recipient: str, channel: str) -> DeliveryReport:
    """Ask for leave; what is not let through is told as such."""
    said = {"content": notice.content, "subject": notice.subject, "level": notice.level}
    try:
        told = await ctx.call("notifier", "send_outside", recipients=[recipient], channels=[channel], **said)
    except Refused as refusal:
        return _not(recipient, channel, str(refusal))
    report: dict[str, Any] = told["deliveries"][0]
    return DeliveryReport(**report)


def _mail(ctx: Context, notice: _Notice, recipient: str, number: int) -> DeliveryReport:
    try:
        address, sender = one_address(recipient), _sender(ctx.records)
    except DirigentError as error:
        return _not(recipient, "email", str(error))
    known = f"notice-{ctx.key[:24]}-{number}"
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, address, notice.heading
    message["Message-ID"] = f"<{known}@{sender.rpartition('@')[2]}>"
    message.set_content(notice.content)
    ctx.deliver(known, message.as_bytes())
    return DeliveryReport(recipient=recipient, channel="email", delivered=True, id=known, error=None)


async def _post(ctx: Context, notice: _Notice, recipient: str, number: int) -> DeliveryReport:
    key = f"{ctx.key[:24]}-{number}"
    body = {"level": notice.level, "subject": notice.heading, "text": notice.content, "id": key}
    headers = {"content-type": "application/json", "idempotency-key": key}
    request = WebRequest(method="POST", url=recipient, headers=headers, body=msgspec.json.encode(body))
    try:
        reply = await ctx.web(request)
    except TransientError:
        raise  # the whole notification is tried again, under the same keys
    except DirigentError as error:
        return _not(recipient, "webhook", str(error))
    if reply.status >= 400:
        return _not(recipient, "webhook", f"The answer is {reply.status}.")
    return DeliveryReport(recipient=recipient, channel="webhook", delivered=True, id=key, error=None)


def _sender(records: BoundRecords) -> str:
    rows = records.fetch("organizations", columns=["sender_email"], limit=1)
    if not rows or not rows[0]["sender_email"]:
        raise ActionFailed("No sender is on record.", fix="Import the organization with its sender_email.")
    return one_address(rows[0]["sender_email"])


def _not(recipient: str, channel: str, why: str) -> DeliveryReport:
    return DeliveryReport(recipient=recipient, channel=channel, delivered=False, id=None, error=why)


def _save(
    ctx: Context, kind: str, known: str, level: str, text: str, data: dict[str, Any], *, state: str
) -> None:
    row = {
        "notice_id": known,
        "kind": kind,
        "level": level,
        "message": text,
        "state": state,
        "run_id": ctx.execution_id,
        "step": ctx.step,
        "created_at": ctx.now.isoformat(timespec="seconds"),
        "data": data,
    }
    ctx.records.save("notices", [row])
