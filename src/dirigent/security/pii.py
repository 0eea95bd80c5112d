"""Personal identifiers and secrets in text: found by form and proved by check digits, then redacted.

What has a form is found: mail addresses, phone numbers, card and account numbers, national numbers, IP
addresses, keys and tokens. Names and postal addresses have none and are not. A finding says where and
what kind, never the value, so that findings may be logged.

`identifiers`, `phone_numbers` and `credentials` hold the detectors and their sources.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import msgspec

from dirigent.security import identifiers
from dirigent.security.credentials import credentials
from dirigent.security.identifiers import Span
from dirigent.security.phone_numbers import phone_numbers
from dirigent.security.text import origins, shown

_DETECTORS: dict[str, Callable[[str], Iterator[Span]]] = {
    "secret": credentials,
    "iban": identifiers.ibans,
    "card_number": identifiers.card_numbers,
    "us_ssn": identifiers.us_ssns,
    "uk_nino": identifiers.uk_ninos,
    "es_dni": identifiers.es_dnis,
    "fr_nir": identifiers.fr_nirs,
    "email": identifiers.emails,
    "ip_address": identifiers.ip_addresses,
    "phone": phone_numbers,
}
KINDS = tuple(_DETECTORS)
"""Every kind, the better proved before the less where two claim the same characters."""

NATIONAL_IDS = frozenset({"us_ssn", "uk_nino", "es_dni", "fr_nir"})
IDENTIFYING = frozenset({"secret", "iban", "card_number"}) | NATIONAL_IDS
"""What nobody outside the conversation needs to read; the rest may be what a message is about."""


class PiiFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One identifier: its kind, where it stands in the text, and how sure that is (0 to 1)."""

    kind: str
    start: int
    end: int
    confidence: float


class Redacted(msgspec.Struct, frozen=True, kw_only=True):
    """A text without its identifiers, and what was taken out (places are those of the original)."""

    text: str
    findings: tuple[PiiFinding, ...] = ()


def find_pii(text: str, kinds: Collection[str] = KINDS) -> tuple[PiiFinding, ...]:
    """Every identifier of these kinds in the text, in order; where two overlap, the more certain kind.

    Digits of other scripts, full-width forms and invisible characters in between do not hide anything.
    """
    plain = shown(text)
    taken: list[PiiFinding] = []
    for kind in KINDS:
        for start, end, confidence in _DETECTORS[kind](plain):
            taken.append(PiiFinding(kind=kind, start=start, end=end, confidence=confidence))
    found = [finding for finding in _without_overlaps(taken) if finding.kind in kinds]
    return tuple(found) if plain == text or not found else _relocated(found, text)


def redact(text: str, kinds: Collection[str] = KINDS) -> Redacted:
    """The text with each identifier replaced by its kind in brackets, `[card_number]`."""
    findings = find_pii(text, kinds)
    parts: list[str] = []
    at = 0
    for finding in findings:
        parts += (text[at : finding.start], f"[{finding.kind}]")
        at = finding.end
    return Redacted(text="".join((*parts, text[at:])), findings=findings)


def redact_value(value: Any, kinds: Collection[str] = KINDS) -> Any:
    """A JSON value with every text in it redacted; names of fields stay."""
    if isinstance(value, str):
        return redact(value, kinds).text
    if isinstance(value, dict):
        return {name: redact_value(item, kinds) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_value(item, kinds) for item in value]
    return value


def _without_overlaps(findings: list[PiiFinding]) -> Iterator[PiiFinding]:
    # `findings` come by rank of their kind: in a tie for the start the stable sort keeps the better rank.
    rank = {kind: number for number, kind in enumerate(KINDS)}
    kept: list[PiiFinding] = []
    for finding in sorted(findings, key=lambda f: f.start):
        if kept and finding.start < kept[-1].end:
            if rank[finding.kind] < rank[kept[-1].kind]:
                kept[-1] = finding
            continue
        kept.append(finding)
    return iter(kept)


def _relocated(findings: list[PiiFinding], text: str) -> tuple[PiiFinding, ...]:
    place = origins(text)
    return tuple(
        msgspec.structs.replace(finding, start=place[finding.start], end=place[finding.end - 1] + 1)
        for finding in findings
    )
