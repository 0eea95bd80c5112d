"""The writer: messages from typed templates whose slots are filled only from evidence."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from dirigent.agents.revenue.dossier import Dossier, Evidence, Reason, month_in_words
from dirigent.agents.revenue.leads import DormantLead, Strategy
from dirigent.agents.revenue.letter import DELIMITER, Claim, Letter, Slot, prose_of, render_letter
from dirigent.agents.revenue.message_file import Post, fits_header, message_bytes
from dirigent.agents.revenue.message_states import DRAFT
from dirigent.agents.revenue.order_book import day_of
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import Conflict, InvalidInput, NotFound
from dirigent.domain.shape import Shape
from dirigent.ports import BoundRecords, Context
from dirigent.security.addresses import one_address
from dirigent.security.admission import action, agent
from dirigent.security.text import shown

PRODUCTS_MAX = 3
SUBJECT_PRODUCT_LENGTH_MAX = 44
NAME_LENGTH_MAX = 60
_NAME_MARKS = frozenset(" .'’-")


class Brief(Shape):
    """How to write and in whose name. `strategy` overrides the lead's own.

    `postal_address` may have several lines. `unsubscribe_base` is an https link; the message's id is
    appended to it, so that it holds no address.
    """

    strategy: Strategy | None = None
    sender_name: Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
    sender_email: str
    postal_address: Annotated[str, Field(min_length=5, max_length=300)]
    unsubscribe_base: Annotated[str, Field(max_length=500)]

    @field_validator("sender_name", "postal_address")
    @classmethod
    def _plain(cls, text: str) -> str:
        lines = [" ".join(line.split()) for line in text.strip().split("\n")]
        if not all(fits_header(line) for line in lines if line):
            raise ValueError("has characters that do not show, or encoded words")
        return "\n".join(line for line in lines if line)

    @field_validator("sender_name")
    @classmethod
    def _one_line(cls, text: str) -> str:
        if "\n" in text or not text:
            raise ValueError("must be one line")
        return text

    @field_validator("sender_email")
    @classmethod
    def _address(cls, text: str) -> str:
        try:
            return one_address(text)
        except InvalidInput as error:
            raise ValueError("must be one plain e-mail address") from error

    @field_validator("unsubscribe_base")
    @classmethod
    def _https(cls, text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme != "https" or not parts.hostname or not text.isascii() or not text.isprintable():
            raise ValueError("must be an https link, as RFC 8058 asks")
        if any(mark in text for mark in "<>, "):
            raise ValueError("must not contain brackets, commas or spaces")
        return text.rstrip("/")


class Draft(Shape):
    """A stored message that has not left. Name, address and full text stand in the record only.

    `sha256` is of the message's bytes; whoever approves, approves these. Every claim names its
    evidence by place. `words` counts the letter without its footer. `confidence` is 0.4, and 0.2 more
    for each of: a named addressee, the last order, a product.
    """

    message_id: str
    lead_id: str
    subject: str
    sha256: str
    claims: list[Claim]
    evidence: list[Evidence]
    words: int
    template: Strategy
    state: str = DRAFT
    confidence: Annotated[float, Field(ge=0, le=1)]


@agent("writer", domain="revenue", aliases=("WriterAgent", "writer_wrapper", "CopywriterAgent", "copywriter"))
class WriterAgent:
    """Writes personal messages that state nothing but what the records hold."""

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def write_message(
        self,
        lead: DormantLead,
        dossier: Dossier,
        brief: Brief,
        channel: Literal["email"] = "email",
        *,
        ctx: Context,
    ) -> Draft:
        """Write one e-mail to a lead and store it as a draft under an id derived from the call's key.

        A repeated call stores the same bytes under the same id. Raises `InvalidInput` when lead,
        dossier and contact are not of one customer or the contact has no single plain address,
        `NotFound` for an unknown contact, `Conflict` when the message has moved on with other bytes.
        """
        contact = _contact(ctx.records, lead, dossier)
        name = _presentable_name(contact.get("name"))
        strategy = brief.strategy or lead.strategy
        message_id = message_id_of(ctx.tenant, ctx.key)
        link = f"{brief.unsubscribe_base}/{message_id}"
        letter = render_letter(strategy, _slots(dossier), _words(name, brief, link))
        post = Post(
            message_id=message_id,
            sent_at=ctx.now,
            from_name=brief.sender_name,
            from_address=brief.sender_email,
            to_name=name,
            to_address=one_address(contact.get("email")),
            subject=letter.subject,
            body=letter.body,
            unsubscribe_url=link,
            postal_address=brief.postal_address,
        )
        draft, content = _draft(lead, dossier, letter, strategy, post)
        return _stored(ctx, draft, content, post)


def message_id_of(tenant: str, key: str) -> str:
    """The id of the message that the call with this idempotency key writes; the same on every attempt."""
    return "msg_" + hashlib.sha256(f"{tenant}\x1f{key}".encode()).hexdigest()[:24]


def _contact(records: BoundRecords, lead: DormantLead, dossier: Dossier) -> dict[str, Any]:
    rows = records.fetch("contacts", where={"contact_id": lead.contact_id}, limit=1)
    if not rows:
        raise NotFound(f"There is no contact {lead.contact_id!r}.", code="contact_not_found")
    if len({lead.customer_id, dossier.customer_id, str(rows[0]["customer_id"])}) > 1:
        raise InvalidInput(
            f"Lead, dossier and contact {lead.contact_id!r} are not of one customer.",
            fix="Research the lead that the message goes to.",
            field="dossier",
        )
    return rows[0]


def _presentable_name(name: object) -> str:
    """A person's name fit for a header and a greeting; empty for anything that does not look like one."""
    text = unicodedata.normalize("NFC", name).strip(" ") if isinstance(name, str) else ""
    fits = len(text) <= NAME_LENGTH_MAX and any(character.isalpha() for character in text)
    return text if fits and all(_is_of_name(character) for character in text) else ""


