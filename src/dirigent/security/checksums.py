"""Check digits and number ranges: what tells an identifier from just any digits.

Sources: ISO/IEC 7812-1 (card numbers, Luhn), ISO 13616 (IBAN, modulus 97-10 of ISO 7064) with the
lengths of the SWIFT IBAN registry, Social Security Administration (number ranges since 2011),
HMRC manual NIM39110 (National Insurance numbers), Spanish Interior Ministry (DNI and NIE letter),
INSEE (French registration number and its key). Own code, since it is a few lines each and redaction
must be there in an installation without extras.
"""

from __future__ import annotations

import re

# Leading digits of card networks and the lengths they issue.
_CARD_NETWORKS = (
    (re.compile(r"4"), (13, 16, 19)),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),
    (re.compile(r"3[47]"), (15,)),
    (re.compile(r"30[0-5]|3095|36|3[89]"), (14, 16, 19)),
    (re.compile(r"6011|64[4-9]|65|62"), (16, 17, 18, 19)),
    (re.compile(r"352[89]|35[3-8]"), (16, 19)),
    (re.compile(r"2131|1800"), (15,)),
    (re.compile(r"50|5[6-9]|6[0-9]"), (12, 13, 14, 15, 16, 17, 18, 19)),
)
_IBAN_REGISTRY = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
    "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 "
    "QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
)
IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBAN_REGISTRY.split()}
_LETTER_VALUES = str.maketrans({chr(65 + n): str(10 + n) for n in range(26)})
_NINO_UNUSED_PREFIXES = frozenset({"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"})
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others."""
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(sum(divmod(2 * int(d), 10)) for d in even)) % 10 == 0


def is_issued_card(digits: str) -> bool:
    """Whether a card network issues numbers that begin so and have this length."""
    return any(len(digits) in lengths and prefix.match(digits) for prefix, lengths in _CARD_NETWORKS)


def is_iban(compact: str) -> bool:
    """Whether an IBAN without blanks has its country's length and the right check digits."""
    text = compact.upper()
    if len(text) != IBAN_LENGTHS.get(text[:2]) or not (text.isascii() and text.isalnum()):
        return False
    return int((text[4:] + text[:4]).translate(_LETTER_VALUES)) % 97 == 1


def is_us_ssn(digits: str) -> bool:
    """Whether nine digits lie in the ranges that are or were issued."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def is_uk_nino(compact: str) -> bool:
    """Whether two letters, six digits and a suffix have a prefix that is given out."""
    prefix = compact[:2].upper()
    return prefix not in _NINO_UNUSED_PREFIXES and not set(prefix) & set("DFIQUV") and prefix[1] != "O"


def is_es_dni(compact: str) -> bool:
    """Whether the letter of a Spanish DNI or NIE belongs to its number."""
    number = compact[:-1].upper().translate(str.maketrans("XYZ", "012"))
    return _DNI_LETTERS[int(number) % 23] == compact[-1].upper()


def is_fr_nir(digits: str) -> bool:
    """Whether the two-digit key of a French registration number belongs to its thirteen digits."""
    return len(digits) == 15 and int(digits[13:]) == 97 - int(digits[:13]) % 97
