"""On what ground a person may be written to: consent, an earlier sale, an inquiry, or nothing.

Consent counts only for its channel, after it was given, before it ran out, and while nobody has said no
since. What cannot be read (a date that is none, a word nobody knows) does not count as consent, and
does count as an objection.

Sources: Regulation (EU) 2016/679 articles 4(11), 6, 7 and 21(3); Directive 2002/58/EC article 13(1)-(2);
CASL section 10(1), (9), (10) (implied consent: two years from a purchase, six months from an inquiry).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from dirigent.control.policy.moments import moment, within_months

PURCHASE_MONTHS = 24
INQUIRY_MONTHS = 6

_EXPRESS = frozenset({"express", "written", "double_opt_in", "opt_in", "granted", "given", "consent", "yes"})
_WRITTEN = frozenset({"written", "double_opt_in"})
_SOFT = frozenset({"soft_opt_in"})
_NONE = frozenset({"", "none", "no", "unknown", "implied"})
_NEVER = datetime.max.replace(tzinfo=UTC)
_MARKETING = frozenset({"", "marketing", "commercial", "newsletter", "all", "any"})


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record about one person for one channel, at one moment.

    `basis` is the best ground there is: consent, soft_opt_in, existing_customer, legitimate_interest or
    none. `express` is a consent in words or by a deed, `written` one that was written or confirmed, and
    `proven` one with date and source. `implied` is a purchase or an inquiry that still counts, `lapsed`
    one that no longer does. `assessed` says that the balancing of interests is on record.
    """

    basis: str
    express: bool
    written: bool
    proven: bool
    implied: bool
    lapsed: bool
    assessed: bool
    opted_out: bool


class _Consent(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    given: datetime | None
    source: str


def standing_of(lead: Mapping[str, Any], channel: str, now: datetime) -> Standing:
    """Read a lead's record for a channel."""
    records = list(_records(lead))
    objection = _last_objection(lead, records)
    valid = [c for c in (_valid(r, channel, now) for r in records) if c and _outlasts(c, objection)]
    opted_out = objection is not None and not any(consent.given for consent in valid)
    kept = [] if opted_out else valid
    bought = moment(lead.get("last_purchase_at"))
    asked = moment(lead.get("last_inquiry_at"))
    customer = within_months(bought, now, PURCHASE_MONTHS)
    implied = customer or within_months(asked, now, INQUIRY_MONTHS)
    return Standing(
        basis=_basis(lead, kept, customer=customer, opted_out=opted_out),
        express=any(consent.kind in _EXPRESS for consent in kept),
        written=any(consent.kind in _WRITTEN for consent in kept),
        proven=any(consent.given and consent.source for consent in kept),
        implied=implied and not opted_out,
        lapsed=not implied and bool(bought or asked),
        assessed=bool(_text(lead.get("interest_assessment"))),
        opted_out=opted_out,
    )


def _basis(lead: Mapping[str, Any], consents: list[_Consent], *, customer: bool, opted_out: bool) -> str:
    if opted_out:
        return "none"
    if any(consent.kind in _EXPRESS for consent in consents):
        return "consent"
    if any(consent.kind in _SOFT for consent in consents):
        return "soft_opt_in"
    if customer:
        return "existing_customer"
    stated = _word(lead.get("legal_basis"))
    return "legitimate_interest" if stated == "legitimate_interest" else "none"


def _records(lead: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    consent = lead.get("consent")
    if isinstance(consent, bool):
        yield {"type": "express" if consent else "none"}
    elif isinstance(consent, str):
        own = {"obtained_at": lead.get("consent_at"), "source": lead.get("consent_source")}
        yield {"type": consent, **{name: value for name, value in own.items() if value}}
    elif isinstance(consent, Mapping):
        yield consent
    elif isinstance(consent, list | tuple):
        yield from (record for record in consent if isinstance(record, Mapping))


def _valid(record: Mapping[str, Any], channel: str, now: datetime) -> _Consent | None:
    kind = _word(record.get("type"))
    given, ends = moment(record.get("obtained_at")), moment(record.get("expires_at"))
    if kind not in _EXPRESS | _SOFT or _word(record.get("purpose")) not in _MARKETING:
        return None
    if (record.get("obtained_at") and (given is None or given > now)) or not _covers(record, channel):
        return None
    if record.get("expires_at") and (ends is None or ends <= now):
        return None
    return _Consent(kind=kind, given=given, source=_text(record.get("source")))


def _covers(record: Mapping[str, Any], channel: str) -> bool:
    named = record.get("channels") or record.get("channel")
    names = [named] if isinstance(named, str) else named
    return names is None or (isinstance(names, list | tuple) and channel in map(_word, names))


def _last_objection(lead: Mapping[str, Any], records: list[Mapping[str, Any]]) -> datetime | None:
    """When the person last said no; the end of time where that has no date and so cannot be outlasted."""
    dates = [lead.get("opted_out_at"), *(record.get("withdrawn_at") for record in records)]
    said_no = [moment(date) or _NEVER for date in dates if date]
    flagged = lead.get("opted_out") not in (None, False)
    withdrawn = any(_is_objection(record) and not record.get("withdrawn_at") for record in records)
    return max([*said_no, *([_NEVER] if flagged or withdrawn else [])], default=None)


def _is_objection(record: Mapping[str, Any]) -> bool:
    return _word(record.get("type")) not in _EXPRESS | _SOFT | _NONE


def _outlasts(consent: _Consent, objection: datetime | None) -> bool:
    return objection is None or (consent.given is not None and consent.given > objection)


def _word(value: object) -> str:
    return _text(value).lower().replace("-", "_").replace(" ", "_")


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