def _is_of_name(character: str) -> bool:
    return character.isalpha() or character in _NAME_MARKS or unicodedata.category(character) in ("Mn", "Mc")


def _slots(dossier: Dossier) -> dict[str, Slot | Sequence[Slot] | None]:
    """The facts a template may use; None or empty for what the dossier does not hold."""
    reorder, season = _products(dossier, "reorder"), _products(dossier, "season")
    month = _season_month(dossier, season)
    in_month = [slot for slot in season if month and month.text in dossier.facts[slot.evidence].text]
    any_product = [*season, *reorder]
    return {
        "last_order": _slot_of(dossier, "last_order"),
        "order_days": _several(_slot_of(dossier, "order_days")),
        "products": reorder,
        "season": month,
        "season_products": in_month,
        "product": next((slot for slot in any_product if len(slot.text) <= SUBJECT_PRODUCT_LENGTH_MAX), None),
    }


def _slot_of(dossier: Dossier, kind: str) -> Slot | None:
    place = next((place for place, fact in enumerate(dossier.facts) if fact.kind == kind), None)
    return None if place is None else _slot(dossier.facts[place], place)


def _slot(fact: Evidence, place: int) -> Slot | None:
    """The fact's words; None when the evidence does not say them, or they are not one plain visible line."""
    sound = fact.value in fact.text and fits_header(fact.value) and shown(fact.value) == fact.value
    return Slot(text=fact.value, evidence=place) if sound else None


def _several(slot: Slot | None) -> Slot | None:
    return None if slot is None or slot.text in ("0", "1") else slot


def _products(dossier: Dossier, reason: Reason) -> list[Slot]:
    places = [fit.evidence for fit in dossier.fits if fit.reason == reason]
    known = [place for place in places if 0 <= place < len(dossier.facts)]
    slots = (_slot(dossier.facts[place], place) for place in known if dossier.facts[place].kind == reason)
    return [slot for slot in slots if slot][:PRODUCTS_MAX]


def _season_month(dossier: Dossier, season: Sequence[Slot]) -> Slot | None:
    if not season:
        return None
    fact = dossier.facts[season[0].evidence]
    month = month_in_words(day_of(fact.at))
    return Slot(text=month, evidence=season[0].evidence) if month in fact.text else None


def _words(name: str, brief: Brief, link: str) -> dict[str, str]:
    return {
        "greeting": f"Dear {name}," if name else "Hello,",
        "sender_name": brief.sender_name,
        "postal_address": brief.postal_address,
        "unsubscribe_url": link,
        "delimiter": DELIMITER,
    }


def _draft(
    lead: DormantLead, dossier: Dossier, letter: Letter, strategy: Strategy, post: Post
) -> tuple[Draft, bytes]:
    content = message_bytes(post)
    used = sorted({place for claim in letter.claims for place in claim.evidence})
    new_place = {old: new for new, old in enumerate(used)}
    evidence = [dossier.facts[place] for place in used]
    kinds = {fact.kind for fact in evidence}
    known = (bool(post.to_name), "last_order" in kinds, bool(kinds & {"season", "reorder"}))
    draft = Draft(
        message_id=post.message_id,
        lead_id=lead.lead_id,
        subject=letter.subject,
        sha256=hashlib.sha256(content).hexdigest(),
        claims=[
            Claim(text=claim.text, evidence=[new_place[place] for place in claim.evidence])
            for claim in letter.claims
        ],
        evidence=evidence,
        words=len(prose_of(letter.body).split()),
        template=strategy,
        confidence=round(0.4 + 0.2 * sum(known), 2),
    )
    return draft, content


def _stored(ctx: Context, draft: Draft, content: bytes, post: Post) -> Draft:
    """Store the draft, unless it stands there already; a message that has moved on is not touched."""
    before = ctx.records.fetch("messages", where={"message_id": draft.message_id}, limit=1)
    if before and before[0]["state"] != DRAFT:
        if before[0]["sha256"] != draft.sha256:
            raise Conflict(
                f"The message {draft.message_id} is {before[0]['state']!r} with other content.",
                fix="Write a new message.",
            )
        return draft.model_copy(update={"state": before[0]["state"]})
    row = {
        "message_id": draft.message_id,
        "lead_id": draft.lead_id,
        "to_address": post.to_address,
        "from_address": post.from_address,
        "subject": draft.subject,
        "content": content.decode("ascii"),
        "sha256": draft.sha256,
        "state": draft.state,
        "run_id": ctx.execution_id,
        "created_at": post.sent_at.isoformat(),
        "evidence": {
            "claims": [claim.model_dump(mode="json") for claim in draft.claims],
            "evidence": [fact.model_dump(mode="json") for fact in draft.evidence],
        },
    }
    ctx.records.save("messages", [row])
    return draft
