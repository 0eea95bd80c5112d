"""Delivery: hands an approved message to the outbox, these bytes and no others."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import Field

from dirigent.agents.revenue.message_states import LEFT_STATES, SENT
from dirigent.agents.revenue.reachability import obstacle
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import ActionFailed, NotFound
from dirigent.domain.shape import Shape
from dirigent.ports import BoundRecords, Context
from dirigent.security.admission import action, agent
from dirigent.security.letters import content_of
from dirigent.security.outgoing import suppressed_forms


class Delivered(Shape):
    """A message that was handed over: where it lies, and the hash of its bytes."""

    message_id: str
    state: Literal["sent"]
    path: str
    sha256: str


@agent("delivery", domain="revenue", aliases=("DeliveryAgent", "outbox", "Delivery tools"))
class DeliveryAgent:
    """The only code that lets a message go, and only inside the dispatcher's leave for it."""

    @action(risk=Risk.R3, effect=Effect.KEYED, outward=True)
    async def send(
        self,
        message_id: str,
        sha256: str,
        lead_id: str | None = None,
        confidence: Annotated[float, Field(ge=0, le=1)] | None = None,
        *,
        ctx: Context,
    ) -> Delivered:
        """Send a stored message whose bytes have the approved hash; sending it again changes nothing.

        `lead_id` must be the message's own where it is given; `confidence` is for the dispatcher, which
        asks a person below 0.8. Raises `NotFound` for an unknown message and `ActionFailed` for other
        bytes, another lead, or a recipient who has meanwhile asked not to be written to.
        """
        _ = confidence
        row = _message(ctx.records, message_id)
        content = content_of(row)
        _check_bytes(message_id, content, row, sha256)
        _check_recipient(ctx.records, row, lead_id)
        path = ctx.deliver(message_id, content)
        if row["state"] not in LEFT_STATES:
            ctx.records.save("messages", [{**row, "state": SENT}])
        return Delivered(message_id=message_id, state=SENT, path=str(path), sha256=sha256)


def _message(records: BoundRecords, message_id: str) -> dict[str, Any]:
    rows = records.fetch("messages", where={"message_id": message_id}, limit=1)
    if not rows:
        raise NotFound(f"There is no message {message_id!r}.", code="message_not_found")
    return rows[0]


def _check_bytes(message_id: str, content: bytes, row: dict[str, Any], approved: str) -> None:
    actual = hashlib.sha256(content).hexdigest()
    if actual != approved or actual != row["sha256"]:
        raise ActionFailed(
            f"The bytes of {message_id} are not the ones that were approved.",
            fix="Show the message as it is now and have it approved anew.",
        )


def _check_recipient(records: BoundRecords, row: dict[str, Any], lead_id: str | None) -> None:
    """Look at opt-outs once more, at the last moment: one that came in meanwhile stops the message."""
    if lead_id is not None and lead_id != row["lead_id"]:
        raise ActionFailed(f"The message {row['message_id']} was not written to the lead {lead_id!r}.")
    contacts = records.fetch("contacts", where={"contact_id": row["lead_id"]}, limit=1)
    now = {**(contacts[0] if contacts else {}), "email": row["to_address"]}
    reason = obstacle(now, suppressed_forms(records))
    if reason is not None:
        raise ActionFailed(f"The message {row['message_id']} must not be sent: {reason}.")
