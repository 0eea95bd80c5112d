"""What rules may know of one message: derived from the message, the recipient's record and the sender's.

Everything has a value, so that a rule never reads into nothing: what is not on record counts as absent
(no consent, no address) or unknown (no country: every law applies).

Sources: 15 U.S.C. 7704(a)(2)-(5) and 16 CFR 316 (what a commercial mail must carry), RFC 8058 (one-click),
Directive 2002/58/EC article 13(4), Regulation (EU) 2016/679 article 14(3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from dirigent.control.policy.detection import Detections
from dirigent.control.policy.links import links_in
from dirigent.control.policy.places import country_code, has_pack, regimes_of
from dirigent.control.policy.quiet_hours import calling_hours
from dirigent.control.policy.recipients import (
    addresses_in,
    breaks_a_header,
    cannot_be_answered,
    recipients_of,
)
from dirigent.control.policy.standing import standing_of
from dirigent.security.text import undisguised

_SERVICE = frozenset({"transactional", "service", "relationship"})
_PERSONS = frozenset({"person", "consumer", "natural_person", "individual", "sole_trader"})
_REPLY = re.compile(r"(?i)\s*(?:re|aw|sv|antw|rv|odp|fwd?|wg|tr)\s?(?:\[\d+\])?\s?:")
_WAYS_OUT = re.compile(r"(?i)<?\s*(?:https?://[^\s<>]+\.[^\s<>]+|mailto:[^\s<>@]+@[^\s<>]+)")
_HAS_LINK = re.compile(r"(?i)https?://|mailto:|<a\s")
_LETTERS = re.compile(r"[^\W\d_]")


class MessageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The facts that rules read as `message.<name>`.

    `commercial` is every message that does not serve an existing contract, and every one that promotes;
    `body` and `subject` are read without disguise (see `security.text.undisguised`). `reply_claim` is
    `none`, `unproven` (a "Re:" of which no thread is known) or `false` (it is known not to be a reply).
    `regimes` are bodies of law (`places`), `hours` is open, closed or unknown, `basis` and what follows
    is the recipient's record (`standing`).
    """

    channel: str
    purpose: str
    commercial: bool
    subject: str
    body: str
    empty: bool
    from_name: str
    from_domain: str
    sender_domains: list[str]
    unanswerable: bool
    header_break: bool
    recipient_count: int
    recipient_domain: str
    recipient_kind: str
    natural_person: bool
    role_mailbox: bool
    other_recipient: bool
    country: str
    regimes: list[str]
    known_law: bool
    hours: str
    basis: str
    express_consent: bool
    written_consent: bool
    proven_consent: bool
    implied_consent: bool
    lapsed_relation: bool
    assessed: bool
    opted_out: bool
    suppressed: bool
    dormant_record: bool
    lead_source: str
    has_postal_address: bool
    has_opt_out: bool
    identifies_sender: bool
    reply_claim: str
    tracking: bool
    links: list[str]
    insecure_link: bool
    disguised_link: bool
    attachments: int
    discloses_ai: bool
    has_risk_disclaimer: bool
    labelled_advertisement: bool


def message_facts(
    message: Mapping[str, Any],
    lead: Mapping[str, Any],
    org: Mapping[str, Any],
    *,
    found: Detections,
    now: datetime,
) -> dict[str, Any]:
    """Work out all facts of a message. `found` is what the detectors saw in its text."""
    channel = _text(message.get("channel")).lower() or "email"
    facts = {
        **_content(message, found),
        **_sender(message, org),
        **_recipient(message, lead, channel, now),
        **_ways_out(message, org, channel, found),
        "channel": channel,
    }
    return msgspec.structs.asdict(MessageFacts(**facts))


