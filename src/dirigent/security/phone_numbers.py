"""Phone numbers: by their form where it is telling, else by the words around them.

An international or a North American number speaks for itself, and so does a number that begins with a
trunk 0 and is written in groups. Other digits are a phone number only beside a word like "call" or
"Telefon", and never after "order", before a currency or in the form of a date.

Sources: ITU-T E.164 (length and prefix), E.123 (how numbers are written).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dirigent.security.identifiers import Span

_NUMBER_RUN = re.compile(
    r"[0-9+(](?<![\w(+].)(?:[0-9]|\((?=[0-9])|\)(?=[ .-]?[0-9])|[ .-](?=[0-9(]))*+(?!\w)"
)
_GROUP = re.compile(r"[0-9]+")
_DIGIT = re.compile(r"[0-9]")
_PHONE_CUES = (
    "phone telephone tel cell cellphone mobile mob fax whatsapp sms call called calling dial ring text "
    "texting reach reached answering message messages contact hotline extension telefon telefonnummer "
    "handy mobil rufnummer anrufen anruf erreichbar erreichen durchwahl téléphone tél appel appeler "
    "appelez portable teléfono telefono llamar llámame llame móvil movil chiamare cellulare bel bellen"
)
_PHONE_CUES_AFTER = "office fax mobile cell home work direct phone"
_OTHER_NUMBERS = (
    "order invoice ticket id ref reference case sku article item po tracking account customer batch serial "
    "contract policy rechnung bestellung kundennummer auftrag artikel commande pedido factura facture "
    "version isbn ean ssn"
)
_PHONE_WORDS = frozenset(_PHONE_CUES.split())
_PHONE_WORDS_AFTER = frozenset(_PHONE_CUES_AFTER.split())
_OTHER_NUMBER_WORDS = frozenset(_OTHER_NUMBERS.split())
_WORDS = re.compile(r"[^\W\d_]+")
_MONEY_BEFORE = re.compile(r"(?:[$€£¥#]|\b(?:USD|EUR|GBP|CHF|No\.|Nr\.))\s?$")
_MONEY_AFTER = re.compile(r"\s?(?:[%€$£¥]|(?:USD|EUR|GBP|CHF|euros?|dollars?|pounds?|units|pieces|Stück)\b)")
_DATE = re.compile(r"(?:19|20)\d\d[-. ](?:0?[1-9]|1[0-2])[-. ]\d{1,2}|\d{1,2}[-. ]\d{1,2}[-. ](?:19|20)\d\d")
_NORTH_AMERICAN = re.compile(r"(?:1[ .-])?(?:\(\d{3}\)[ .-]?|\d{3}[.-])\d{3}[.-]\d{4}")
_TRUNK_GROUPED = re.compile(r"\(?0\d{1,4}\)?[ .-]\d{2,4}[ .-]\d{2,4}(?:[ .-]\d{2,4})*+")
_CUE_REACH = 40
_PHONE_DIGITS = range(7, 16)
_INTERNATIONAL_DIGITS = range(8, 16)


def phone_numbers(text: str) -> Iterator[Span]:
    """Phone numbers, at most 15 digits each."""
    for match in _NUMBER_RUN.finditer(text):
        start, end = match.span()
        if text[start] == "+":
            end = _end_of_international(text, start, end)
        if end - start >= _PHONE_DIGITS.start and (confidence := _phone_confidence(text, start, end)):
            yield start, end, confidence


def _end_of_international(text: str, start: int, end: int) -> int:
    # Whatever follows after a blank may be another number: whole groups only, up to 15 digits.
    for group in _GROUP.finditer(text, start, end):
        if len(_DIGIT.findall(text, start, group.end())) >= _INTERNATIONAL_DIGITS.stop:
            return group.start() - 1
    return end


def _phone_confidence(text: str, start: int, end: int) -> float:
    number = text[start:end]
    digits = len(_DIGIT.findall(number))
    if number.startswith("+"):
        return 0.9 if digits in _INTERNATIONAL_DIGITS else 0.0
    if digits not in _PHONE_DIGITS or _is_other_number(text, start, end):
        return 0.0
    if number.startswith("00") and digits >= 10:
        return 0.8
    if _NORTH_AMERICAN.fullmatch(number) or (digits >= 9 and _TRUNK_GROUPED.fullmatch(number)):
        return 0.75
    return 0.6 if _speaks_of_phones(text, start, end) else 0.0


def _is_other_number(text: str, start: int, end: int) -> bool:
    number = text[start:end]
    if _DATE.fullmatch(number) or (number.count(".") == 1 and number.replace(".", "").isdigit()):
        return True
    before = _WORDS.findall(text[max(0, start - _CUE_REACH) : start].lower())
    if not _OTHER_NUMBER_WORDS.isdisjoint(before[-2:]):
        return True
    return bool(_MONEY_BEFORE.search(text[max(0, start - 5) : start]) or _MONEY_AFTER.match(text, end))


def _speaks_of_phones(text: str, start: int, end: int) -> bool:
    before = _WORDS.findall(text[max(0, start - _CUE_REACH) : start].lower())
    after = _WORDS.findall(text[end : end + 12].lower())
    return not _PHONE_WORDS.isdisjoint(before) or not _PHONE_WORDS_AFTER.isdisjoint(after[:1])
