"""Identifiers that have a form, found by it and proved by check digits or ranges.

Every pattern is possessive or bounded, so that time is proportional to the length of the text. Texts
come as `security.text.shown` gives them: digits are 0-9 and nothing invisible stands in between.

Sources: RFC 5322 and RFC 6531 (mail addresses), RFC 4291 (IPv6); `checksums` names those of the numbers.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator

from dirigent.security import checksums

Span = tuple[int, int, float]
"""Where a finding begins and ends, and how sure it is, 0 to 1."""

# A pattern begins with the characters it can begin with and then looks back past them: searching for a
# set of characters is fast, trying a look-behind at every place is not.
_EMAIL = re.compile(r"(?<![\w.%+'-])[\w.%+'-]++@(?:[\w-]++\.){1,8}[^\W\d_]{2,24}+(?![\w@-])")
_DIGIT = re.compile(r"[0-9]")
_CARD = re.compile(
    r"[0-9](?<![\w.+-].)(?:[0-9]{11,18}+|"
    r"[0-9]{3}([ .-])(?:[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{3})?|[0-9]{6}\1[0-9]{4,5}))(?![\w-]|\.[0-9])"
)
_IBAN_HEAD = re.compile(r"[A-Za-z](?<![A-Za-z0-9].)[A-Za-z][0-9]{2}(?=[ -]?[A-Za-z0-9])")
_IBAN_BODY = {
    length: re.compile(rf"(?:[ -]?[A-Za-z0-9]){{{length - 4}}}(?![A-Za-z0-9])")
    for length in set(checksums.IBAN_LENGTHS.values())
}
_SSN = re.compile(r"[0-9](?<![\w-].)[0-9]{2}([ -])[0-9]{2}\1[0-9]{4}(?![\w-])")
_BARE_SSN = re.compile(r"[0-9](?<![\w-].)[0-9]{8}(?![\w-])")
_NINO = re.compile(r"[A-Za-z](?<!\w.)[A-Za-z]( ?)[0-9]{2}\1[0-9]{2}\1[0-9]{2}\1[A-Da-d](?!\w)")
_DNI = re.compile(r"[0-9XYZxyz](?<!\w.)-?[0-9]{7}-?[A-Za-z](?!\w)")
_NIR = re.compile(r"[12](?<!\w.)( ?)[0-9]{2}\1[0-9]{2}\1[0-9]{2}\1[0-9]{3}\1[0-9]{3}\1[0-9]{2}(?!\w)")
_IPV4 = re.compile(r"[0-9](?<![\w.].)[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?!\w|\.[0-9])")
_IPV6 = re.compile(r"[0-9A-Fa-f:](?<![\w:.].)[0-9A-Fa-f:]{2,38}+(?![\w:])")
_CARD_CUE = re.compile(r"(?i)\bcard\b|kreditkarte|\bcarte\b|tarjeta|\bvisa\b|mastercard|\bamex\b")
_SSN_CUE = re.compile(r"(?i)\bssn\b|social security")
_VERSION_CUE = re.compile(r"(?i)(?:\bv|version|release)\s?$")
_CUE_REACH = 40


def _compact(text: str) -> str:
    return text.replace(" ", "").replace("-", "")


def emails(text: str) -> Iterator[Span]:
    """Mail addresses with a domain that has a dot in it."""
    if "@" not in text:
        return
    for match in _EMAIL.finditer(text):
        local = match.group().partition("@")[0]
        lead = len(local) - len(local.lstrip("'.%+-"))
        if lead < len(local):
            yield match.start() + lead, match.end(), 0.95


def card_numbers(text: str) -> Iterator[Span]:
    """Payment card numbers: a network's range and Luhn, or Luhn beside the word "card"."""
    for match in _CARD.finditer(text):
        digits = "".join(_DIGIT.findall(match.group()))
        if not checksums.passes_luhn(digits):
            continue
        if checksums.is_issued_card(digits):
            yield match.start(), match.end(), 0.95
        elif _CARD_CUE.search(text, max(0, match.start() - _CUE_REACH), match.start()):
            yield match.start(), match.end(), 0.7


def ibans(text: str) -> Iterator[Span]:
    """International bank account numbers of a registered country, in any grouping."""
    for head in _IBAN_HEAD.finditer(text):
        length = checksums.IBAN_LENGTHS.get(head.group()[:2].upper())
        body = _IBAN_BODY[length].match(text, head.end()) if length else None
        if body and checksums.is_iban(_compact(head.group() + body.group())):
            yield head.start(), body.end(), 0.98


def us_ssns(text: str) -> Iterator[Span]:
    """US social security numbers: in groups, or nine digits beside "SSN"."""
    for match in _SSN.finditer(text):
        if checksums.is_us_ssn("".join(_DIGIT.findall(match.group()))):
            yield match.start(), match.end(), 0.85
    for match in _BARE_SSN.finditer(text):
        before = text[max(0, match.start() - _CUE_REACH) : match.start()]
        if _SSN_CUE.search(before) and checksums.is_us_ssn(match.group()):
            yield match.start(), match.end(), 0.8


def _proved(pattern: re.Pattern[str], proof: Callable[[str], bool]) -> Callable[[str], Iterator[Span]]:
    def detect(text: str) -> Iterator[Span]:
        for match in pattern.finditer(text):
            if proof(_compact(match.group())):
                yield match.start(), match.end(), 0.9

    return detect


def ip_addresses(text: str) -> Iterator[Span]:
    """IPv4 and IPv6 addresses; not version numbers, not times."""
    for match in _IPV4.finditer(text):
        version = _VERSION_CUE.search(text, max(0, match.start() - 10), match.start())
        if not version and _is_ip(match.group()):
            yield match.start(), match.end(), 0.8
    for match in _IPV6.finditer(text):
        if match.group().count(":") >= 2 and len(match.group()) > 3 and _is_ip(match.group()):
            yield match.start(), match.end(), 0.85


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


uk_ninos = _proved(_NINO, checksums.is_uk_nino)
es_dnis = _proved(_DNI, checksums.is_es_dni)
fr_nirs = _proved(_NIR, checksums.is_fr_nir)