def _content(message: Mapping[str, Any], found: Detections) -> dict[str, Any]:
    purpose = _text(message.get("purpose")).lower()
    subject, body, html = (_text(message.get(name)) for name in ("subject", "body", "html"))
    links = links_in(f"{subject}\n{body}\n{_text(message.get('unsubscribe_url'))}", html)
    return {
        "purpose": purpose or "unknown",
        "commercial": purpose not in _SERVICE or bool(found.matching("content.promotion")),
        "subject": undisguised(subject),
        "body": undisguised(body),
        "empty": not (body or html),
        "reply_claim": _reply_claim(subject, message),
        "tracking": links.tracking_pixel or message.get("tracks_opens") is True,
        "links": list(links.hosts),
        "insecure_link": links.insecure,
        "disguised_link": links.disguised,
        "attachments": len(message.get("attachments") or ()),
        "discloses_ai": bool(found.matching("content.ai_disclosure")),
        "has_risk_disclaimer": bool(found.matching("content.risk_disclaimer")),
        "labelled_advertisement": bool(found.matching("content.advertisement")),
    }


def _sender(message: Mapping[str, Any], org: Mapping[str, Any]) -> dict[str, Any]:
    name = _text(message.get("from_name"))
    senders = addresses_in(message.get("from_email")) or addresses_in(name)
    domains = org.get("domains") or []
    return {
        "from_name": name,
        "from_domain": senders[0].rpartition("@")[2] if senders else "",
        "sender_domains": [_text(domain).lower() for domain in domains],
        "unanswerable": cannot_be_answered(message),
        "header_break": breaks_a_header(message),
    }


def _recipient(
    message: Mapping[str, Any], lead: Mapping[str, Any], channel: str, now: datetime
) -> dict[str, Any]:
    recipients = recipients_of(message, lead)
    country = country_code(lead.get("country"))
    regimes = regimes_of(country)
    standing = standing_of(lead, channel, now)
    kind = _text(lead.get("kind")).lower()
    return {
        "recipient_count": recipients.count,
        "recipient_domain": recipients.domain,
        "recipient_kind": kind or "unknown",
        "natural_person": kind in _PERSONS,
        "role_mailbox": recipients.role_mailbox,
        "other_recipient": recipients.another,
        "country": country,
        "regimes": list(regimes),
        "known_law": has_pack(country),
        "hours": calling_hours(now, _text(lead.get("timezone")), country, _text(lead.get("region")).upper()),
        "basis": standing.basis,
        "express_consent": standing.express,
        "written_consent": standing.written,
        "proven_consent": standing.proven,
        "implied_consent": standing.implied,
        "lapsed_relation": standing.lapsed,
        "assessed": standing.assessed,
        "opted_out": standing.opted_out,
        "suppressed": lead.get("suppressed") not in (None, False),
        "dormant_record": lead.get("past_retention") is True,
        "lead_source": _text(lead.get("source")).lower(),
    }


def _ways_out(
    message: Mapping[str, Any], org: Mapping[str, Any], channel: str, found: Detections
) -> dict[str, Any]:
    body = _text(message.get("body")) + _text(message.get("html"))
    address = is_postal_address(message.get("postal_address")) or _quotes(body, org.get("postal_address"))
    listed = _WAYS_OUT.match(_text(message.get("unsubscribe_url"))) is not None
    offered = bool(found.matching("content.opt_out")) and _HAS_LINK.search(body) is not None
    by_reply = bool(found.matching("content.opt_out_by_reply"))
    named = bool(_text(message.get("from_name")) or _text(message.get("from_email")))
    return {
        "has_postal_address": address,
        "has_opt_out": listed or offered or by_reply,
        "identifies_sender": named and (address or channel != "email"),
    }


def is_postal_address(value: object) -> bool:
    """Whether a text could be delivered to by post: words, and a number or several lines."""
    if isinstance(value, Mapping):
        return is_postal_address(", ".join(str(part) for part in value.values() if part))
    text = _text(value)
    parts = [part for part in re.split(r"[,\n]", text) if part.strip()]
    in_words = len(_LETTERS.findall(text)) >= 3 and len(text) >= 8 and "://" not in text and "@" not in text
    return in_words and (any(map(str.isdigit, text)) or len(parts) >= 3)


def _quotes(body: str, address: object) -> bool:
    wanted = " ".join(_text(address).replace(",", " ").split()).lower()
    return is_postal_address(address) and wanted in " ".join(body.replace(",", " ").split()).lower()


def _reply_claim(subject: str, message: Mapping[str, Any]) -> str:
    if not _REPLY.match(subject) or _text(message.get("in_reply_to")) or message.get("is_reply") is True:
        return "none"
    return "false" if message.get("is_reply") is False else "unproven"


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
